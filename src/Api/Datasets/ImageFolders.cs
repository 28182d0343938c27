using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Api.Images;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;

namespace Temper.Api.Datasets;

/// <summary>
/// A data set as a zip of PNG and JPEG files in a folder per class. Folders `train`, `validation` and `test` around those of the
/// classes make own parts.
/// </summary>
internal static class ImageFolders
{
    private const string Train = "train",
        Validation = "validation",
        Test = "test";

    private static readonly string[] Parts = [Train, Validation, Test];

    private static readonly string[] Suffixes = [".png", ".jpg", ".jpeg"];

    /// <summary>Folders, and what macOS adds to a zip.</summary>
    public static bool IsOfNoConcern(ZipMember member) =>
        member.Name.EndsWith('/')
        || member.Name.StartsWith("__MACOSX/", StringComparison.Ordinal)
        || member.Name.EndsWith(".DS_Store", StringComparison.Ordinal);

    /// <param name="errors">Gets what is wrong with each file, of the first ones.</param>
    /// <returns>Null when there are errors.</returns>
    /// <exception cref="WrongBodyException">The files are no images in a folder per class.</exception>
    public static UploadedImages? Read(Stream zip, IReadOnlyList<ZipMember> members, SpecErrors errors, CancellationToken cancellation)
    {
        var files = new List<FolderImage>();
        if (!Each(members.Where(member => !IsOfNoConcern(member)), errors, member => files.Add(FolderImage.Of(member))))
            return null;
        files.Sort((one, other) => string.CompareOrdinal(one.Path, other.Path));
        if (files.Count == 0)
            throw new WrongBodyException(WrongBodyException.Whole, "has no images");
        for (var i = 1; i < files.Count; i++)
            if (files[i].Path == files[i - 1].Path)
                throw new WrongBodyException(WrongBodyException.Whole, $"has two files of the name {files[i].Shown}");
        var depth = files[0].Folders.Length;
        var hasParts = depth == 2 && files.All(file => file.Folders is [var part, _] && Parts.Contains(part));
        if (!hasParts && files.FirstOrDefault(file => file.Folders.Length != 1) is { } elsewhere)
            throw new WrongBodyException(
                WrongBodyException.Whole,
                "must have its images in a folder per class, such as cat/1.png, or in train/cat/1.png and test/cat/2.png; it has "
                    + elsewhere.Shown
            );
        var classes = files.Select(file => file.Folders[^1]).Distinct().Order(StringComparer.Ordinal).ToList();
        if (classes.Count is < 2 or > DatasetContent.MostClasses)
            throw new WrongBodyException(
                WrongBodyException.Whole,
                $"must have 2 to {DatasetContent.MostClasses} folders of classes; it has {classes.Count}"
                    + (classes.Count == 1 ? $", {WrongBodyException.Shown(classes[0])}" : "")
            );
        if (!Each(classes, errors, RequireName))
            return null;
        var numbers = classes.Select((name, k) => (name, k)).ToDictionary(one => one.name, one => (ushort)one.k);
        if (SizeOf(zip, files, errors, cancellation) is not { } size)
            return null;

        UploadedPart? PartOf(string part)
        {
            var own = files.Where(file => !hasParts ? part == Train : file.Folders[0] == part).ToList();
            var name = hasParts ? part : WrongBodyException.Whole;
            return own.Count == 0 ? null : new(name, [.. own.Select(file => numbers[file.Folders[^1]])], () => new Pixels(zip, own, size));
        }

        return new(
            size.Channels,
            size.Height,
            size.Width,
            classes,
            PartOf(Train) ?? throw new WrongBodyException(WrongBodyException.Whole, "has no folder train"),
            PartOf(Validation),
            PartOf(Test)
        );
    }

