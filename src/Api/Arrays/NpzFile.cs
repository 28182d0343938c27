namespace Temper.Api.Arrays;

/// <summary>
/// A file of NumPy's npz format that nobody vouches for: a zip file of npy files. It reads numbers only, never Python objects, and
/// one array at a time.
/// </summary>
/// <remarks>https://numpy.org/doc/stable/reference/generated/numpy.savez.html</remarks>
internal sealed class NpzFile
{
    private const string Suffix = ".npy";
    private const int LongestName = 100;

    private readonly Stream file;
    private readonly Dictionary<string, ZipMember> members = [];

    /// <param name="file">A seekable stream. It must stay open, and nobody else may move its position.</param>
    /// <exception cref="WrongBodyException">
    /// The file is no zip file of npy files, exceeds the bounds, or two arrays have one name.
    /// </exception>
    public NpzFile(Stream file, ZipBounds bounds, CancellationToken cancellation)
        : this(file, ZipDirectory.Read(file, bounds, cancellation)) { }

    /// <param name="file">As above.</param>
    /// <param name="directory">The members of the zip file.</param>
    /// <exception cref="WrongBodyException">The members are no npy files, or two arrays have one name.</exception>
    public NpzFile(Stream file, IReadOnlyList<ZipMember> directory)
    {
        this.file = file;
        foreach (var member in directory)
            if (!members.TryAdd(NameOf(member), member))
                throw Wrong($"has two arrays of the name {NameOf(member)}");
    }

    /// <summary>The names of the arrays, without `.npy`.</summary>
    public IReadOnlyCollection<string> Names => members.Keys;

    /// <param name="allowed">The types that the array may have.</param>
    /// <returns>The array, whose header is read and checked; null when the file has none of this name.</returns>
    /// <exception cref="WrongBodyException">
    /// It is no array of such numbers in C order and little endian, or it has another number of bytes than its shape needs.
    /// </exception>
    public NpzArray? Find(string name, IReadOnlyList<ElementType> allowed)
    {
        if (!members.TryGetValue(name, out var member))
            return null;
        using var npy = new NpzStream(name, file, member);
        return new(name, NpyHeader.Read(name, npy, member.Size, allowed), () => new NpzStream(name, file, member));
    }

    /// <summary>Reads an array of texts.</summary>
    /// <param name="most">Largest number of texts.</param>
    /// <returns>Null when the file has no array of this name.</returns>
    /// <exception cref="WrongBodyException">It is no row of at most so many texts.</exception>
    public IReadOnlyList<string>? FindTexts(string name, int most)
    {
        if (!members.TryGetValue(name, out var member))
            return null;
        using var npy = new NpzStream(name, file, member);
        return NpyHeader.ReadTexts(name, npy, member.Size, most);
    }

    private static string NameOf(ZipMember member)
    {
        var name = member.Name;
        if (!name.EndsWith(Suffix, StringComparison.Ordinal) || name.Length <= Suffix.Length)
            throw Wrong($"must have npy files only; it has {WrongBodyException.Shown(name)}");
        name = name[..^Suffix.Length];
        return name.Length <= LongestName && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
            ? name
            : throw Wrong(
                $"must have names of at most {LongestName} letters, digits and underscores before {Suffix}; it has "
                    + WrongBodyException.Shown(member.Name)
            );
    }

    private static WrongBodyException Wrong(string sentence) => new(WrongBodyException.Whole, sentence);
}

/// <summary>An array of an npz file, before its numbers are read.</summary>
internal sealed class NpzArray(string name, NpyHeader header, Func<NpzStream> open)
{
    public string Name => name;

    public ElementType Type => header.Type;

    /// <summary>Length of each dimension; empty for a single number.</summary>
    public IReadOnlyList<long> Shape => header.Shape;

    /// <summary>The number of elements.</summary>
    public long Count => header.Count;

    /// <returns>The numbers from the first on; dispose it after use.</returns>
    public NpzNumbers Open() => new(open(), header);
}
