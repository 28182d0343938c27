namespace Temper.Worker.Training;

/// <summary>A checkpoint that is being read, in the order in which it was written.</summary>
internal sealed class CheckpointReader
{
    private readonly BinaryReader reader;

    /// <exception cref="InvalidDataException">It is cut short, or no training can stand there.</exception>
    public CheckpointReader(byte[] saved)
    {
        reader = new(new MemoryStream(saved));
        Read(() => Standing = Checkpoint.ReadStanding(reader));
        if (Standing is not { Epoch: >= 1, Steps: >= 0 })
            throw Damaged(null);
    }

    /// <summary>Where the training stood.</summary>
    public Checkpoint Standing { get; private set; }

    /// <param name="model">On the CPU. On another device TorchSharp would put other tensors in the place of its parameters.</param>
    /// <exception cref="InvalidDataException">It is damaged, or of another model.</exception>
    public void Restore(Module<Tensor, Tensor> model) => Read(() => model.load(reader));

    /// <param name="optimizer">Over the parameters of the restored model, on any device.</param>
    /// <exception cref="InvalidDataException">It is damaged, or of another optimizer.</exception>
    public void Restore(FusedOptimizer optimizer)
    {
        Read(() => optimizer.Load(reader));
        if (reader.BaseStream.Position != reader.BaseStream.Length)
            throw Damaged(null);
    }

    /// <summary>What is wrong with the bytes shows in any of many exceptions of TorchSharp's reader.</summary>
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
