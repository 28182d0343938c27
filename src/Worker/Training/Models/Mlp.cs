namespace Temper.Worker.Training.Models;

/// <summary>Fully connected layers with relu between them, and K linear units.</summary>
internal sealed class Mlp : Module<Tensor, Tensor>
{
    private readonly ModuleList<Linear> hidden;
    private readonly Linear last;

    /// <param name="inputs">Pixels of an image, over all its channels.</param>
    /// <param name="widths">Units of each hidden layer.</param>
    public Mlp(long inputs, IReadOnlyList<int> widths, int classes)
        : base(nameof(Mlp))
    {
        hidden = ModuleList([.. widths.Select((width, i) => Linear(i == 0 ? inputs : widths[i - 1], width))]);
        last = Linear(widths[^1], classes);
        RegisterComponents();
    }

    public override Tensor forward(Tensor images_NCHW)
    {
        var x = Fused.Flatten(images_NCHW);
        foreach (var layer in hidden)
            x = Fused.Linear(x, layer, relu: true);
        return Fused.Linear(x, last);
    }
}
