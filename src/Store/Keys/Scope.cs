namespace Temper.Store.Keys;

/// <summary>What a key allows. `submit` and `operate` include `read`; `admin` includes all.</summary>
public enum Scope
{
    /// <summary>To read jobs, studies, data sets, evaluations and workers.</summary>
    Read,

    /// <summary>To submit jobs and studies, to add data sets and evaluations, and to predict.</summary>
    Submit,

    /// <summary>To cancel, pause, resume, retry, pin and delete.</summary>
    Operate,

    /// <summary>
    /// To make and revoke keys of every tenant, to see and set quotas of every tenant, to drain workers, to read the audit, and to use
    /// Hangfire's dashboard.
    /// </summary>
    Admin,
}

public static class Scopes
{
    public static IReadOnlyList<Scope> All { get; } = Enum.GetValues<Scope>();

    /// <summary>The word that is stored and sent, such as `read`.</summary>
    public static string Word(this Scope scope) => TemperDb.Word(scope);

    /// <returns>The scopes that include this one, itself among them.</returns>
    public static IEnumerable<Scope> ThatInclude(Scope scope) =>
        All.Where(other => other == scope || other == Scope.Admin || scope == Scope.Read);
}
