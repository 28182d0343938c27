using System.Buffers.Binary;
using System.Collections;
using System.Security.Cryptography;
using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store.Rows;

namespace Temper.Api.Datasets;

/// <summary>An upload that was read and checked to its end, in the service's own format in a temporary file.</summary>
internal sealed class PreparedDataset : IDisposable
{
    private PreparedDataset(FileStream file, DatasetContent content, DatasetDetails details, byte[] samples, byte[] mean) =>
        (File, Content, Details, Samples, Mean) = (file, content, details, samples, mean);

    public FileStream File { get; }

    public DatasetContent Content { get; }

    public DatasetDetails Details { get; }

    public byte[] Samples { get; }

    public byte[] Mean { get; }

    /// <param name="seed">Determines the test part of an upload that has none.</param>
    /// <param name="largest">Largest file in bytes.</param>
    /// <param name="errors">Gets what is wrong with each part.</param>
    /// <returns>Null when there are errors.</returns>
    /// <exception cref="WrongBodyException">The upload is no data set that can be trained on.</exception>
    public static PreparedDataset? Of(UploadedImages images, int seed, long largest, SpecErrors errors, CancellationToken cancellation)
    {
        var names = ClassNames(images);
        CheckLabels(images, names, errors);
        if (errors.Any)
            return null;
        var isTest = images.Test is null ? TestSplit.Of(images.Train.Labels, names.Count, seed) : new BitArray(images.Train.Labels.Length);
        var taken = Count(isTest);
        var header = new DatasetHeader(
            images.Channels,
            images.Height,
            images.Width,
            names,
            images.Train.Labels.Length - taken,
            images.Validation?.Labels.Length ?? 0,
            images.Test?.Labels.Length ?? taken
        );
        CheckSizes(header, largest);
        var note = images.Test is null ? Note(taken, images.Train.Labels.Length, seed) : null;
        var file = TemporaryFile.Create();
        try
        {
            var counts = names.Select(_ => new int[3]).ToArray();
            var sheet = new ContactSheet(header.Channels, header.Height, header.Width, names.Count);
            new Writer(file, header, counts, sheet, errors, cancellation).Write(images, isTest);
            if (errors.Any)
            {
                file.Dispose();
                return null;
            }
            DatasetDetails details = new(
                [.. names.Select((name, k) => new ClassCount(name, counts[k][0], counts[k][1], counts[k][2]))],
                note
            );
            return new(file, header.Content(Sha256Of(file, cancellation)), details, sheet.Samples(), sheet.Mean());
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose() => File.Dispose();

    private static IReadOnlyList<string> ClassNames(UploadedImages images)
    {
        if (images.ClassNames is not { } names)
        {
            var classes = images.Parts.Max(part => part.Labels.Max()) + 1;
            names = [.. Enumerable.Range(0, classes).Select(k => FormattableString.Invariant($"{k}"))];
        }
        if (names.Count is < 2 or > DatasetContent.MostClasses)
            throw new WrongBodyException(
                images.ClassNames is null ? images.Train.Name : "class_names",
                $"must have 2 to {DatasetContent.MostClasses} classes; it has {names.Count}"
            );
        foreach (var name in names)
            if (!JobSpecRule.IsTag(name))
                throw new WrongBodyException("class_names", "must be 1 to 64 characters on one line each");
        return names.Distinct().Count() == names.Count
            ? names
            : throw new WrongBodyException("class_names", "must be different from each other");
    }

    private static void CheckLabels(UploadedImages images, IReadOnlyList<string> names, SpecErrors errors)
    {
        var classes = names.Count;
        foreach (var part in images.Parts)
            if (Array.FindIndex(part.Labels, label => label >= classes) is >= 0 and var wrong)
                errors.Add(part.Name, $"must be 0 to {classes - 1}, a place in class_names; image {wrong} has {part.Labels[wrong]}");
        if (errors.Has(images.Train.Name))
            return;
        var counts = new int[classes];
        foreach (var label in images.Train.Labels)
            counts[label]++;
        var least = images.Test is null ? 2 : 1;
        if (Array.FindIndex(counts, count => count < least) is >= 0 and var scarce)
            errors.Add(
                images.Train.Name,
                images.Test is null
                    ? $"must have two images of each class, because there is no test part; class {names[scarce]} has {counts[scarce]}"
                    : $"must have at least one training image of each class; class {names[scarce]} has none"
            );
    }

    /// <summary>A worker holds the training and validation images in one array, and the test images in another.</summary>
    private static void CheckSizes(DatasetHeader header, long largest)
    {
        if (header.CountFileBytes() > largest)
            throw new WrongBodyException(
                "images",
                $"must have at most {largest} bytes in all, with their labels; they have {header.CountFileBytes()}. "
                    + $"{Uploads.Setting} sets the limit"
            );
        if (Math.Max(header.Validation, header.Test) * (long)header.ClassNames.Count > DatasetContent.MostOutputs)
            throw new WrongBodyException(
                "images",
                $"must have at most {DatasetContent.MostOutputs} outputs to validate on, and to test on: images · classes"
            );
        if (DatasetFile.Begin(header).Length - DatasetFile.PrefixLength > DatasetFile.LargestHeader)
            throw new WrongBodyException("class_names", $"must have at most {DatasetFile.LargestHeader} bytes in all, as JSON");
        if (Math.Max(header.Train + header.Validation, header.Test) * (long)header.CountImageBytes() > Array.MaxLength)
            throw new WrongBodyException("images", $"must have at most {Array.MaxLength} bytes to train and validate on, and to test on");
    }

    private static string Note(int taken, int images, int seed) =>
        $"It had no test part: {taken} of its {images} training images are the test part, {TestSplit.Share * 100:0} % of each class "
        + $"drawn with seed {seed}.";

    private static int Count(BitArray bits) => bits.Cast<bool>().Count(bit => bit);

    private static string Sha256Of(FileStream file, CancellationToken cancellation)
    {
        file.Position = 0;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        for (int read; (read = file.Read(buffer)) > 0; )
        {
            cancellation.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private sealed class Writer(
        FileStream file,
        DatasetHeader header,
        int[][] counts,
        ContactSheet sheet,
        SpecErrors errors,
        CancellationToken cancellation
    )
    {
        private readonly byte[] pixels = new byte[header.CountImageBytes()];

        public void Write(UploadedImages images, BitArray isTest)
        {
            var begin = DatasetFile.Begin(header);
            file.SetLength(header.CountFileBytes());
            file.Write(begin);
            file.Flush();
            var labelsAt = (long)begin.Length;
            var pixelsAt = labelsAt + header.CountImages() * (long)sizeof(ushort);
            Region At(int image) => new(file, labelsAt + image * (long)sizeof(ushort), pixelsAt + image * (long)header.CountImageBytes());
            Region train = At(0),
                validation = At(header.Train),
                test = At(header.Train + header.Validation);

            errors.Try(() => Copy(images.Train, i => isTest[i] ? (test, 2) : (train, 0)));
            if (images.Validation is { } own)
                errors.Try(() => Copy(own, _ => (validation, 1)));
            if (images.Test is { } given)
                errors.Try(() => Copy(given, _ => (test, 2)));
            foreach (var region in new[] { train, validation, test })
                region.Flush();
        }

        private void Copy(UploadedPart part, Func<int, (Region To, int Part)> place)
        {
            using var source = part.Open();
            for (var i = 0; i < part.Labels.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                source.ReadNext(pixels);
                var (to, number) = place(i);
                counts[part.Labels[i]][number]++;
                if (number == 0)
                    sheet.Add(part.Labels[i], pixels);
                to.Add(part.Labels[i], pixels);
            }
        }
    }

    /// <summary>Labels and pixels of one part of the file, written in pieces.</summary>
    private sealed class Region(FileStream file, long labelsAt, long pixelsAt)
    {
        private const int PieceLength = 1 << 20;

        private readonly MemoryStream labels = new(),
            pixels = new();

        public void Add(ushort label, ReadOnlySpan<byte> image)
        {
            Span<byte> bytes = stackalloc byte[sizeof(ushort)];
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, label);
            labels.Write(bytes);
            pixels.Write(image);
            if (pixels.Length >= PieceLength || labels.Length >= PieceLength)
                Flush();
        }

        public void Flush()
        {
            labelsAt = Write(labels, labelsAt);
            pixelsAt = Write(pixels, pixelsAt);
        }

        private long Write(MemoryStream piece, long at)
        {
            RandomAccess.Write(file.SafeFileHandle, piece.GetBuffer().AsSpan(0, (int)piece.Length), at);
            at += piece.Length;
            piece.SetLength(0);
            return at;
        }
    }
}