    /// <returns>
    /// The size that all images have, and 3 channels as soon as one has colour; null when there are errors.
    /// </returns>
    private static ImageSize? SizeOf(Stream zip, List<FolderImage> files, SpecErrors errors, CancellationToken cancellation)
    {
        ImageSize? all = null;
        return Each(files, errors, Read) ? all : null;

        void Read(FolderImage file)
        {
            cancellation.ThrowIfCancellationRequested();
            var size = file.ReadSize(zip);
            if (!DatasetContent.IsSide(size.Height) || !DatasetContent.IsSide(size.Width))
                throw new WrongBodyException(file.Shown, $"must have {DatasetContent.SidesAllowed}; it has {size.Width}×{size.Height}");
            all ??= size;
            if ((size.Height, size.Width) != (all.Height, all.Width))
                throw new WrongBodyException(
                    file.Shown,
                    $"must have the size of the other images, {all.Width}×{all.Height}; it has {size.Width}×{size.Height}"
                );
            all = all with { Channels = Math.Max(all.Channels, size.Channels) };
        }
    }

    private static void RequireName(string folder)
    {
        if (!JobSpecRule.IsTag(folder))
            throw new WrongBodyException(
                WrongBodyException.Shown(folder),
                "must have 1 to 64 characters on one line: the folder's name is that of a class"
            );
    }

    /// <summary>Reads each part, and adds what is wrong with it. It stops when it may name no more.</summary>
    /// <returns>Whether all are right.</returns>
    private static bool Each<T>(IEnumerable<T> parts, SpecErrors errors, Action<T> read)
    {
        var wrong = 0;
        foreach (var part in parts)
        {
            if (!errors.Try(() => read(part)) && ++wrong == SpecErrors.MostNamed)
                break;
        }
        return wrong == 0;
    }

    private sealed class Pixels(Stream zip, List<FolderImage> files, ImageSize size) : IUploadedPixels
    {
        private readonly byte[] pixels_HWC = new byte[size.Channels * size.Height * size.Width];
        private int next;

        public void ReadNext(Span<byte> pixels_CHW)
        {
            files[next++].Decode(zip, size.Channels, pixels_HWC);
            Layout.ToChw(pixels_HWC, size.Channels, pixels_CHW);
        }

        public void Dispose() { }
    }

    private sealed record ImageSize(int Channels, int Height, int Width);

    /// <summary>An image file in the zip.</summary>
    /// <param name="Folders">The folders that it lies in.</param>
    private sealed record FolderImage(string Path, string[] Folders, ZipMember Member)
    {
        public string Shown => WrongBodyException.Shown(Path);

        /// <exception cref="WrongBodyException">Its path or its size cannot be that of an image.</exception>
        public static FolderImage Of(ZipMember member)
        {
            var shown = WrongBodyException.Shown(member.Name);
            var parts = member.Name.Split('/');
            if (member.Name.Contains('\\') || parts.Any(part => part is "" or "." or ".."))
                throw new WrongBodyException(shown, "must be a path of plain names of folders and file, such as cat/1.png");
            if (!Suffixes.Any(suffix => member.Name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)))
                throw new WrongBodyException(shown, $"must be a PNG or JPEG file: {string.Join(", ", Suffixes)}");
            if (member.Size > ImageFile.LargestBytes)
                throw new WrongBodyException(shown, $"must have at most {ImageFile.LargestBytes} bytes; it has {member.Size}");
            return new(member.Name, parts[..^1], member);
        }

        public ImageSize ReadSize(Stream zip)
        {
            using var image = OpenImage(zip);
            return new(image.Channels, image.Height, image.Width);
        }

        public void Decode(Stream zip, int channels, Span<byte> pixels_HWC)
        {
            using var image = OpenImage(zip);
            if (!image.TryDecode(channels, pixels_HWC, out var fault))
                throw new WrongBodyException(Shown, fault);
        }

        private ImageFile OpenImage(Stream zip)
        {
            var bytes = new byte[Member.Size];
            using (var stream = new NpzStream(Shown, zip, Member))
                stream.Read(bytes);
            return ImageFile.TryOpen(bytes, out var image, out var fault) ? image : throw new WrongBodyException(Shown, fault);
        }
    }
}
