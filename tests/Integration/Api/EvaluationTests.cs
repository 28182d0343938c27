using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using System.Text.Json.Nodes;
using Temper.Domain.Calibration;
using Temper.Domain.Jobs;

namespace Temper.Integration.Api;

public class EvaluationTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private static readonly JobResult Result = new(0.9, 0.3, 0.05, -0.09, 3, "cpu", 2, "libtorch", "00", []);

    private static readonly LabelledLogits Validation = SimulatedLogits.Draw(600, 1.5, 1),
        Test = SimulatedLogits.Draw(900, 1.5, 2);

    [Fact]
    public async Task Report_OfAJobsOwnLogits_IsThatOfTheJob()
    {
        double[] truth = [.. Enumerable.Range(0, Test.Count).Select(i => i / (double)Test.Count)];
        var job = await Api.SubmitAsync(Spec);
        Assert.True(await Queue.SucceedAsync(await ClaimAsync(), Result, new([], StoredLogits.Of(Validation, Test, truth)), default));
        // The job's own files, renamed and put into one.
        var file = new MemoryStream();
        using (var zip = new ZipArchive(file, ZipArchiveMode.Create, leaveOpen: true))
        {
            await CopyAsync(zip, job, "test", "");
            await CopyAsync(zip, job, "validation", "validation_");
            await CopyAsync(zip, NpzBytes.Of(("true_probabilities", truth, [truth.Length])), "");
        }

        var answer = await EvaluateAsync(file.ToArray());

        AssertSame(await Api.GetAsync($"/jobs/{job}/calibration"), answer["report"]!);
        foreach (var query in new[] { "", "?bins=7&binning=netcal&seed=3", "?resamples=0" })
            AssertSame(
                await Api.GetAsync($"/jobs/{job}/calibration{query}"),
                await Api.GetAsync($"{answer["evaluation"]!["links"]!["calibration"]}{query}")
            );
        Assert.Null(answer["report"]!["crossFit"]);
        var scores = answer["evaluation"]!["scores"]!;
        Assert.Equal(answer["report"]!["after"]!["ece"]!["value"]!.ToJsonString(), scores["eceAfterTemperature"]!.ToJsonString());
        Assert.Equal("overConfident", scores["verdict"]!.GetValue<string>());
    }

    [Fact]
    public async Task Report_WithoutAValidationPart_IsCrossFitted()
    {
        var answer = await EvaluateAsync(FileOf(Test));

        var (report, crossFit) = (answer["report"]!, answer["report"]!["crossFit"]!);
        var temperatures = crossFit["temperatures"]!.AsArray().Select(one => one!.GetValue<double>()).ToList();
        Assert.Equal((5, 0), (crossFit["folds"]!.GetValue<int>(), crossFit["seed"]!.GetValue<int>()));
        Assert.Equal(5, temperatures.Distinct().Count());
        Assert.All(temperatures, one => Assert.InRange(one, 1.2, 1.8));
        var fit = TemperatureFit.On(Test);
        Assert.Equal(fit.Temperature, report["temperatureFit"]!["temperature"]!.GetValue<double>(), 1e-9);
        // A T that has seen the images looks better than it is.
        Assert.True(report["after"]!["nll"]!["value"]!.GetValue<double>() > fit.NllAfter);
        Assert.Contains(crossFit["sentence"]!.GetValue<string>(), answer["evaluation"]!["notes"]!.AsArray().Select(note => $"{note}"));
        var other = await Api.GetAsync($"{answer["evaluation"]!["links"]!["calibration"]}?seed=1");
        Assert.NotEqual(crossFit["temperatures"]!.ToJsonString(), other["crossFit"]!["temperatures"]!.ToJsonString());
        AssertSame(report, await Api.GetAsync($"{answer["evaluation"]!["links"]!["calibration"]}"));
    }

    [Fact]
    public async Task Probabilities_AreTakenAsTheyAre_AndZerosAreFlooredAndCounted()
    {
        var probabilities = SimulatedLogits.Probabilities(Test);
        var all = NpzBytes.Of(
            ("probabilities", probabilities, [Test.Count, Test.Classes]),
            ("labels", Test.Labels, [Test.Count]),
            ("true_probabilities", probabilities, [Test.Count, Test.Classes])
        );

        var report = (await EvaluateAsync(all))["report"]!;

        var expected = CalibrationAssessment.Of(Test, 1, null, new(Binning.Guo, 15, 0, 0));
        Assert.Equal(expected.Nll.Value, report["before"]!["nll"]!["value"]!.GetValue<double>(), 1e-6);
        Assert.Equal(expected.Ece.Value, report["before"]!["ece"]!["value"]!.GetValue<double>(), 1e-6);
        Assert.InRange(report["before"]!["noiseFree"]!["ece"]!.GetValue<double>(), 0, 1e-6);

        var hard = await EvaluateAsync(
            NpzBytes.Of(("probabilities", new float[] { 1, 0, 0, 0.5f, 0.5f, 0 }, [2, 3]), ("labels", new[] { 0L, 2 }, [2]))
        );
        Assert.Equal(3, hard["evaluation"]!["flooredZeros"]!.GetValue<int>());
        Assert.Contains("3 of probabilities are exactly 0", hard["evaluation"]!["notes"]![0]!.GetValue<string>());
        Assert.InRange(hard["report"]!["before"]!["nll"]!["value"]!.GetValue<double>(), 51, 52); // half of −ln 1.4e-45
    }

    public static TheoryData<string, string, string> WrongFiles =>
        new()
        {
            { "nan", "logits", "must be finite in float32; row 1 (from 0) has NaN" },
            { "infinity", "logits", "row 1 (from 0) has infinity" },
            { "label", "labels", "must be from 0 to 1; row 2 (from 0) has 2" },
            { "negative label", "labels", "row 0 (from 0) has -1" },
            { "float labels", "labels", "its dtype is float32" },
            { "whole logits", "logits", "its dtype is int32" },
            { "few labels", "labels", "one label for each of 3 images; its shape is (2,)" },
            { "flat", "logits", "must be N×K, N images and K classes; its shape is (6,)" },
            { "one class", "logits", "must have 2 to 1000 classes; its shape is (3, 1)" },
            { "many classes", "logits", "must have 2 to 1000 classes" },
            { "empty", "logits", "must have at least one image" },
            { "single", "logits", "must have at least 2 images" },
            { "no labels", "labels", "is required" },
            { "nothing", "logits", "is required" },
            { "both", "probabilities", "is given beside logits" },
            { "sum", "probabilities", "must sum to 1 within 0.001 in each row; row 1 (from 0) sums to 1.002" },
            { "negative", "probabilities", "must be from 0 to 1; row 0 (from 0) has -0.5" },
            { "unknown", "targets", "is not an array of an evaluation" },
            { "half validation", "validation_labels", "is required" },
            { "other validation", "validation_logits", "must have the 2 classes of logits" },
            { "truth", "true_probabilities", "its shape is (2,)" },
            { "no npz", "body", "must be an npz or zip file" },
        };

    [Theory, MemberData(nameof(WrongFiles))]
    public async Task Post_AWrongFile_NamesTheArray(string file, string array, string sentence)
    {
        float[] good = [1, 0, 0, 1, 2, 0];
        int[] goodLabels = [0, 1, 0];
        (string, Array, int[]) logits = ("logits", good, [3, 2]),
            labels = ("labels", goodLabels, [3]);
        var bytes = file switch
        {
            "nan" => NpzBytes.Of(("logits", new[] { 1, 0, float.NaN, 1, 2, 0 }, [3, 2]), labels),
            "infinity" => NpzBytes.Of(("logits", new[] { 1, 0, 1e300, 1, 2, 0 }, [3, 2]), labels),
            "label" => NpzBytes.Of(logits, ("labels", new[] { 0, 1, 2 }, [3])),
            "negative label" => NpzBytes.Of(logits, ("labels", new[] { -1, 1, 0 }, [3])),
            "float labels" => NpzBytes.Of(logits, ("labels", new float[3], [3])),
            "whole logits" => NpzBytes.Of(("logits", new int[6], [3, 2]), labels),
            "few labels" => NpzBytes.Of(logits, ("labels", new int[2], [2])),
            "flat" => NpzBytes.Of(("logits", good, [6]), labels),
            "one class" => NpzBytes.Of(("logits", new float[3], [3, 1]), labels),
            "many classes" => NpzBytes.Of(("logits", new float[3003], [3, 1001]), labels),
            "empty" => NpzBytes.Of(("logits", Array.Empty<float>(), [0, 2]), ("labels", Array.Empty<int>(), [0])),
            "single" => NpzBytes.Of(("logits", new float[2], [1, 2]), ("labels", new int[1], [1])),
            "no labels" => NpzBytes.Of(logits),
            "nothing" => NpzBytes.Of(),
            "both" => NpzBytes.Of(logits, ("probabilities", good, [3, 2]), labels),
            "sum" => NpzBytes.Of(("probabilities", new[] { 0.5, 0.5, 0.5, 0.502, 1, 0 }, [3, 2]), labels),
            "negative" => NpzBytes.Of(("probabilities", new[] { 1.5, -0.5, 0.5, 0.5, 1, 0 }, [3, 2]), labels),
            "unknown" => NpzBytes.Of(logits, labels, ("targets", goodLabels, [3])),
            "half validation" => NpzBytes.Of(logits, labels, ("validation_logits", good, [3, 2])),
            "other validation" => NpzBytes.Of(logits, labels, ("validation_logits", good, [2, 3]), ("validation_labels", new int[2], [2])),
            "truth" => NpzBytes.Of(logits, labels, ("true_probabilities", new double[2], [2])),
            _ => "{}"u8.ToArray(),
        };

        var (response, problem) = await PostAsync(bytes);

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Contains(sentence, problem!["errors"]![array]![0]!.GetValue<string>());
        Assert.Equal(0, await Database.ScalarAsync<long>("SELECT count(*) FROM evaluations"));
    }

    [Fact]
    public async Task Post_SeveralWrongArrays_NamesEach()
    {
        var (response, problem) = await PostAsync(
            NpzBytes.Of(
                ("logits", new[] { 1, 0, float.NaN, 1 }, [2, 2]),
                ("labels", new[] { 0, 2 }, [2]),
                ("validation_probabilities", new[] { 0.5, 0.6 }, [1, 2]),
                ("validation_labels", new[] { -1 }, [1]),
                ("true_probabilities", new[] { 0.5, 1.5 }, [2])
            )
        );

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Equal(
            ["labels", "logits", "true_probabilities", "validation_labels", "validation_probabilities"],
            problem!["errors"]!.AsObject().Select(error => error.Key).Order()
        );
    }

    /// <summary>Another evaluation has the key while this one is stored, and is deleted before the key is looked up.</summary>
    [Fact]
    public async Task Post_WhileTheEvaluationWithItsKeyIsDeleted_IsStored()
    {
        const string waiting =
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database OR l.database IS NULL "
            + "WHERE NOT granted AND datname = current_database() AND locktype = '{0}'";
        await EvaluateAsync(FileOf(Validation));
        await using var owner = await Database.DataSource.OpenConnectionAsync();
        await using var adding = await owner.BeginTransactionAsync();
        await using (var take = new Npgsql.NpgsqlCommand("UPDATE evaluations SET idempotency_key = 'taken'", owner))
            await take.ExecuteNonQueryAsync();

        var posted = PostAsync(FileOf(Test), "", "taken");
        await WaitingAsync("transactionid");
        await using var deleter = await Database.DataSource.OpenConnectionAsync();
        await using var deleting = await deleter.BeginTransactionAsync();
        await using var delete = new Npgsql.NpgsqlCommand(
            "LOCK TABLE evaluations IN ACCESS EXCLUSIVE MODE; DELETE FROM evaluations WHERE idempotency_key = 'taken'",
            deleter
        );
        var deleted = delete.ExecuteNonQueryAsync();
        await WaitingAsync("relation");
        await adding.CommitAsync();
        await deleted;
        await deleting.CommitAsync();

        var (response, body) = await posted;
        Assert.True(response.StatusCode == HttpStatusCode.Created, body?.ToJsonString());
        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(*) FROM evaluations WHERE idempotency_key = 'taken'"));

        Task WaitingAsync(string kind) =>
            Eventually.TrueAsync(async () => await Database.ScalarAsync<long>(string.Format(waiting, kind)) > 0);
    }

    [Fact]
    public async Task Post_WithAKey_StoresOneHoweverOftenItIsSent()
    {
        var file = FileOf(Test);

        var answers = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => PostAsync(file, "?name=a", "a-key")));
        var later = await PostAsync(file, "?name=a", "a-key");

        Assert.All(answers.Append(later), answer => Assert.Equal(HttpStatusCode.Created, answer.Response.StatusCode));
        Assert.Single(answers.Append(later).Select(answer => answer.Body!.ToJsonString()).Distinct());
        Assert.Equal($"{later.Body!["evaluation"]!["links"]!["self"]}", $"{later.Response.Headers.Location}");
        foreach (var (other, query) in new[] { (FileOf(Validation), "?name=a"), (file, "?name=b"), (file, "") })
        {
            var (response, problem) = await PostAsync(other, query, "a-key");
            AssertProblem(HttpStatusCode.UnprocessableEntity, response, problem);
        }
        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(*) FROM evaluations"));
    }

    [Fact]
    public async Task List_OfSeveral_HasPagesFromTheNewestOn_AndDeleteRemovesAll()
    {
        var file = FileOf(SimulatedLogits.Draw(20, 1, 3));
        foreach (var name in new[] { "a", "b", "c" })
            await EvaluateAsync(file, $"?name={name}");

        var first = await Api.GetAsync("/evaluations?limit=2");
        var second = await Api.GetAsync($"/evaluations?limit=2&cursor={first["next"]}");

        var items = first["items"]!.AsArray().Concat(second["items"]!.AsArray()).ToList();
        Assert.Equal(["c", "b", "a"], items.Select(item => $"{item!["name"]}"));
        Assert.Null(second["next"]);
        foreach (var self in items.Select(item => $"{item!["links"]!["self"]}"))
        {
            Assert.Equal(self, $"{(await Api.GetAsync(self))["links"]!["self"]}");
            Assert.Equal(HttpStatusCode.NoContent, (await Http.DeleteAsync(self)).StatusCode);
            foreach (
                var (method, path) in new[] { (HttpMethod.Get, self), (HttpMethod.Get, $"{self}/calibration"), (HttpMethod.Delete, self) }
            )
            {
                var (response, problem) = await SendAsync(method, path);
                AssertProblem(HttpStatusCode.NotFound, response, problem);
            }
        }
        Assert.Equal(0, await Database.ScalarAsync<long>("SELECT count(*) FROM evaluation_pieces"));
    }

    [Fact]
    public async Task Report_AskedForAgain_IsNotComputedAgain()
    {
        var report = $"{(await EvaluateAsync(FileOf(Validation)))["evaluation"]!["links"]!["calibration"]}";
        var first = await Http.GetAsync(report);

        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync(report, $"{first.Headers.ETag}")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync($"{report}?bins=3", $"{first.Headers.ETag}")).StatusCode);
    }

    [Fact]
    public async Task Report_WithMeasures_HasThemAndIsOtherwiseTheSame()
    {
        var report = $"{(await EvaluateAsync(FileOf(Test)))["evaluation"]!["links"]!["calibration"]}";
        var plain = await Http.GetAsync(report);

        var response = await AskAsync($"{report}?measures=true", $"{plain.Headers.ETag}");
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var without = JsonNode.Parse(await plain.Content.ReadAsStringAsync())!;
        Assert.Null(without["measures"]);
        AssertSame(without["after"]!, answer["after"]!);
        var measures = answer["measures"]!;
        Assert.Empty(measures["missing"]!.AsObject());
        Assert.Equal(
            answer["before"]!["nll"]!["value"]!.GetValue<double>(),
            measures["refinement"]!["value"]!.GetValue<double>() + measures["refinement"]!["calibration"]!.GetValue<double>(),
            1e-9
        );
        Assert.Equal(answer["before"]!["aurc"]!["value"]!.ToJsonString(), measures["maxProbability"]!["aurc"]!.ToJsonString());
        Assert.Equal("temperature", $"{measures["calibrators"]!["chosen"]}");
        Assert.Equal("testHalf", $"{measures["conformal"]!["part"]}");
        Assert.True(measures["before"]!["l2"]!["interval"]!["low"]!.GetValue<double>() > 0);
        Assert.InRange(measures["before"]!["kernel"]!["pValue"]!.GetValue<double>(), 0, 0.01);
        foreach (var side in new[] { "before", "after" })
            Assert.Equal(measures[side]!["kernel"]!.ToJsonString(), answer[side]!["verdict"]!["kernel"]!.ToJsonString());
    }

    [Fact]
    public async Task Measures_ThatTheDataDoNotAllow_AreNullWithAReason()
    {
        // Logits near the largest float32, so that a square overflows wherever it is taken in single precision.
        var file = NpzBytes.Of(("logits", new[] { 3e38f, -3e38f, -3e38f, 3e38f, 1, 0 }, [3, 2]), ("labels", new[] { 1, 1, 0 }, [3]));
        var report = $"{(await EvaluateAsync(file))["evaluation"]!["links"]!["calibration"]}";

        var measures = (await Api.GetAsync($"{report}?measures=true&resamples=0"))["measures"]!;

        foreach (var name in new[] { "maxLogitNorm", "conformal", "calibrators" })
        {
            Assert.Null(measures[name]);
            Assert.NotEmpty(measures["missing"]![name]!.GetValue<string>());
        }
        Assert.Null(measures["before"]!["kernel"]!["pValue"]);
        Assert.Contains("Without resamples", measures["missing"]!["resamples"]!.GetValue<string>());
        Assert.Equal(2e38, measures["refinement"]!["nll"]!.GetValue<double>(), 1e37);
    }

    [Fact]
    public async Task Report_WhoseClientLeaves_IsNotComputedToItsEnd()
    {
        var answer = await EvaluateAsync(FileOf(SimulatedLogits.Draw(500_000, 1, 4)));
        var report = $"{answer["evaluation"]!["links"]!["calibration"]}";
        var before = ProcessorTime();
        using var client = new CancellationTokenSource();
        var asked = Http.GetAsync($"{report}?resamples=5000", client.Token); // about 30 s of two cores
        await Eventually.TrueAsync(() => Task.FromResult(ProcessorTime() - before > TimeSpan.FromSeconds(1)));

        await client.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        await Eventually.TrueAsync(
            async () =>
            {
                var start = ProcessorTime();
                await Task.Delay(500);
                return ProcessorTime() - start < TimeSpan.FromSeconds(0.1);
            },
            TimeSpan.FromSeconds(10),
            "The API computes on."
        );
        await Api.GetAsync($"{report}?resamples=0"); // the next one has its turn
        await SendAsync(HttpMethod.Delete, $"{answer["evaluation"]!["links"]!["self"]}");

        TimeSpan ProcessorTime()
        {
            using var api = Process.GetProcessById(Api.Id);
            return api.TotalProcessorTime;
        }
    }

    [Fact]
    public async Task Post_AForm_IsReadAsABodyIs()
    {
        var form = new MultipartFormDataContent
        {
            { new StringContent("ε's"), "name" },
            { new ByteArrayContent(FileOf(Test)), "file", "outputs.npz" },
        };

        var response = await Http.PostAsync("/evaluations", form);

        var evaluation = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["evaluation"]!;
        Assert.Equal(("ε's", 900), (evaluation["name"]!.GetValue<string>(), evaluation["count"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Post_AWrongForm_NamesWhatIsWrong()
    {
        await RefusedAsync(new MultipartFormDataContent { { new StringContent("a"), "name" } }, "body");
        await RefusedAsync(
            new MultipartFormDataContent { { new ByteArrayContent([1]), "file", "a" }, { new StringContent("b"), "owner" } },
            "owner"
        );
        await RefusedAsync(
            new MultipartFormDataContent { { new ByteArrayContent([1]), "file", "a" }, { new ByteArrayContent([1]), "file", "b" } },
            "body"
        );
        var broken = new ByteArrayContent("--x\r\ncontent-disposition: form-data; name=file; filename=a\r\n\r\n12"u8.ToArray());
        broken.Headers.TryAddWithoutValidation("content-type", "multipart/form-data; boundary=x");
        await RefusedAsync(broken, "body");

        async Task RefusedAsync(HttpContent content, string part)
        {
            var response = await Http.PostAsync("/evaluations", content);
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync());
            AssertProblem(HttpStatusCode.BadRequest, response, problem);
            Assert.NotNull(problem!["errors"]![part]);
        }
    }

    [Fact]
    public async Task Post_AnotherTypeOrTooMuch_Is415Or413()
    {
        var (unknown, problem) = await SendAsync(HttpMethod.Post, "/evaluations", "{}");
        AssertProblem(HttpStatusCode.UnsupportedMediaType, unknown, problem);
        Assert.Contains("application/octet-stream", problem!["errors"]!["content-type"]![0]!.GetValue<string>());

        await using var small = await ApiProcess.StartAsync(
            Database.ConnectionString,
            new Dictionary<string, string?> { ["Api__MaxUploadMiB"] = "1" }
        );
        foreach (var isChunked in new[] { false, true })
        {
            var request = new HttpRequestMessage(HttpMethod.Post, "/evaluations") { Content = Raw(new byte[2 << 20]) };
            request.Headers.TransferEncodingChunked = isChunked;
            var response = await small.Http.SendAsync(request);
            problem = JsonNode.Parse(await response.Content.ReadAsStringAsync());
            AssertProblem(HttpStatusCode.RequestEntityTooLarge, response, problem);
            Assert.Equal(
                "must be at most 1048576 bytes; Api__MaxUploadMiB sets the limit",
                problem!["errors"]!["body"]![0]!.GetValue<string>()
            );
        }
    }

    private static byte[] FileOf(LabelledLogits logits) =>
        NpzBytes.Of(("logits", logits.Logits, [logits.Count, logits.Classes]), ("labels", logits.Labels, [logits.Count]));

    private async Task CopyAsync(ZipArchive to, Guid job, string split, string prefix) =>
        await CopyAsync(to, await Http.GetByteArrayAsync($"/jobs/{job}/logits?split={split}"), prefix);

    private static async Task CopyAsync(ZipArchive to, byte[] npz, string prefix)
    {
        using var from = new ZipArchive(new MemoryStream(npz));
        foreach (var entry in from.Entries)
        {
            await using Stream source = entry.Open(),
                target = to.CreateEntry(prefix + entry.Name).Open();
            await source.CopyToAsync(target);
        }
    }

    private async Task<JsonNode> EvaluateAsync(byte[] file, string query = "")
    {
        var (response, body) = await PostAsync(file, query);
        Assert.True(response.StatusCode == HttpStatusCode.Created, body?.ToJsonString());
        return body!;
    }

    private async Task<(HttpResponseMessage Response, JsonNode? Body)> PostAsync(byte[] file, string query = "", string? key = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/evaluations{query}") { Content = Raw(file) };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        var response = await Http.SendAsync(request);
        return (response, JsonNode.Parse(await response.Content.ReadAsStringAsync()));
    }

    private static ByteArrayContent Raw(byte[] file) => new(file) { Headers = { ContentType = new("application/octet-stream") } };

    private static void AssertSame(JsonNode expected, JsonNode actual) => Assert.Equal(expected.ToJsonString(), actual.ToJsonString());
}
