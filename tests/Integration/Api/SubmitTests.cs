using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;

namespace Temper.Integration.Api;

public class SubmitTests(ApiFixture fixture) : ApiTest(fixture)
{
    [Fact]
    public async Task Post_OnlyTheRequiredFields_AnswersTheWholeSpecAndWhereToFindTheJob()
    {
        var (response, job) = await SendAsync(HttpMethod.Post, "/jobs", """{"dataset":"mnist","epsilon":0.1,"epochs":3}""");

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal($"/jobs/{job!["id"]}", response.Headers.Location!.OriginalString);
        Assert.Equal("queued", job["state"]!.GetValue<string>());
        Assert.False(job["isTerminal"]!.GetValue<bool>());
        var expected = JsonNode.Parse(
            """
            {"dataset":"mnist","epsilon":0.1,"recipe":null,"epochs":3,"smoothing":"uniform","loss":"crossEntropy","gamma":null,
             "gammaSchedule":"constant","beta":null,"margin":null,"weight":null,"mixup":0,"model":"cnn",
             "width":null,"widths":null,"dropout":0,"initialization":"standard","batchSize":128,"optimizer":"adam","learningRate":0.001,
             "weightDecay":0,"schedule":"constant","warmupEpochs":0,"gradientClip":null,"augmentation":"none","seed":0,
             "validationFraction":0.1,"keep":"last","labelNoise":0,"corruptions":false,"device":"auto","priority":0,"maxAttempts":3,
             "timeoutSeconds":null,"name":null,"notify":null,"tags":[],"data":null}
            """
        );
        Assert.True(JsonNode.DeepEquals(expected, job["spec"]), job["spec"]!.ToJsonString());
        Assert.Equal(0.09, job["targets"]!["epsilonOthers"]!.GetValue<double>(), 1e-15);
        Assert.Equal(0.5002880350577578, job["targets"]!["entropy"]!.GetValue<double>(), 1e-12);

        var (_, found) = await SendAsync(HttpMethod.Get, response.Headers.Location.OriginalString);
        job["advice"] = null; // only the submission's answer has advice
        Assert.True(JsonNode.DeepEquals(job, found), found!.ToJsonString());
    }

    [Theory]
    [InlineData("digits", "cropFlip", true)]
    [InlineData("kmnist", "cropFlip", true)]
    [InlineData("cifar10", "cropFlip", false)]
    [InlineData("digits", "shift", false)]
    public async Task Post_AMirrorForCharacters_IsWarnedOf(string dataset, string augmentation, bool warned)
    {
        var (response, answer) = await SendAsync(
            HttpMethod.Post,
            "/jobs?validateOnly=true",
            $$"""{"dataset":"{{dataset}}","epsilon":0.1,"epochs":3,"augmentation":"{{augmentation}}"}"""
        );

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(warned, answer!["advice"]!["warnings"]!.AsArray().Any(warning => warning!.GetValue<string>().Contains("mirror")));
    }

    [Fact]
    public async Task Post_AnotherLoss_IsAdvisedByJobsOfThatLossAndNeedsTheRevisionThatHasIt()
    {
        const string focal = """{"dataset":"digits","epsilon":0,"epochs":1,"loss":"focal","gamma":2}""";
        var result = new JobResult(0.99, 0.04, 0.01, -0.005, 1, "cpu", 2, "libtorch", "aa", [], "dd", "bb");
        foreach (var earlier in new[] { focal, """{"dataset":"digits","epsilon":0,"epochs":1}""" })
        {
            var (_, submitted) = await SendAsync(HttpMethod.Post, "/jobs", earlier);
            Assert.Equal(earlier == focal ? 2 : 1, submitted!["specRevision"]!.GetValue<int>());
            Assert.True(await Queue.SucceedAsync(await ClaimAsync(), result, new([1, 2, 3], null), default));
        }

        var (response, answer) = await SendAsync(HttpMethod.Post, "/jobs?validateOnly=true", focal);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(1, answer!["advice"]!["earlierJobs"]!.GetValue<int>());
        var accuracy = answer["advice"]!["accuracy"]!.GetValue<double>();
        Assert.InRange(answer["advice"]!["expectedSignedGap"]!.GetValue<double>(), -accuracy, -1e-6);
        Assert.Equal(1, answer["targets"]!["trueClass"]!.GetValue<double>());
    }

