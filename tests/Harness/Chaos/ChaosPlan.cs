using System.Text.Json.Nodes;
using Temper.Domain;

namespace Temper.Harness.Chaos;

/// <summary>
/// The faults and jobs of a run, a pure function of its seed. The seed does not determine what the processes are doing when a
/// fault comes: their timing depends on the machine.
/// </summary>
public sealed class ChaosPlan
{
    private const ulong FaultStream = 0xFA,
        JobStream = 0x10B0000;

    /// <summary>
    /// Longer than the lease of 5 s plus the 3 s for which a silent worker is watched, with time for another worker to claim the
    /// job.
    /// </summary>
    private const double BeyondLeaseSeconds = 12;

    /// <summary>
    /// How often each kind is in a deck. The plan deals faults from shuffled decks. The first deck has each kind once, so that a
    /// short run also meets every kind.
    /// </summary>
    private static readonly (FaultKind Kind, int Cards)[] Deck =
    [
        (FaultKind.WorkerKilled, 2),
        (FaultKind.RunnerKilled, 2),
        (FaultKind.ApiKilled, 2),
        (FaultKind.WorkerStalled, 4),
        (FaultKind.WorkerStalledBeyondLease, 2),
        (FaultKind.RunnerStalled, 3),
        (FaultKind.WorkerToldToStop, 2),
        (FaultKind.DatabaseRestarted, 2),
        (FaultKind.DatabaseCrashed, 2),
        (FaultKind.WorkerCutOff, 4),
        (FaultKind.BackendsTerminated, 3),
        (FaultKind.ApiCutOff, 2),
        (FaultKind.HangfireLocked, 2),
        (FaultKind.OperatorMeddles, 2),
    ];

    private static readonly double[] Epsilons = [0, 0.05, 0.1, 0.2];

    private readonly ChaosOptions options;

    public ChaosPlan(ChaosOptions options)
    {
        this.options = options;
        Specs = [.. Enumerable.Range(0, options.Specs).Select(Spec)];
        Faults = [.. Deal()];
    }

    public IReadOnlyList<Fault> Faults { get; }

    /// <summary>The specs from which every job takes one.</summary>
    public IReadOnlyList<JsonObject> Specs { get; }

    /// <summary>The index of the n-th job's spec.</summary>
    public int SpecOf(int job) => new SplitMix64(options.Seed, JobStream + (ulong)job).NextInt32(Specs.Count);

    private static JsonObject Spec(int i) =>
        new()
        {
            ["dataset"] = "mnist",
            ["epsilon"] = Epsilons[i % Epsilons.Length],
            ["epochs"] = 4,
            ["batchSize"] = 32,
            ["seed"] = i,
            // A resumed attempt must also restore momentum, label noise, the pairs of mixup, and the best model until then.
            ["optimizer"] = i % 2 == 0 ? "adam" : "sgd",
            ["labelNoise"] = i % 3 == 0 ? 0.1 : 0,
            ["mixup"] = i % 5 == 0 ? 0.2 : 0,
            ["keep"] = i % 2 == 0 ? "nll" : "last",
            ["device"] = "cpu",
            ["maxAttempts"] = 20,
            ["tags"] = new JsonArray("chaos"),
        };

    private IEnumerable<Fault> Deal()
    {
        var random = new SplitMix64(options.Seed, FaultStream);
        var deck = new Stack<FaultKind>();
        var at = TimeSpan.Zero;
        for (var number = 1; number <= options.Faults; number++)
        {
            if (deck.Count == 0)
            {
                FaultKind[] cards = [.. Deck.SelectMany(entry => Enumerable.Repeat(entry.Kind, number == 1 ? 1 : entry.Cards))];
                random.Shuffle<FaultKind>(cards);
                deck = new(cards);
            }
            at += options.FaultInterval * random.NextDouble(2.0 / 3, 4.0 / 3);
            var kind = deck.Pop();
            yield return new(number, at, kind, random.NextInt32(1000), Lasts(kind, random));
        }
    }

    private static TimeSpan Lasts(FaultKind kind, SplitMix64 random) =>
        TimeSpan.FromSeconds(
            kind switch
            {
                FaultKind.WorkerStalled => random.NextDouble(0.5, 2.5),
                FaultKind.WorkerStalledBeyondLease => random.NextDouble(BeyondLeaseSeconds, BeyondLeaseSeconds + 3),
                FaultKind.RunnerStalled => random.NextDouble(1, 2),
                FaultKind.WorkerCutOff or FaultKind.ApiCutOff => random.NextDouble(0.1, 4),
                FaultKind.HangfireLocked => random.NextDouble(0.5, 6),
                _ => 0,
            }
        );
}
