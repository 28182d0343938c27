using System.Buffers.Binary;
using System.Text;

namespace Temper.Worker.Datasets;

/// <summary>
/// Reads Python pickles of plain data: dictionaries, lists, tuples, numbers, byte strings, and NumPy arrays of unsigned bytes. It
/// refuses everything else that a pickle may ask for, above all to import and call something.
/// </summary>
/// <remarks>https://github.com/python/cpython/blob/main/Lib/pickletools.py has every opcode.</remarks>
internal sealed class Pickle
{
    /// <summary>
    /// Most opcodes of a file; a published file has fewer than a million. Limited because an opcode may create a larger object.
    /// </summary>
    private const int MostSteps = 2_000_000;

    private readonly byte[] bytes;
    private readonly List<object?> stack = [];
    private readonly Stack<int> marks = [];
    private readonly Dictionary<int, object?> memo = [];
    private int at;

    private Pickle(byte[] bytes) => this.bytes = bytes;

    /// <returns>
    /// Dictionary&lt;string, object?&gt;, List&lt;object?&gt;, object?[] for a tuple, int, bool, string, byte[] for a byte string
    /// (in a dictionary's keys a string), <see cref="ByteArray"/>, or null.
    /// </returns>
    /// <exception cref="InvalidDataException">The bytes are not a pickle, or a pickle of other data.</exception>
    public static object? Read(byte[] bytes)
    {
        try
        {
            return new Pickle(bytes).Run();
        }
        catch (Exception e)
            when (e
                    is ArgumentException
                        or InvalidCastException
                        or InvalidOperationException
                        or KeyNotFoundException
                        or NullReferenceException
                        or OverflowException
                        or IndexOutOfRangeException
            )
        {
            throw new InvalidDataException($"it is no pickle: {e.Message}", e);
        }
    }

    private object? Run()
    {
        for (var steps = 0; steps < MostSteps; steps++)
        {
            var opcode = Take(1)[0];
            if (opcode == '.')
                return Pop();
            Step(opcode);
        }
        throw new InvalidDataException($"it has more than {MostSteps} objects");
    }

