using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Output;
using Temper.Cli.Specs;
using Temper.Domain.Jobs;

namespace Temper.Cli.Jobs;

/// <summary>The commands of jobs.</summary>
internal static class JobCommands
{
    private static readonly Argument<Guid> Job = Common.Id("JOB");

    public static Command Submit()
    {
        var file = SpecFile.Argument();
        var fields = SpecOption.Of<JobSpec>(JobSpecRule.All.Select(rule => (rule.Field, rule.Allowed)), field => field != "data");
        var watch = new Option<bool>("--watch") { Description = "Watches the job until it has ended, like temper watch." };
        return Common.Command(
            "submit",
            "Submits a job; --dataset, --epsilon and --epochs (or --recipe) are required, here or in FILE.",
            async (parsed, service, cancellation) =>
            {
                var spec = await SpecFile.ReadAsync(parsed.GetValue(file), cancellation);
                SpecOption.Apply(fields, parsed, spec);
                var job = await service.PostAsync("jobs", spec, cancellation);
                var (id, json) = (job["id"]!.GetValue<Guid>(), parsed.GetValue(Common.Json));
                foreach (var warning in job["advice"]?["warnings"]?.AsArray() ?? [])
                    Terminal.Note($"Advice: {warning}");
                if (parsed.GetValue(watch))
                {
                    Terminal.Note($"Job {id}");
                    return await JobWatch.RunAsync(service, id, json, cancellation);
                }
                if (json)
                    Terminal.WriteJson(job);
                else
                    Terminal.WriteLine($"Job {id} is {job["state"]}.");
                return ExitCodes.Done;
            },
            [file, watch, .. fields.Select(field => field.Option)]
        );
    }

    public static Command Watch() =>
        Common.Command(
            "watch",
            "Shows a job's progress and epochs until it has ended. Ctrl-C leaves it running.",
            (parsed, service, cancellation) => JobWatch.RunAsync(service, parsed.GetValue(Job), parsed.GetValue(Common.Json), cancellation),
            Job
        );

    public static Command List()
    {
        Option<string>[] filters =
        [
            new("--state") { Description = "Only jobs in this state." },
            new("--dataset") { Description = "Only jobs on this data set." },
            new("--tag") { Description = "Only jobs with this tag." },
            new("--study") { Description = "Only jobs of the study with this id." },
            new("--limit") { Description = "Jobs to list, 1 to 200; 50 when absent." },
            new("--cursor") { Description = "The cursor that the last list ended with." },
        ];
        return Common.Command(
            "list",
            "Lists jobs, newest first.",
            (parsed, service, cancellation) => service.GetAsync($"jobs{QueryOf(parsed, filters)}", cancellation),
            ShowPage,
            filters
        );
    }

    public static Command Show() =>
        Common.Command(
            "show",
            "Shows a job: its state, its spec and its result.",
            (parsed, service, cancellation) => service.GetAsync($"jobs/{parsed.GetValue(Job)}", cancellation),
            ShowJob,
            Job
        );

    public static Command Metrics() => MetricsCommand.Of("jobs", "Shows the metrics of a job's epochs.", Job, EpochTable.Write);

    public static Command Report() =>
        Common.Command(
            "report",
            "Shows whether a job's model is calibrated, before and after temperature scaling.",
            (parsed, service, cancellation) =>
                service.GetAsync($"jobs/{parsed.GetValue(Job)}/calibration{MeasuresTable.Query(parsed)}", cancellation),
            CalibrationTable.Write,
            Job,
            MeasuresTable.Option
        );

    public static Command Corruptions() =>
        Common.Command(
            "corruptions",
            "Shows the figures of a job's model on corrupted test images.",
            (parsed, service, cancellation) => service.GetAsync($"jobs/{parsed.GetValue(Job)}/corruptions", cancellation),
            CorruptionTable.Write,
            Job
        );

    private static string QueryOf(ParseResult parsed, IEnumerable<Option<string>> filters)
    {
        var given = filters
            .Where(filter => parsed.GetResult(filter) is not null)
            .Select(filter => $"{filter.Name.TrimStart('-')}={Uri.EscapeDataString(parsed.GetValue(filter)!)}");
        return string.Join('&', given) is { Length: > 0 } query ? $"?{query}" : "";
    }

    private static void ShowPage(JsonNode page)
    {
        var table = Terminal.Table("id", "state", "data set", "ε", "seed", "epochs", "submitted", "name");
        foreach (var job in page["items"]!.AsArray())
        {
            var spec = job!["spec"]!;
            table.Row(
                Terminal.Plain(job["id"]),
                Terminal.Plain(job["state"]),
                Terminal.Plain(spec["dataset"]),
                Terminal.Plain(spec["epsilon"]),
                Terminal.Plain(spec["seed"]),
                Terminal.Plain(spec["epochs"]),
                Terminal.Time(job["createdAt"]),
                spec["name"]?.GetValue<string>()
            );
        }
        Terminal.Out.Write(table);
        if (page["note"] is { } note)
            Terminal.Note(note.GetValue<string>());
        if (page["next"] is { } next)
            Terminal.Note($"There are more: --cursor {next}");
    }

    private static void ShowJob(JsonNode job)
    {
        var table = Terminal.Table("job", Terminal.Plain(job["id"]));
        foreach (var field in new[] { "state", "reason", "study", "reproduces", "worker", "attempt", "failures" })
            if (job[field] is { } value)
                table.Row(field, Terminal.Plain(value));
        foreach (var time in new[] { "createdAt", "claimedAt", "trainingStartedAt", "finishedAt" })
            if (job[time] is { } value)
                table.Row(time, Terminal.Time(value));
        foreach (var part in new[] { "spec", "progress", "result" })
        foreach (var (field, value) in job[part] as JsonObject ?? [])
            if (value is not (null or JsonArray { Count: 0 }))
                table.Row($"{part}.{field}", Terminal.Plain(value));
        Terminal.Out.Write(table);
    }
}
