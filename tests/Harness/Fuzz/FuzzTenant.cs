using Temper.Store.Keys;

namespace Temper.Harness.Fuzz;

/// <summary>A tenant as whom the fuzzer sends requests.</summary>
/// <param name="Marker">A word in the names of everything that it makes: lower-case letters, unlike any word of the service.</param>
/// <param name="Keys">Its keys, of several scopes; null for requests without a key.</param>
/// <param name="Admin">The one of them that may do everything, also with keys and tenants of the whole service.</param>
public sealed record FuzzTenant(string Marker, IReadOnlyList<string?> Keys, string Admin)
{
    private const int MostKnown = 300,
        OtherTenants = 5;

    private readonly Dictionary<string, List<string>> known = [],
        kept = [];

    /// <summary>Settings of an API that the fuzzer sends many requests to: no limit for a key or an address.</summary>
    public static IReadOnlyDictionary<string, string?> Settings { get; } =
        new Dictionary<string, string?> { ["Api__RequestsPerMinute"] = "10000000", ["Api__RefusedPerMinute"] = "10000000" };

    /// <summary>
    /// Makes a tenant named as its marker, with a key of each scope, of all, and none, and with jobs and a study that succeeded.
    /// </summary>
    /// <param name="api">Has no worker and no queued job.</param>
    public static async Task<FuzzTenant> CreateAsync(TestDatabase database, ApiProcess api, string marker)
    {
        var keys = new List<string?> { null };
        foreach (var scope in Scopes.All)
            keys.Add(await database.MakeKeyAsync($"{marker}-{scope.Word()}", marker, scope));
        // Most requests may do all that a tenant may.
        keys.AddRange(
            Enumerable.Repeat(await database.MakeKeyAsync($"{marker}-user", marker, Scope.Submit, Scope.Operate), 2 * keys.Count)
        );
        var tenant = new FuzzTenant(marker, keys, keys[1 + Scopes.All.ToList().IndexOf(Scope.Admin)]!);
        var (study, jobs) = await new FinishedJobs(database, api.Http, keys[^1]!).MakeAsync($"{marker}-finished");
        tenant.kept["jobs"] = [.. jobs.Select(job => $"{job}")];
        tenant.kept["studies"] = [$"{study}"];
        // The name itself is for reads. The others are for changes of quotas.
        tenant.kept["tenants"] = [marker];
        tenant.known["tenants"] = [.. Enumerable.Range(0, OtherTenants).Select(i => $"{marker}-{i}")];
        return tenant;
    }

    /// <summary>Ids and names of what the tenant had at the start, which its own requests do not remove.</summary>
    /// <param name="kind">The first part of the path, such as `jobs`.</param>
    public IReadOnlyList<string> Kept(string kind) => kept.GetValueOrDefault(kind) ?? [];

    /// <summary>Ids and names of what the tenant has made, the latest 300 of each kind.</summary>
    /// <param name="kind">The first part of the path, such as `jobs`.</param>
    public IReadOnlyList<string> Known(string kind) => known.GetValueOrDefault(kind) ?? [];

    /// <summary>Keeps a value for later requests, unless it is of what was there at the start.</summary>
    public void Learn(string kind, string value)
    {
        if (Kept(kind).Contains(value))
            return;
        if (!known.TryGetValue(kind, out var values))
            known[kind] = values = [];
        if (values.Contains(value))
            return;
        values.Add(value);
        if (values.Count > MostKnown)
            values.RemoveAt(0);
    }
}
