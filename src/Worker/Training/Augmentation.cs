using Temper.Domain;
using Temper.Domain.Jobs;

namespace Temper.Worker.Training;

/// <summary>Random changes to a batch. Seed, epoch and step determine them, so a resumed run draws the same ones.</summary>
internal static class Augmentation
{
    /// <summary>
    /// Width of the border that padding adds before the crop, in pixels: He et al. 2016, arXiv:1512.03385, section 4.2.
    /// </summary>
    private const int CropBorder = 4;

    /// <summary>Largest shift in pixels, as for MNIST in Sabour et al. 2017, arXiv:1710.09829, section 5.</summary>
    private const int ShiftBorder = 2;

    private const ulong Stream = 1UL << 40;

    /// <param name="black">The value of a black pixel in normalized images.</param>
    /// <returns>The batch to train on, of the same shape and layout.</returns>
    public static Tensor Apply(JobSpec spec, Tensor images_NCHW, double black, int epoch, int step)
    {
        if (spec.Augmentation == AugmentationName.None)
            return images_NCHW;
        var mirrors = spec.Augmentation == AugmentationName.CropFlip;
        var (border, edge) = mirrors ? (CropBorder, 0.0) : (ShiftBorder, black);
        var shape = images_NCHW.shape;
        var random = new SplitMix64(spec.Seed, Stream + ((ulong)epoch << 24) + (ulong)step);
        var (rows, columns) = (new long[shape[0] * shape[2]], new long[shape[0] * shape[3]]);
        for (var n = 0; n < shape[0]; n++)
        {
            var (top, left, mirrored) = (
                random.NextInt32(2 * border + 1),
                random.NextInt32(2 * border + 1),
                mirrors && random.NextInt32(2) == 1
            );
            for (var h = 0; h < shape[2]; h++)
                rows[n * shape[2] + h] = top + h;
            for (var w = 0; w < shape[3]; w++)
                columns[n * shape[3] + w] = left + (mirrored ? shape[3] - 1 - w : w);
        }
        var device = images_NCHW.device;
        return Crop(
            functional.pad(images_NCHW, [border, border, border, border], value: edge),
            torch.tensor(rows, [shape[0], shape[2]]).to(device),
            torch.tensor(columns, [shape[0], shape[3]]).to(device)
        );
    }

    /// <returns>For each image, the pixels at its rows and columns: N×C×H×W, channels last.</returns>
    private static Tensor Crop(Tensor images_NCHW, Tensor rows_NH, Tensor columns_NW)
    {
        var image = torch.arange(images_NCHW.shape[0], int64, images_NCHW.device).view(-1, 1, 1);
        return images_NCHW
            .permute(0, 2, 3, 1)
            .index(TensorIndex.Tensor(image), TensorIndex.Tensor(rows_NH.unsqueeze(2)), TensorIndex.Tensor(columns_NW.unsqueeze(1)))
            .permute(0, 3, 1, 2);
    }
}
