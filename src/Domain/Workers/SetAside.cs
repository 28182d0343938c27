namespace Temper.Domain.Workers;

/// <summary>
/// The text that says why a worker or a card of it takes no jobs. It may end with the reason of a job that failed, which may be
/// another tenant's than the reader's.
/// </summary>
public static class SetAside
{
    private const string LastFailure = " Last failure: ";

    /// <param name="failures">A sentence that says which jobs failed.</param>
    /// <param name="last">The reason of the last of them.</param>
    public static string Because(string failures, string last) => $"{failures}{LastFailure}{last}";

    /// <returns>The text up to the reason of a job; null for null.</returns>
    public static string? WithoutFailure(string? reason) => reason?.Split(LastFailure)[0];
}
