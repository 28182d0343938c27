namespace Temper.Domain.Calibration;

/// <summary>
/// Cuts N images into pieces of work for all cores. The pieces depend on N alone, so sums that are added in the order of the
/// pieces are the same on any number of cores.
/// </summary>
internal static class Pieces
{
    private const int Most = 32,
        LeastImages = 1024;

    public static int CountOf(int images) => Math.Clamp(images / LeastImages, 1, Most);

    /// <summary>The index of a piece, its first image, and the image after its last.</summary>
    public delegate void Work(int piece, int start, int end);

    /// <exception cref="OperationCanceledException">The call was cancelled; it checks between pieces.</exception>
    public static void ForEach(int images, CancellationToken cancellation, Work work)
    {
        var pieces = CountOf(images);
        cancellation.ThrowIfCancellationRequested();
        if (pieces == 1)
            work(0, 0, images);
        else
            Parallel.For(0, pieces, new() { CancellationToken = cancellation }, piece => work(piece, Start(piece), Start(piece + 1)));

        int Start(int piece) => (int)((long)images * piece / pieces);
    }
}
