namespace Temper.Domain.Calibration;

/// <summary>
/// Cuts N images into pieces of work for all cores. The pieces do not depend on the number of cores, so sums that are added in the
/// order of the pieces are the same on any number of them.
/// </summary>
internal static class Pieces
{
    public const int Most = 32;

    private const int LeastImages = 1024;

    /// <param name="most">Most pieces, 1 or more.</param>
    public static int CountOf(int images, int most = Most) => Math.Clamp(images / LeastImages, 1, most);

    /// <summary>The index of a piece, its first image, and the image after its last.</summary>
    public delegate void Work(int piece, int start, int end);

    /// <exception cref="OperationCanceledException">The call was cancelled; it checks between pieces.</exception>
    public static void ForEach(int images, CancellationToken cancellation, Work work, int most = Most)
    {
        var pieces = CountOf(images, most);
        cancellation.ThrowIfCancellationRequested();
        if (pieces == 1)
            work(0, 0, images);
        else
            Parallel.For(0, pieces, Cores.Until(cancellation), piece => work(piece, Start(piece), Start(piece + 1)));

        int Start(int piece) => (int)((long)images * piece / pieces);
    }
}
