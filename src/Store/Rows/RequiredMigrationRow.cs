namespace Temper.Store.Rows;

/// <summary>A migration that every build must know to run on this database. A migration that removes something adds such a row.</summary>
public sealed class RequiredMigrationRow
{
    public required string MigrationId { get; init; }
}
