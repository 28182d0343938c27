using System.Text.Json;
using Temper.Api.Datasets;
using Temper.Api.Http;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store;
using Temper.Store.Notifications;
using Temper.Store.Queue;

namespace Temper.Api.Jobs;

/// <summary>Reads and checks a posted job spec.</summary>
internal static class JobSpecReader
{
    private static readonly SpecReader<JobSpec> Reader = new("a job spec", Allowed) { Defaults = spec => Recipes.Find(spec.Recipe) };

    /// <summary>Reads the base spec of a study. It needs no ε, because the study's grid has the values of ε.</summary>
    private static readonly SpecReader<JobSpec> BaseReader = new("a job spec", Allowed)
    {
        NotRequired = ["epsilon"],
        Defaults = spec => Recipes.Find(spec.Recipe),
    };

    /// <param name="body">UTF-8 JSON.</param>
    /// <param name="tenant">Whose job it will be.</param>
    /// <param name="key">The Idempotency-Key; null without one.</param>
    /// <param name="notifications">Says which addresses `notify` may name.</param>
    /// <returns>
    /// The spec; null when there are errors. Messages by field; empty when the spec is valid. An error in the JSON syntax is
    /// under the
    /// field that contains it, or under `body`.
    /// </returns>
    public static async Task<(JobSpec? Spec, Dictionary<string, string[]> Errors)> ReadAsync(
        ReadOnlyMemory<byte> body,
        string tenant,
        string? key,
        TemperDb db,
        NotificationOptions notifications,
        CancellationToken cancellation
    )
    {
        var found = new SpecErrors();
        using var document = found.Parse(body);
        var spec = document is null ? null : await ReadAsync(document.RootElement, tenant, key, db, found, cancellation);
        CheckNotify(spec?.Notify, "notify", notifications, found);
        return (found.Any ? null : spec, found.ByField());
    }

    /// <summary>
    /// Reads a job spec within a larger body; its ε may be absent. It does not check the rules: the caller checks them once it
    /// knows the other fields.
    /// </summary>
    public static JobSpec? ReadBase(JsonElement value, SpecErrors errors, string path) => BaseReader.Read(value, errors, path, out _);

    /// <summary>Adds an error when the settings do not allow the address.</summary>
    public static void CheckNotify(string? address, string field, NotificationOptions notifications, SpecErrors errors)
    {
        if (address is null || notifications.Allows(address))
            return;
        var allowed =
            notifications.Allowed.Count == 0 ? "null: the settings allow no address" : $"at {string.Join(" or ", notifications.Allowed)}";
        errors.Add(field, $"must be {allowed}; got {SpecErrors.Shown(JsonSerializer.SerializeToElement(address))}");
    }

    private static async Task<JobSpec?> ReadAsync(
        JsonElement root,
        string tenant,
        string? key,
        TemperDb db,
        SpecErrors errors,
        CancellationToken cancellation
    )
    {
        if (Reader.Read(root, errors, "", out var given) is not { } read)
            return null;
        var spec = await UploadedNames.ResolveAsync(db, tenant, read, EarlierAsync, errors, "", cancellation);
        foreach (
            var rule in JobSpecRule
                .BrokenBy(spec)
                .Where(rule => !errors.Has(rule.Field) && !(DependsOnLoss(rule.Field) && errors.Has("loss")))
        )
            errors.Add(
                rule.Field,
                given.TryGetValue(rule.Field, out var value)
                    ? $"must be {rule.Allowed}; got {SpecErrors.Shown(value)}"
                    : $"must be {rule.Allowed}; it is {SpecErrors.Shown(DefaultOf(rule.Field, spec))} when absent"
            );
        return spec;

        async Task<string?> EarlierAsync() =>
            key is null ? null : (await JobQueue.FindByKeyAsync(db, tenant, key, cancellation))?.Spec.Dataset;
    }

    /// <summary>Whether a rule of the field cannot be judged while the loss is unknown.</summary>
    public static bool DependsOnLoss(string field) => field == "epsilon" || LossSettings.All.Contains(field);

    private static JsonElement DefaultOf(string field, JobSpec spec) =>
        JsonSerializer.SerializeToElement(spec, Json.Options).GetProperty(field);

    /// <summary>The first rule of a field states its type and range; later rules narrow it.</summary>
    private static string Allowed(string field) => JobSpecRule.Of(field).Allowed;
}
