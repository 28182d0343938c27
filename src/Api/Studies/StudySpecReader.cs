using System.Text.Json;
using Temper.Api.Datasets;
using Temper.Api.Http;
using Temper.Api.Jobs;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Studies;
using Temper.Store;
using Temper.Store.Notifications;
using Temper.Store.Studies;

namespace Temper.Api.Studies;

/// <summary>Reads and checks a posted study, including each of its jobs.</summary>
internal static class StudySpecReader
{
    private static readonly SpecReader<StudyBudget> BudgetReader = new("a budget", field => Allowed($"budget.{field}"));

    private static readonly SpecReader<StudyGrid> GridReader = new("a grid", field => Allowed($"grid.{field}"));

    private static readonly SpecReader<StudySpec> Reader = new("a study", Allowed)
    {
        Special = new Dictionary<string, SpecReader<StudySpec>.FieldReader>
        {
            ["job"] = ReadJob,
            ["seeds"] = ReadSeeds,
            ["budget"] = ReadBudget,
            ["grid"] = ReadGrid,
        },
    };

    private static readonly SpecReader<StudyExtension> ExtensionReader = new("an extension", Allowed)
    {
        Special = new Dictionary<string, SpecReader<StudyExtension>.FieldReader> { ["seeds"] = ReadSeeds, ["budget"] = ReadBudget },
    };

    /// <param name="body">UTF-8 JSON.</param>
    /// <param name="tenant">Whose study it will be.</param>
    /// <param name="key">The Idempotency-Key; null without one.</param>
    /// <param name="notifications">Says which addresses `notify` may name.</param>
    /// <returns>The study, with a count of seeds replaced by the list of seeds; null when there are errors. Messages by field;
    /// empty when every job of the study is valid.</returns>
    public static async Task<(StudySpec? Spec, Dictionary<string, string[]> Errors)> ReadAsync(
        ReadOnlyMemory<byte> body,
        string tenant,
        string? key,
        StudyQueue queue,
        TemperDb db,
        NotificationOptions notifications,
        CancellationToken cancellation
    )
    {
        var found = new SpecErrors();
        using var document = found.Parse(body);
        var spec =
            document is null || Reader.Read(document.RootElement, found, "", out var given) is not { } read
                ? null
                : Check(await ResolveAsync(read, EarlierAsync, tenant, db, found, cancellation), given, found);
        JobSpecReader.CheckNotify(spec?.Notify, "notify", notifications, found);
        JobSpecReader.CheckNotify(spec?.Job?.Notify, "job.notify", notifications, found);
        return (found.Any ? null : spec, found.ByField());

        async Task<string?> EarlierAsync() =>
            key is null ? null : (await queue.FindByKeyAsync(tenant, key, cancellation))?.Spec.Job.Dataset;
    }

    /// <summary>The job is null when the body has none.</summary>
    private static async Task<StudySpec> ResolveAsync(
        StudySpec spec,
        Func<Task<string?>> earlier,
        string tenant,
        TemperDb db,
        SpecErrors errors,
        CancellationToken cancellation
    ) =>
        spec.Job is null
            ? spec
            : spec with
            {
                Job = await UploadedNames.ResolveAsync(db, tenant, spec.Job, earlier, errors, "job.", cancellation),
            };

    /// <returns>The extension to add to a study; null when it is wrong.</returns>
    public static StudyExtension? ReadExtension(ReadOnlyMemory<byte> body, SpecErrors errors)
    {
        using var document = errors.Parse(body);
        if (document is null || ExtensionReader.Read(document.RootElement, errors, "", out var given) is not { } read)
            return null;
        if (given.Values.All(value => value.ValueKind == JsonValueKind.Null))
            errors.Add("body", "must have epsilons, seeds or budget");
        // The rules are those of a study that has only these fields.
        AddBroken(
            new()
            {
                Job = AnyJob,
                Epsilons = read.Epsilons ?? [0],
                Seeds = read.Seeds,
                Budget = read.Budget,
            },
            given,
            errors
        );
        return read.With(SeedCount(given, errors));
    }

