using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Http;
using Temper.Cli.Jobs;
using Temper.Cli.Output;
using Temper.Cli.Specs;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;

namespace Temper.Cli.Studies;

/// <summary>The commands of studies.</summary>
internal static class StudyCommands
{
    private static readonly Argument<Guid> Id = Common.Id("STUDY");

    public static Command Study()
    {
        var study = new Command("study", "Submits, watches and shows studies: grids of ε and seeds.")
        {
            Submit(),
            Common.Command(
                "watch",
                "Shows a study's progress until it has ended, and then what it recommends. Ctrl-C leaves it running.",
                (parsed, service, cancellation) =>
                    StudyWatch.RunAsync(service, parsed.GetValue(Id), parsed.GetValue(Common.Json), cancellation),
                Id
            ),
            Common.Command(
                "list",
                "Lists studies, newest first.",
                (_, service, cancellation) => service.GetAsync("studies", cancellation),
                ShowPage
            ),
            Common.Command(
                "show",
                "Shows a study: its state, and for each ε the means over seeds on the test set.",
                (parsed, service, cancellation) => service.GetAsync($"studies/{parsed.GetValue(Id)}", cancellation),
                StudyWatch.Show,
                Id
            ),
            MetricsCommand.Of("studies", "Shows the metrics of all epochs of a study's jobs.", Id, ShowMetrics),
            Verbs.Of("studies", "cancel", "Cancels what is left of a study."),
            Verbs.Of("studies", "pause", "Pauses a study."),
            Verbs.Of("studies", "resume", "Queues a study's paused jobs again."),
            Verbs.Of("studies", "retry", "Queues a study's failed jobs again."),
            Verbs.Of("studies", "pin", "Keeps retention from a study and its jobs."),
            Verbs.Of("studies", "unpin", "Lets retention remove parts of a study's jobs again."),
            Common.Delete("Deletes a study with its jobs; none may be running.", "studies", Id),
        };
        return study;
    }

    public static Command Recommend() =>
        Common.Command(
            "recommend",
            "Shows which ε a study recommends.",
            (parsed, service, cancellation) => service.GetAsync($"studies/{parsed.GetValue(Id)}/recommendation", cancellation),
            StudyWatch.ShowRecommendation,
            Id
        );

    private static Command Submit()
    {
        var file = SpecFile.Argument();
        var job = SpecOption.Of<JobSpec>(
            JobSpecRule.All.Select(rule => (rule.Field, rule.Allowed)),
            field => field is not ("epsilon" or "name" or "seed" or "data")
        );
        var rules = StudySpecRule.All.Select(rule => (rule.Field, rule.Allowed)).ToList();
        // The other lists of a study, those of grid too, have the names of a job's fields; a FILE gives them.
        var study = SpecOption.Of<StudySpec>(
            rules,
            field => field is "epsilons" or "learningRates" or "models" or "seeds" or "criterion" or "successiveHalving" or "name"
        );
        var seeds = study.Single(field => field.Field == "seeds").Option;
        var budget = SpecOption.Of<StudyBudget>(rules.Select(rule => (rule.Field.Replace("budget.", ""), rule.Allowed)), _ => true);
        var watch = new Option<bool>("--watch") { Description = "Watches the study until it has ended, like temper study watch." };
        return Common.Command(
            "submit",
            "Submits a study; --dataset and --epochs (or --recipe) are required, here or in the job of FILE.",
            async (parsed, service, cancellation) =>
            {
                var spec = await SpecFile.ReadAsync(parsed.GetValue(file), cancellation);
                SpecOption.Apply(study, parsed, spec);
                SpecOption.Apply(job, parsed, Part(spec, "job"));
                SpecOption.Apply(budget, parsed, Part(spec, "budget"));
                if (spec["budget"] is JsonObject { Count: 0 })
                    spec.Remove("budget");
                if (parsed.GetResult(seeds) is { Implicit: false } && spec["seeds"] is JsonArray { Count: 1 } given)
                    spec["seeds"] = given[0]!.DeepClone(); // --seeds with one number is a count, with several they are seeds
                var submitted = await service.PostAsync("studies", spec, cancellation);
                var (id, json) = (submitted["id"]!.GetValue<Guid>(), parsed.GetValue(Common.Json));
                if (parsed.GetValue(watch))
                {
                    Terminal.Note($"Study {id}");
                    return await StudyWatch.RunAsync(service, id, json, cancellation);
                }
                if (json)
                    Terminal.WriteJson(submitted);
                else
                    Terminal.WriteLine($"Study {id} has {submitted["progress"]!["jobs"]} jobs.");
                return ExitCodes.Done;
            },
            [file, watch, .. study.Concat(budget).Concat(job).Select(field => field.Option)]
        );
    }

    private static JsonObject Part(JsonObject spec, string name)
    {
        if (!spec.ContainsKey(name))
            spec[name] = new JsonObject();
        return spec[name] as JsonObject ?? throw new UsageException($"{name} must be a JSON object.");
    }

    private static void ShowPage(JsonNode page)
    {
        var table = Terminal.Table("id", "state", "data set", "criterion", "jobs", "succeeded", "submitted", "name");
        foreach (var study in page["items"]!.AsArray())
            table.Row(
                Terminal.Plain(study!["id"]),
                Terminal.Plain(study["state"]),
                Terminal.Plain(study["dataset"]),
                Terminal.Plain(study["criterion"]),
                Terminal.Plain(study["progress"]!["jobs"]),
                Terminal.Plain(study["progress"]!["succeeded"]),
                Terminal.Time(study["createdAt"]),
                study["name"]?.GetValue<string>()
            );
        Terminal.Out.Write(table);
    }

    private static void ShowMetrics(JsonNode metrics)
    {
        var table = Terminal.Table("job", "ε", "seed", "epoch", "train loss", "validation loss", "accuracy", "ECE").NumbersFrom(1);
        foreach (var epoch in metrics["items"]!.AsArray())
            table.Row(
                Terminal.Plain(epoch!["job"]),
                Terminal.Plain(epoch["epsilon"]),
                Terminal.Plain(epoch["seed"]),
                Terminal.Plain(epoch["epoch"]),
                Terminal.Figure(epoch["trainLoss"]?.GetValue<double>()),
                Terminal.Figure(epoch["validationLoss"]?.GetValue<double>()),
                Terminal.Figure(epoch["validationAccuracy"]?.GetValue<double>()),
                Terminal.Figure(epoch["ece"]?.GetValue<double>())
            );
        Terminal.Out.Write(table);
    }
}
