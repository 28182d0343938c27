namespace Temper.Api.Arrays;

/// <summary>NumPy's types of plain numbers, by NumPy's names.</summary>
internal enum ElementType
{
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float16,
    Float32,
    Float64,
}

internal static class ElementTypes
{
    public static readonly IReadOnlyList<ElementType> Floats = [ElementType.Float16, ElementType.Float32, ElementType.Float64];

    public static readonly IReadOnlyList<ElementType> Integers =
    [
        ElementType.Int8,
        ElementType.Int16,
        ElementType.Int32,
        ElementType.Int64,
        ElementType.UInt8,
        ElementType.UInt16,
        ElementType.UInt32,
        ElementType.UInt64,
    ];

    /// <returns>Bytes of one number.</returns>
    public static int Size(this ElementType type) =>
        type switch
        {
            ElementType.Bool or ElementType.Int8 or ElementType.UInt8 => 1,
            ElementType.Int16 or ElementType.UInt16 or ElementType.Float16 => 2,
            ElementType.Int32 or ElementType.UInt32 or ElementType.Float32 => 4,
            _ => 8,
        };

    /// <param name="code">NumPy's code without its byte order, such as `f4`.</param>
    /// <returns>Null when it is no type of plain numbers.</returns>
    public static ElementType? Parse(string code) =>
        code switch
        {
            "b1" => ElementType.Bool,
            "i1" => ElementType.Int8,
            "i2" => ElementType.Int16,
            "i4" => ElementType.Int32,
            "i8" => ElementType.Int64,
            "u1" => ElementType.UInt8,
            "u2" => ElementType.UInt16,
            "u4" => ElementType.UInt32,
            "u8" => ElementType.UInt64,
            "f2" => ElementType.Float16,
            "f4" => ElementType.Float32,
            "f8" => ElementType.Float64,
            _ => null,
        };

    public static string Name(this ElementType type) => type.ToString().ToLowerInvariant();
}