    [Theory]
    [InlineData("he2016-resnet20", "resnet20", 0.1, 182)]
    [InlineData("muller2019-resnet56", "resnet56", 0.3, 205)]
    [InlineData("muller2019-mlp", "mlp", 0.03, 100)]
    [InlineData("pereyra2017-mlp", "mlp", 0.05, 100)]
    [InlineData("guo2017-lenet5", "lenet5", 0.01, 100)]
    public async Task Post_ARecipe_FillsTheAbsentFieldsAndNoOthers(string recipe, string model, double rate, int epochs)
    {
        var spec = await SpecAsync($$"""{"dataset":"mnist","epsilon":0.1,"recipe":"{{recipe}}","seed":3}""");
        var changed = await SpecAsync($$"""{"dataset":"mnist","epsilon":0.1,"recipe":"{{recipe}}","seed":3,"epochs":2}""");

        Assert.Equal(
            (recipe, model, "sgd", rate, epochs, 3),
            (
                $"{spec["recipe"]}",
                $"{spec["model"]}",
                $"{spec["optimizer"]}",
                spec["learningRate"]!.GetValue<double>(),
                Epochs(spec),
                Seed(spec)
            )
        );
        Assert.Equal(2, Epochs(changed));
        changed["epochs"] = epochs;
        Assert.True(JsonNode.DeepEquals(spec, changed));

        static int Epochs(JsonNode spec) => spec["epochs"]!.GetValue<int>();
        static int Seed(JsonNode spec) => spec["seed"]!.GetValue<int>();
        async Task<JsonNode> SpecAsync(string body) => (await SendAsync(HttpMethod.Post, "/jobs?validateOnly=true", body)).Body!["spec"]!;
    }

    [Theory]
    [InlineData("""{"loss":"focal"}""", "epsilon: must be 0 with a loss other than crossEntropy and maxSuppression")]
    [InlineData("""{"loss":"hinge","beta":"much"}""", "loss: must be one of crossEntropy, focal,", "beta: must be null, or with loss")]
    [InlineData(
        """{"gamma":2,"mixup":3}""",
        "gamma: must be null, or with loss focal and gammaSchedule constant",
        "mixup: must be 0, or a number"
    )]
    public async Task Post_WrongSettingsOfALoss_NamesEachWithWhatIsAllowed(string fields, params string[] errors)
    {
        var spec = JsonNode.Parse("""{"dataset":"digits","epsilon":0.1,"epochs":1}""")!.AsObject();
        foreach (var (field, value) in JsonNode.Parse(fields)!.AsObject())
            spec[field] = value?.DeepClone();

        var (response, problem) = await SendAsync(HttpMethod.Post, "/jobs", spec.ToJsonString());

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        foreach (var error in errors)
            Assert.Contains(
                problem!["errors"]!.AsObject(),
                field => field.Value!.AsArray().Any(message => $"{field.Key}: {message}".StartsWith(error, StringComparison.Ordinal))
            );
    }

