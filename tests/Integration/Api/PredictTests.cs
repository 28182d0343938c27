using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Temper.Domain.Jobs;

namespace Temper.Integration.Api;

public class PredictTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private const int Side = 28;

    /// <summary>28×28 grey pixels of 77.</summary>
    private const string FlatJpeg =
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGB"
        + "YUGBIUFRT/wAALCAAcABwBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAj/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAA/AJ3AAAAAf//Z";

    private static readonly JobResult Result = new(0.9, 0.3, 0.05, -0.09, 3, "cpu", 2, "libtorch", "00", []);

    private static readonly SplitScores Figures = new(0.9, 0.3, 0.1, 0.05, 0.05, 0.02, 0.3, 0.05);

    [Fact]
    public async Task Predict_InEachFormat_GivesTheSameCalibratedProbabilities()
    {
        var id = await FinishAsync(ModelFile.Mlp(1, Side));
        var images = new[] { Image(1), Image(2) };

        var answer = await PredictAsync(id, Json(images));

        Assert.Equal(($"{id}", 2.5), (answer["job"]!.GetValue<string>(), answer["temperature"]!.GetValue<double>()));
        Assert.Equal(Enumerable.Range(0, 10).Select(k => $"{k}"), answer["classNames"]!.AsArray().Select(name => name!.GetValue<string>()));
        var items = answer["items"]!.AsArray();
        Assert.Equal(2, items.Count);
        Assert.NotEqual(items[0]!.ToJsonString(), items[1]!.ToJsonString());
        foreach (var item in items)
        {
            var probabilities = item!["probabilities"]!.AsArray().Select(p => p!.GetValue<double>()).ToArray();
            var label = item["label"]!.GetValue<int>();
            Assert.Equal(1, probabilities.Sum(), 1e-5);
            Assert.Equal((probabilities.Max(), $"{label}"), (probabilities[label], item["className"]!.GetValue<string>()));
            Assert.Equal(probabilities[label], item["confidence"]!.GetValue<double>());
        }
        var form = new MultipartFormDataContent();
        form.Add(new ByteArrayContent(PngFile.Of(PngFile.Grey, images[0])), "files", "a.png");
        form.Add(new ByteArrayContent(PngFile.Of(PngFile.Colour, [.. images[1].Select(ThreeTimes)])), "files", "b.png");
        foreach (
            var body in new HttpContent[]
            {
                Npz([.. images.SelectMany(rows => rows).SelectMany(row => row)], $"(2, {Side}, {Side})"),
                form,
                JsonOf(images.Select(rows => rows.Select(row => row.Select(pixel => new int[] { pixel, pixel, pixel })))),
            }
        )
            Assert.Equal(items.ToJsonString(), (await PredictAsync(id, body))["items"]!.ToJsonString());
        var first = await PredictAsync(id, Body(PngFile.Of(PngFile.Grey, images[0]), "image/png"));
        Assert.Equal(items[0]!.ToJsonString(), Assert.Single(first["items"]!.AsArray())!.ToJsonString());
        var flat = await PredictAsync(
            id,
            Json([
                [.. Enumerable.Repeat(Enumerable.Repeat((byte)77, Side).ToArray(), Side)],
            ])
        );
        Assert.Equal(
            flat["items"]!.ToJsonString(),
            (await PredictAsync(id, Body(Convert.FromBase64String(FlatJpeg), "image/jpeg")))["items"]!.ToJsonString()
        );
    }

    [Fact]
    public async Task Predict_WholeNumbersInAnyNotationAndAByteOrderMark_AreRead()
    {
        var id = await FinishAsync(ModelFile.Mlp(1, Side));
        var expected = await PredictAsync(id, JsonText(Text(Replaced(0, "30"))));

        foreach (var number in new[] { "30.0", "0.3e2", "300e-1" })
            Assert.Equal(expected.ToJsonString(), (await PredictAsync(id, JsonText(Text(Replaced(0, number))))).ToJsonString());
        Assert.Equal(expected.ToJsonString(), (await PredictAsync(id, JsonText("\uFEFF" + Text(Replaced(0, "30"))))).ToJsonString());

        static StringContent JsonText(string json) => new(json, Encoding.UTF8, "application/json");
    }

    [Fact]
    public async Task Predict_ManyAtOnceOnAModelThatIsNotLoaded_LoadItOnce()
    {
        var id = await FinishAsync(ModelFile.Cnn());

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => PredictAsync(id, Json([Image(3)]))));

        Assert.Single(answers.Select(answer => answer.ToJsonString()).Distinct());
        Assert.Single(Api.Output.Split('\n'), line => line.Contains($"Loaded the model of job {id}"));
    }

    [Fact]
    public async Task Predict_AThousandImagesInColour_AnswersEach()
    {
        var id = await FinishAsync(ModelFile.ResNet20());
        var pixels = new byte[1000 * 32 * 32 * 3];
        new Random(1).NextBytes(pixels);

        var all = await PredictAsync(id, Npz(pixels, "(1000, 32, 32, 3)"));

        // Images do not influence each other, wherever the batch is divided.
        var last = await PredictAsync(id, Npz(pixels[^(32 * 32 * 3)..], "(1, 32, 32, 3)"));
        Assert.Equal(1000, all["items"]!.AsArray().Count);
        Assert.Equal(last["items"]![0]!["confidence"]!.GetValue<double>(), all["items"]![999]!["confidence"]!.GetValue<double>(), 1e-5);
    }

    public static TheoryData<string, string, string> WrongBodies =>
        new()
        {
            { "{}", "images", "is required" },
            { "[]", "body", "must be an object" },
            { """{"images":[]}""", "images", "must be at least one" },
            { """{"images":3}""", "images", "must be an array" },
            { """{"image":[]}""", "image", "is not a field here" },
            { """{"images":[],"more":1}""", "more", "is not a field here" },
            { """{"images":[[[1]]]}""", "images[0]", "28 rows of 28" },
            { """{"images":[[[[[[[1]]]]]]]}""", "images[0]", "it has something else" },
            { """{"images":[[""", "body", "is not valid JSON" },
            { Text(Replaced(0, "0.5")), "images[0]", "whole numbers from 0 to 255; it has 0.5" },
            { Text(Replaced(0, "256")), "images[0]", "it has 256" },
            { Text(Replaced(0, "25.6e1")), "images[0]", "it has 25.6e1" },
            { Text(Replaced(0, "-1")), "images[0]", "it has -1" },
            { Text(Replaced(0, "null")), "images[0]", "it has something else" },
            { Text(Replaced(5, "[1,2,3,4]")), "images[0]", "has 4 numbers" },
            { Text(Replaced(0, "[1,2,3]")), "images[0]", "has 1 numbers" },
            { Text(Replaced(27, "1,2")), "images[0]", "row 0 has more" },
        };

    [Theory, MemberData(nameof(WrongBodies))]
    public async Task Predict_AWrongBody_NamesThePartAndWhatItMustBe(string json, string part, string sentence) =>
        await AssertRefusedAsync(new StringContent(json, Encoding.UTF8, "application/json"), part, sentence);

    [Fact]
    public async Task Predict_FilesThatAreNotTheModelsImages_AreRefusedInLittleMemory()
    {
        var id = await FinishAsync(ModelFile.Mlp(1, Side));
        var grey = Image(1);
        await PredictAsync(id, Json([grey]));
        var before = PeakMemory.Reset(Api.Id);
        foreach (
            var (file, sentence) in new[]
            {
                (PngFile.Of(PngFile.Grey, grey, claimedSide: 60_000), "has 60000×60000 pixels; at most 256×256"),
                (PngFile.Of(PngFile.Grey, grey)[..^30], "is damaged or cut off"),
                (PngFile.Of(PngFile.Grey, [.. grey.Select(ThreeTimes).Select(row => row[..(2 * Side)])], depth: 16), "16 bits per channel"),
                (PngFile.Of(PngFile.Grey, [.. grey.Concat(grey)]), "must have 28×28 pixels in grey; it has 56×28"),
                (PngFile.Of(PngFile.Colour, [.. Image(4).Select(row => row.Concat(row).Concat(row).ToArray())]), "is in colour"),
                (
                    PngFile.Of(PngFile.Transparent, [.. grey.Select(row => row.SelectMany(p => new[] { p, p, p, p }).ToArray())]),
                    "transparent"
                ),
                (new byte[2 << 20], "has 2097152 bytes"),
                (Encoding.ASCII.GetBytes("GIF89a and more of it"), "is neither PNG nor JPEG"),
            }
        )
        {
            var form = new MultipartFormDataContent();
            form.Add(new ByteArrayContent(PngFile.Of(PngFile.Grey, grey)), "files", "right.png");
            form.Add(new ByteArrayContent(file), "files", "wrong.png");
            await AssertRefusedAsync(form, "images[1]", sentence, id);
        }
        Assert.InRange(PeakMemory.Of(Api.Id) - before, 0, 100 << 20);
    }

    [Theory]
    [InlineData("(2, 14, 28)", "images", "must have 28×28 pixels in grey; they have 14×28")]
    [InlineData("(1, 28, 28, 1, 1)", "images", "must be N×H×W")]
    [InlineData("(784,)", "images", "must be N×H×W")]
    [InlineData("(0, 28, 28)", "images", "must have the numbers of its shape")]
    public async Task Predict_AnNpzOfAnotherShape_IsRefused(string shape, string part, string sentence) =>
        await AssertRefusedAsync(Npz(new byte[Side * Side], shape), part, sentence);

    [Fact]
    public async Task Predict_WhatCannotBeAnswered_SaysWhy()
    {
        var (id, queued) = (await FinishAsync(ModelFile.Mlp(1, Side)), await Api.SubmitAsync(Spec));
        await AssertRefusedAsync(Json([.. Enumerable.Range(0, 1001).Select(_ => Image(1))]), "images", "at most 1000", id);
        foreach (
            var (job, body, status) in new[]
            {
                (queued, Json([Image(1)]), HttpStatusCode.Conflict),
                (Guid.NewGuid(), Json([Image(1)]), HttpStatusCode.NotFound),
                (id, Body([1], "image/gif"), HttpStatusCode.UnsupportedMediaType),
                (id, Body(new byte[25 << 20], "image/png"), HttpStatusCode.RequestEntityTooLarge),
            }
        )
        {
            var response = await Http.PostAsync($"/jobs/{job}/predict", body);
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync());
            AssertProblem(status, response, problem);
            if (status == HttpStatusCode.UnsupportedMediaType)
                Assert.Equal(
                    "must be one of application/json, application/octet-stream, image/png, image/jpeg, multipart/form-data",
                    problem!["errors"]!["content-type"]![0]!.GetValue<string>()
                );
        }
    }

    public static TheoryData<string, string> DamagedWeights =>
        new()
        {
            { "nothing", "it is cut off" },
            { "a half", "it does not have all of " },
            { "no header", "it has no header, or is cut off" },
            { "other JSON", "its header cannot be read: " },
            { "no input", "its header cannot be read: Its input is M×1×28×28 " },
            { "another name", "it lacks hidden.0.bias" },
        };

    [Theory, MemberData(nameof(DamagedWeights))]
    public async Task Predict_AndOnnxOfADamagedModel_SayWhatIsWrongAndHowToGetItAgain(string damage, string fault)
    {
        var whole = ModelFile.Mlp(1, Side);
        var id = await FinishAsync(
            damage switch
            {
                "nothing" => [],
                "a half" => whole[..(whole.Length / 2)],
                "no header" => [.. Enumerable.Repeat((byte)0xFF, 100)],
                "other JSON" => [2, 0, 0, 0, 0, 0, 0, 0, .. "[]"u8],
                "no input" => Replaced(whole, "N×1×28", "M×1×28"),
                _ => Replaced(whole, "hidden.0.bias", "hidden.0.bios"),
            }
        );

        await AssertDamagedAsync(await Http.PostAsync($"/jobs/{id}/predict", Json([Image(1)])), fault);
        await AssertDamagedAsync(await Http.GetAsync($"/jobs/{id}/model?format=onnx"), fault);
    }

    [Fact]
    public async Task Predict_AModelWhoseWeightsDoNotFit_SaysThatItIsDamaged()
    {
        var id = await FinishAsync(Replaced(ModelFile.Mlp(1, Side), "[10,16]", "[16,10]"));

        await AssertDamagedAsync(await Http.PostAsync($"/jobs/{id}/predict", Json([Image(1)])), "ONNX Runtime cannot load it: ");
    }

    private static byte[] Replaced(byte[] file, string text, string by)
    {
        var at = file.AsSpan().IndexOf(Encoding.UTF8.GetBytes(JsonEncodedText.Encode(text).ToString()));
        Assert.True(at > 0);
        var changed = file.ToArray();
        Encoding.UTF8.GetBytes(JsonEncodedText.Encode(by).ToString()).CopyTo(changed, at);
        return changed;
    }

    private static async Task AssertDamagedAsync(HttpResponseMessage response, string fault)
    {
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync());
        AssertProblem(HttpStatusCode.InternalServerError, response, problem);
        Assert.Equal("The stored model is damaged.", problem!["title"]!.GetValue<string>());
        Assert.StartsWith($"The weights cannot be read: {fault}", problem["detail"]!.GetValue<string>());
        Assert.EndsWith("POST /jobs/{id}/reproduce trains the model again.", problem["detail"]!.GetValue<string>());
    }

    private async Task AssertRefusedAsync(HttpContent body, string part, string sentence, Guid? job = null)
    {
        var response = await Http.PostAsync($"/jobs/{job ?? await FinishAsync(ModelFile.Mlp(1, Side))}/predict", body);
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync());
        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Contains(sentence, problem!["errors"]![part]?[0]!.GetValue<string>() ?? problem.ToJsonString());
    }

    private async Task<JsonNode> PredictAsync(Guid job, HttpContent body)
    {
        var response = await Http.PostAsync($"/jobs/{job}/predict", body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        return JsonNode.Parse(text)!;
    }

    /// <summary>A succeeded job with these weights and T = 2.5.</summary>
    private async Task<Guid> FinishAsync(byte[] weights)
    {
        var id = await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        Assert.Equal(id, job.Id);
        await Queue.ReportAsync(job, [Metrics], null, default);
        Assert.True(await Queue.SucceedAsync(job, Result, new(weights, null, new(2.5, Figures, Figures)), default));
        return id;
    }

    private static byte[][] Image(int seed)
    {
        var pixels = new byte[Side * Side];
        new Random(seed).NextBytes(pixels);
        return [.. pixels.Chunk(Side)];
    }

    private static byte[] ThreeTimes(byte[] row) => [.. row.SelectMany(pixel => new[] { pixel, pixel, pixel })];

    private static StringContent Json(IEnumerable<IEnumerable<byte[]>> images) =>
        JsonOf(images.Select(rows => rows.Select(row => row.Select(pixel => (int)pixel))));

    private static StringContent JsonOf(object images) => new(JsonSerializer.Serialize(new { images }), Encoding.UTF8, "application/json");

    private static string[] Replaced(int column, string pixel)
    {
        var row = Enumerable.Repeat("0", Side).ToArray();
        row[column] = pixel;
        return row;
    }

    /// <summary>An image whose first row is this one.</summary>
    private static string Text(string[] row)
    {
        var black = $",[{string.Join(',', new int[Side])}]";
        return $$"""{"images":[[[{{string.Join(',', row)}}]{{string.Concat(Enumerable.Repeat(black, Side - 1))}}]]}""";
    }

    private static ByteArrayContent Npz(byte[] pixels, string shape)
    {
        var header = $"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".PadRight(117) + "\n";
        var file = new MemoryStream();
        using (var zip = new ZipArchive(file, ZipArchiveMode.Create, leaveOpen: true))
        using (var npy = zip.CreateEntry("images.npy").Open())
            npy.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header), .. pixels]);
        return Body(file.ToArray(), "application/octet-stream");
    }

    private static ByteArrayContent Body(byte[] bytes, string type)
    {
        var body = new ByteArrayContent(bytes);
        body.Headers.ContentType = new MediaTypeHeaderValue(type);
        return body;
    }
}
