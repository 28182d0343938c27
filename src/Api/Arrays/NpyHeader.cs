using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Temper.Api.Arrays;

/// <summary>The header of an npy file, versions 1 to 3.</summary>
/// <param name="Length">Bytes of the header. The numbers follow it.</param>
/// <param name="Shape">Length of each dimension; empty for a single number.</param>
/// <param name="Count">Product of the shape.</param>
/// <remarks>https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html</remarks>
internal sealed partial record NpyHeader(int Length, ElementType Type, IReadOnlyList<long> Shape, long Count)
{
    /// <summary>NumPy's own limit of the text. What NumPy writes for plain numbers has about a hundred characters.</summary>
    private const int LongestText = 10_000;

    private static readonly byte[] Mark = [0x93, .. "NUMPY"u8];

    /// <param name="name">The array, for the refusal.</param>
    /// <param name="npy">The npy file from its beginning.</param>
    /// <param name="size">Bytes of the npy file.</param>
    /// <param name="allowed">The types that the array may have.</param>
    /// <exception cref="WrongBodyException">
    /// It is no npy file of such numbers in C order, or it has another number of bytes than its shape needs.
    /// </exception>
    public static NpyHeader Read(string name, NpzStream npy, long size, IReadOnlyList<ElementType> allowed)
    {
        var (text, length) = ReadText(name, npy);
        if (Dictionary().Match(text) is not { Success: true } match || Names.Any(key => match.Groups[key].Captures.Count != 1))
            throw text.Contains("'descr': [", StringComparison.Ordinal)
                ? new WrongBodyException(name, "has a structured dtype; it must be an array of plain numbers")
                : new WrongBodyException(name, "has no valid npy header");

        var type = TypeOf(name, match.Groups["descr"].Value, allowed);
        var shape = ShapeOf(match.Groups["shape"].Value) ?? throw new WrongBodyException(name, "has no valid shape in its npy header");
        if (match.Groups["order"].Value == "True" && shape.Length > 1)
            throw new WrongBodyException(name, $"is stored in Fortran order; store it in C order: numpy.ascontiguousarray({name})");
        var count = shape.Aggregate((UInt128)1, (product, of) => UInt128.Min(product * (UInt128)of, long.MaxValue));
        if (count * (UInt128)type.Size() != (UInt128)(size - length))
            throw new WrongBodyException(
                name,
                $"must have the numbers of its shape, {Shown(shape)} of {type.Name()}: {count * (UInt128)type.Size()} bytes; "
                    + $"it has {size - length}"
            );
        return new(length, type, shape, (long)count);
    }

    /// <summary>A shape as Python shows it, such as `(3,)`.</summary>
    public static string Shown(IReadOnlyList<long> shape) => $"({string.Join(", ", shape)}{(shape.Count == 1 ? "," : "")})";

    private static readonly string[] Names = ["descr", "order", "shape"];

    /// <summary>The three entries of the dictionary in any order. No quantifier can match the same text in two ways.</summary>
    [GeneratedRegex(
        @"^\{(?: *(?:'descr' *: *'(?<descr>[^'\\]*)'|'fortran_order' *: *(?<order>True|False)|"
            + @"'shape' *: *\((?<shape>[0-9, ]*)\)) *(?:,|(?=\}))){3} *\}[ \n]*$",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex Dictionary();

    private static (string Text, int Length) ReadText(string name, NpzStream npy)
    {
        const int FixedLength = 8;
        Span<byte> start = stackalloc byte[FixedLength];
        npy.Read(start);
        if (!start.StartsWith(Mark))
            throw new WrongBodyException(name, "is no npy file");
        int major = start[6],
            minor = start[7];
        if (major is < 1 or > 3 || minor != 0)
            throw new WrongBodyException(name, $"has version {major}.{minor} of the npy header; known are 1.0, 2.0 and 3.0");
        Span<byte> prefix = stackalloc byte[major == 1 ? sizeof(ushort) : sizeof(uint)];
        npy.Read(prefix);
        var length = major == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(prefix) : BinaryPrimitives.ReadUInt32LittleEndian(prefix);
        if (length > LongestText)
            throw new WrongBodyException(name, $"has an npy header of {length} bytes; the longest have {LongestText}");
        var text = new byte[length];
        npy.Read(text);
        return ((major == 3 ? Encoding.UTF8 : Encoding.Latin1).GetString(text), FixedLength + prefix.Length + text.Length);
    }

    private static ElementType TypeOf(string name, string descr, IReadOnlyList<ElementType> allowed)
    {
        if (descr is ['>', .. var shown])
        {
            shown = WrongBodyException.Shown(shown);
            throw new WrongBodyException(name, $"is big endian, >{shown}; store it as little endian, such as '<{shown}'");
        }
        if (descr is "|O")
            throw new WrongBodyException(name, $"holds Python objects, which are never read; it must be an array of {OneOf(allowed)}");
        var type = descr is ['<' or '|', .. var code] ? ElementTypes.Parse(code) : null;
        return type is { } known && allowed.Contains(known)
            ? known
            : throw new WrongBodyException(
                name,
                $"must be an array of {OneOf(allowed)}; its dtype is {type?.Name() ?? WrongBodyException.Shown(descr)}"
            );
    }

    private static string OneOf(IReadOnlyList<ElementType> types) => string.Join(" or ", types.Select(type => type.Name()));

    /// <returns>Null when the text between the parentheses is no tuple of lengths below 2⁶³.</returns>
    private static long[]? ShapeOf(string text)
    {
        var parts = text.Split(',').Select(part => part.Trim(' ')).ToList();
        var endsInComma = parts[^1].Length == 0;
        if (endsInComma)
            parts.RemoveAt(parts.Count - 1);
        else if (parts.Count == 1)
            return null; // (3) is a number, (3,) a tuple
        var shape = new long[parts.Count];
        for (var i = 0; i < shape.Length; i++)
            if (!long.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out shape[i]))
                return null;
        return shape;
    }
}