    /// <summary>Checks a grid as a whole and each of its jobs. It skips fields that already have an error.</summary>
    public static void CheckGrid(StudySpec spec, SpecErrors errors)
    {
        foreach (var rule in StudySpecRule.BrokenBy(spec).Where(rule => !errors.HasWithin(rule.Field)))
            errors.Add(rule.Field, $"must be {rule.Allowed}");
        var (arms, jobs) = (spec.CountArms(), spec.CountArms() * spec.Seeds!.Count);
        if (jobs > StudySpecRule.MostJobs && !errors.Has("seeds"))
            errors.Add(
                "seeds",
                $"{arms} arms × {spec.Seeds.Count} seeds are {jobs} jobs, more than the {StudySpecRule.MostJobs} that a study may have"
            );
        if (jobs > spec.Budget?.MaxJobs && !errors.HasWithin("budget"))
            errors.Add(
                "budget.maxJobs",
                $"{arms} arms × {spec.Seeds.Count} seeds are {jobs} jobs, more than the budget of {spec.Budget.MaxJobs}"
            );
        if (arms > StudySpecRule.MostArms)
        {
            if (!errors.Has("epsilons"))
                errors.Add("epsilons", $"the grid has {arms} arms, more than the {StudySpecRule.MostArms} that a study may have");
            return;
        }
        foreach (
            var broken in spec.Arms()
                .SelectMany(arm =>
                    JobSpecRule.BrokenBy(arm.On(spec.Job) with { Seed = spec.Seeds.DefaultIfEmpty().Max() }).Select(rule => (rule, arm))
                )
                .ToLookup(one => one.rule, one => one.arm)
        )
            AddBroken(broken.Key, [.. broken], spec, errors);
    }

    /// <param name="arms">The arms whose jobs break the rule.</param>
    private static void AddBroken(JobSpecRule rule, IReadOnlyList<Arm> arms, StudySpec spec, SpecErrors errors)
    {
        var (field, valueIn) = Source(spec, rule.Field);
        if (errors.Has(field))
            return;
        var values = valueIn is null ? null : string.Join(", ", arms.Select(valueIn).Distinct());
        var got =
            values
            ?? (
                rule.Field != "seed" && arms.Count == spec.CountArms()
                    ? SpecErrors.Shown(JsonSerializer.SerializeToElement(spec.Job, Json.Options).GetProperty(rule.Field))
                    : null
            );
        var where =
            got is not null ? $"; got {got}"
            : arms.Count < spec.CountArms() ? $"; not so for {arms[0].Label(spec)}"
            : "";
        errors.Add(field, $"must be {rule.Allowed}{where}");
    }

    /// <summary>The field of a study that a field of its jobs comes from, and what an arm gets; null when all get the same.</summary>
    private static (string Field, Func<Arm, string?>? ValueIn) Source(StudySpec spec, string jobField)
    {
        if (StudySpecRule.Axes.SingleOrDefault(axis => axis.Value == jobField && IsGiven(spec, axis.Key)).Key is { } axis)
            return (axis, arm => Json.Write(ValueOf(arm, axis)));
        if (StudyGrid.Fields.Contains(jobField) && spec.Grid?.ValuesOf(jobField) is not null)
            return ($"grid.{jobField}", arm => arm.Settings.Show(jobField));
        return (jobField == "seed" ? "seeds" : $"job.{jobField}", null);
    }

