namespace Temper.Api.Datasets;

/// <summary>Settings of uploaded data sets, from the configuration section `Datasets`.</summary>
public sealed class DatasetOptions
{
    private const long LeastLargest = 1L << 20,
        MostLargest = 4L << 30;

    /// <summary>
    /// Largest upload, and largest data set in the service's own format, in bytes. 1048576 (1 MiB) to 4294967296 (4 GiB), default
    /// 1073741824 (1 GiB). An upload needs twice as much in the folder of temporary files, which TMPDIR names.
    /// </summary>
    public long LargestBytes { get; init; } = 1L << 30;

    /// <exception cref="InvalidOperationException">A setting is out of its range.</exception>
    internal DatasetOptions Checked() =>
        LargestBytes is >= LeastLargest and <= MostLargest
            ? this
            : throw new InvalidOperationException($"Datasets:LargestBytes must be {LeastLargest} to {MostLargest}, not {LargestBytes}.");
}
