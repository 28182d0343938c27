global using Temper.Torch;
global using Temper.Torch.Modules;
global using static Temper.Torch.torch;
global using static Temper.Torch.torch.nn;