    /// <summary>Checks the valid fields further even when others are wrong, so that one answer has every error.</summary>
    private static StudySpec Check(StudySpec spec, Dictionary<string, JsonElement> given, SpecErrors errors)
    {
        AddBroken(spec, given, errors);
        var checkable = spec with
        {
            Job = spec.Job ?? AnyJob,
            Epsilons = errors.Has("epsilons") ? [0] : spec.Epsilons,
            Smoothing = errors.Has("smoothing") ? null : spec.Smoothing,
            LearningRates = errors.Has("learningRates") ? null : spec.LearningRates,
            LabelNoise = errors.Has("labelNoise") ? null : spec.LabelNoise,
            Models = errors.Has("models") ? null : spec.Models,
            Grid = spec.Grid?.Without(field => errors.HasWithin($"grid.{field}")),
        };
        spec = spec with { Seeds = spec.Seeds ?? SeedsFrom(checkable.Job.Seed, SeedCount(given, errors) ?? StudySpec.DefaultSeeds) };
        CheckGrid(checkable with { Seeds = errors.Has("seeds") ? [checkable.Job.Seed] : spec.Seeds }, errors);
        return spec;
    }

    private static void AddBroken(StudySpec spec, Dictionary<string, JsonElement> given, SpecErrors errors)
    {
        foreach (
            var rule in StudySpecRule
                .BrokenBy(spec)
                .Where(rule =>
                    given.ContainsKey(rule.Field.Split('.')[0])
                    && !errors.HasWithin(rule.Field)
                    && !(errors.Has("grid.loss") && rule.Field.Split('.') is [_, var field] && JobSpecReader.DependsOnLoss(field))
                )
        )
        {
            var value = rule.Field.Split('.') is [var outer, .. var inner]
                ? inner.Aggregate(given[outer], (within, name) => within.GetProperty(name))
                : default;
            errors.Add(rule.Field, $"must be {rule.Allowed}; got {SpecErrors.Shown(value)}");
        }
    }

    /// <summary>Replaces a missing job, so that the other fields can still be checked.</summary>
    private static JobSpec AnyJob =>
        new()
        {
            Dataset = "digits",
            Epsilon = 0,
            Epochs = 1,
        };

    private static bool IsGiven(StudySpec spec, string axis) =>
        axis switch
        {
            "smoothing" => spec.Smoothing is not null,
            "learningRates" => spec.LearningRates is not null,
            "labelNoise" => spec.LabelNoise is not null,
            "models" => spec.Models is not null,
            _ => true,
        };

    private static object ValueOf(Arm arm, string axis) =>
        axis switch
        {
            "smoothing" => arm.Smoothing,
            "learningRates" => arm.LearningRate,
            "labelNoise" => arm.LabelNoise,
            "models" => arm.Model,
            _ => arm.Epsilon,
        };

    private static IReadOnlyList<long> SeedsFrom(long first, int count) => [.. Enumerable.Range(0, count).Select(i => first + i)];

    /// <returns>The number of seeds; null when seeds are a list, absent or wrong.</returns>
    private static int? SeedCount(Dictionary<string, JsonElement> given, SpecErrors errors) =>
        given.TryGetValue("seeds", out var seeds) && seeds.ValueKind == JsonValueKind.Number && !errors.Has("seeds")
            ? seeds.Deserialize<int>(Json.Options)
            : null;

    /// <summary>Reads a list of seeds. It only checks a count, which later becomes a list from the job's seed on.</summary>
    private static bool ReadSeeds(JsonElement value, SpecErrors errors, out object? read)
    {
        read = null;
        try
        {
            if (value.ValueKind == JsonValueKind.Number)
                return value.Deserialize<int>(Json.Options) is >= 1 and <= StudySpecRule.MostSeeds;
            read = value.Deserialize<IReadOnlyList<long>>(Json.Options);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static bool ReadJob(JsonElement value, SpecErrors errors, out object? read) =>
        (read = JobSpecReader.ReadBase(value, errors, "job.")) is not null;

    private static bool ReadBudget(JsonElement value, SpecErrors errors, out object? read) =>
        (read = BudgetReader.Read(value, errors, "budget.", out _)) is not null;

    private static bool ReadGrid(JsonElement value, SpecErrors errors, out object? read) =>
        (read = GridReader.Read(value, errors, "grid.", out _)) is not null;

    private static string Allowed(string field) => StudySpecRule.All.First(rule => rule.Field == field).Allowed;
}
