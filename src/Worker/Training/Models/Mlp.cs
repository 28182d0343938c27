namespace Temper.Worker.Training.Models;

/// <summary>Fully connected layers with relu between them, and K linear units.</summary>
internal sealed class Mlp : Module<Tensor, Tensor>
{
    private readonly ModuleList<Linear> hidden;
    private readonly Linear last;
    private readonly double dropout;

    /// <param name="inputs">Pixels of an image, over all its channels.</param>
    /// <param name="widths">Units of each hidden layer.</param>
    /// <param name="dropout">Share of the hidden units that a training step sets to 0.</param>
    /// <param name="deviation">Standard deviation of the first weights, which are then normal, with biases of 0; null for libtorch's.</param>
    public Mlp(long inputs, IReadOnlyList<int> widths, int classes, double dropout = 0, double? deviation = null)
        : base(nameof(Mlp))
    {
        this.dropout = dropout;
        hidden = ModuleList([.. widths.Select((width, i) => Linear(i == 0 ? inputs : widths[i - 1], width))]);
        last = Linear(widths[^1], classes);
        RegisterComponents();
        if (deviation is { } given)
            Draw(given);
    }

    public override Tensor forward(Tensor images_NCHW)
    {
        var x = Fused.Flatten(images_NCHW);
        foreach (var layer in hidden)
        {
            x = Fused.Linear(x, layer, relu: true);
            if (dropout > 0)
                x = functional.dropout(x, dropout, training);
        }
        return Fused.Linear(x, last);
    }

    private void Draw(double deviation)
    {
        using var noGraph = no_grad();
        foreach (var layer in hidden.Append(last))
        {
            layer.weight.normal_(0, deviation);
            layer.bias!.zero_();
        }
    }
}
