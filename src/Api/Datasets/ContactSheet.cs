namespace Temper.Api.Datasets;

/// <summary>
/// Pictures of a data set: the first training images of each class, and the mean of all. A sheet has 100 images at most, ten to a
/// row, class after class. It shows one image of each of the first 100 classes when there are that many.
/// </summary>
internal sealed class ContactSheet
{
    private const int MostImages = 100,
        Columns = 10,
        LargestSide = 64,
        Gap = 1;

    private readonly int channels,
        height,
        width,
        scale,
        perClass;

    private readonly int[] seen;
    private readonly byte[]?[] cells;
    private readonly long[] sums;
    private long count;

    public ContactSheet(int channels, int height, int width, int classes)
    {
        (this.channels, this.height, this.width) = (channels, height, width);
        scale = (Math.Max(height, width) + LargestSide - 1) / LargestSide;
        perClass = Math.Clamp(MostImages / classes, 1, Columns);
        seen = new int[classes];
        cells = new byte[]?[Math.Min(classes * perClass, MostImages)];
        sums = new long[channels * height * width];
    }

    /// <summary>Takes a training image into account.</summary>
    public void Add(int label, ReadOnlySpan<byte> pixels_CHW)
    {
        count++;
        for (var i = 0; i < sums.Length; i++)
            sums[i] += pixels_CHW[i];
        var cell = label * perClass + seen[label];
        if (seen[label]++ < perClass && cell < cells.Length)
            cells[cell] = Reduced(pixels_CHW);
    }

    /// <returns>The mean of the images, a PNG.</returns>
    public byte[] Mean()
    {
        var mean = new byte[sums.Length];
        for (var c = 0; c < channels; c++)
        for (var i = 0; i < height * width; i++)
            mean[i * channels + c] = (byte)((sums[c * height * width + i] + count / 2) / count);
        return Png.Write(channels, height, width, mean);
    }

    /// <returns>The sheet, a PNG.</returns>
    public byte[] Samples()
    {
        int cellHeight = height / scale,
            cellWidth = width / scale,
            rows = (cells.Length + Columns - 1) / Columns,
            sheetWidth = Columns * (cellWidth + Gap) - Gap,
            sheetHeight = rows * (cellHeight + Gap) - Gap;
        var sheet = new byte[channels * sheetHeight * sheetWidth];
        Array.Fill(sheet, byte.MaxValue);
        for (var n = 0; n < cells.Length; n++)
        {
            if (cells[n] is not { } cell)
                continue;
            var (top, left) = (n / Columns * (cellHeight + Gap), n % Columns * (cellWidth + Gap));
            for (var row = 0; row < cellHeight; row++)
                cell.AsSpan(row * cellWidth * channels, cellWidth * channels)
                    .CopyTo(sheet.AsSpan(((top + row) * sheetWidth + left) * channels));
        }
        return Png.Write(channels, sheetHeight, sheetWidth, sheet);
    }

    /// <returns>The image with each square of `scale` pixels replaced by its mean, H×W×C.</returns>
    private byte[] Reduced(ReadOnlySpan<byte> pixels_CHW)
    {
        int rows = height / scale,
            columns = width / scale;
        var reduced = new byte[rows * columns * channels];
        for (var c = 0; c < channels; c++)
        for (var row = 0; row < rows; row++)
        for (var column = 0; column < columns; column++)
        {
            var sum = 0;
            for (var y = 0; y < scale; y++)
            for (var x = 0; x < scale; x++)
                sum += pixels_CHW[(c * height + row * scale + y) * width + column * scale + x];
            reduced[(row * columns + column) * channels + c] = (byte)(sum / (scale * scale));
        }
        return reduced;
    }
}