    private void Step(byte opcode)
    {
        switch (opcode)
        {
            case 0x80:
                Take(1);
                break; // protocol
            case 0x95:
                Take(8);
                break; // frame
            case (byte)'N':
                stack.Add(null);
                break;
            case 0x88:
                stack.Add(true);
                break;
            case 0x89:
                stack.Add(false);
                break;
            case (byte)'K':
                stack.Add((int)Take(1)[0]);
                break;
            case (byte)'M':
                stack.Add((int)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)));
                break;
            case (byte)'J':
                stack.Add(TakeInt32());
                break;
            case (byte)'U' or (byte)'C':
                stack.Add(Take(Take(1)[0]).ToArray());
                break;
            case (byte)'T' or (byte)'B':
                stack.Add(Take(TakeInt32()).ToArray());
                break;
            case (byte)'X':
                stack.Add(Encoding.UTF8.GetString(Take(TakeInt32())));
                break;
            case 0x8C:
                stack.Add(Encoding.UTF8.GetString(Take(Take(1)[0])));
                break;
            case (byte)'(':
                marks.Push(stack.Count);
                break;
            case (byte)'}':
                stack.Add(new Dictionary<string, object?>());
                break;
            case (byte)']':
                stack.Add(new List<object?>());
                break;
            case (byte)')':
                stack.Add(Array.Empty<object?>());
                break;
            case 0x85 or 0x86 or 0x87:
                stack.Add(PopFrom(stack.Count - (opcode - 0x84)));
                break;
            case (byte)'t':
                stack.Add(PopFrom(marks.Pop()));
                break;
            case (byte)'a':
                Append([Pop()]);
                break;
            case (byte)'e':
                Append(PopFrom(marks.Pop()));
                break;
            case (byte)'s':
                SetItems(PopFrom(stack.Count - 2));
                break;
            case (byte)'u':
                SetItems(PopFrom(marks.Pop()));
                break;
            case (byte)'q':
                memo[Take(1)[0]] = stack[^1];
                break;
            case (byte)'r':
                memo[TakeInt32()] = stack[^1];
                break;
            case 0x94:
                memo[memo.Count] = stack[^1];
                break;
            case (byte)'h':
                stack.Add(memo[Take(1)[0]]);
                break;
            case (byte)'j':
                stack.Add(memo[TakeInt32()]);
                break;
            case (byte)'c':
                stack.Add(NumpyName($"{TakeLine()} {TakeLine()}"));
                break;
            case (byte)'R':
                stack.Add(Made(PopFrom(stack.Count - 2)));
                break;
            case (byte)'b':
                Build(Pop(), stack[^1]);
                break;
            default:
                throw new InvalidDataException($"it has the opcode 0x{opcode:X2}, which plain data does not need");
        }
    }

    private static Numpy NumpyName(string name) =>
        name switch
        {
            "numpy.core.multiarray _reconstruct" or "numpy._core.multiarray _reconstruct" => Numpy.Reconstruct,
            "numpy ndarray" => Numpy.Array,
            "numpy dtype" => Numpy.Type,
            _ => throw new InvalidDataException($"it asks for {name}, which is refused"),
        };

    /// <summary>Performs the only two accepted calls: an empty array, and the type of unsigned bytes.</summary>
    private static object Made(object?[] callAndArguments) =>
        (callAndArguments[0], (object?[])callAndArguments[1]!) switch
        {
            (Numpy.Reconstruct, [Numpy.Array, ..]) => new ByteArray(),
            (Numpy.Type, [var type, ..]) when Text(type) is "u1" or "|u1" => Numpy.UnsignedByte,
            _ => throw new InvalidDataException("it asks for something other than an array of unsigned bytes"),
        };

    private static void Build(object? state, object? target)
    {
        if (target is Numpy.UnsignedByte)
            return; // ignore the byte order and similar details of the type
        if (
            target is not ByteArray array
            || state is not object?[] parts
            || parts is not [_, object?[] shape, Numpy.UnsignedByte, false, byte[] values]
        )
            throw new InvalidDataException("it has an array of something other than unsigned bytes");
        (array.Shape, array.Values) = ([.. shape.Cast<int>()], values);
        if (array.Shape.Aggregate(1L, (product, size) => product * size) != array.Values.Length)
            throw new InvalidDataException("it has an array of another size than it says");
    }

    private void Append(object?[] items) => ((List<object?>)stack[^1]!).AddRange(items);

    private void SetItems(object?[] items)
    {
        var target = (Dictionary<string, object?>)stack[^1]!;
        for (var i = 0; i < items.Length; i += 2)
            target[Text(items[i])] = items[i + 1];
    }

    private static string Text(object? value) => value as string ?? Encoding.Latin1.GetString((byte[])value!);

    private object? Pop()
    {
        var top = stack[^1];
        stack.RemoveAt(stack.Count - 1);
        return top;
    }

    private object?[] PopFrom(int start)
    {
        var items = stack[start..].ToArray();
        stack.RemoveRange(start, items.Length);
        return items;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        var taken = bytes.AsSpan(at, count);
        at += count;
        return taken;
    }

    private int TakeInt32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    private string TakeLine()
    {
        var line = Take(bytes.AsSpan(at).IndexOf((byte)'\n') + 1);
        return Encoding.UTF8.GetString(line[..^1]);
    }

    private enum Numpy
    {
        Reconstruct,
        Array,
        Type,
        UnsignedByte,
    }
}

/// <summary>A NumPy array of unsigned bytes, row-major.</summary>
internal sealed class ByteArray
{
    public int[] Shape { get; set; } = [];

    public byte[] Values { get; set; } = [];
}
