namespace Temper.EndToEnd;

/// <summary>
/// Tests that take every core, or the port of ./run: they run when nothing else does. The others mostly wait, so two
/// classes run at once.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "Alone";
}
