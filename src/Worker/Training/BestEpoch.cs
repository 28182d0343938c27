namespace Temper.Worker.Training;

/// <summary>The epoch with the lowest loss so far, with its weights. Of equal epochs it is the earliest.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Weights">Parameters and buffers, as TorchSharp saves them.</param>
internal sealed record BestEpoch(int Epoch, double Loss, byte[] Weights)
{
    /// <param name="loss">The loss of the epoch; null when it has none, and then it cannot be the best.</param>
    /// <param name="model">The model after the epoch. It is copied only if the epoch is the best.</param>
    public static BestEpoch? After(BestEpoch? best, int epoch, double? loss, Module<Tensor, Tensor> model) =>
        loss is { } value && (best is null || value < best.Loss) ? new(epoch, value, Copy(model)) : best;

    /// <param name="model">A new model of the same kind, on the CPU.</param>
    public void Restore(Module<Tensor, Tensor> model)
    {
        using var reader = new BinaryReader(new MemoryStream(Weights));
        model.load(reader);
    }

    public void Write(BinaryWriter writer)
    {
        writer.Write(Epoch);
        writer.Write(Loss);
        writer.Write(Weights.Length);
        writer.Write(Weights);
    }

    /// <exception cref="EndOfStreamException">The checkpoint is cut short.</exception>
    public static BestEpoch Read(BinaryReader reader)
    {
        var (epoch, loss, length) = (reader.ReadInt32(), reader.ReadDouble(), reader.ReadInt32());
        var left = reader.BaseStream.Length - reader.BaseStream.Position;
        return length <= left ? new(epoch, loss, reader.ReadBytes(length)) : throw new EndOfStreamException();
    }

    private static byte[] Copy(Module<Tensor, Tensor> model)
    {
        var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        model.save(writer);
        writer.Flush();
        return bytes.ToArray();
    }
}
