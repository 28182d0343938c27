using System.Runtime.InteropServices;

namespace Temper.Torch;

/// <summary>Tensors in a binary stream: float32 values in row-major order, whatever the layout in memory.</summary>
internal static class StateFile
{
    public static void Write(BinaryWriter writer, torch.Tensor tensor)
    {
        using var plain = tensor.detach();
        var values = plain.data<float>().ToArray();
        writer.Write(values.Length);
        writer.Write(MemoryMarshal.AsBytes<float>(values));
    }

    /// <exception cref="InvalidDataException">The stream is cut short or holds another number of values.</exception>
    public static void Read(BinaryReader reader, torch.Tensor tensor)
    {
        var count = reader.ReadInt32();
        if (count != tensor.NumberOfElements) throw new InvalidDataException($"{count} values are stored for a tensor of {tensor.NumberOfElements}.");
        var values = new float[count];
        try
        {
            reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException("The stored state is cut short.", e);
        }
        using var stored = torch.tensor(values, tensor.shape).DetachFromDisposeScope();
        using var plain = tensor.detach();
        plain.copy_(stored);
    }
}
