namespace Temper.Unit;

/// <summary>
/// Tests that run one at a time and beside no others: libtorch's random generator belongs to the process, and so do the tensor
/// counts and the memory that some tests measure.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
