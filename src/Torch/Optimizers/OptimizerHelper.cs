namespace Temper.Torch.Modules;

/// <summary>An optimizer whose state can be kept; TorchSharp has it in a class of this name.</summary>
public abstract class OptimizerHelper : torch.optim.Optimizer
{
    private protected OptimizerHelper(IEnumerable<Parameter> parameters, double learningRate) : base(parameters, learningRate) { }

    /// <summary>Steps taken.</summary>
    private protected long StepCount { get; set; }

    /// <summary>Moments and buffers, in a fixed order.</summary>
    private protected abstract IEnumerable<torch.Tensor> State { get; }

    /// <summary>Writes all that later steps depend on beside the parameters themselves.</summary>
    public void save_state_dict(BinaryWriter writer)
    {
        CheckAlive();
        writer.Write(StepCount);
        foreach (var state in State) StateFile.Write(writer, state);
    }

    /// <summary>Reads what <see cref="save_state_dict"/> wrote of the same kind of optimizer over the same parameters.</summary>
    /// <exception cref="InvalidDataException">The stream is cut short or of another optimizer.</exception>
    public void load_state_dict(BinaryReader reader)
    {
        CheckAlive();
        StepCount = reader.ReadInt64();
        foreach (var state in State) StateFile.Read(reader, state);
    }
}
