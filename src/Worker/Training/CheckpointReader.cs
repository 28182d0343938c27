namespace Temper.Worker.Training;

/// <summary>Reads a checkpoint, in the order in which it was written.</summary>
internal sealed class CheckpointReader
{
    private readonly BinaryReader reader;

    /// <exception cref="InvalidDataException">The checkpoint is cut short, or its epoch or step is out of range.</exception>
    public CheckpointReader(byte[] saved)
    {
        reader = new(new MemoryStream(saved));
        Read(() => Standing = Checkpoint.ReadStanding(reader));
        if (Standing is not { Epoch: >= 1, Steps: >= 0 })
            throw Damaged(null);
    }

    /// <summary>The epoch, step and sums of the checkpoint.</summary>
    public Checkpoint Standing { get; private set; }

    /// <param name="model">On the CPU. On another device TorchSharp would replace the tensors of its parameters.</param>
    /// <exception cref="InvalidDataException">The checkpoint is damaged, or of another model.</exception>
    public void Restore(Module<Tensor, Tensor> model) => Read(() => model.load(reader));

    /// <param name="optimizer">The optimizer of the restored model's parameters, on any device.</param>
    /// <exception cref="InvalidDataException">The checkpoint is damaged, or of another optimizer.</exception>
    public void Restore(FusedOptimizer optimizer)
    {
        Read(() => optimizer.Load(reader));
        if (reader.BaseStream.Position != reader.BaseStream.Length)
            throw Damaged(null);
    }

    /// <summary>Translates exceptions, because TorchSharp's reader throws many kinds for damaged bytes.</summary>
    private static void Read(Action read)
    {
        try
        {
            read();
        }
        catch (Exception e) when (e is not InvalidDataException)
        {
            throw Damaged(e);
        }
    }

    private static InvalidDataException Damaged(Exception? cause) =>
        new($"The checkpoint is damaged or of another model{(cause is null ? "" : $": {cause.Message}")}.", cause);
}
