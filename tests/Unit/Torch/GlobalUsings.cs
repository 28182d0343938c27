global using Temper.Torch;
global using static Temper.Torch.torch;
global using static Temper.Torch.torch.nn;
