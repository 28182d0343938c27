namespace Temper.Unit;

/// <summary>
/// One at a time and beside nothing else: libtorch's random generator belongs to the process, and so do the counts of
/// tensors and the memory that some tests look at.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
