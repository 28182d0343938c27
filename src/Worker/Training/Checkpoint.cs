namespace Temper.Worker.Training;

/// <summary>
/// Where a training stands between two optimizer steps. Split, label noise and the order of images follow from the spec's
/// seed, so weights, optimizer state and the epoch's running sums are all there is to keep: a run that goes on from here
/// gives the bits of one that never stopped.
/// </summary>
/// <param name="Epoch">The epoch under way, from 1; one past the last when all are done.</param>
/// <param name="Steps">Optimizer steps done in it.</param>
/// <param name="LossSum">Σ of the smoothed loss over the images trained on in it.</param>
/// <param name="HitSum">Σ of top-1 hits over them.</param>
internal readonly record struct Checkpoint(int Epoch, int Steps, double LossSum, long HitSum)
{
    /// <summary>To be raised when the layout changes: a checkpoint of another layout is not read.</summary>
    private const byte Version = 2;

    public static Checkpoint Start { get; } = new(1, 0, 0, 0);

    public byte[] Save(Module<Tensor, Tensor> model, FusedOptimizer optimizer)
    {
        var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(Version);
        writer.Write(Epoch);
        writer.Write(Steps);
        writer.Write(LossSum);
        writer.Write(HitSum);
        model.save(writer);
        optimizer.Save(writer);
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>Begins to read a checkpoint: first the model is restored, then its optimizer.</summary>
    /// <returns>Null for a checkpoint that another build wrote.</returns>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static CheckpointReader? Open(byte[] saved) => saved is [] or [Version, ..] ? new(saved) : null;

    /// <exception cref="EndOfStreamException">It is cut short.</exception>
    internal static Checkpoint ReadStanding(BinaryReader reader)
    {
        _ = reader.ReadByte(); // the version
        return new(reader.ReadInt32(), reader.ReadInt32(), reader.ReadDouble(), reader.ReadInt64());
    }
}