    [Fact]
    public async Task Post_DigitsWithParameters_KeepsTheirOneName()
    {
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits:images=500,classes=37,noise=0.25",
                epsilon = 0.96,
                smoothing = "others",
                epochs = 1,
            }
        );

        const string name = "digits:classes=37,images=500";
        Assert.Equal(name, (await Api.GetAsync($"/jobs/{id}"))["spec"]!["dataset"]!.GetValue<string>());
        Assert.Single((await Api.GetAsync("/jobs?dataset=digits:images=500,classes=37"))["items"]!.AsArray());
        var set = await Api.GetAsync($"/datasets/{name}");
        Assert.Equal((name, 37, 500), ($"{set["name"]}", set["classes"]!.GetValue<int>(), set["trainImages"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Post_EveryField_ComesBackAsItWasSent()
    {
        const string spec = """
            {"dataset":"kmnist","epsilon":0.25,"recipe":"he2016-resnet20","epochs":7,"smoothing":"others",
             "loss":"crossEntropy","gamma":null,
             "gammaSchedule":"constant","beta":null,"margin":null,"weight":null,"mixup":0.3,"model":"resnet56",
             "width":32,"widths":null,"dropout":0,"initialization":"standard","batchSize":64,"optimizer":"sgd","learningRate":0.05,
             "weightDecay":0.0001,"schedule":"step","warmupEpochs":2,"gradientClip":1.5,"augmentation":"cropFlip","seed":9007199254740991,
             "validationFraction":0.2,"keep":"nllAfterTemperature","labelNoise":0.4,"corruptions":true,"device":"cpu","priority":-3,
             "maxAttempts":5,"timeoutSeconds":60,"name":"Größe \" <b>","notify":null,"tags":["a","b c"],"data":null}
            """;

        var (response, job) = await SendAsync(HttpMethod.Post, "/jobs", spec);

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(spec), job!["spec"]), job["spec"]!.ToJsonString());
    }

    public static TheoryData<string, string, string> WrongSpecs =>
        new()
        {
            // the error, the field that the answer must name, the body
            { "no fields", "dataset", "{}" },
            { "dataset missing", "dataset", """{"epsilon":0.1,"epochs":3}""" },
            { "epsilon missing", "epsilon", """{"dataset":"mnist","epochs":3}""" },
            { "epochs missing", "epochs", """{"dataset":"mnist","epsilon":0.1}""" },
            { "unknown data set", "dataset", """{"dataset":"imagenet","epsilon":0.1,"epochs":3}""" },
            { "a path for a data set", "dataset", """{"dataset":"../../etc/passwd","epsilon":0.1,"epochs":3}""" },
            { "data set is a number", "dataset", """{"dataset":5,"epsilon":0.1,"epochs":3}""" },
            { "data set is null", "dataset", """{"dataset":null,"epsilon":0.1,"epochs":3}""" },
            { "negative epsilon", "epsilon", """{"dataset":"mnist","epsilon":-0.1,"epochs":3}""" },
            { "epsilon above 1", "epsilon", """{"dataset":"mnist","epsilon":1.5,"epochs":3}""" },
            { "epsilon above (K−1)/K for others", "epsilon", """{"dataset":"mnist","epsilon":0.95,"epochs":3,"smoothing":"others"}""" },
            { "epsilon is a text", "epsilon", """{"dataset":"mnist","epsilon":"0.1","epochs":3}""" },
            { "epsilon is the text NaN", "epsilon", """{"dataset":"mnist","epsilon":"NaN","epochs":3}""" },
            { "epsilon is NaN", "epsilon", """{"dataset":"mnist","epsilon":NaN,"epochs":3}""" },
            { "epsilon is null", "epsilon", """{"dataset":"mnist","epsilon":null,"epochs":3}""" },
            { "epsilon is huge", "epsilon", """{"dataset":"mnist","epsilon":1e999,"epochs":3}""" },
            { "epochs 0", "epochs", """{"dataset":"mnist","epsilon":0.1,"epochs":0}""" },
            { "epochs negative", "epochs", """{"dataset":"mnist","epsilon":0.1,"epochs":-3}""" },
            { "epochs not whole", "epochs", """{"dataset":"mnist","epsilon":0.1,"epochs":2.5}""" },
            { "epochs beyond int32", "epochs", """{"dataset":"mnist","epsilon":0.1,"epochs":99999999999999999999}""" },
            { "epochs beyond the limit", "epochs", """{"dataset":"mnist","epsilon":0.1,"epochs":10001}""" },
            { "epochs is true", "epochs", """{"dataset":"mnist","epsilon":0.1,"epochs":true}""" },
            { "unknown field", "epsilom", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"epsilom":0.2}""" },
            { "field in another case", "Seed", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"Seed":1}""" },
            { "field given twice", "epsilon", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"epsilon":0.2}""" },
            { "unknown convention", "smoothing", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"smoothing":"gaussian"}""" },
            { "convention by number", "smoothing", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"smoothing":1}""" },
            { "convention by number in a text", "smoothing", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"smoothing":"1"}""" },
            { "unknown model", "model", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"model":"vgg"}""" },
            {
                "layers whose weights fit no number",
                "widths",
                """{"dataset":"mnist","epsilon":0.1,"epochs":1,"model":"mlp","widths":[2147483647,2147483647,2147483647,2147483647]}"""
            },
            {
                "data of a published set",
                "data",
                """
                    {"dataset":"mnist","epsilon":0.1,"epochs":1,"data":{"sha256":"","classes":2147483647,"channels":2147483647,
                     "height":2147483647,"width":2147483647,"trainImages":1,"validationImages":0,"testImages":1}}
                    """
            },
            { "batch size 0", "batchSize", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"batchSize":0}""" },
            { "learning rate 0", "learningRate", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"learningRate":0}""" },
            { "seed negative", "seed", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"seed":-1}""" },
            { "seed beyond 2^53", "seed", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"seed":9007199254740992}""" },
            { "validation fraction 1", "validationFraction", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"validationFraction":1}""" },
            { "keep in other words", "keep", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"keep":"best"}""" },
            { "label noise above 1", "labelNoise", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"labelNoise":1.1}""" },
            { "unknown device", "device", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"device":"tpu"}""" },
            { "priority is an object", "priority", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"priority":{}}""" },
            { "name with a NUL", "name", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"name":"a\u0000b"}""" },
            { "name with half a surrogate pair", "name", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"name":"\ud800"}""" },
            { "tags is a text", "tags", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"tags":"a"}""" },
            { "a tag is null", "tags", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"tags":[null]}""" },
            { "two values for one", "optimizer", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"optimizer":"adam,sgd"}""" },
            { "a value in another case", "optimizer", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"optimizer":"ADAM"}""" },
            { "a value between spaces", "schedule", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"schedule":" cosine "}""" },
            { "a field named by half a surrogate pair", "body", """{"dataset":"mnist","epsilon":0.1,"epochs":3,"\ud800":1}""" },
            { "an array", "body", """[{"dataset":"mnist"}]""" },
            { "a text", "body", "\"mnist\"" },
            { "null", "body", "null" },
            { "nothing", "body", "" },
            { "cut short", "epochs", """{"dataset":"mnist","epsilon":0.1,"epochs":""" },
            { "a comma too many", "epochs", """{"dataset":"mnist","epsilon":0.1,"epochs":3,}""" },
            { "not JSON", "body", "dataset=mnist" },
            { "nested beyond all sense", "tags", """{"dataset":"mnist","tags":""" + new string('[', 5000) },
        };

    [Theory]
    [MemberData(nameof(WrongSpecs))]
    public async Task Post_AWrongSpec_NamesTheFieldAndStoresNothing(string what, string field, string body)
    {
        var before = await CountAsync();

        var (response, problem) = await SendAsync(HttpMethod.Post, "/jobs", body);

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.True(problem!["errors"]![field] is JsonArray { Count: > 0 }, $"{what}: {problem.ToJsonString()}");
        Assert.Equal(before, await CountAsync());
    }

    [Theory]
    [InlineData("{\"dataset\":\"?\",\"epsilon\":0.1,\"epochs\":3}")]
    [InlineData("{\"dataset\":\"mnist\",\"epsilon\":0.1,\"epochs\":3,\"?\":1}")]
    [InlineData("{\"dataset\":\"mnist\",\"epsilon\":0.1,\"epochs\":3,\"tags\":[\"?\"]}")]
    [InlineData("\"?\"")]
    public async Task Post_BytesThatAreNotUtf8_IsRefusedAndStoresNothing(string body)
    {
        var before = await CountAsync();
        var bytes = Encoding.UTF8.GetBytes(body);
        bytes[Array.IndexOf(bytes, (byte)'?')] = 0xFF;
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new("application/json");

        var response = await Http.PostAsync("/jobs", content);

        var problem = await response.Content.ReadFromJsonAsync<JsonNode>();
        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Equal("must be UTF-8", problem!["errors"]!["body"]![0]!.GetValue<string>());
        Assert.Equal(before, await CountAsync());
    }

    [Fact]
    public async Task Post_SeveralWrongFields_NamesAllOfThemWithWhatTheyMayHold()
    {
        var (_, problem) = await SendAsync(
            HttpMethod.Post,
            "/jobs",
            """{"dataset":"imagenet","epsilon":2,"epochs":"three","batchSize":0,"lr":1}"""
        );

        var errors = problem!["errors"]!.AsObject();
        Assert.Equal(["batchSize", "dataset", "epochs", "epsilon", "lr"], errors.Select(error => error.Key).Order());
        Assert.Equal(
            "must be one of digits, mnist, fashion-mnist, kmnist, cifar10, cifar100; "
                + "or an uploaded one, such as birds or birds@3; "
                + $"or {DrawnDigits.Allowed}; got \"imagenet\"",
            errors["dataset"]![0]!.GetValue<string>()
        );
        Assert.Equal("must be a number from 0 to 1; got 2", errors["epsilon"]![0]!.GetValue<string>());
        Assert.Equal("must be a whole number from 1 to 10000; got \"three\"", errors["epochs"]![0]!.GetValue<string>());
        Assert.Contains("its fields are dataset, epsilon, epochs", errors["lr"]![0]!.GetValue<string>());
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData(null)]
    public async Task Post_AnotherContentType_Is415(string? type)
    {
        var before = await CountAsync();
        var content = new ByteArrayContent("""{"dataset":"mnist","epsilon":0.1,"epochs":3}"""u8.ToArray());
        if (type is not null)
            content.Headers.ContentType = new(type);

        var response = await Http.PostAsync("/jobs", content);

        var problem = await response.Content.ReadFromJsonAsync<JsonNode>();
        AssertProblem(HttpStatusCode.UnsupportedMediaType, response, problem);
        Assert.Contains("application/json", problem!["errors"]!["content-type"]![0]!.GetValue<string>());
        Assert.Equal(before, await CountAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Post_TenMegabytes_Is413(bool chunked)
    {
        var before = await CountAsync();
        var name = new string('x', 10_000_000);
        var request = new HttpRequestMessage(HttpMethod.Post, "/jobs")
        {
            Content = new StringContent(
                $$"""{"dataset":"mnist","epsilon":0.1,"epochs":3,"name":"{{name}}"}""",
                Encoding.UTF8,
                "application/json"
            ),
        };
        request.Headers.TransferEncodingChunked = chunked;

        var response = await Http.SendAsync(request);

        var problem = await response.Content.ReadFromJsonAsync<JsonNode>();
        AssertProblem(HttpStatusCode.RequestEntityTooLarge, response, problem);
        Assert.Contains("65536", problem!["errors"]!["body"]![0]!.GetValue<string>());
        Assert.Equal(before, await CountAsync());
    }

    [Fact]
    public async Task Post_FiftyAtOnce_StoresFiftyJobs()
    {
        var before = await CountAsync();

        var ids = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Api.SubmitAsync(Spec)));

        Assert.Equal(50, ids.Distinct().Count());
        Assert.Equal(before + 50, await CountAsync());
    }

    private Task<long> CountAsync() => Database.ScalarAsync<long>("SELECT count(*) FROM jobs");

    /// <summary>Each wrong field has a sentence, so without a limit a small body would get an answer of megabytes.</summary>
    [Theory]
    [InlineData("/jobs")]
    [InlineData("/studies")]
    public async Task Post_ThousandsOfUnknownFields_NamesTwentyOfThem(string path)
    {
        var (response, problem) = await SendAsync(
            HttpMethod.Post,
            path,
            $"{{{string.Join(',', Enumerable.Range(0, 6000).Select(i => $"\"{i}\":1"))}}}"
        );

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Equal(
            ["has more than 20 fields that are unknown or given twice"],
            problem!["errors"]!["body"]!.AsArray().Select(one => $"{one}")
        );
        Assert.Equal(21, problem["errors"]!.AsObject().Count);
    }
}
