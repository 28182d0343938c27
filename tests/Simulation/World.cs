using Temper.Domain.Jobs;

namespace Temper.Simulation;

/// <summary>
/// One schedule: jobs, workers, users and a database, with the faults of its seed. The faults end after a while; from then on
/// every job must end in bounded time.
/// </summary>
internal sealed class World
{
    /// <summary>
    /// In service this is an hour, checked every minute. This and <see cref="Lease"/> are the only times that are shorter here,
    /// so that a schedule ends sooner.
    /// </summary>
    public static readonly TimeSpan ForgottenAfter = TimeSpan.FromSeconds(10),
        ForgetInterval = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Limit on the work left when the faults end: at most three jobs of four epochs one after another, the lease, the backoff,
    /// and a claim that no worker knows of.
    /// </summary>
    public static readonly TimeSpan SettledWithin = TimeSpan.FromSeconds(120);

    public const int LatestRevision = 2;

    private readonly Dictionary<Guid, int> epochsOf = [];
    private readonly List<SimulatedWorker> workers = [];
    private readonly PlantedBug bug;
    private readonly Users users;
    private readonly int slots;

    public World(long seed, PlantedBug bug, Action<string>? log = null)
    {
        this.bug = bug;
        Simulation = new(seed, log);
        Server = new(Simulation, bug.NewQueue(Simulation));
        FaultInjector = new(this);
        FaultSchedule = new(this);
        InvariantChecker = new(this);
        users = new(this);
        Lease = TimeSpan.FromSeconds(Simulation.Chance(0.6) ? 6 : 16);
        slots = 1 + Simulation.Random.NextInt32(2);
        Server.Queue.Notify = Hear;
        Server.Queue.ForgottenAfter = ForgottenAfter;
    }

    public Simulation Simulation { get; }

    /// <summary>
    /// 30 s in service. Here it is longer or shorter than the 10 s after which a claim that no worker knows of goes back.
    /// </summary>
    public TimeSpan Lease { get; }

    public Server Server { get; }

    public FaultInjector FaultInjector { get; }

    public FaultSchedule FaultSchedule { get; }

    public InvariantChecker InvariantChecker { get; }

    public IReadOnlyList<SimulatedWorker> Workers => workers;

    public IReadOnlyDictionary<Guid, int> EpochsOf => epochsOf;

    /// <exception cref="ViolationException">The protocol broke a promise.</exception>
    public void Run()
    {
        // A continuation runs where its event happens, and nowhere else.
        var surroundings = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            RunAlone();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(surroundings);
        }
    }

    private void RunAlone()
    {
        for (var i = Simulation.Chance(0.2) ? 1 : 2 + Simulation.Random.NextInt32(2); i > 0; i--)
            StartWorker();
        users.Start(jobs: 1 + Simulation.Random.NextInt32(3));
        FaultSchedule.Begin();
        while (!IsSettled())
        {
            if (FaultSchedule.IsOver && Simulation.Now > FaultSchedule.QuietFrom + SettledWithin)
                throw new ViolationException("liveness: not every job came to its end");
            if (InvariantChecker.Broken is { } promise)
                throw new ViolationException(promise);
            if (!Simulation.Step())
                throw new ViolationException("liveness: nothing happens any more");
        }
        InvariantChecker.SawTheEnd();
    }

    public Guid AddJob(int epochs)
    {
        var id = new Guid(epochsOf.Count + 1, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);
        epochsOf[id] = epochs;
        return id;
    }

    public void StartWorker()
    {
        var worker = bug.NewWorker(this, new Guid(0, (short)(workers.Count + 1), 0, [0, 0, 0, 0, 0, 0, 0, 0]), slots);
        workers.Add(worker);
        if (Simulation.IsLogged)
            Simulation.Log($"{Name(worker.Id)} starts");
        worker.Start();
    }

    public SimulatedWorker WorkerOf(Guid id) => workers[NumberOf(id) - 1];

    /// <summary>The number of a worker, from 1.</summary>
    public static int NumberOf(Guid worker) => worker.ToByteArray()[4];

    /// <summary>Names jobs A, B … and workers w1, w2 ….</summary>
    public static string Name(Guid id) =>
        id == default ? ""
        : id.ToByteArray() is var bytes && bytes[0] > 0 ? $"{(char)('A' + bytes[0] - 1)}"
        : $"w{bytes[4]}";

    private bool IsSettled()
    {
        if (!users.AreDone || !FaultSchedule.NothingIsUnderWay)
            return false;
        foreach (var job in Server.Queue.Jobs)
            if (!job.State.IsFinal() && job.State != JobState.Paused)
                return false;
        return Server.Engine.Processing().Length == 0; // Hangfire has recorded every end
    }

    /// <summary>Sends a notification to every open session, each with its own delay.</summary>
    private void Hear((Guid, StopRequest)? stop)
    {
        foreach (var session in Server.Sessions)
            if (!session.IsBroken)
                Simulation.After(Simulation.Between(0, 0.02), () => session.Worker.Resume(() => session.Worker.Hear(session, stop)));
    }
}

/// <summary>The protocol broke a promise.</summary>
internal sealed class ViolationException(string promise) : Exception(promise);
