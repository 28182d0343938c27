using System.Net;
using System.Text.Json.Nodes;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store.Queue;
using Temper.Store.Studies;

namespace Temper.Integration.Api;

public class StudyTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private const string Small = """{"job":{"dataset":"digits","epochs":2,"tags":["a"]},"epsilons":[0,0.1],"seeds":2,"name":"small"}""";

    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 2, "cpu", 2, "libtorch", "aa", []);

    [Fact]
    public async Task Submit_OnlyAJob_QueuesTheDefaultGridSeedBySeed()
    {
        var (response, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"mnist","epochs":3,"seed":7,"epsilon":0.9}}"""
        );

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal(response.Headers.Location!.OriginalString, study!["links"]!["self"]!.GetValue<string>());
        Assert.Equal($"/studies/{study["id"]}", response.Headers.Location.OriginalString);
        Assert.Equal(("queued", false), (State(study), study["isTerminal"]!.GetValue<bool>()));
        Assert.Equal("[0,0.02,0.05,0.1,0.2,0.3]", study["spec"]!["epsilons"]!.ToJsonString());
        Assert.Equal("[7,8,9]", study["spec"]!["seeds"]!.ToJsonString());
        Assert.Equal("nllAfterTemperature", study["spec"]!["criterion"]!.GetValue<string>());
        Assert.Equal((18, 18), (study["progress"]!["jobs"]!.GetValue<int>(), study["estimate"]!["jobs"]!.GetValue<int>()));
        Assert.Equal([0, 0.02, 0.05, 0.1, 0.2, 0.3], study["rows"]!.AsArray().Select(row => row!["epsilon"]!.GetValue<double>()));

        var jobs = (await Api.GetAsync($"/jobs?study={study["id"]}&limit=200"))["items"]!.AsArray();
        Assert.Equal(18, jobs.Count);
        Assert.All(jobs, job => Assert.Equal(study["id"]!.GetValue<Guid>(), job!["study"]!.GetValue<Guid>()));
        var order = jobs.Reverse().Select(job => (job!["spec"]!["seed"]!.GetValue<long>(), job["spec"]!["epsilon"]!.GetValue<double>()));
        Assert.Equal(
            from seed in new long[] { 7, 8, 9 }
            from epsilon in new[] { 0, 0.02, 0.05, 0.1, 0.2, 0.3 }
            select (seed, epsilon),
            order
        );
    }

    [Fact]
    public async Task Submit_EveryAxis_QueuesEveryCombination()
    {
        var study = await SubmitAsync(
            """{"job":{"dataset":"digits","epochs":1},"epsilons":[0,0.1],"smoothing":"""
                + """["uniform","others"],"learningRates":[0.001,0.01],"labelNoise":[0,0.4],"models":["cnn","mlp"],"seeds":"""
                + """[5],"criterion":"ece","successiveHalving":true,"budget":{"maxJobs":24,"maxMinutes":1.5}}"""
        );

        // ε = 0 is the same in both conventions.
        Assert.Equal(24, study["progress"]!["jobs"]!.GetValue<int>());
        Assert.Equal(
            24,
            study["rows"]!
                .AsArray()
                .Select(row => $"{row!["epsilon"]}{row["smoothing"]}{row["learningRate"]}{row["labelNoise"]}{row["model"]}")
                .Distinct()
                .Count()
        );
        Assert.Equal("""{"maxJobs":24,"maxMinutes":1.5}""", study["spec"]!["budget"]!.ToJsonString());
    }

    [Fact]
    public async Task Submit_AGridOfFurtherFields_TrainsEachCombinationAndNamesItsArms()
    {
        var study = await SubmitAsync(
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1],"seeds":[5],"grid":{"weightDecay":[0,5e-5],"""
                + """ "schedule":["cosine"],"batchSize":[64,1.28e2],"gradientClip":[null,1],"validationFraction":[0.2],"device":["cpu"]},"""
                + """ "criterion":"ece"}"""
        );

        Assert.Equal(16, study["progress"]!["jobs"]!.GetValue<int>());
        string[] fields = ["batchSize", "weightDecay", "schedule", "gradientClip", "validationFraction", "device"];
        string Key(JsonNode epsilon, JsonNode values) =>
            $"{epsilon} {string.Join(' ', fields.Select(field => values[field]?.ToJsonString()))}";
        var rows = study["rows"]!.AsArray().Select(row => Key(row!["epsilon"]!, row["settings"]!)).Order().ToList();
        Assert.Equal(16, rows.Distinct().Count());
        Assert.Equal(fields, study["rows"]![0]!["settings"]!.AsObject().Select(setting => setting.Key));
        var jobs = (await Api.GetAsync($"/jobs?study={study["id"]}&limit=200"))["items"]!.AsArray().Select(job => job!["spec"]!);
        Assert.Equal(rows, jobs.Select(spec => Key(spec["epsilon"]!, spec)).Order());

        // The stored spec has its numbers in PostgreSQL's notation; an extension finds the same arms in it.
        var (_, extended) = await SendAsync(HttpMethod.Post, $"/studies/{study["id"]}/extend", """{"seeds":[6]}""");
        Assert.Equal(32, extended!["progress"]!["jobs"]!.GetValue<int>());
        Assert.Equal(16, extended["rows"]!.AsArray().Count);

        for (var i = 0; i < 32; i++)
        {
            var claimed = await ClaimAsync();
            await SucceedAsync(claimed, (claimed.Spec.BatchSize == 128 ? 0.3 : 0.02) + 0.001 * claimed.Spec.Seed);
        }
        var recommendation = await Api.GetAsync($"/studies/{study["id"]}/recommendation");
        Assert.Contains("batch size", recommendation["sentence"]!.GetValue<string>());
        var csv = await Http.GetStringAsync($"/studies/{study["id"]}?format=csv");
        Assert.Contains("{\"\"batchSize\"\":64,\"\"weightDecay\"\":0,\"\"schedule\"\":\"\"cosine\"\",\"\"gradientClip\"\":null,", csv);
        Assert.Contains("batch size", await Http.GetStringAsync($"/studies/{study["id"]}/report"));
    }

    [Fact]
    public async Task Submit_AGridOfLosses_ComparesThemAndSaysWhatToDo()
    {
        var study = await SubmitAsync(
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1],"seeds":3,"grid":{"loss":["crossEntropy","focal","""
                + """ "marginSmoothing"],"gamma":[2,4],"margin":[6]},"criterion":"ece"}"""
        );

        Assert.Equal(15, study["progress"]!["jobs"]!.GetValue<int>());
        for (var i = 0; i < 15; i++)
        {
            var claimed = await ClaimAsync();
            await SucceedAsync(claimed, (claimed.Spec.Gamma == 4 ? 0.02 : 0.3) + 0.001 * claimed.Spec.Seed);
        }
        var (_, extended) = await SendAsync(HttpMethod.Post, $"/studies/{study["id"]}/extend", """{"epsilons":[0.2]}""");
        Assert.Equal((18, 6), (extended!["progress"]!["jobs"]!.GetValue<int>(), extended["rows"]!.AsArray().Count));
        for (var i = 0; i < 3; i++)
            await SucceedAsync(await ClaimAsync(), 0.4);

        var recommendation = await Api.GetAsync($"/studies/{study["id"]}/recommendation");
        Assert.Equal("otherLoss", recommendation["action"]!.GetValue<string>());
        Assert.Equal(
            "Train with focal with γ = 4, and calibrate afterwards: divide the logits by the temperature of the model that you use "
                + "(1.50 on average).",
            recommendation["inShort"]!.GetValue<string>()
        );
        Assert.StartsWith("Use loss focal, gamma 4: ", recommendation["sentence"]!.GetValue<string>());
        Assert.Equal(
            2,
            recommendation["findings"]!.AsArray().Count(finding => finding!.GetValue<string>().StartsWith("Another loss: NLL"))
        );
        Assert.Contains("loss focal, gamma 4", await Http.GetStringAsync($"/studies/{study["id"]}/report"));
    }

    [Fact]
    public async Task Submit_AGridWhoseNumberOfArmsFitsNoNumber_IsRefused()
    {
        static string Values(double step) =>
            $"[{string.Join(',', Enumerable.Range(1, 100).Select(i => FormattableString.Invariant($"{i * step}")))}]";

        var (response, problem) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            $$$"""
            {"job":{"dataset":"digits","epochs":1},"smoothing":["uniform","others"],"learningRates":{{{Values(0.01)}}},
             "labelNoise":{{{Values(0.01)}}},"models":["cnn","resnet20","resnet56","mlp","lenet5"],
             "grid":{"epochs":{{{Values(1)}}},"width":{{{Values(8)}}},"batchSize":{{{Values(1)}}},"weightDecay":{{{Values(0.01)}}},
             "warmupEpochs":{{{Values(1)}}},"gradientClip":{{{Values(1)}}},"optimizer":["adam","sgd"],
             "schedule":["constant","cosine","step"],"augmentation":["none","cropFlip","shift"]}}
            """
        );

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("more than the 10000", problem!["errors"]!["seeds"]![0]!.GetValue<string>());
    }

    [Theory]
    [InlineData("""{"epsilons":[0]}""", "job: is required")]
    [InlineData("""{"job":{"dataset":"digits"}}""", "job.epochs: is required")]
    [InlineData(
        """{"job":{"dataset":"cats","epochs":0,"colour":1}}""",
        "job.dataset: must be one of",
        "job.epochs: must be a whole number from 1",
        "job.colour: is not a field of a job spec"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"epsilons":[]}""",
        "epsilons: must be a list of 1 to 100 different values, each a number from 0 to 1; got []"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"epsilons":[0.1,0.1]}""",
        "epsilons: must be a list of 1 to 100 different values"
    )]
    [InlineData("""{"job":{"dataset":"digits","epochs":1},"epsilons":[0,1.5]}""", "epsilons: must be a number from 0 to 1; got 1.5")]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1,"smoothing":"others"},"epsilons":[0,0.95]}""",
        "epsilons: must be at most (K−1)/K with smoothing others"
    )]
    [InlineData("""{"job":{"dataset":"digits","epochs":1},"seeds":0}""", "seeds: must be a count from 1 to 1000")]
    [InlineData("""{"job":{"dataset":"digits","epochs":1},"seeds":[1,1]}""", "seeds: must be a count from 1 to 1000")]
    [InlineData("""{"job":{"dataset":"digits","epochs":1},"seeds":200000}""", "seeds: must be a count from 1 to 1000")]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"seeds":1000,"learningRates":[1,2,3,4,5,6,7,8,9,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]}""",
        "seeds: 102 arms × 1000 seeds are 102000 jobs, more than the 10000 that a study may have"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"seeds":1,"smoothing":["uniform","others"],"learningRates":"""
            + """[1,2,3,4,5,6,7,8,9,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.01,0.02,0.03]}""",
        "epsilons: the grid has 220 arms, more than the 200 that a study may have"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"budget":{"maxJobs":10}}""",
        "budget.maxJobs: 6 arms × 3 seeds are 18 jobs, more than the budget of 10"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"budget":{"maxjobs":10,"maxMinutes":0}}""",
        "budget.maxjobs: is not a field of a budget; its fields are maxJobs, maxMinutes",
        "budget.maxMinutes: must be null or a number above 0, at most 100000000; got 0"
    )]
    [InlineData(
        """{"job":{"dataset":"digitz","epochs":0}}""",
        "job.dataset: must be one of digits, mnist, fashion-mnist, kmnist, cifar10, cifar100; "
            + "or an uploaded one, such as birds or birds@3; "
            + "or "
            + DrawnDigits.Allowed
            + "; got \"digitz\"",
        "job.epochs: must be a whole number from 1 to 10000; got 0"
    )]
    [InlineData(" ", "body: is empty; it must be a JSON object")]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"criterion":"auc"}""",
        "criterion: must be one of nllAfterTemperature, nll, ece, eceAfterTemperature, brier, accuracy, debiasedEce, "
            + "debiasedEceAfterTemperature, smoothEce, smoothEceAfterTemperature; got \"auc\""
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1,"width":16},"models":["resnet20","cnn"]}""",
        "job.width: must be null, or with a residual network"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"models":["vgg"],"labelNoise":"""
            + """[2],"learningRates":"fast","successiveHalving":1,"grid":[],"arms":[]}""",
        "models: must be a list of 1 to 100 different values, each one of cnn",
        "learningRates: must be a list",
        "successiveHalving: must be true or false",
        "labelNoise: must be a number from 0 to 1; got 2",
        "grid: must be a JSON object, not []",
        "arms: is not a field of a study"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":3},"grid":{"batchSize":[0],"schedule":["exponential"],"seed":[1],"epochs":[],"""
            + """ "weightDecay":[0,0],"warmupEpochs":[2,5]}}""",
        "grid.batchSize: must be a whole number from 1 to 8192; got 0",
        "grid.schedule: must be a list of 1 to 100 different values, each one of constant, cosine, step",
        "grid.seed: is not a field of a grid; its fields are loss, gammaSchedule, gamma, beta, margin",
        "grid.epochs: must be a list of 1 to 100 different values, each a whole number from 1 to 10000; got []",
        "grid.weightDecay: must be a list of 1 to 100 different values"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":3,"beta":1},"grid":{"loss":["focal"],"margin":[1]},"epsilons":[0,0.1],"""
            + """ "smoothing":["others"]}""",
        "job.beta: must be absent in a study without a loss that has beta",
        "grid.margin: must be null in a study without a loss that has margin",
        "epsilons: must be absent in a study without a loss that has an ε",
        "smoothing: must be null in a study without crossEntropy"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":3},"criterion":"smoothEce","grid":{"validationFraction":[0.1,0.2]}}""",
        "grid.validationFraction: must be null or one value in a study by an ECE"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":3},"epsilons":[0],"grid":{"loss":["crossEntropy","maxSuppression"]}}""",
        "epsilons: must be a list with an ε above 0 in a study of maxSuppression beside crossEntropy"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":3},"grid":{"loss":["focl"],"gamma":[2]}}""",
        "grid.loss: must be a list of 1 to 100 different values, each one of crossEntropy, focal"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":3},"grid":{"loss":["focal"],"gamma":[2,11]}}""",
        "grid.gamma: must be null, or with loss focal and gammaSchedule constant a number above 0, at most 10; got 11"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":3},"grid":{"warmupEpochs":[2,5]}}""",
        "grid.warmupEpochs: must be a whole number from 0 to epochs; got 5"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1,"model":"resnet20"},"epsilons":[0],"seeds":1,"grid":{"batchSize":[128,4096]}}""",
        "grid.batchSize: must be at most 32768 / width with a residual network"
    )]
    [InlineData("""{"job":{"dataset":"digits","epochs":1,"seed":-1}}""", "seeds: must be")]
    [InlineData("""{"job":{"dataset":"digits","epochs":1,"seed":9007199254740991}}""", "seeds: must be")]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"budget":{"maxMinutes":1e999}}""",
        "budget.maxMinutes: must be null or a number above 0, at most 100000000"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"arms":5,"conventions":1}""",
        "arms: is not a field of a study",
        "conventions: is not a field of a study"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"epsilons":[2,0,3],"seeds":0}""",
        "epsilons: must be a number from 0 to 1; got 2, 3",
        "seeds: must be a count"
    )]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"learningRates":[100],"epsilons":[null]}""",
        "learningRates: must be a number above 0, at most 10; got 100",
        "epsilons: must be a number from 0 to 1; got null"
    )]
    [InlineData("""{"job":5}""", "job: must be a JSON object, not 5")]
    [InlineData("""[]""", "body: must be a JSON object")]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1},"seeds":null,"budget":null,"name":""}""",
        "name: must be null or 1 to 200 characters"
    )]
    public async Task Submit_ABadStudy_IsRefusedWithEveryReason(string body, params string[] reasons)
    {
        var (response, problem) = await SendAsync(HttpMethod.Post, "/studies", body);

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        var errors = problem!["errors"]!
            .AsObject()
            .SelectMany(error => error.Value!.AsArray().Select(message => $"{error.Key}: {message}"))
            .ToList();
        Assert.All(reasons, reason => Assert.Contains(errors, error => error.StartsWith(reason, StringComparison.Ordinal)));
        Assert.Equal(0L, await Database.ScalarAsync<long>("SELECT (SELECT count(*) FROM studies) + (SELECT count(*) FROM jobs)"));
    }

    [Fact]
    public async Task Submit_ValidateOnly_EstimatesFromEarlierJobsAndStoresNothing()
    {
        var earlier = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0,
                epochs = 2,
            }
        );
        await SucceedAsync(await ClaimAsync(), 0.1);
        await Database.ExecuteAsync($"UPDATE attempts SET claimed_at = ended_at - interval '60 s' WHERE job_id = '{earlier}'");

        var (response, check) = await SendAsync(
            HttpMethod.Post,
            "/studies?validateOnly=true",
            """{"job":{"dataset":"digits","epochs":4},"seeds":2}"""
        );

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var estimate = check!["estimate"]!;
        Assert.Equal((12, 1), (estimate["jobs"]!.GetValue<int>(), estimate["earlierJobs"]!.GetValue<int>()));
        Assert.Equal(2, estimate["minutesPerJob"]!.GetValue<double>(), 0.01);
        Assert.Equal(24, estimate["trainingMinutes"]!.GetValue<double>(), 0.1);
        Assert.Equal(6, check["arms"]!.AsArray().Count);
        Assert.Equal(0L, await Database.ScalarAsync<long>("SELECT count(*) FROM studies"));
        var (_, other) = await SendAsync(
            HttpMethod.Post,
            "/studies?validateOnly=true",
            """{"job":{"dataset":"digits","epochs":4,"model":"lenet5"}}"""
        );
        Assert.Null(other!["estimate"]!["minutes"]);
    }

    /// <summary>
    /// A job with one crash and one hand-back takes three attempts; the job's own row describes only the last one.
    /// </summary>
    [Fact]
    public async Task Estimate_OfJobsWithEarlierAttempts_CountsThemAll()
    {
        await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0,
                epochs = 2,
            }
        );
        await Queue.GiveBackAsync(await ClaimAsync(), "crashed", null, default);
        await Database.ExecuteAsync("UPDATE jobs SET run_at = created_at");
        await Queue.HandBackAsync(await ClaimAsync(), "shut down", default);
        await SucceedAsync(await ClaimAsync(), 0.1);
        await Database.ExecuteAsync("UPDATE attempts SET claimed_at = ended_at - interval '20 s'");

        var (_, check) = await SendAsync(HttpMethod.Post, "/studies?validateOnly=true", """{"job":{"dataset":"digits","epochs":2}}""");

        Assert.Equal(1, check!["estimate"]!["minutesPerJob"]!.GetValue<double>(), 0.01);
    }

    [Fact]
    public async Task SecondsLeft_OfAStudyWithFailedAttempts_CountsThemAll()
    {
        var id = await SubmitSmallAsync();
        await Queue.GiveBackAsync(await ClaimAsync(), "crashed", null, default);
        await Database.ExecuteAsync("UPDATE jobs SET run_at = created_at");
        await SucceedAsync(await ClaimAsync(), 0.1);
        await Database.ExecuteAsync("UPDATE attempts SET claimed_at = ended_at - interval '50 s'");

        // 3 jobs of 100 s, one after another.
        Assert.Equal(300, (await Api.GetAsync($"/studies/{id}"))["progress"]!["secondsLeft"]!.GetValue<double>(), 1);
    }

    [Fact]
    public async Task Estimate_OfJobsOnTwoKindsOfDevices_TakesEachByItsOwn()
    {
        foreach (var (device, seconds) in new[] { ("cpu", 100), ("cuda:0", 10) })
        {
            var id = await Api.SubmitAsync(
                new
                {
                    dataset = "digits",
                    epsilon = 0,
                    epochs = 1,
                }
            );
            await SucceedAsync(await ClaimAsync(), 0.1, Result with { Device = device });
            await Database.ExecuteAsync($"UPDATE attempts SET claimed_at = ended_at - interval '{seconds} s' WHERE job_id = '{id}'");
        }
        await Database.ExecuteAsync("DELETE FROM workers");
        await Queue.HeartbeatAsync(WorkerIdentity.Create("cpu", 2), [], null, default);
        await Queue.HeartbeatAsync(WorkerIdentity.Create("cuda", 1), [], null, default);

        var both = await EstimateAsync("auto");
        var cuda = await EstimateAsync("cuda");
        var cpu = await EstimateAsync("cpu");

        Assert.Equal(
            [("cpu", 2), ("cuda", 1)],
            both["byDevice"]!.AsArray().Select(one => (one!["device"]!.GetValue<string>(), one["slots"]!.GetValue<int>()))
        );
        // In 100 s two slots finish one job each and the third finishes ten: 300 s of three slots over twelve jobs.
        Assert.Equal(25.0 / 60, both["minutesPerJob"]!.GetValue<double>(), 0.01);
        Assert.Equal((1, 10.0), Of(cuda));
        Assert.Equal((3, 100.0), Of(cpu)); // a job for the CPU may use the slots of any worker
        Assert.Equal((1, 10.0), Of(await EstimateAsync("auto", """ "grid":{"device":["cuda"]}""")));
        Assert.Equal((3, 25.0), Of(await EstimateAsync("cpu", """ "grid":{"device":["cpu","cuda"]}""")));
        Assert.All(new[] { both, cuda, cpu }, estimate => Assert.Null(estimate["note"]));

        static (int Slots, double Seconds) Of(JsonNode estimate) =>
            (estimate["slots"]!.GetValue<int>(), Math.Round(60 * estimate["minutesPerJob"]!.GetValue<double>()));

        async Task<JsonNode> EstimateAsync(string device, string grid = """ "grid":null""") =>
            (
                await SendAsync(
                    HttpMethod.Post,
                    "/studies?validateOnly=true",
                    $$$"""{"job":{"dataset":"digits","epochs":1,"device":"{{{device}}}"},{{{grid}}}}"""
                )
            ).Body!["estimate"]!;
    }

    [Fact]
    public async Task Estimate_OfSeveralBatchSizes_TakesEachByItsOwn()
    {
        foreach (var (batchSize, seconds) in new[] { (32, 100), (64, 40), (256, 1) })
        {
            var id = await Api.SubmitAsync(
                new
                {
                    dataset = "digits",
                    epsilon = 0,
                    epochs = 1,
                    batchSize,
                }
            );
            await SucceedAsync(await ClaimAsync(), 0.1);
            await Database.ExecuteAsync($"UPDATE attempts SET claimed_at = ended_at - interval '{seconds} s' WHERE job_id = '{id}'");
        }

        var (_, check) = await SendAsync(
            HttpMethod.Post,
            "/studies?validateOnly=true",
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1],"grid":{"batchSize":[32,64]},"seeds":1}"""
        );

        Assert.Equal(2, check!["estimate"]!["earlierJobs"]!.GetValue<int>());
        Assert.Equal((200 + 80) / 2 / 60.0, check["estimate"]!["minutesPerJob"]!.GetValue<double>(), 0.01);
    }

    [Fact]
    public async Task Estimate_OfTheFirstStudy_SaysWhyItIsNull()
    {
        var (_, first) = await SendAsync(HttpMethod.Post, "/studies?validateOnly=true", """{"job":{"dataset":"kmnist","epochs":1}}""");

        Assert.Null(first!["estimate"]!["trainingMinutes"]);
        Assert.StartsWith(
            "No job with this data set, batch size and widths has succeeded yet with each of the models",
            first["estimate"]!["note"]!.GetValue<string>()
        );

        await Api.SubmitAsync(
            new
            {
                dataset = "kmnist",
                epsilon = 0,
                epochs = 1,
            }
        );
        await SucceedAsync(await ClaimAsync(), 0.1);
        await Database.ExecuteAsync("UPDATE workers SET heartbeat_at = heartbeat_at - interval '1 hour'");
        var (_, second) = await SendAsync(HttpMethod.Post, "/studies?validateOnly=true", """{"job":{"dataset":"kmnist","epochs":1}}""");

        Assert.NotNull(second!["estimate"]!["trainingMinutes"]);
        Assert.Null(second["estimate"]!["minutes"]);
        Assert.StartsWith("No worker that could run these jobs is alive", second["estimate"]!["note"]!.GetValue<string>());
    }

    [Fact]
    public async Task Budget_WhenAJobIsDeleted_DoesNotGetItsMinutesBack()
    {
        var studies = new StudyQueue(Database.DataSource);
        var id = (await SubmitAsync(Small[..^1] + ""","budget":{"maxMinutes":10}}"""))["id"]!.GetValue<Guid>();
        var job = await ClaimAsync();
        await SucceedAsync(job, 0.1);
        await Database.ExecuteAsync("UPDATE attempts SET claimed_at = ended_at - interval '11 min'");
        Assert.Equal(HttpStatusCode.NoContent, (await Http.DeleteAsync($"/jobs/{job.Id}")).StatusCode);

        await studies.SettleAsync(id, default);

        Assert.Equal(3, (await Api.GetAsync($"/studies/{id}"))["progress"]!["cancelled"]!.GetValue<int>());
        await SendAsync(HttpMethod.Post, $"/studies/{id}/extend", """{"budget":{"maxMinutes":10.9}}""");
        Assert.Equal(3, (await Api.GetAsync($"/studies/{id}"))["progress"]!["cancelled"]!.GetValue<int>());
    }

    [Fact]
    public async Task Retry_AStudy_QueuesWhatFailedAndNothingElse()
    {
        var id = await SubmitSmallAsync();
        await SucceedAsync(await ClaimAsync(), 0.1);
        var failed = await ClaimAsync();
        await Queue.FailAsync(failed, "took too long", default);
        await Queue.CancelAsync(
            (await Api.GetAsync($"/jobs?study={id}&state=queued&limit=1"))["items"]![0]!["id"]!.GetValue<Guid>(),
            default
        );

        var (response, study) = await SendAsync(HttpMethod.Post, $"/studies/{id}/retry");
        var (_, again) = await SendAsync(HttpMethod.Post, $"/studies/{id}/retry");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal($"/studies/{id}/retry", study!["links"]!["retry"]!.GetValue<string>());
        Assert.Equal((1, 2, 0, 1), Counts(study));
        Assert.Equal((1, 2, 0, 1), Counts(again!));
        var job = await Api.JobAsync(failed.Id);
        Assert.Equal(("queued", null), (State(job), job["reason"]?.GetValue<string>()));

        static (int, int, int, int) Counts(JsonNode study) =>
            (Count(study, "succeeded"), Count(study, "queued"), Count(study, "failed"), Count(study, "cancelled"));

        static int Count(JsonNode study, string state) => study["progress"]![state]!.GetValue<int>();
    }

    [Fact]
    public async Task Recommendation_OfAStudyWhoseJobsAllFailed_SaysWhy()
    {
        var id = await SubmitSmallAsync();
        for (var i = 0; i < 4; i++)
            await Queue.FailAsync(await ClaimAsync(), i == 0 ? "The disk is full." : "The data set could not be had.", default);

        var recommendation = await Api.GetAsync($"/studies/{id}/recommendation");

        Assert.True(recommendation["isFinal"]!.GetValue<bool>());
        Assert.Null(recommendation["epsilon"]);
        Assert.Null(recommendation["predict"]);
        Assert.Equal(
            "No job has succeeded. 3 failed: The data set could not be had. 1 failed: The disk is full. 4 of 4 jobs failed.",
            recommendation["sentence"]!.GetValue<string>()
        );
        Assert.Equal("No arm can be judged.", recommendation["moreSeedsNote"]!.GetValue<string>());

        await SendAsync(HttpMethod.Post, $"/studies/{id}/retry");
        Assert.Equal("No job has succeeded yet.", (await Api.GetAsync($"/studies/{id}/recommendation"))["sentence"]!.GetValue<string>());
        await SendAsync(HttpMethod.Post, $"/studies/{id}/cancel");
        Assert.Equal(
            "No job has succeeded. 4 of 4 jobs were cancelled.",
            (await Api.GetAsync($"/studies/{id}/recommendation"))["sentence"]!.GetValue<string>()
        );
    }

    [Fact]
    public async Task Recommendation_OfAnArmThatDiverged_NamesItAndDoesNotRankItsSurvivors()
    {
        var id = (await SubmitAsync("""{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1,0.3],"seeds":3,"criterion":"ece"}"""))[
            "id"
        ]!.GetValue<Guid>();
        for (var i = 0; i < 9; i++)
        {
            var job = await ClaimAsync();
            if (job.Spec is { Epsilon: 0.1, Seed: 1 })
                await Queue.FailAsync(job, "Training diverged in epoch 1: the loss is no longer a finite number.", default);
            else
                await SucceedAsync(
                    job,
                    (job.Spec.Epsilon == 0.1 ? 0.01 : 0.1 + job.Spec.Epsilon) + 0.001 * job.Spec.Seed * (1 + job.Spec.Epsilon)
                );
        }

        var recommendation = await Api.GetAsync($"/studies/{id}/recommendation");

        Assert.Equal(0, recommendation["epsilon"]!.GetValue<double>());
        Assert.Contains(
            "ε = 0.1 diverged with 1 of 3 seeds. Such an arm is not ranked: its other seeds are those that went well.",
            recommendation["sentence"]!.GetValue<string>()
        );
        var arm = recommendation["byLabelNoise"]![0]!["arms"]!.AsArray().Single(arm => arm!["arm"]!["epsilon"]!.GetValue<double>() == 0.1)!;
        Assert.Equal(
            (1, false, false),
            (arm["diverged"]!.GetValue<int>(), arm["isJudged"]!.GetValue<bool>(), arm["isTied"]!.GetValue<bool>())
        );
    }

    /// <summary>The remaining seeds of a diverged arm must not make halving drop other arms either.</summary>
    [Fact]
    public async Task Halving_WithAnArmThatDiverged_IsNotDecidedByItsSurvivors()
    {
        var studies = new StudyQueue(Database.DataSource);
        var id = (
            await SubmitAsync(
                """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1,0.3],"seeds":5,"criterion":"ece","successiveHalving":true}"""
            )
        )["id"]!.GetValue<Guid>();
        for (var i = 0; i < 12; i++)
        {
            var job = await ClaimAsync();
            if (job.Spec is { Epsilon: 0.1, Seed: 0 })
                await Queue.FailAsync(job, "Training diverged in epoch 1: the loss is no longer a finite number.", default);
            else
                await SucceedAsync(
                    job,
                    (job.Spec.Epsilon == 0.1 ? 0.01 : 0.5) + 0.0001 * ((7 * job.Spec.Seed + (long)(10 * job.Spec.Epsilon)) % 5)
                );
            await studies.SettleAsync(id, default);
        }

        Assert.All((await Api.GetAsync($"/studies/{id}"))["rows"]!.AsArray(), row => Assert.Null(row!["droppedAtSeeds"]));
    }

    [Fact]
    public async Task Recommendation_ByAccuracyWithHalving_TakesTheImagesOfTheValidationSplit()
    {
        var studies = new StudyQueue(Database.DataSource);
        var id = (
            await SubmitAsync(
                """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1],"seeds":4,"criterion":"accuracy","successiveHalving":true}"""
            )
        )["id"]!.GetValue<Guid>();
        for (var i = 0; i < 8; i++)
        {
            var job = await ClaimAsync();
            // With every seed, ε = 0.1 classifies one more of 40 images correctly.
            var right = (30 + job.Spec.Seed + (job.Spec.Epsilon == 0 ? 0 : 1)) / 40.0;
            var split = new SplitScores(right, 0.2, 0.15, 0.1, 0.1, 0.01, 0.19, 0.01);
            var logits = new StoredLogits(2, new byte[40 * 8], new byte[40 * 4], new byte[8], new byte[4], null);
            Assert.True(await Queue.ReportAsync(job, [Metrics], null, default));
            Assert.True(await Queue.SucceedAsync(job, Result, new([1], logits, new(1.5, split, split)), default));
            await studies.SettleAsync(id, default);
        }

        var recommendation = await Api.GetAsync($"/studies/{id}/recommendation");

        Assert.False(recommendation["differenceExists"]!.GetValue<bool>());
        Assert.Equal(8, (await Api.GetAsync($"/studies/{id}"))["progress"]!["succeeded"]!.GetValue<int>());
        Assert.Contains("is the same with every seed", recommendation["sentence"]!.GetValue<string>());
        Assert.Equal(
            [40],
            (await Api.GetAsync($"/studies/{id}/report?format=json"))["jobs"]!
                .AsArray()
                .Select(job => job!["validationImages"]!.GetValue<int>())
                .Distinct()
        );
    }

    [Fact]
    public async Task Submit_TheSameKeyAgain_GivesTheSameStudyAlsoWhenItWasExtended()
    {
        var first = await SubmitWithKeyAsync("k", Small);
        Assert.Equal(
            HttpStatusCode.Accepted,
            (await SendAsync(HttpMethod.Post, $"/studies/{first.Body!["id"]}/extend", """{"seeds":1}""")).Response.StatusCode
        );

        var again = await SubmitWithKeyAsync("k", Small);
        var other = await SubmitWithKeyAsync("k", Small.Replace("digits", "mnist"));

        Assert.Equal(
            (HttpStatusCode.Accepted, first.Body["id"]!.GetValue<Guid>()),
            (again.Response.StatusCode, again.Body!["id"]!.GetValue<Guid>())
        );
        AssertProblem(HttpStatusCode.UnprocessableEntity, other.Response, other.Body);
        AssertProblem(
            HttpStatusCode.UnprocessableEntity,
            (await SubmitWithKeyAsync("k", Small.Replace("\"seeds\":2", "\"seeds\":3"))) is var (response, body) ? response : null!,
            body
        );
        Assert.Equal(
            HttpStatusCode.Accepted,
            (await SubmitWithKeyAsync("minus", Small.Replace("[0,0.1]", "[-0.0,0.1]"))).Response.StatusCode
        );
        Assert.Equal(
            HttpStatusCode.Accepted,
            (await SubmitWithKeyAsync("minus", Small.Replace("[0,0.1]", "[-0.0,0.1]"))).Response.StatusCode
        );
        Assert.Equal(2L, await Database.ScalarAsync<long>("SELECT count(*) FROM studies"));
    }

    [Theory]
    [InlineData(
        """{"job":{"dataset":"digits","epochs":1,"model":"resnet20"},"models":["resnet20","resnet56"],"epsilons":[0],"seeds":1}""",
        2
    )]
    [InlineData("""{"job":{"dataset":"digits","epochs":1,"width":16},"models":["resnet20","resnet56"],"epsilons":[0],"seeds":1}""", 2)]
    [InlineData("""{"job":{"dataset":"digits","epochs":1,"epsilon":0.95,"smoothing":"others"},"epsilons":[0,0.9],"seeds":1}""", 2)]
    [InlineData("""{"job":{"dataset":"digits","epochs":1},"smoothing":["uniform","others"],"epsilons":[0,0.1],"seeds":2}""", 6)]
    public async Task Submit_AGridThatIsRightAsAWhole_IsAccepted(string body, int jobs)
    {
        var study = await SubmitAsync(body);

        Assert.Equal(jobs, study["progress"]!["jobs"]!.GetValue<int>());
        // The shown spec can be submitted again.
        Assert.Equal(jobs, (await SubmitAsync(study["spec"]!.ToJsonString()))["progress"]!["jobs"]!.GetValue<int>());
    }

    [Fact]
    public async Task Requests_WithAQueryOrHeaderThatNobodyReads_AreRefused()
    {
        var id = await SubmitSmallAsync();

        foreach (
            var (method, path, json) in new[]
            {
                (HttpMethod.Post, "extend?validateOnly=true", """{"seeds":1}"""),
                (HttpMethod.Get, "recommendation?criterion=ece", null),
                (HttpMethod.Post, "cancel?soon=1", null),
            }
        )
        {
            var (response, problem) = await SendAsync(method, $"/studies/{id}/{path}", json);
            AssertProblem(HttpStatusCode.BadRequest, response, problem);
        }
        var request = new HttpRequestMessage(HttpMethod.Post, $"/studies/{id}/extend")
        {
            Content = new StringContent("""{"seeds":1}""", System.Text.Encoding.UTF8, "application/json"),
        };
        request.Headers.Add("Idempotency-Key", "k");
        Assert.Equal(HttpStatusCode.BadRequest, (await Http.SendAsync(request)).StatusCode);
        Assert.Equal(4, (await Api.GetAsync($"/studies/{id}"))["progress"]!["jobs"]!.GetValue<int>());
    }

    [Fact]
    public async Task Extend_TheBudgetAlone_QueuesNothingThatWasDeleted()
    {
        var id = await SubmitSmallAsync();
        var job = (await Api.GetAsync($"/jobs?study={id}"))["items"]![0]!["id"]!.GetValue<Guid>();
        Assert.Equal(HttpStatusCode.NoContent, (await Http.DeleteAsync($"/jobs/{job}")).StatusCode);

        var (response, study) = await SendAsync(HttpMethod.Post, $"/studies/{id}/extend", """{"budget":{"maxMinutes":5}}""");

        Assert.Equal(
            (HttpStatusCode.Accepted, 3, 5),
            (response.StatusCode, study!["progress"]!["jobs"]!.GetValue<int>(), study["spec"]!["budget"]!["maxMinutes"]!.GetValue<double>())
        );
    }

    [Fact]
    public async Task Recommendation_OfJobsThatFailedOrHaveNoScores_SaysSo()
    {
        var id = await SubmitSmallAsync();
        for (var i = 0; i < 4; i++)
        {
            var job = await ClaimAsync();
            if (i == 0)
                await Queue.FailAsync(job, "diverged", default);
            else if (i == 1)
                Assert.True(await Queue.SucceedAsync(job, Result, new([1], null), default));
            else
                await SucceedAsync(job, 0.1);
        }

        var recommendation = await Api.GetAsync($"/studies/{id}/recommendation");

        Assert.EndsWith(
            "1 of 4 jobs failed. 1 of 3 jobs that succeeded do not count: a worker of an older build trained them, without scores.",
            recommendation["sentence"]!.GetValue<string>()
        );
        Assert.Equal("failed", State(await Api.GetAsync($"/studies/{id}")));
    }

    /// <summary>The workers of earlier builds store scores without the figures that are newer.</summary>
    [Fact]
    public async Task Recommendation_WithAJobOfAnOlderBuild_CountsTheJobsThatHaveTheCriterionsFigure()
    {
        var id = (await SubmitAsync(Small[..^1] + ""","criterion":"debiasedEce"}"""))["id"]!.GetValue<Guid>();
        for (var i = 0; i < 4; i++)
        {
            var job = await ClaimAsync();
            await SucceedAsync(job, 0.1, debiased: job.Spec is { Epsilon: 0, Seed: 1 } ? null : 0.02 + job.Spec.Epsilon);
        }

        var recommendation = await Api.GetAsync($"/studies/{id}/recommendation");
        var rows = (await Api.GetAsync($"/studies/{id}"))["rows"]!;
        var csv = (await Http.GetStringAsync($"/studies/{id}?format=csv")).Split('\n').Select(line => line.Split(',')).ToList();

        Assert.EndsWith(
            "1 of 4 jobs that succeeded do not count: a worker of an older build trained them, without the criterion's figure.",
            recommendation["sentence"]!.GetValue<string>()
        );
        var arms = recommendation["byLabelNoise"]![0]!["arms"]!.AsArray();
        Assert.Equal([1, 2], arms.Select(arm => arm!["seeds"]!.GetValue<int>()));
        Assert.Equal([2, 2], rows.AsArray().Select(row => row!["seeds"]!.GetValue<int>()));
        Assert.Equal(0.02, rows[0]!["validationDebiasedEce"]!["mean"]!.GetValue<double>());
        Assert.Null(rows[0]!["validationDebiasedEce"]!["interval"]); // of one job
        Assert.Equal(0.12, rows[1]!["debiasedEce"]!["mean"]!.GetValue<double>(), 1e-12);
        Assert.Null(rows[1]!["smoothEce"]); // of no job
        Assert.Equal(0.008, rows[0]!["augrc"]!["mean"]!.GetValue<double>()); // of one job
        Assert.Equal("0.008", csv[1][Array.IndexOf(csv[0], "validationAugrc")]);
        Assert.Contains(
            recommendation["findings"]!.AsArray(),
            finding => $"{finding}".StartsWith("Selective risk: AUGRC is 0.0080 at ε = 0 and 0.0080 at ε = 0.1")
        );
        Assert.Equal("0.02", csv[1][Array.IndexOf(csv[0], "validationDebiasedEce")]);
        Assert.Contains("<figcaption>Debiased ECE</figcaption>", await Http.GetStringAsync($"/studies/{id}/report"));
    }

    [Fact]
    public async Task Submit_OneKeyManyTimesAtOnce_MakesOneStudy()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SubmitWithKeyAsync("many", Small)));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Accepted, answer.Response.StatusCode));
        Assert.Single(answers.Select(answer => answer.Body!["id"]!.GetValue<Guid>()).Distinct());
        Assert.Equal(4L, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
    }

    [Fact]
    public async Task Study_WhileItsJobsFinish_ShowsMeansOverSeedsAndRecommends()
    {
        var id = (await SubmitAsync(Small[..^1] + ""","criterion":"ece"}"""))["id"]!.GetValue<Guid>();
        Guid? best = null;
        for (var i = 0; i < 4; i++)
        {
            var job = await ClaimAsync();
            await SucceedAsync(job, job.Spec.Epsilon == 0 ? 0.022 - 0.002 * job.Spec.Seed : 0.12 + 0.003 * job.Spec.Seed);
            best = job.Spec is { Epsilon: 0, Seed: 1 } ? job.Id : best;
        }

        var study = await Api.GetAsync($"/studies/{id}");

        Assert.Equal(("succeeded", true), (State(study), study["isTerminal"]!.GetValue<bool>()));
        var row = study["rows"]![1]!;
        Assert.Equal((0.1, 2), (row["epsilon"]!.GetValue<double>(), row["seeds"]!.GetValue<int>()));
        // .12 and .123: mean .1215, deviation .00212132, half width 12.7062·.00212132/√2.
        Assert.Equal(0.1215, row["ece"]!["mean"]!.GetValue<double>(), 1e-12);
        Assert.Equal(0.1215 - 12.70620 * 0.0015, row["ece"]!["interval"]!["low"]!.GetValue<double>(), 1e-6);
        Assert.Equal(2, row["bestEpoch"]!["mean"]!.GetValue<double>());
        Assert.Equal(1, row["bestEpochAfterTemperature"]!["mean"]!.GetValue<double>());
        Assert.Equal(0.97 - 0.9, row["trainTestGap"]!["mean"]!.GetValue<double>(), 1e-12);

        var recommendation = await Api.GetAsync($"/studies/{id}/recommendation");
        Assert.True(recommendation["isFinal"]!.GetValue<bool>());
        Assert.Equal(0, recommendation["epsilon"]!.GetValue<double>());
        Assert.Equal($"/jobs/{best}/predict", recommendation["predict"]!.GetValue<string>());
        Assert.Equal(2, recommendation["power"]!["seeds"]!.GetValue<int>());
        Assert.Single(recommendation["byLabelNoise"]!.AsArray());

        var csv = await Http.GetStringAsync($"/studies/{id}?format=csv");
        var lines = csv.TrimEnd('\n').Split('\n').Select(line => line.Split(',')).ToList();
        Assert.Equal(3, lines.Count);
        Assert.All(lines, line => Assert.Equal(lines[0].Length, line.Length));
        Assert.Equal("0.1215", lines[2][Array.IndexOf(lines[0], "ece")]);
        Assert.Equal("text/csv", (await Http.GetAsync($"/studies/{id}?format=csv")).Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task Verbs_OnAStudy_ApplyToEveryJobThatCanHeedThem()
    {
        var id = await SubmitSmallAsync();
        await SucceedAsync(await ClaimAsync(), 0.1);
        var running = await ClaimAsync();

        Assert.Equal("running", State((await SendAsync(HttpMethod.Post, $"/studies/{id}/pause")).Body!));
        Assert.Equal("pausing", State(await Api.JobAsync(running.Id)));
        Assert.True(await Queue.HandBackAsync(running, "test", default));
        Assert.Equal("paused", State(await Api.GetAsync($"/studies/{id}")));
        Assert.Equal("running", State((await SendAsync(HttpMethod.Post, $"/studies/{id}/resume")).Body!));
        Assert.Equal("cancelled", State((await SendAsync(HttpMethod.Post, $"/studies/{id}/cancel")).Body!));
        var (response, again) = await SendAsync(HttpMethod.Post, $"/studies/{id}/cancel");
        Assert.Equal(
            (HttpStatusCode.OK, 1, 3),
            (response.StatusCode, again!["progress"]!["succeeded"]!.GetValue<int>(), again["progress"]!["cancelled"]!.GetValue<int>())
        );
    }

    [Fact]
    public async Task Extend_MoreSeedsAndEpsilons_QueuesWhatIsMissing()
    {
        var id = await SubmitSmallAsync();
        await SucceedAsync(await ClaimAsync(), 0.1);

        var (response, wider) = await SendAsync(HttpMethod.Post, $"/studies/{id}/extend", """{"epsilons":[0.1,0.2],"seeds":1}""");
        var (_, same) = await SendAsync(HttpMethod.Post, $"/studies/{id}/extend", """{"epsilons":[0.2],"seeds":[2,1]}""");

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal((9, 8), (wider!["progress"]!["jobs"]!.GetValue<int>(), wider["estimate"]!["jobs"]!.GetValue<int>()));
        Assert.Equal(9, same!["progress"]!["jobs"]!.GetValue<int>());
        Assert.Equal("[0,1,2]", same["spec"]!["seeds"]!.ToJsonString());
        Assert.Equal(9L, await Database.ScalarAsync<long>("SELECT count(DISTINCT (arm, seed)) FROM jobs"));
    }

    [Fact]
    public async Task Extend_SeveralAtOnce_TrainsEachArmOnceWithEachSeed()
    {
        var id = await SubmitSmallAsync();

        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 6)
                .Select(i =>
                    SendAsync(
                        HttpMethod.Post,
                        $"/studies/{id}/extend",
                        $$"""{"epsilons":[0.2,0.{{3 + i % 2}}],"seeds":[8,{{9 + i % 3}}]}"""
                    )
                )
        );

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Accepted, answer.Response.StatusCode));
        // ε 0, .1, .2, .3, .4 × seeds 0, 1, 8, 9, 10, 11
        Assert.Equal(
            (30L, 30L),
            (
                await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"),
                await Database.ScalarAsync<long>("SELECT count(DISTINCT (spec->>'epsilon', spec->>'seed')) FROM jobs")
            )
        );
    }

    [Theory]
    [InlineData("{}", "body: must have epsilons, seeds or budget")]
    [InlineData("""{"epsilons":[]}""", "epsilons: must be a list of 1 to 100")]
    [InlineData("""{"epsilons":[2]}""", "epsilons: must be a number from 0 to 1; got 2")]
    [InlineData("""{"seeds":-1}""", "seeds: must be a count")]
    [InlineData("""{"seeds":[0.5]}""", "seeds: must be a count")]
    [InlineData("""{"budget":{"maxJobs":3}}""", "budget.maxJobs: 2 arms × 2 seeds are 4 jobs, more than the budget of 3")]
    [InlineData("""{"job":{}}""", "job: is not a field of an extension")]
    [InlineData("""{"budget":null,"seeds":null}""", "body: must have epsilons, seeds or budget")]
    [InlineData("""{"seeds":1000}""", "seeds: must be a count from 1 to 1000, or a list of 1 to 1000")]
    [InlineData("""{"seeds":[9007199254740992]}""", "seeds: must be a count")]
    public async Task Extend_BadExtension_IsRefusedAndNothingChanges(string body, string reason)
    {
        var id = await SubmitSmallAsync();

        var (response, problem) = await SendAsync(HttpMethod.Post, $"/studies/{id}/extend", body);

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Contains(
            problem!["errors"]!.AsObject().SelectMany(error => error.Value!.AsArray().Select(message => $"{error.Key}: {message}")),
            error => error.StartsWith(reason, StringComparison.Ordinal)
        );
        Assert.Equal(4, (await Api.GetAsync($"/studies/{id}"))["progress"]!["jobs"]!.GetValue<int>());
    }

    [Fact]
    public async Task Halving_AnArmThatIsClearlyWorse_IsDroppedWithItsRemainingSeeds()
    {
        var studies = new StudyQueue(Database.DataSource);
        var id = (
            await SubmitAsync(
                """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1,0.3],"seeds":4,"criterion":"ece","successiveHalving":true}"""
            )
        )["id"]!.GetValue<Guid>();
        for (var i = 0; i < 6; i++)
        {
            var job = await ClaimAsync();
            await SucceedAsync(
                job,
                (job.Spec.Epsilon == 0.3 ? 0.5 : 0.02) + 0.0001 * ((job.Spec.Seed + (long)(10 * job.Spec.Epsilon)) % 2)
            );
            await studies.SettleAsync(id, default);
        }

        var study = await Api.GetAsync($"/studies/{id}");

        Assert.Equal([null, null, 2], study["rows"]!.AsArray().Select(row => row!["droppedAtSeeds"]?.GetValue<int>()));
        Assert.Equal(
            (2, 2, 4),
            (
                study["progress"]!["cancelled"]!.GetValue<int>(),
                study["progress"]!["dropped"]!.GetValue<int>(),
                study["progress"]!["queued"]!.GetValue<int>()
            )
        );
        while (await ClaimAsync() is { } left)
            await SucceedAsync(left, 0.02);
        Assert.Equal("succeeded", State(await Api.GetAsync($"/studies/{id}")));
        Assert.Equal("succeeded", (await Api.GetAsync("/studies"))["items"]![0]!["state"]!.GetValue<string>());
        Assert.DoesNotContain(
            0.3,
            (await Api.GetAsync($"/studies/{id}/recommendation"))["tied"]!.AsArray().Select(epsilon => epsilon!.GetValue<double>())
        );
        // An extension adds seeds only to the arms that are left.
        Assert.Equal(
            14,
            (await SendAsync(HttpMethod.Post, $"/studies/{id}/extend", """{"seeds":1}""")).Body!["progress"]!["jobs"]!.GetValue<int>()
        );
    }

    [Fact]
    public async Task Budget_WhenItsMinutesAreUsedUp_CancelsWhatIsLeftUntilThereAreMore()
    {
        const string Why = "the minutes of its study's budget are used up";
        var studies = new StudyQueue(Database.DataSource);
        var id = (await SubmitAsync(Small[..^1] + ""","budget":{"maxMinutes":10}}"""))["id"]!.GetValue<Guid>();
        await SucceedAsync(await ClaimAsync(), 0.1);
        await studies.SettleAsync(id, default);
        Assert.Equal("running", State(await Api.GetAsync($"/studies/{id}")));
        var (stopped, running) = (await ClaimAsync(), await ClaimAsync());
        await Database.ExecuteAsync("UPDATE attempts SET claimed_at = ended_at - interval '11 min'");

        await studies.SettleAsync(id, default);

        Assert.Equal(["cancelled", "cancelling", "cancelling", "succeeded"], await StatesAsync());
        Assert.All(
            (await JobsAsync()).Where(job => State(job) != "succeeded"),
            job => Assert.Equal(Why, job["reason"]!.GetValue<string>())
        );
        Assert.True(await Queue.HandBackAsync(stopped, "not this", default));
        Assert.Equal(Why, (await Api.GetAsync($"/jobs/{stopped.Id}/attempts"))["items"]![0]!["reason"]!.GetValue<string>());
        Assert.Equal(Why, (await Api.JobAsync(stopped.Id))["reason"]!.GetValue<string>());

        await SendAsync(HttpMethod.Post, $"/studies/{id}/extend", """{"budget":{"maxMinutes":10.5}}""");
        Assert.Equal(["cancelled", "cancelled", "cancelling", "succeeded"], await StatesAsync());
        await SendAsync(HttpMethod.Post, $"/studies/{id}/extend", """{"budget":{"maxMinutes":20}}""");
        Assert.Equal(["queued", "queued", "running", "succeeded"], await StatesAsync());
        await SucceedAsync(running, 0.1);
        await SucceedAsync(await ClaimAsync(), 0.1);
        await SucceedAsync(await ClaimAsync(), 0.1);
        Assert.Equal("succeeded", State(await Api.GetAsync($"/studies/{id}")));

        async Task<JsonNode[]> JobsAsync() => [.. (await Api.GetAsync($"/jobs?study={id}"))["items"]!.AsArray().Select(job => job!)];

        async Task<IEnumerable<string>> StatesAsync() => (await JobsAsync()).Select(State).Order();
    }

    [Fact]
    public async Task Budget_Raised_QueuesNeitherDroppedArmsNorWhatItsUserCancelled()
    {
        var studies = new StudyQueue(Database.DataSource);
        var id = (
            await SubmitAsync(
                """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1,0.3],"seeds":"""
                    + """4,"criterion":"ece","successiveHalving":true,"budget":{"maxMinutes":10}}"""
            )
        )["id"]!.GetValue<Guid>();
        for (var i = 0; i < 6; i++)
        {
            var job = await ClaimAsync();
            await SucceedAsync(
                job,
                (job.Spec.Epsilon == 0.3 ? 0.5 : 0.02) + 0.0001 * ((job.Spec.Seed + (long)(10 * job.Spec.Epsilon)) % 2)
            );
        }
        // The last queued job, which has ε = 0.3.
        var unwanted = (await Api.GetAsync($"/jobs?study={id}&state=queued&limit=1"))["items"]![0]!["id"]!.GetValue<Guid>();
        await studies.SettleAsync(id, default);
        var cancelled = (await Api.GetAsync($"/jobs?study={id}&state=queued&limit=1"))["items"]![0]!["id"]!.GetValue<Guid>();
        await Queue.CancelAsync(cancelled, default);
        var stopping = await ClaimAsync();
        await Queue.CancelAsync(stopping.Id, default);
        await Database.ExecuteAsync("UPDATE attempts SET claimed_at = ended_at - interval '11 min'");
        await studies.SettleAsync(id, default);
        Assert.True(await Queue.HandBackAsync(stopping, "not this", default));
        Assert.Equal(
            "cancelled while running",
            (await Api.GetAsync($"/jobs/{stopping.Id}/attempts"))["items"]![0]!["reason"]!.GetValue<string>()
        );
        Assert.Equal("cancelled", State(await Api.GetAsync($"/studies/{id}")));

        await SendAsync(HttpMethod.Post, $"/studies/{id}/extend", """{"budget":{"maxMinutes":1000}}""");

        Assert.Equal("cancelled", State(await Api.JobAsync(unwanted)));
        Assert.Equal("cancelled while queued", (await Api.JobAsync(cancelled))["reason"]!.GetValue<string>());
        Assert.Equal("cancelled while running", (await Api.JobAsync(stopping.Id))["reason"]!.GetValue<string>());
        Assert.Equal(2, (await Api.GetAsync($"/jobs?study={id}&state=queued"))["items"]!.AsArray().Count);
    }

    [Fact]
    public async Task Delete_AStudy_TakesItsJobsAlongButNotWhileOneRuns()
    {
        var id = await SubmitSmallAsync();
        var running = await ClaimAsync();
        var (refused, problem) = await SendAsync(HttpMethod.Delete, $"/studies/{id}");
        AssertProblem(HttpStatusCode.Conflict, refused, problem);
        Assert.Equal(4L, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
        await SucceedAsync(running, 0.1);

        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(HttpMethod.Delete, $"/studies/{id}")).Response.StatusCode);

        Assert.Equal(
            0L,
            await Database.ScalarAsync<long>(
                "SELECT (SELECT count(*) FROM studies) + (SELECT count(*) FROM arms) + (SELECT count(*) FROM jobs) + (SELECT "
                    + "count(*) FROM scores)"
            )
        );
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Delete, $"/studies/{id}")).Response.StatusCode);
    }

    [Fact]
    public async Task List_Pages_ShowEachStudyOnceNewestFirst()
    {
        var ids = new List<Guid>();
        for (var i = 0; i < 5; i++)
            ids.Insert(0, await SubmitSmallAsync());

        var seen = new List<Guid>();
        for (var next = "/studies?limit=2"; next is not null; )
        {
            var page = await Api.GetAsync(next);
            seen.AddRange(page["items"]!.AsArray().Select(study => study!["id"]!.GetValue<Guid>()));
            next = page["next"]?.GetValue<string>() is { } cursor ? $"/studies?limit=2&cursor={cursor}" : null;
        }

        Assert.Equal(ids, seen);
        var (response, problem) = await SendAsync(HttpMethod.Get, "/studies?limit=0&cursor=x&page=1");
        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Equal(["cursor", "limit", "page"], problem!["errors"]!.AsObject().Select(error => error.Key).Order());
    }

    [Fact]
    public async Task Submit_TenThousandJobs_AreStoredAtOnceAndListed()
    {
        var study = await SubmitAsync(
            """{"job":{"dataset":"digits","epochs":1},"epsilons":"""
                + $$"""[{{string.Join(",", Enumerable.Range(0, 100).Select(i => $"0.{i:00}"))}}],"seeds":100}"""
        );

        Assert.Equal(10_000, study["progress"]!["queued"]!.GetValue<int>());
        Assert.Equal(10_000L, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
        Assert.Equal(100, (await Api.GetAsync($"/jobs?study={study["id"]}&limit=100"))["items"]!.AsArray().Count);
        Assert.Equal("cancelled", State((await SendAsync(HttpMethod.Post, $"/studies/{study["id"]}/cancel")).Body!));
    }

    [Theory]
    [InlineData("GET", "")]
    [InlineData("DELETE", "")]
    [InlineData("GET", "/recommendation")]
    [InlineData("POST", "/cancel")]
    [InlineData("POST", "/pause")]
    [InlineData("POST", "/resume")]
    [InlineData("POST", "/retry")]
    [InlineData("POST", "/extend")]
    public async Task Request_ForAStudyThatDoesNotExist_Is404(string method, string what)
    {
        var (response, problem) = await SendAsync(
            new(method),
            $"/studies/{Guid.NewGuid()}{what}",
            what == "/extend" ? """{"seeds":1}""" : null
        );

        AssertProblem(HttpStatusCode.NotFound, response, problem);
    }

    private async Task<JsonNode> SubmitAsync(string body)
    {
        var (response, study) = await SendAsync(HttpMethod.Post, "/studies", body);
        Assert.True(response.StatusCode == HttpStatusCode.Accepted, study?.ToJsonString());
        return study!;
    }

    private async Task<Guid> SubmitSmallAsync() => (await SubmitAsync(Small))["id"]!.GetValue<Guid>();

    private async Task<(HttpResponseMessage Response, JsonNode? Body)> SubmitWithKeyAsync(string key, string body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/studies")
        {
            Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json"),
        };
        request.Headers.Add("Idempotency-Key", key);
        var response = await Http.SendAsync(request);
        return (response, JsonNode.Parse(await response.Content.ReadAsStringAsync()));
    }

    /// <summary>Reports two epochs, the second better except after temperature, and gives validation and test the same scores.</summary>
    private async Task SucceedAsync(ClaimedJob job, double ece, JobResult? result = null, double? debiased = null)
    {
        Assert.True(
            await Queue.ReportAsync(
                job,
                [
                    Metrics with
                    {
                        ValidationLoss = 0.3,
                        ValidationLossAfterTemperature = 0.17,
                    },
                    Metrics with
                    {
                        Epoch = 2,
                        TrainAccuracy = 0.97,
                        ValidationLossAfterTemperature = 0.18,
                    },
                ],
                null,
                default
            )
        );
        var split = new SplitScores(0.9, 0.2, 0.15, ece, ece, 0.01, 0.19, 0.01, debiased, Augrc: debiased is null ? null : 0.008);
        Assert.True(await Queue.SucceedAsync(job, result ?? Result, new([1, 2, 3], null, new(1.5, split, split)), default));
    }

    private static string State(JsonNode shown) => shown["state"]!.GetValue<string>();
}
