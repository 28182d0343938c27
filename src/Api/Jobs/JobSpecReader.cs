using System.Text.Json;
using Temper.Api.Http;
using Temper.Domain.Jobs;

namespace Temper.Api.Jobs;

/// <summary>Reads and checks a posted job spec.</summary>
internal static class JobSpecReader
{
    private static readonly SpecReader<JobSpec> Reader = new("a job spec", Allowed);

    /// <summary>The base spec of a study, whose grid has the ε.</summary>
    private static readonly SpecReader<JobSpec> BaseReader = new("a job spec", Allowed) { NotRequired = ["epsilon"] };

    /// <param name="body">UTF-8 JSON.</param>
    /// <param name="errors">By field; empty when the spec can be trained. Trouble with the JSON itself is under the field it was
    /// found in, or `body`.</param>
    public static JobSpec? Read(ReadOnlyMemory<byte> body, out Dictionary<string, string[]> errors)
    {
        var found = new SpecErrors();
        using var document = found.Parse(body);
        var spec = document is null ? null : Read(document.RootElement, found);
        errors = found.ByField();
        return found.Any ? null : spec;
    }

    /// <summary>
    /// A job spec within a larger body, whose ε may be absent. Its rules are left to be checked when the rest of its
    /// fields is known.
    /// </summary>
    public static JobSpec? ReadBase(JsonElement value, SpecErrors errors, string path) => BaseReader.Read(value, errors, path, out _);

    private static JobSpec? Read(JsonElement root, SpecErrors errors)
    {
        if (Reader.Read(root, errors, "", out var given) is not { } spec)
            return null;
        foreach (var rule in JobSpecRule.BrokenBy(spec).Where(rule => given.ContainsKey(rule.Field) && !errors.Has(rule.Field)))
            errors.Add(rule.Field, $"must be {rule.Allowed}; got {SpecErrors.Shown(given[rule.Field])}");
        return spec;
    }

    /// <summary>The first rule of a field names what it may hold at all; later ones narrow it.</summary>
    private static string Allowed(string field) => JobSpecRule.All.First(rule => rule.Field == field).Allowed;
}
