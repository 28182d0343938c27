namespace Temper.Worker;

/// <summary>What the training code asks of libtorch beyond TorchSharp's API, by our own binding.</summary>
internal static class TorchExtras
{
    public static string Provider => $"libtorch {Extras.LibtorchVersion}";

    /// <summary>Process-wide settings, to be made before the first tensor.</summary>
    public static void Prepare()
    {
        Extras.TuneMalloc();
        Extras.UseDeterministicAlgorithms(true);
    }

    /// <summary>Gives memory that no tensor uses back to the system.</summary>
    public static void ReleaseMemory() => Extras.ReleaseMemory();

    public static Tensor ChannelsLast(Tensor images_NCHW) => Extras.ChannelsLast(images_NCHW);

    public static void ChannelsLast(Module model) => Extras.ChannelsLast(model);
}
