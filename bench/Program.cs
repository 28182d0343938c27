using Temper.Bench;
using Temper.Bench.Attack;

// The run script in each benchmark's folder starts PostgreSQL and this program.
switch (args)
{
    case ["start", .. var rest]:
        await StartLatency.RunAsync(rest is ["--quick"] ? 10 : 100);
        return 0;
    case ["training"] or ["training", "--quick"]:
        await Training.RunAsync(quick: args.Length > 1, only: null);
        return 0;
    case ["training", "--only", var part] when Training.Parts.Contains(part):
        await Training.RunAsync(quick: false, part);
        return 0;
    case ["torchsharp", .. var rest]:
        TorchSharpPeer.Run(rest);
        return 0;
    case ["resnet-memory"]:
        TrainingMemory.ResNet();
        return 0;
    case ["api", "--slow"]:
        await SlowClients.RunAsync();
        return 0;
    case ["api", .. var rest]:
        await ApiRates.RunAsync(quick: rest is ["--quick"], onlyRates: rest is ["--rates"]);
        return 0;
    case ["minimal-api", var address]:
        await MinimalApi.ServeAsync(Environment.GetEnvironmentVariable("ConnectionStrings__Temper")!, address);
        return 0;
    case ["accuracy", var dataset, var epochs, var seeds, .. var epsilons]:
        await Accuracy.RunAsync(
            dataset,
            int.Parse(epochs),
            int.Parse(seeds),
            [.. epsilons.Select(e => double.Parse(e, System.Globalization.CultureInfo.InvariantCulture))]
        );
        return 0;
    case ["published"]:
        Published.Run(only: null, seeds: 3, epochs: null);
        return 0;
    case ["published", "--quick"]:
        Published.Run(only: null, seeds: 1, epochs: 1);
        return 0;
    case ["published", "--only", var recipe, "--seeds", var seeds] when Published.RecipesUsed.Contains(recipe):
        Published.Run(recipe, int.Parse(seeds, System.Globalization.CultureInfo.InvariantCulture), epochs: null);
        return 0;
    case ["report", .. var rest]:
        await Report.RunAsync(rest is ["--quick"] ? 3 : 30);
        return 0;
    case ["evaluations", .. var rest]:
        await Evaluations.RunAsync(rest is ["--quick"] ? 1 : 3);
        return 0;
    case ["predict", .. var rest]:
        await Predict.RunAsync(quick: rest is ["--quick"]);
        return 0;
    case ["events", .. var rest]:
        await EventDelays.RunAsync(rest is ["--quick"] ? 200 : 2000);
        return 0;
    case ["queue", "--claims", .. var rest]:
        await QueueRates.ClaimsAsync(rest is ["--quick"]);
        return 0;
    case ["queue", .. var rest]:
        await QueueRates.RunAsync(rest.Contains("--quick"));
        return 0;
    case ["coverage"] or ["coverage", "--quick"]:
        Coverage.Run(trials: args.Length > 1 ? 100 : 1000, only: null);
        return 0;
    case ["coverage", "--only", var part] when Coverage.Parts.Contains(part):
        Coverage.Run(trials: 1000, part);
        return 0;
    case ["corruptions", var csv, .. var rest] when rest is [] or ["--quick"]:
        await Corruptions.RunAsync(csv, quick: rest.Length > 0, only: null);
        return 0;
    case ["corruptions", var csv, "--only", var part] when Corruptions.Parts.Contains(part):
        await Corruptions.RunAsync(csv, quick: false, part);
        return 0;
    case ["calibrators", var csv, .. var rest]:
        Calibrators.Run(csv, quick: rest is ["--quick"]);
        return 0;
    case ["table", var csv, .. var rest] when EpsilonTable.Read(rest) is { } settings:
        await EpsilonTable.RunAsync(csv, settings);
        return 0;
    case ["study", .. var rest]:
        await StudyRun.RunAsync(quick: rest is ["--quick"]);
        return 0;
    case ["keep", .. var rest]:
        KeptEpochs.Run(seeds: rest is ["--quick"] ? 2 : 5);
        return 0;
    case ["losses"] or ["losses", "--quick"]:
        await Losses.RunAsync(quick: args.Length > 1, only: null);
        return 0;
    case ["losses", "--only", var part] when Losses.Parts.Contains(part):
        await Losses.RunAsync(quick: false, part);
        return 0;
    case ["study-statistics", .. var rest]:
        StudySimulation.Run(draws: rest is ["--quick"] ? 500 : 4000);
        return 0;
    case ["chaos", .. var rest] when Chaos.Settings(rest) is { } settings:
        return await Chaos.RunAsync(settings);
    case ["upgrade", var commit, var folder, var jobs]:
        return await Upgrade.RunAsync(commit, folder, int.Parse(jobs, System.Globalization.CultureInfo.InvariantCulture));
    case ["faults"] or ["faults", "--quick"]:
        await Faults.RunAsync(quick: args.Length > 1, only: null);
        return 0;
    case ["faults", "--only", var part] when Faults.Parts.Contains(part):
        await Faults.RunAsync(quick: false, part);
        return 0;
    case ["attack"] or ["attack", "--quick"]:
        return await Attacks.RunAsync(quick: args.Length > 1, only: null);
    case ["attack", "--only", "fuzz", "--requests", var requests]:
        return await FuzzRun.RunAsync(int.Parse(requests), Random.Shared.NextInt64());
    case ["attack", "--only", "fuzz", .. var rest]:
        return await FuzzRun.RunAsync(rest is ["--quick"] ? 5_000 : 200_000, Random.Shared.NextInt64());
    case ["attack", "--only", var part, .. var rest] when Attacks.Parts.Contains(part):
        return await Attacks.RunAsync(rest is ["--quick"], part);
    case ["telemetry", .. var rest]:
        await TelemetryCost.RunAsync(rest is ["--quick"] ? 2 : 10);
        return 0;
    case ["storage", .. var rest]:
        await TableGrowth.RunAsync(TimeSpan.FromMinutes(rest is ["--quick"] ? 2 : 10));
        return 0;
    case ["survival", .. var rest]:
        if (rest is ["--quick"])
            await Survival.RunAsync(deaths: 3, resumes: 3, pairs: 1);
        else if (rest is ["--only", var part])
            await Survival.RunAsync(part == "rescues" ? 100 : 0, part == "resumes" ? 50 : 0, part == "checkpoints" ? 8 : 0);
        else
            await Survival.RunAsync(deaths: 100, resumes: 50, pairs: 8);
        return 0;
    default:
        Console.Error.WriteLine(
            "usage: api [--quick | --rates | --slow] | events [--quick] | start [--quick] | training [--quick | --only "
                + "rates|job|memory|jobs|cold|evaluation|resnets|results] | survival [--quick | --only rescues|resumes|checkpoints] | "
                + "storage [--quick] | telemetry [--quick] | faults [--quick | --only waiting|windows|outages|restarts|stalls] | "
                + "report [--quick] | attack [--quick | --only headers|slow|http2|continuation|json|regex|uploads|fuzz] | "
                + "evaluations [--quick] | predict [--quick] | published [--quick | --only RECIPE --seeds N] | "
                + "queue [--claims] [--quick] | "
                + "corruptions FILE [--quick | --only digits|mnist|overfitted] | "
                + "coverage [--quick | --only report|l2] | calibrators FILE [--quick] | "
                + "table FILE [DATASET...] [--seeds N] [--epochs N] [--quick] | "
                + "study-statistics [--quick] | study [--quick] | losses [--quick | --only time|answer|digits|mnist] | "
                + "accuracy DATASET EPOCHS SEEDS EPSILON... | "
                + "upgrade COMMIT FOLDER JOBS | chaos [--seed N] [--faults N] [--minutes M] [--jobs N] [--workers N] [--fuzz M]"
        );
        return 2;
}
