using System.Numerics;
using System.Runtime.InteropServices;

namespace Temper.Api.Arrays;

/// <summary>The numbers of an array in C order, a piece at a time.</summary>
internal sealed class NpzNumbers : IDisposable
{
    private const int PieceLength = 64 << 10;

    private readonly NpzStream bytes;
    private readonly ElementType type;
    private readonly byte[] piece = new byte[PieceLength];
    private long left;

    /// <exception cref="WrongBodyException">The array is damaged.</exception>
    public NpzNumbers(NpzStream bytes, NpyHeader header)
    {
        (this.bytes, type, left) = (bytes, header.Type, header.Count);
        bytes.Read(new byte[header.Length]);
    }

    /// <summary>
    /// Fills the buffer, converted to its type. A number beyond that type becomes its largest or smallest, or infinity. Fractions
    /// are dropped when integers are asked for.
    /// </summary>
    /// <returns>How many numbers it read: fewer than the buffer has at the end of the array only.</returns>
    /// <exception cref="WrongBodyException">The array is truncated or damaged.</exception>
    public int Read<T>(Span<T> to)
        where T : unmanaged, INumberBase<T>
    {
        to = to[..(int)Math.Min(to.Length, left)];
        left -= to.Length;
        switch (type)
        {
            case ElementType.Bool or ElementType.UInt8:
                Fill<byte, T>(to);
                break;
            case ElementType.Int8:
                Fill<sbyte, T>(to);
                break;
            case ElementType.Int16:
                Fill<short, T>(to);
                break;
            case ElementType.Int32:
                Fill<int, T>(to);
                break;
            case ElementType.Int64:
                Fill<long, T>(to);
                break;
            case ElementType.UInt16:
                Fill<ushort, T>(to);
                break;
            case ElementType.UInt32:
                Fill<uint, T>(to);
                break;
            case ElementType.UInt64:
                Fill<ulong, T>(to);
                break;
            case ElementType.Float16:
                Fill<Half, T>(to);
                break;
            case ElementType.Float32:
                Fill<float, T>(to);
                break;
            default:
                Fill<double, T>(to);
                break;
        }
        return to.Length;
    }

    public void Dispose() => bytes.Dispose();

    private void Fill<TStored, T>(Span<T> to)
        where TStored : unmanaged, INumberBase<TStored>
        where T : unmanaged, INumberBase<T>
    {
        if (typeof(TStored) == typeof(T))
        {
            bytes.Read(MemoryMarshal.AsBytes(to));
            return;
        }
        var stored = MemoryMarshal.Cast<byte, TStored>(piece.AsSpan());
        while (!to.IsEmpty)
        {
            var some = stored[..Math.Min(stored.Length, to.Length)];
            bytes.Read(MemoryMarshal.AsBytes(some));
            for (var i = 0; i < some.Length; i++)
                to[i] = T.CreateSaturating(some[i]);
            to = to[some.Length..];
        }
    }
}
