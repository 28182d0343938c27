using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Temper.Browser;

/// <summary>Small files that the API takes.</summary>
internal static class Samples
{
    public const int Side = 16;

    /// <summary>Classes of <see cref="Dataset"/>, by label.</summary>
    public static string[] Classes { get; } = ["kestrel", "kite", "merlin"];

    /// <summary>90 grey images of 3 classes, without a test part.</summary>
    public static byte[] Dataset() =>
        NpzFiles.Pack([.. NpzFiles.Part("", 90, Side, Side, 1, Classes.Length), ("class_names", NpzFiles.Texts(Classes))]);

    /// <summary>Outputs of an over-confident model for 400 images, without a validation part.</summary>
    public static byte[] Outputs()
    {
        var logits = SimulatedLogits.Draw(400, 2, 1);
        return NpzBytes.Of(("logits", logits.Logits, [logits.Count, logits.Classes]), ("labels", logits.Labels, [logits.Count]));
    }

    /// <summary>A grey image.</summary>
    public static byte[] Image(int side = Side) =>
        PngFile.Of(
            PngFile.Grey,
            [
                .. Enumerable
                    .Range(0, side)
                    .Select(row => Enumerable.Range(0, side).Select(column => (byte)(row * 13 ^ column * 7)).ToArray()),
            ]
        );

    /// <returns>The name with its version.</returns>
    public static async Task<string> AddDatasetAsync(ApiProcess api, string name) =>
        (await PostAsync(api, $"/datasets?name={name}", Dataset()))["name"]!.GetValue<string>();

    /// <returns>Its id.</returns>
    public static async Task<string> AddEvaluationAsync(ApiProcess api) =>
        (await PostAsync(api, "/evaluations", Outputs()))["evaluation"]!["id"]!.GetValue<string>();

    public static async Task<JsonNode> PostAsync(ApiProcess api, string path, byte[] body, string type = "application/octet-stream")
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new(type);
        var response = await api.Http.PostAsync(path, content);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<JsonNode>())!;
    }
}
