using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Domain.Workers;
using Temper.Integration.Api;
using Temper.Store.Queue;

namespace Temper.Integration.Cli;

/// <summary>Runs the command line against a real API; the tests do the work of a worker.</summary>
public class CommandTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 1, "cpu", 2, "libtorch", "00", ["a note"]);

    [Fact]
    public async Task Submit_ByOptionsAndFile_PostsWhatWasGiven()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, """{"dataset":"mnist","epsilon":0.3,"epochs":3,"model":"mlp","widths":[64,32]}""");

        var submitted = await RunAsync([
            "submit",
            file,
            "--epsilon",
            "0.1",
            "--learning-rate",
            "3e-3",
            "--tags",
            "a",
            "b",
            "--name",
            "ε's",
            "--json",
        ]);
        File.Delete(file);

        Assert.Equal(0, submitted.ExitCode);
        var spec = (await Api.JobAsync(submitted.Json["id"]!.GetValue<Guid>()))["spec"]!;
        string[] fields = ["dataset", "epsilon", "epochs", "model", "widths", "learningRate", "tags"];
        Assert.Equal(
            "\"mnist\" 0.1 3 \"mlp\" [64,32] 0.003 [\"a\",\"b\"]",
            string.Join(' ', fields.Select(field => spec[field]!.ToJsonString()))
        );
        Assert.Equal("ε's", spec["name"]!.GetValue<string>());
    }

    [Fact]
    public async Task DatasetsAdd_AFile_PrintsItsNameWithTheVersionAndIsListed()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllBytesAsync(file, NpzFiles.Pack(NpzFiles.Part("", 20, 8, 8, 1, 2)));

        var added = await RunAsync(["datasets", "add", file, "--name", "shapes"]);
        var wrong = await RunAsync(["datasets", "add", file, "--name", "mnist"]);
        File.Delete(file);

        Assert.Equal((0, "shapes@1"), (added.ExitCode, added.Output.Trim()));
        Assert.Contains("It had no test part", added.Errors);
        Assert.Contains("name: must be 1 to 64", wrong.Errors);
        Assert.Contains("shapes@1", (await RunAsync(["datasets"])).Output);
        Assert.Matches(@"class +train +validation +test\s+0 +8 +0 +2", (await RunAsync(["datasets", "show", "shapes"])).Output);
        Assert.Equal("shapes@1 is deleted.\n", (await RunAsync(["datasets", "delete", "shapes@1"])).Output);
        Assert.Equal(3, (await RunAsync(["datasets", "show", "shapes"])).ExitCode);
    }

    [Fact]
    public async Task StudySubmit_WithOneSeed_TakesItAsASeedFromAFileAndAsACountFromTheOption()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, """{"job":{"dataset":"digits","epochs":1},"epsilons":[0],"seeds":[7]}""");

        var fromFile = await RunAsync(["study", "submit", file, "--json"]);
        var fromOption = await RunAsync(["study", "submit", file, "--seeds", "2", "--json"]);
        File.Delete(file);

        Assert.Equal("[7]", fromFile.Json["spec"]!["seeds"]!.ToJsonString());
        Assert.Equal("[0,1]", fromOption.Json["spec"]!["seeds"]!.ToJsonString());
    }

    [Fact]
    public async Task Verbs_OfAJob_ChangeItsState()
    {
        var id = await Api.SubmitAsync(Spec);
        foreach (var (verb, state) in new[] { ("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled"), ("retry", "queued") })
        {
            Assert.Equal($"Job {id} is {state}.\n", (await RunAsync([verb, $"{id}"])).Output);
            Assert.Equal(state, (await Api.JobAsync(id))["state"]!.GetValue<string>());
        }
        Assert.Equal($"Job {id} is pinned.\n", (await RunAsync(["pin", $"{id}"])).Output);
        Assert.True((await Api.JobAsync(id))["pinned"]!.GetValue<bool>());
        Assert.Equal($"{id} is deleted.\n", (await RunAsync(["delete", $"{id}"])).Output);
        Assert.Equal(3, (await RunAsync(["show", $"{id}"])).ExitCode);
    }

    [Fact]
    public async Task Evaluate_OfAFile_ShowsItsReportAndRefusesAWrongOne()
    {
        var logits = SimulatedLogits.Draw(400, 2, 1);
        var file = Path.GetTempFileName();
        await File.WriteAllBytesAsync(
            file,
            NpzBytes.Of(("logits", logits.Logits, [logits.Count, logits.Classes]), ("labels", logits.Labels, [logits.Count]))
        );

        var shown = await RunAsync(["evaluate", file]);
        var json = await RunAsync(["evaluate", file, "--name", "mine", "--json"]);
        await File.WriteAllTextAsync(file, "no npz");
        var refused = await RunAsync(["evaluate", file]);
        File.Delete(file);
        var missing = await RunAsync(["evaluate", file]);

        Assert.Equal(0, shown.ExitCode);
        Assert.Contains("400 images, 5 classes", shown.Output);
        Assert.Contains("Over-confident", shown.Output);
        Assert.Contains("cross-fitted", shown.Output);
        Assert.Equal("mine", json.Json["evaluation"]!["name"]!.GetValue<string>());
        Assert.Equal((3, 2), (refused.ExitCode, missing.ExitCode));
        Assert.Contains("must be an npz or zip file", refused.Errors);
        var id = json.Json["evaluation"]!["id"]!.GetValue<string>();
        Assert.Contains($"{id}  overConfident", (await RunAsync(["evaluations"])).Output);
        Assert.Contains("Over-confident", (await RunAsync(["evaluations", "report", id])).Output);
        Assert.Contains("The calibrator to use is ", (await RunAsync(["evaluations", "report", id, "--measures"])).Output);
        Assert.Equal($"{id} is deleted.\n", (await RunAsync(["evaluations", "delete", id])).Output);
        Assert.DoesNotContain(id, (await RunAsync(["evaluations"])).Output);
    }

    [Fact]
    public async Task Reads_InJson_AreTheServicesAnswersAndNothingElse()
    {
        var id = await Api.SubmitAsync(Spec);
        var study = (
            await RunAsync(["study", "submit", "--dataset", "digits", "--epochs", "1", "--epsilons", "0", "0.1", "--seeds", "2", "--json"])
        ).Json["id"]!;
        foreach (
            var (command, path) in new[]
            {
                ("list --limit 2", "/jobs?limit=2"),
                ($"show {id}", $"/jobs/{id}"),
                ($"metrics {id}", $"/jobs/{id}/metrics"),
                ("study list", "/studies"),
                ($"study show {study}", $"/studies/{study}"),
                ($"study metrics {study}", $"/studies/{study}/metrics"),
                ($"recommend {study}", $"/studies/{study}/recommendation"),
                ("datasets", "/datasets"),
                ("workers", "/workers"),
                ("tenants list", "/tenants"),
                ("tenants show default", "/tenants/default"),
            }
        )
        {
            var result = await RunAsync([.. command.Split(' '), "--json"]);
            Assert.Equal((0, ""), (result.ExitCode, result.Errors));
            Assert.Equal((await Api.GetAsync(path)).ToJsonString(), result.Json.ToJsonString());
        }
        Assert.Equal(4, (await Api.GetAsync($"/studies/{study}"))["progress"]!["jobs"]!.GetValue<int>());
    }

    [Fact]
    public async Task Corruptions_OfAJob_ShowsEachStrengthAndTheMeans()
    {
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0,
                epochs = 1,
                corruptions = true,
            }
        );
        var job = await ClaimAsync();
        Assert.True(await Queue.ReportAsync(job, [Metrics], null, default));
        var split = new SplitScores(0.9, 0.2, 0.15, 0.05, -0.05, 0.01, 0.19, 0.04);
        var model = new TrainedModel([1], null, new(1.25, split, split))
        {
            Corruptions = [.. Corruption.All.Select(one => new CorruptionScores(one, split with { Accuracy = one.Strength / 10.0 }))],
        };
        Assert.True(await Queue.SucceedAsync(job, Result, model, default));

        var shown = await RunAsync(["corruptions", $"{id}"]);

        Assert.Equal((0, ""), (shown.ExitCode, shown.Errors));
        Assert.Matches(@"(?m)^clean +0\.9000 +0\.2000 +0\.0500 +-0\.0500 +0\.1900 +0\.0400 *$", shown.Output);
        Assert.Matches(@"(?m)^rotation +4 +0\.4000 +0\.2000 ", shown.Output);
        Assert.Matches(@"(?m)^blur +mean +0\.3000 ", shown.Output);
        Assert.Contains("T is 1.2500", shown.Output);
    }

    [Fact]
    public async Task Tenants_Set_ChangesTheNamedQuotasOnly()
    {
        Assert.Equal(0, (await RunAsync(["tenants", "set", "default", "--max-queued", "7", "--max-running", "2"])).ExitCode);
        var set = await RunAsync(["tenants", "set", "default", "--max-running", "none", "--max-device-seconds", "3600"]);

        Assert.Matches("(?m)^default +0 +7 +0 +– +0 +3600 +0 +– *$", set.Output);
        Assert.Equal(
            """{"maxQueued":7,"maxRunning":null,"maxDeviceSecondsPerMonth":3600,"maxUploadedBytes":null}""",
            (await Api.GetAsync("/tenants/default"))["quotas"]!.ToJsonString()
        );
        Assert.Equal(2, (await RunAsync(["tenants", "set", "default", "--max-queued", "-1"])).ExitCode);
        Assert.Equal(3, (await RunAsync(["tenants", "show", "Nobody!"])).ExitCode);
    }

    [Fact]
    public async Task Workers_ByNameHostOrId_AreDrainedAndResumed()
    {
        var worker = WorkerIdentity.Create("cuda", 1) with { Name = "node-7:41" };
        var card = new WorkerDevice(3, "GPU-a", "NVIDIA H100", 81559, 1200, 55, 1, 0, "it is hot");
        await Queue.HeartbeatAsync(worker, [], null, default, devices: [card]);

        Assert.Equal("Worker node-7:41 is drained.\n", (await RunAsync(["workers", "drain", "node-7", "--wait"])).Output);
        Assert.Equal("Worker node-7:41 is alive.\n", (await RunAsync(["workers", "resume", "node-7:41"])).Output);
        Assert.Equal("drained", (await RunAsync(["workers", "drain", $"{worker.Id}", "--json"])).Json["state"]!.GetValue<string>());
        Assert.Matches(
            @"node-7:41 +drained +cuda +1 [^\n]*\n\nworker[^\n]*\nnode-7:41 +3 +NVIDIA H100 +1200 of 81559 +55 +0 of 1 +it is hot",
            (await RunAsync(["workers"])).Output
        );

        await Queue.HeartbeatAsync(WorkerIdentity.Create("cpu", 1) with { Name = "node-7:42" }, [], null, default);
        foreach (
            var (name, error) in new[] { ("node-8", "There is no worker node-8."), ("node-7", "Several workers are node-7: node-7:41") }
        )
        {
            var wrong = await RunAsync(["workers", "drain", name]);
            Assert.Equal((2, ""), (wrong.ExitCode, wrong.Output));
            Assert.Contains(error, wrong.Errors);
        }
    }

    [Fact]
    public async Task WorkersDrain_WithWait_EndsWhenItsLastJobHasEndedWhoseTenantIsAnother()
    {
        await Api.SubmitAsync(Spec);
        await Database.ExecuteAsync("UPDATE jobs SET tenant = 'other'");
        var job = await ClaimAsync();
        var name = await Database.ScalarAsync<string>("SELECT name FROM workers");

        using var drain = TemperCommand.Start(Api.Http.BaseAddress, null, null, "workers", "drain", name, "--wait");
        await Eventually.TrueAsync(() => Database.ScalarAsync<bool>("SELECT draining FROM workers"));
        await Task.Delay(500); // the job runs on when the command reads the answer to the drain
        await Queue.FailAsync(job, "test", default);

        Assert.EndsWith("is drained.\n", (await drain.EndAsync()).Output); // not "is draining."
    }

    [Fact]
    public async Task Output_InAPipe_IsPlainTextInWholeLines()
    {
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs = 1,
                name = new string('n', 200),
            }
        );
        await Queue.ReportAsync(await ClaimAsync(), [Metrics], null, default);

        var list = await RunAsync(["list"]);
        Assert.Matches($"(?m)^{id}  running  mnist +0.1 +0 +1 .*n{{200}} *$", list.Output);
        var metrics = await RunAsync(["metrics", $"{id}"]);
        Assert.Matches(@"(?m)^ +1 +0\.7000 +0\.2000 +– +0\.9500 +0\.0500 +-0\.0300 +1\.5 *$", metrics.Output);
        var shown = await RunAsync(["show", $"{id}"]);
        Assert.Matches("(?m)^spec.epsilon +0.1 *$", shown.Output);
        foreach (var result in new[] { list, metrics, shown, await RunAsync(["datasets"]), await RunAsync(["workers"]) })
        {
            Assert.Equal((0, ""), (result.ExitCode, result.Errors));
            Assert.DoesNotContain('\u001b', result.Output);
        }
        Assert.Equal(await Http.GetStringAsync($"/jobs/{id}/metrics?format=csv"), (await RunAsync(["metrics", $"{id}", "--csv"])).Output);
    }

    [Theory]
    [InlineData(-0.005, "0.0050 below accuracy")]
    [InlineData(0.00001, "equal to accuracy")]
    [InlineData(double.NaN, "unknown")]
    public async Task Watch_UntilTheJobSucceeds_ShowsEachEpochAndTheTest(double gap, string confidence)
    {
        var id = await Api.SubmitAsync(Spec);
        var claimed = await ClaimAsync();
        using var watch = Start("watch", $"{id}");
        await Queue.ReportAsync(claimed, [Metrics], null, default);
        await Queue.SucceedAsync(claimed, Result with { TestSignedGap = gap }, new([1], null), default);

        var result = await watch.EndAsync();

        Assert.Equal((0, "a note\n"), (result.ExitCode, result.Errors));
        Assert.Matches(@"(?m)^ +1 +0\.7000 +0\.2000 ", result.Output);
        Assert.EndsWith($"test: accuracy 0.9900, ECE 0.0100, mean confidence {confidence}\n", result.Output);
        Assert.DoesNotContain('\u001b', result.Output);
    }

    [Fact]
    public async Task Watch_AJobThatFails_SaysWhyAndEndsWith1()
    {
        var id = await Api.SubmitAsync(Spec);
        using var watch = Start("watch", $"{id}", "--json");
        await Queue.FailAsync(await ClaimAsync(), "no such luck", default);

        var result = await watch.EndAsync();

        Assert.Equal((1, ""), (result.ExitCode, result.Errors));
        Assert.Equal("no such luck", result.Json["reason"]!.GetValue<string>());
        var again = await RunAsync(["watch", $"{id}"]);
        Assert.Equal(1, again.ExitCode);
        Assert.EndsWith("The job has failed: no such luck\n", again.Output);
    }

    [Fact]
    public async Task Watch_Interrupted_LeavesTheJobAndSaysSo()
    {
        var id = await Api.SubmitAsync(Spec);
        using var watch = Start("watch", $"{id}");
        await Eventually.TrueAsync(() => Task.FromResult(watch.Output == "queued\n"));
        await TemperProcess.SignalAsync(watch.Id, "INT");

        var result = await watch.EndAsync();

        Assert.Equal(130, result.ExitCode);
        Assert.Equal($"Job {id} goes on. temper watch {id} shows it again, temper cancel {id} ends it.\n", result.Errors);
        Assert.Equal("queued", (await Api.JobAsync(id))["state"]!.GetValue<string>());
    }

    [Theory]
    [InlineData(2, "submit --epochs three", "--epochs must be a whole number from 1 to 10000; got three")]
    [InlineData(2, "submit --epoch 3", "--epoch is not an option here.")]
    [InlineData(2, "submit /nonexistent.json", "/nonexistent.json")]
    [InlineData(2, "show 7", "JOB must be an id such as 0")]
    [InlineData(2, "frobnicate", "frobnicate")]
    [InlineData(2, "metrics 01890000-0000-7000-8000-000000000000 --csv --json", "exclude each other")]
    [InlineData(3, "submit --epsilon 2", "epsilon: must be a number from 0 to 1; got 2")]
    [InlineData(3, "show 01890000-0000-7000-8000-000000000000", "No such job.")]
    [InlineData(3, "watch 01890000-0000-7000-8000-000000000000", "No such job.")]
    [InlineData(3, "download model 01890000-0000-7000-8000-000000000000", "No such job.")]
    public async Task Errors_OfTheUserAndOfTheService_HaveTheirExitCodes(int code, string command, string message)
    {
        var result = await RunAsync(command.Split(' '));

        Assert.Equal((code, ""), (result.ExitCode, result.Output));
        Assert.Contains(message, result.Errors);
    }

    [Fact]
    public async Task Refusal_InJson_IsTheProblem()
    {
        var result = await RunAsync(["submit", "--epsilon", "2", "--json"]);

        Assert.Equal(3, result.ExitCode);
        Assert.Equal(["dataset", "epochs", "epsilon"], result.Json["errors"]!.AsObject().Select(error => error.Key).Order());
    }

    [Fact]
    public async Task Service_ThatIsNotThere_Is4AndAWrongAddress2()
    {
        using var nobody = TemperCommand.Start(new($"http://127.0.0.1:{ApiProcess.FreePort()}"), null, null, "list");
        var result = await nobody.EndAsync();
        Assert.Equal((4, ""), (result.ExitCode, result.Output));
        Assert.Contains("does not answer", result.Errors);

        using var wrong = TemperCommand.Start(new("ftp://example"), null, null, "list");
        Assert.Equal(2, (await wrong.EndAsync()).ExitCode);
    }

    [Theory]
    [InlineData("302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "list", "answers 302")]
    [InlineData("200 OK\r\nContent-Length: 9\r\n\r\n{", "list", "broke off")]
    [InlineData("404 Not Found\r\nContent-Length: 9\r\n\r\n{", "list", "broke off")]
    [InlineData("200 OK\r\nContent-Length: 9\r\n\r\n{", "metrics 01890000-0000-7000-8000-000000000000 --csv", "broke off")]
    [InlineData("200 OK\r\nContent-Length: 9\r\n\r\n{", "download report 01890000-0000-7000-8000-000000000000", "broke off")]
    public async Task Answers_ThatBreakOffOrLeadElsewhere_Are4AndLeaveNoFile(string answer, string command, string message)
    {
        var folder = Directory.CreateTempSubdirectory("temper-test-").FullName;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var answering = AnswerOnceAsync(listener, $"HTTP/1.1 {answer}");

        using var started = TemperCommand.Start(new($"http://{listener.LocalEndpoint}"), null, folder, command.Split(' '));
        var result = await started.EndAsync();

        await answering;
        Assert.Equal(4, result.ExitCode);
        Assert.Matches($"^[^\n]*{message}[^\n]*\n$", result.Errors);
        Assert.Empty(Directory.GetFiles(folder));
        Directory.Delete(folder);
    }

    [Fact]
    public async Task Key_OfTheEnvironment_IsSentAndMakesOthers()
    {
        await using var database = await TestDatabase.CreateAsync();
        var right = await database.MakeKeyAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        foreach (var (key, code) in new[] { (right, 0), ("another key that nobody has", 3) })
        {
            using var list = TemperCommand.Start(api.Http.BaseAddress, key, null, "list");
            Assert.Equal(code, (await list.EndAsync()).ExitCode);
        }

        var made = await KeysAsync(right, "create", "--name", "ci", "--tenant", "birds", "--scopes", "submit,operate", "--expires", "90d");
        var secret = made.Output.TrimEnd('\n');
        Assert.Matches("^tmp_[A-Za-z0-9_-]{43}$", secret);
        var refused = await KeysAsync(secret, "list");
        Assert.Equal(3, refused.ExitCode);
        Assert.Contains("The scope admin is needed.", refused.Errors);
        var listed = (await KeysAsync(right, "list")).Output;
        Assert.Matches($"{secret[..12]} +birds +ci +submit, operate ", listed);
        var id = Regex.Match(made.Errors, "^Key ([0-9a-f-]{36})").Groups[1].Value;
        Assert.Equal("Key ci of tenant birds is revoked.\n", (await KeysAsync(right, "revoke", id)).Output);
        using var after = TemperCommand.Start(api.Http.BaseAddress, secret, null, "list");
        Assert.Contains("The key is revoked.", (await after.EndAsync()).Errors);

        async Task<CommandResult> KeysAsync(string with, params string[] arguments)
        {
            using var keys = TemperCommand.Start(api.Http.BaseAddress, with, null, ["keys", .. arguments]);
            return await keys.EndAsync();
        }
    }

    [Fact]
    public async Task Download_EachFile_SavesWhatTheServiceGivesUnderItsName()
    {
        var id = await Api.SubmitAsync(Spec);
        var claimed = await ClaimAsync();
        await Queue.ReportAsync(claimed, [Metrics], null, default);
        await Queue.SucceedAsync(claimed, Result, new([1, 2, 3], null), default);
        var folder = Directory.CreateTempSubdirectory("temper-test-").FullName;

        using var model = TemperCommand.Start(Api.Http.BaseAddress, null, folder, "download", "model", $"{id}");
        Assert.Equal($"{id}.safetensors\n", (await model.EndAsync()).Output);
        Assert.Equal([1, 2, 3], await File.ReadAllBytesAsync(Path.Combine(folder, $"{id}.safetensors")));
        var nowhere = await RunAsync(["download", "model", $"{id}", "-o", Path.Combine(folder, "missing", "file")]);
        Assert.Equal(2, nowhere.ExitCode);
        Assert.Matches("^Could not find a part of the path[^\n]*\n$", nowhere.Errors);
        using var events = TemperCommand.Start(Api.Http.BaseAddress, null, folder, "download", "tensorboard", $"{id}", "-o", folder);
        var file = (await events.EndAsync()).Output.TrimEnd('\n');
        Assert.StartsWith(Path.Combine(folder, "events.out.tfevents."), file);
        Assert.Equal(await Http.GetByteArrayAsync($"/jobs/{id}/tensorboard"), await File.ReadAllBytesAsync(file));
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("wat", "watch")]
    [InlineData("submit --model ", "resnet20")]
    [InlineData("study submit --e", "--epsilons")]
    public async Task Suggest_OfAnUnfinishedCommand_CompletesIt(string line, string expected)
    {
        var result = await RunAsync([$"[suggest:{line.Length}]", line]);

        Assert.Contains(expected, result.Output.Split('\n'));
    }

    /// <summary>Answers the first request with the text, and closes the connection.</summary>
    [Fact]
    public async Task Predict_Images_ShowsAClassForEach_AndOtherFilesAreRefused()
    {
        var id = await Api.SubmitAsync(Spec);
        var claimed = await ClaimAsync();
        await Queue.ReportAsync(claimed, [Metrics], null, default);
        var figures = new SplitScores(0.9, 0.3, 0.1, 0.05, 0.05, 0.02, 0.3, 0.05);
        await Queue.SucceedAsync(claimed, Result, new(ModelFile.Mlp(1, 28), null, new(2.5, figures, figures)), default);
        var folder = Directory.CreateTempSubdirectory("temper-test-").FullName;
        var (image, text) = (Path.Combine(folder, "black.png"), Path.Combine(folder, "text.png"));
        await File.WriteAllBytesAsync(image, PngFile.Of(PngFile.Grey, [.. Enumerable.Range(0, 28).Select(_ => new byte[28])]));
        await File.WriteAllTextAsync(text, "no image");

        var (shown, json, refused) = (
            await RunAsync(["predict", $"{id}", image, image]),
            await RunAsync(["predict", $"{id}", image, "--json"]),
            await RunAsync(["predict", $"{id}", image, text])
        );
        var (plain, unfitted) = (
            await RunAsync(["predict", $"{id}", image, "--calibrator", "none"]),
            await RunAsync(["predict", $"{id}", image, "--calibrator", "chosen"])
        );
        string[] download = ["download", "model", $"{id}", "--format", "onnx", "--input", "float32", "--calibrator", "none", "-o", folder];
        var onnx = await RunAsync(download);
        Assert.Equal((0, $"{Path.Combine(folder, $"{id}.onnx")}\n"), (onnx.ExitCode, onnx.Output));
        Assert.Contains(
            "28×28×1 float32, pixels from 0 to 255. calibrated: softmax(logits).",
            await File.ReadAllTextAsync(Path.Combine(folder, $"{id}.onnx"))
        );
        Directory.Delete(folder, recursive: true);

        var item = json.Json["items"]![0]!;
        Assert.Equal((0, "T = 2.5000, fitted on the job's validation images.\n"), (shown.ExitCode, shown.Errors));
        Assert.Equal(2, Regex.Count(shown.Output, $@"(?m)^black.png +{item["label"]} +{item["className"]} +0\.[0-9]{{4}}"));
        Assert.Equal((0, "The probabilities are of the model as trained.\n"), (plain.ExitCode, plain.Errors));
        Assert.NotEqual(shown.Output, plain.Output);
        Assert.Equal(3, unfitted.ExitCode);
        Assert.Contains("calibrator: must be one of none, temperature for this job: its logits were not kept", unfitted.Errors);
        Assert.Equal(3, refused.ExitCode);
        Assert.Contains("images[1]: is neither PNG nor JPEG", refused.Errors);
    }

    private static async Task AnswerOnceAsync(TcpListener listener, string answer)
    {
        using var client = await listener.AcceptTcpClientAsync();
        using var request = new StreamReader(client.GetStream());
        while (await request.ReadLineAsync() is { Length: > 0 }) { }
        await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(answer));
    }

    private TemperCommand Start(params string[] arguments) => TemperCommand.Start(Api.Http.BaseAddress, null, null, arguments);

    private async Task<CommandResult> RunAsync(string[] arguments)
    {
        using var command = Start(arguments);
        return await command.EndAsync();
    }
}
