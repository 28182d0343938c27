using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

/// <summary>
/// An optimizer that updates parameters by their gradients. For parameters on the CPU a step is one kernel, which reads and
/// writes every number once; for others it is a few of libtorch's operations.
/// </summary>
public abstract unsafe class FusedOptimizer : IDisposable
{
    private readonly Parameter[] parameters;
    private readonly Tensor[][] states; // [kind][parameter]
    private readonly Tensor[] versions;
    private readonly nint[] weightAddresses,
        gradientAddresses;
    private readonly nint[][] stateAddresses;
    private readonly long[] sizes;

    /// <param name="parameters">A model's parameters, on the device to train on.</param>
    /// <param name="learningRate">Above 0.</param>
    /// <param name="kinds">How many state tensors of a parameter's shape to keep for each. They begin at zero.</param>
    private protected FusedOptimizer(IEnumerable<Parameter> parameters, double learningRate, int kinds)
    {
        using var noGraph = torch.no_grad();
        this.parameters = [.. parameters];
        LearningRate = learningRate;
        states =
        [
            .. Enumerable
                .Range(0, kinds)
                .Select(_ => this.parameters.Select(parameter => torch.zeros_like(parameter).DetachFromDisposeScope()).ToArray()),
        ];
        versions = [.. this.parameters.Select(EmptyView)];
        var count = this.parameters.Length;
        (weightAddresses, gradientAddresses, sizes) = (new nint[count], new nint[count], new long[count]);
        stateAddresses = [.. states.Select(_ => new nint[count])];
    }

    public double LearningRate { get; set; }

    /// <summary>Number of steps done.</summary>
    public long Steps { get; private set; }

    /// <summary>Removes the gradients of the last step. Writing zeros into them would take a pass over memory.</summary>
    public void DropGradients()
    {
        foreach (var parameter in parameters)
            parameter.grad = null;
    }

    /// <summary>
    /// Scales all gradients by one factor, so that their joint 2-norm is at most <paramref name="largestNorm"/>.
    /// </summary>
    /// <remarks>Like torch.nn.utils.clip_grad_norm_, but the norm stays on the device: reading it would make the host wait
    /// in every step.</remarks>
    public void ClipGradients(double largestNorm)
    {
        using var noGraph = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        Tensor[] gradients = [.. parameters.Select(parameter => parameter.grad).OfType<Tensor>()];
        if (gradients.Length == 0)
            return;
        var norm = torch.stack([.. gradients.Select(gradient => gradient.norm())]).norm();
        var factor = norm.add(1e-6).reciprocal().mul(largestNorm).clamp_max(1.0);
        foreach (var gradient in gradients)
            gradient.mul_(factor);
    }

    /// <summary>Changes every parameter that has a gradient.</summary>
    public void Step()
    {
        using var noGraph = torch.no_grad();
        using var scope = torch.NewDisposeScope(); // holds the gradients while the kernel reads them
        Steps++;
        var count = 0;
        for (var i = 0; i < parameters.Length; i++)
        {
            if (parameters[i].grad is not { } gradient)
                continue;
            if (Fits(parameters[i], gradient))
                Gather(i, gradient.is_contiguous() ? gradient : gradient.contiguous(), count++);
            else
                StepByLibtorch(parameters[i], gradient, [.. states.Select(kind => kind[i])]);
        }
        if (count > 0)
            StepByKernel(count);
    }

    private void Gather(int i, Tensor gradient, int at)
    {
        (weightAddresses[at], gradientAddresses[at], sizes[at]) = (
            (nint)Floats(parameters[i]),
            (nint)Floats(gradient),
            parameters[i].numel()
        );
        for (var kind = 0; kind < states.Length; kind++)
            stateAddresses[kind][at] = (nint)Floats(states[kind][i]);
        // Autograd does not see what the kernel writes. This call raises the parameter's version, so that a graph which still
        // needs the old values fails instead of using the new ones.
        versions[i].zero_();
    }

    private void StepByKernel(int count)
    {
        fixed (
            nint* weights = weightAddresses,
                gradients = gradientAddresses,
                first = stateAddresses[0],
                second = stateAddresses[^1]
        )
        fixed (long* values = sizes)
            KernelLibrary.Check(StepByKernel(count, weights, gradients, first, second, values));
        GC.KeepAlive(this);
    }

    /// <param name="count">The number of parameters.</param>
    /// <param name="second">The second kind of state; the first if there is only one kind.</param>
    /// <returns>The kernel's status.</returns>
    private protected abstract int StepByKernel(int count, nint* weights, nint* gradients, nint* first, nint* second, long* sizes);

    private protected abstract void StepByLibtorch(Tensor weight, Tensor gradient, Tensor[] states);

    private static bool Fits(Parameter parameter, Tensor gradient) =>
        KernelLibrary.IsLoaded
        && ImageLayout.IsDense(parameter, gradient.numel())
        && gradient.device_type == DeviceType.CPU
        && gradient.dtype == ScalarType.Float32;

    /// <summary>A view without elements that shares the parameter's version counter.</summary>
    private static Tensor EmptyView(Parameter parameter)
    {
        using var scope = torch.NewDisposeScope();
        var detached = parameter.detach();
        return detached.view(-1).narrow(0, 0, 0).DetachFromDisposeScope();
    }

    /// <summary>Writes the state that later steps depend on, without the parameters themselves.</summary>
    public void Save(BinaryWriter writer)
    {
        writer.Write(Steps);
        writer.Write(states.Length);
        foreach (var state in states.SelectMany(kind => kind))
            state.Save(writer);
    }

    /// <summary>Reads what <see cref="Save"/> wrote for the same kind of optimizer and the same parameters.</summary>
    /// <exception cref="InvalidDataException">The data is of other parameters, or of another kind of optimizer.</exception>
    /// <exception cref="EndOfStreamException">The data is cut short.</exception>
    public void Load(BinaryReader reader)
    {
        Steps = reader.ReadInt64();
        if (Steps < 0 || reader.ReadInt32() != states.Length)
            throw new InvalidDataException("It is of another kind of optimizer.");
        foreach (var state in states.SelectMany(kind => kind))
            state.Load(reader);
    }

    public void Dispose()
    {
        foreach (var tensor in states.SelectMany(kind => kind).Concat(versions))
            tensor.Dispose();
        GC.SuppressFinalize(this);
    }
}
