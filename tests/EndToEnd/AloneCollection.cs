namespace Temper.EndToEnd;

/// <summary>
/// Tests that use every core or the port of ./run, and therefore run alone. The other tests mostly wait, so two classes of them
/// run at once.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "Alone";
}
