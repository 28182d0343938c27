namespace Temper.EndToEnd;

/// <summary>
/// Tests that use every core, and therefore run alone. Of the others, two classes run at once.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "Alone";
}
