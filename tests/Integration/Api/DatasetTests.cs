using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Temper.Integration.Api;

public class DatasetTests(ApiFixture fixture) : OwnDatasetsTest(fixture)
{
    [Fact]
    public async Task Post_AnotherContentType_NamesTheTypesOfAFile()
    {
        var (response, problem) = await SendAsync(HttpMethod.Post, "/datasets?name=birds", "{}");

        AssertProblem(HttpStatusCode.UnsupportedMediaType, response, problem);
        Assert.Equal(
            "must be one of application/octet-stream, application/zip, multipart/form-data",
            problem!["errors"]!["content-type"]![0]!.GetValue<string>()
        );
    }

    [Fact]
    public async Task Post_AnNpz_MakesVersionsThatAreListedShownAndCounted()
    {
        (string, byte[])[] arrays =
        [
            .. NpzFiles.Part("", 30, 8, 12, 3, 3),
            .. NpzFiles.Part("test_", 6, 8, 12, 3, 3, 1),
            ("class_names", NpzFiles.Texts("kestrel", "kite", "Rötelfalke")),
        ];
        var (first, set) = await AddAsync("birds", NpzFiles.Pack(arrays));
        var (again, same) = await AddAsync("birds", NpzFiles.Pack(arrays));
        var (second, newer) = await AddAsync("birds", NpzFiles.Pack(NpzFiles.Part("", 30, 8, 12, 3, 3)));

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK, HttpStatusCode.Created), (first, again, second));
        Assert.Equal(("birds@1", "birds@1", "birds@2"), (Name(set), Name(same), Name(newer)));
        Assert.Equal((3, 3, 8, 12), (Int(set, "classes"), Int(set, "channels"), Int(set, "height"), Int(set, "width")));
        Assert.True(
            JsonNode.DeepEquals(JsonNode.Parse("""{"name":"Rötelfalke","train":10,"validation":0,"test":2}"""), set["counts"]![2]),
            set.ToJsonString()
        );
        Assert.Null(set["note"]);
        Assert.Equal("""{"name":"0","train":8,"validation":0,"test":2}""", newer["counts"]![0]!.ToJsonString());
        Assert.Contains("20", newer["note"]!.GetValue<string>());
        Assert.Equal("birds@2", Name(await Api.GetAsync("/datasets/birds")));
        var listed = (await Api.GetAsync("/datasets"))["items"]!.AsArray().Select(one => Name(one!));
        Assert.Equal(["digits", "mnist", "fashion-mnist", "kmnist", "cifar10", "cifar100", "birds@2", "birds@1"], listed);
        foreach (var (picture, width, height) in new[] { ("samples.png", 129, 26), ("mean.png", 12, 8) })
        {
            var png = await Http.GetByteArrayAsync($"/datasets/birds@1/{picture}");
            Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], png[..4]);
            Assert.Equal((width, height), (png[18] * 256 + png[19], png[22] * 256 + png[23]));
        }
    }

    [Fact]
    public async Task Post_BeyondTheQuotaOfUploadedBytes_Is413AndStoresNothing()
    {
        const string stored =
            "SELECT (SELECT sum(octet_length(bytes)) FROM dataset_chunks) + (SELECT sum(octet_length(data)) FROM evaluation_pieces)";
        await Database.ExecuteAsync("TRUNCATE evaluations CASCADE");
        var (set, other) = (NpzFiles.Pack(NpzFiles.Part("", 30, 8, 12, 3, 3)), NpzFiles.Pack(NpzFiles.Part("", 30, 8, 12, 3, 3, 1)));
        await AddAsync("birds", set);
        var before = await UploadedAsync();
        Assert.Equal(HttpStatusCode.Created, await EvaluateAsync());
        var after = await UploadedAsync();
        Assert.Equal(await Database.ScalarAsync<long>(stored), after);
        await SendAsync(HttpMethod.Put, "/tenants/default", $$"""{"maxUploadedBytes":{{after + (after - before)}}}""");
        try
        {
            var atOnce = await Task.WhenAll(EvaluateAsync(), EvaluateAsync());
            var (status, problem) = await AddAsync("birds", other);

            Assert.Equal([HttpStatusCode.Created, HttpStatusCode.RequestEntityTooLarge], atOnce.Order());
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, status);
            Assert.StartsWith(
                $"Tenant default may store {after + (after - before)} bytes of data sets and evaluations.",
                $"{problem["detail"]}"
            );
            Assert.Equal(HttpStatusCode.OK, (await AddAsync("birds", set)).Status); // it is there already
            Assert.Equal(after + (after - before), await UploadedAsync());
            Assert.Equal(after + (after - before), await Database.ScalarAsync<long>(stored));
        }
        finally
        {
            await SendAsync(HttpMethod.Put, "/tenants/default", "{}");
        }

        async Task<long> UploadedAsync() => (await Api.GetAsync("/tenants/default"))["uploadedBytes"]!.GetValue<long>();
        async Task<HttpStatusCode> EvaluateAsync()
        {
            var logits = SimulatedLogits.Draw(300, 1, 4);
            var file = NpzBytes.Of(
                ("logits", logits.Logits, [logits.Count, logits.Classes]),
                ("labels", logits.Labels, [logits.Count]),
                ("true_probabilities", new double[logits.Count], [logits.Count])
            );
            using var content = new ByteArrayContent(file) { Headers = { ContentType = new("application/octet-stream") } };
            using var answer = await Http.PostAsync("/evaluations", content);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task Delete_OnlyWhatNoJobUses_AndNoVersionComesTwice()
    {
        await AddAsync("birds", NpzFiles.Pack(NpzFiles.Part("", 30, 8, 12, 3, 3)));
        await AddAsync("birds", NpzFiles.Pack(NpzFiles.Part("", 30, 8, 12, 3, 3, 1)));
        var job = await Api.SubmitAsync(
            new
            {
                dataset = "birds@1",
                epsilon = 0.1,
                epochs = 1,
            }
        );

        var (inUse, problem) = await SendAsync(HttpMethod.Delete, "/datasets/birds@1");
        AssertProblem(HttpStatusCode.Conflict, inUse, problem);
        Assert.Contains("/jobs?dataset=birds@1", problem!["detail"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(HttpMethod.Delete, "/datasets/birds@2")).Response.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Delete, "/datasets/birds@2")).Response.StatusCode);
        Assert.Equal(HttpStatusCode.Conflict, (await SendAsync(HttpMethod.Delete, "/datasets/mnist")).Response.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await SendAsync(HttpMethod.Delete, "/datasets/birds")).Response.StatusCode);

        var (_, third) = await AddAsync("birds", NpzFiles.Pack(NpzFiles.Part("", 30, 8, 12, 3, 3, 1)));
        Assert.Equal("birds@3", Name(third));
        Assert.Equal(job.ToString(), (await Api.GetAsync("/jobs?dataset=birds"))["items"]![0]!["id"]!.GetValue<string>());
        Assert.Empty((await Api.GetAsync("/jobs?dataset=birds@3"))["items"]!.AsArray());
        Assert.Equal(HttpStatusCode.BadRequest, (await Http.GetAsync("/jobs?dataset=birds@2")).StatusCode);
    }

    [Theory]
    [InlineData(8, 8, 1, """{"model":"lenet5"}""", "model", "lenet5 for images smaller than 16×16")]
    [InlineData(256, 256, 3, """{"model":"mlp"}""", "widths", "40000000 weights")]
    [InlineData(256, 256, 1, """{"batchSize":129}""", "batchSize", "8388608 / (height · width)")]
    [InlineData(256, 256, 1, """{"model":"resnet20"}""", "batchSize", "it is 128 when absent")]
    [InlineData(8, 8, 1, """{"smoothing":"others","epsilon":0.6}""", "epsilon", "(K−1)/K")]
    public async Task Submit_WhatDoesNotFitTheImages_IsRefusedWithTheField(
        int height,
        int width,
        int channels,
        string fields,
        string field,
        string sentence
    )
    {
        await AddAsync("shapes", NpzFiles.Pack(NpzFiles.Part("", 4, height, width, channels, 2)));
        var spec = JsonNode.Parse(fields)!.AsObject();
        (spec["dataset"], spec["epochs"], spec["epsilon"]) = ("shapes", 1, spec["epsilon"]?.DeepClone() ?? 0.1);

        var (response, problem) = await SendAsync(HttpMethod.Post, "/jobs?validateOnly=true", spec.ToJsonString());
        var study = new JsonObject { ["job"] = spec, ["epsilons"] = new JsonArray(spec["epsilon"]!.DeepClone()) };
        spec.Remove("epsilon");
        var (ofStudy, studyProblem) = await SendAsync(HttpMethod.Post, "/studies?validateOnly=true", study.ToJsonString());

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Contains(sentence, Assert.Single(problem!["errors"]!.AsObject()).Value![0]!.GetValue<string>());
        Assert.NotNull(problem["errors"]![field]);
        AssertProblem(HttpStatusCode.BadRequest, ofStudy, studyProblem);
    }

    [Fact]
    public async Task Submit_AStudyOnAnUploadedSet_KeepsItsVersionAndHash()
    {
        var (_, set) = await AddAsync("shapes", NpzFiles.Pack(NpzFiles.Part("", 40, 8, 8, 1, 2)));

        var (response, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"shapes","epochs":1},"epsilons":[0,0.1],"seeds":1}"""
        );

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal("shapes@1", study!["spec"]!["job"]!["dataset"]!.GetValue<string>());
        Assert.Equal(set["sha256"]!.GetValue<string>(), study["spec"]!["job"]!["data"]!["sha256"]!.GetValue<string>());
        var jobs = (await Api.GetAsync("/jobs?dataset=shapes"))["items"]!.AsArray();
        Assert.Equal(2, jobs.Count);
        // A spec that a client copies from a job is accepted as it is, but not with the content of another set.
        var spec = jobs[0]!["spec"]!.DeepClone();
        Assert.Equal(
            HttpStatusCode.OK,
            (await SendAsync(HttpMethod.Post, "/jobs?validateOnly=true", spec.ToJsonString())).Response.StatusCode
        );
        spec["data"]!["sha256"] = "00";
        var (_, problem) = await SendAsync(HttpMethod.Post, "/jobs?validateOnly=true", spec.ToJsonString());
        Assert.Contains("shapes@1", problem!["errors"]!["data"]![0]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.Conflict, (await SendAsync(HttpMethod.Delete, "/datasets/shapes@1")).Response.StatusCode);
    }

    [Fact]
    public async Task Post_IdxFiles_AsZipAndAsForm_AreTheSameSet()
    {
        (string Name, byte[] Content)[] files =
        [
            ("train-images-idx3-ubyte.gz", IdxFiles.Images(30)),
            ("train-labels-idx1-ubyte.gz", IdxFiles.Labels(30)),
            ("t10k-images-idx3-ubyte", IdxFiles.Unpack(IdxFiles.Images(20))),
            ("t10k-labels-idx1-ubyte", IdxFiles.Unpack(IdxFiles.Labels(20))),
        ];
        using var form = new MultipartFormDataContent();
        foreach (var (name, content) in files)
            form.Add(new ByteArrayContent(content), name, name);

        var sent = await Http.PostAsync("/datasets?name=idx", form);
        var (status, packed) = await AddAsync("idx", NpzFiles.Zip(files));

        Assert.True(sent.StatusCode == HttpStatusCode.Created, await sent.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            (10, 28, 30, 20),
            (Int(packed, "classes"), Int(packed, "height"), Int(packed, "trainImages"), Int(packed, "testImages"))
        );
    }

    /// <summary>The images of an npz, as files in the order in which their paths sort, are the same content.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Post_AZipOfPngFiles_IsTheSetThatItsPixelsAreAsNpz(int channels)
    {
        var pixels = new byte[6 * 9 * 5 * channels];
        new Random(1).NextBytes(pixels);
        byte[] Images(int first, int count) => pixels[(first * 45 * channels)..((first + count) * 45 * channels)];
        byte[] Npy(int first, int count) =>
            NpzFiles.Npy("|u1", channels == 1 ? $"({count}, 9, 5)" : $"({count}, 9, 5, 3)", Images(first, count));
        byte[] File(int image) => PngFile.Of(channels == 1 ? PngFile.Grey : PngFile.Colour, [.. Images(image, 1).Chunk(5 * channels)]);

        var (status, set) = await AddAsync(
            "drawn",
            NpzFiles.Pack(
                ("images", Npy(0, 4)),
                ("labels", NpzFiles.Labels([0, 0, 1, 1])),
                ("test_images", Npy(4, 2)),
                ("test_labels", NpzFiles.Labels([0, 1])),
                ("class_names", NpzFiles.Texts("cat", "dog"))
            )
        );
        var (again, same) = await AddAsync(
            "drawn",
            NpzFiles.Zip(
                ("train/dog/2.png", File(3)),
                ("train/dog/1.png", File(2)),
                ("train/cat/", []),
                ("train/cat/1.png", File(0)),
                ("train/cat/2.PNG", File(1)),
                ("test/cat/1.png", File(4)),
                ("test/dog/1.png", File(5)),
                ("__MACOSX/train/dog/._1.png", [1])
            )
        );

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK), (status, again));
        Assert.True(JsonNode.DeepEquals(set, same), same.ToJsonString());
    }

    [Fact]
    public async Task Post_AZipOfJpegFiles_IsTheSetOfTheirPixels()
    {
        var (status, set) = await AddAsync(
            "flat",
            NpzFiles.Pack(
                ("images", NpzFiles.Npy("|u1", "(4, 28, 28)", [.. Enumerable.Repeat((byte)200, 4 * 784)])),
                ("labels", NpzFiles.Labels([0, 0, 1, 1])),
                ("class_names", NpzFiles.Texts("cat", "dog"))
            )
        );
        var (again, same) = await AddAsync(
            "flat",
            NpzFiles.Zip(
                ("cat/1.jpg", JpegFile.Of()),
                ("cat/2.JPEG", JpegFile.OfScans(3)),
                ("dog/1.jpg", JpegFile.OfScans(32)),
                ("dog/2.png", PngFile.Of(PngFile.Grey, [.. Enumerable.Repeat(Enumerable.Repeat((byte)200, 28).ToArray(), 28)]))
            )
        );

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK), (status, again));
        Assert.True(JsonNode.DeepEquals(set, same), same.ToJsonString());
    }

    [Fact]
    public async Task Post_SeveralWrongParts_NamesEach()
    {
        await AssertNamedAsync(
            NpzFiles.Pack(
                ("images", NpzFiles.Npy("<f4", "(2, 8, 8)", new byte[512])),
                ("labels", NpzFiles.Labels([0, -1])),
                ("validation_images", NpzFiles.Npy("|u1", "(2, 8, 300)", new byte[4800])),
                ("validation_labels", NpzFiles.Npy("|O", "(2,)", [1])),
                ("test_labels", NpzFiles.Labels([0, 1])),
                ("class_names", NpzFiles.Labels([0, 1])),
                ("pixels", NpzFiles.Labels([0]))
            ),
            ("images", "float32"),
            ("labels", "image 1 has -1"),
            ("validation_images", "(2, 8, 300)"),
            ("validation_labels", "Python objects"),
            ("test_images", "is missing"),
            ("class_names", "array of texts"),
            ("pixels", "is no array")
        );
        await AssertNamedAsync(
            NpzFiles.Zip(
                ("cat/1.png", [1, 2, 3]),
                ("cat/2.png", JpegFile.Of()),
                (
                    "dog/1.png",
                    PngFile.Of(
                        PngFile.Grey,
                        [
                            [0],
                        ]
                    )
                )
            ),
            ("cat/1.png", "is neither PNG nor JPEG"),
            ("dog/1.png", "it has 1×1")
        );
        await AssertNamedAsync(
            NpzFiles.Zip(("cat/1.png", new byte[(1 << 20) + 1]), ("cat/2.gif", [1]), ("dog/../1.png", [1])),
            ("cat/1.png", "must have at most 1048576 bytes; it has 1048577"),
            ("cat/2.gif", "must be a PNG or JPEG file: .png, .jpg, .jpeg"),
            ("dog/../1.png", "a path of plain names")
        );
        await AssertNamedAsync(
            NpzFiles.Zip([.. Enumerable.Range(10, 30).Select(i => ($"cat/{i}.gif", new byte[1]))]),
            [.. Enumerable.Range(10, 20).Select(i => ($"cat/{i}.gif", "must be a PNG or JPEG file"))]
        );
        var longest = new string('a', 65);
        await AssertNamedAsync(
            NpzFiles.Zip(($"{longest}/1.png", [1]), ("cat/1.png", [1])),
            ($"{longest[..60]}…", "must have 1 to 64 characters")
        );
        await AssertNamedAsync(
            NpzFiles.Zip(("train/cat/1.png", [1]), ("test/cat/1.png", [1])),
            ("body", "must have 2 to 1000 folders of classes; it has 1, cat")
        );
        await AssertNamedAsync(
            NpzFiles.Zip(("cat/1.jpg", JpegFile.Of()), ("cat/2.jpg", JpegFile.Of()), ("dog/1.jpg", JpegFile.Of())),
            ("body", "class dog has 1")
        );
        await AssertNamedAsync(
            NpzFiles.Zip(("train/cat/1.jpg", JpegFile.Of()), ("test/dog/1.jpg", JpegFile.Of())),
            ("train", "class dog has none")
        );
        await AssertNamedAsync(
            NpzFiles.Zip(("train-images-idx3-ubyte", [0, 0, 8, 2]), ("train-labels-idx1-ubyte", [0, 0, 8, 1, 0])),
            ("train-images-idx3-ubyte", "is no IDX file"),
            ("train-labels-idx1-ubyte", "is truncated")
        );

        async Task AssertNamedAsync(byte[] file, params (string Part, string Sentence)[] expected)
        {
            var (status, problem) = await AddAsync("wrong", file);
            Assert.Equal(HttpStatusCode.BadRequest, status);
            var errors = problem["errors"]!.AsObject();
            Assert.Equal(expected.Select(one => one.Part).Order(), errors.Select(error => error.Key).Order());
            Assert.All(expected, one => Assert.Contains(one.Sentence, errors[one.Part]![0]!.GetValue<string>()));
        }
    }

    /// <summary>Fewer are read at once, and a wrong one must not keep its turn.</summary>
    [Fact]
    public async Task Post_SeveralAtOnce_AreAllAnswered()
    {
        for (var round = 0; round < 3; round++)
        {
            var answers = await Task.WhenAll(
                Enumerable
                    .Range(0, 4)
                    .Select(i =>
                        AddAsync($"set-{i}", i % 2 == 0 ? NpzFiles.Pack(NpzFiles.Part("", 10, 8, 8, 1, 2, round)) : NpzFiles.Zip())
                    )
            );
            Assert.Equal(
                [HttpStatusCode.Created, HttpStatusCode.BadRequest, HttpStatusCode.Created, HttpStatusCode.BadRequest],
                answers.Select(answer => answer.Status)
            );
        }
    }

    [Fact]
    public async Task List_OfSeveral_HasPagesFromTheNewestOn()
    {
        foreach (var seed in new[] { 1, 2, 3 })
            await AddAsync("birds", NpzFiles.Pack(NpzFiles.Part("", 10, 8, 8, 1, 2, seed)));

        var first = await Api.GetAsync("/datasets?limit=2");
        var second = await Api.GetAsync($"/datasets?limit=2&cursor={first["next"]}");

        Assert.Equal(["cifar100", "birds@3", "birds@2"], first["items"]!.AsArray().Select(set => Name(set!)).TakeLast(3));
        Assert.Equal(["birds@1"], second["items"]!.AsArray().Select(set => Name(set!)));
        Assert.Null(second["next"]);
        var (response, problem) = await SendAsync(HttpMethod.Get, "/datasets?limit=0&cursor=x");
        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Equal(["limit", "cursor"], problem!["errors"]!.AsObject().Select(error => error.Key));
    }

    /// <summary>The newest version has images of another size, on which the first spec would be wrong.</summary>
    [Theory]
    [InlineData("/jobs", """{"dataset":"birds","epsilon":0.1,"epochs":1,"model":"lenet5"}""")]
    [InlineData("/studies", """{"job":{"dataset":"birds","epochs":1,"model":"lenet5"},"epsilons":[0,0.1],"seeds":1}""")]
    public async Task Submit_AgainAfterANewerVersion_IsTheSameSubmission(string path, string spec)
    {
        await AddAsync("birds", NpzFiles.Pack(NpzFiles.Part("", 10, 16, 16, 1, 2)));
        var (first, submitted) = await SubmitAsync(spec);
        await AddAsync("birds", NpzFiles.Pack(NpzFiles.Part("", 10, 8, 8, 1, 2)));

        var (second, again) = await SubmitAsync(spec);
        var (named, _) = await SubmitAsync(spec.Replace("birds", "birds@1"));
        var (other, problem) = await SubmitAsync(spec.Replace("birds", "birds@2").Replace("lenet5", "cnn"));

        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.Accepted), (first, second));
        Assert.Equal($"{submitted["id"]}", $"{again["id"]}");
        Assert.Equal(HttpStatusCode.Accepted, named);
        Assert.True(other == HttpStatusCode.UnprocessableEntity, problem.ToJsonString());

        async Task<(HttpStatusCode Status, JsonNode Body)> SubmitAsync(string json)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, path)
            {
                Content = new StringContent(json, System.Text.Encoding.UTF8, "application/json"),
            };
            request.Headers.Add("Idempotency-Key", "again");
            var response = await Http.SendAsync(request);
            return (response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>())!);
        }
    }

    private static string Name(JsonNode set) => set["name"]!.GetValue<string>();

    private static int Int(JsonNode set, string field) => set[field]!.GetValue<int>();
}

/// <summary>Deletes every data set before each test.</summary>
public abstract class OwnDatasetsTest(ApiFixture fixture) : ApiTest(fixture), IAsyncLifetime
{
    public async Task InitializeAsync() =>
        await Database.ExecuteAsync("TRUNCATE studies, arms, jobs, datasets, dataset_names, dataset_contents, dataset_chunks CASCADE");

    public Task DisposeAsync() => Task.CompletedTask;

    protected async Task<(HttpStatusCode Status, JsonNode Body)> AddAsync(string name, byte[] file)
    {
        var content = new ByteArrayContent(file);
        content.Headers.ContentType = new("application/octet-stream");
        var response = await Http.PostAsync($"/datasets?name={name}", content);
        return (response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>())!);
    }
}
