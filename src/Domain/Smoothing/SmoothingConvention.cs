namespace Temper.Domain.Smoothing;

/// <summary>The meaning of ε: two conventions share the name "label smoothing".</summary>
public enum SmoothingConvention
{
    /// <summary>q = (1−ε)·onehot + ε/K: the smoothed mass goes to all K classes. PyTorch's <c>label_smoothing</c>.</summary>
    Uniform,

    /// <summary>q_y = 1−ε and ε/(K−1) for each other class: the textbook vector.</summary>
    Others,
}
