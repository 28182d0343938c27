namespace Temper.Worker.Training;

/// <summary>
/// The state of a training between two optimizer steps. Split, label noise and the order of images follow from the spec's
/// seed, so a checkpoint stores only the weights, the optimizer's state, the epoch's running sums and, if the last epoch is not
/// kept, the weights of the best epoch. A run that resumes from it gives the same bits as a run that never stopped.
/// </summary>
/// <param name="Epoch">The current epoch, from 1; one past the last when all are done.</param>
/// <param name="Steps">Optimizer steps done in the current epoch.</param>
/// <param name="LossSum">Sum of the training loss over the images trained on in the current epoch.</param>
/// <param name="HitSum">Sum of top-1 hits over the same images.</param>
/// <param name="Best">The best of the epochs before; null before the first, and when the last epoch is kept.</param>
internal readonly record struct Checkpoint(int Epoch, int Steps, double LossSum, long HitSum, BestEpoch? Best = null)
{
    /// <summary>
    /// Raise this when the layout changes: Temper does not read a checkpoint of a layout that it does not know. Version 2 has no best
    /// epoch.
    /// </summary>
    private const byte Version = 3,
        WithoutBest = 2;

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
        writer.Write(Best is not null);
        Best?.Write(writer);
        model.save(writer);
        optimizer.Save(writer);
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>Opens a checkpoint. The caller restores first the model, then its optimizer.</summary>
    /// <returns>Null for a checkpoint with another layout version, which another build wrote.</returns>
    /// <exception cref="InvalidDataException">The checkpoint is damaged.</exception>
    public static CheckpointReader? Open(byte[] saved) => saved is [] or [Version or WithoutBest, ..] ? new(saved) : null;

    /// <exception cref="EndOfStreamException">The checkpoint is cut short.</exception>
    internal static Checkpoint ReadStanding(BinaryReader reader)
    {
        var version = reader.ReadByte();
        return new(
            reader.ReadInt32(),
            reader.ReadInt32(),
            reader.ReadDouble(),
            reader.ReadInt64(),
            version != WithoutBest && reader.ReadBoolean() ? BestEpoch.Read(reader) : null
        );
    }
}
