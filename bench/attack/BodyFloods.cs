using System.Net.Http.Headers;
using System.Text;

namespace Temper.Bench.Attack;

/// <summary>Bodies and names that are expensive to read.</summary>
internal static class BodyFloods
{
    private const int LargestSpec = 64 << 10;

    private static readonly byte[] Labels = NpzFiles.Labels([0, 1, 0, 1]);

    public static IEnumerable<Attack> All =>
        [
            Json("arrays in arrays, 30,000 deep", new string('[', 30_000) + new string(']', 30_000)),
            Json("objects in objects, 10,000 deep", Repeat("{\"a\":", 10_000) + "1" + new string('}', 10_000)),
            Json("a field of 60,000 digits", $"{{\"dataset\":\"mnist\",\"epsilon\":{new string('9', 60_000)}}}"),
            Json("an exponent of 60,000 digits", $"{{\"dataset\":\"mnist\",\"epsilon\":1e{new string('9', 60_000)}}}"),
            Json("a text of 65,000 characters", $"{{\"dataset\":\"{new string('a', 65_000)}\"}}"),
            Json("a text of 10,000 escapes", $"{{\"dataset\":\"{Repeat("\\u0041", 10_000)}\"}}"),
            Json("7,000 different fields", $"{{{string.Join(',', Enumerable.Range(0, 7000).Select(i => $"\"{i}\":1"))}}}"),
            Json("a field 10,000 times", $"{{{string.Join(',', Enumerable.Repeat("\"a\":1", 10_000))}}}"),
            Json("a known field 3,500 times", $"{{{string.Join(',', Enumerable.Repeat("\"dataset\":\"mnist\"", 3_500))}}}"),
            Json("16,000 tags", $"{{\"tags\":[{string.Join(',', Enumerable.Repeat("\"a\"", 16_000))}]}}"),
            Json(
                "a grid of 30,000 values",
                $"{{\"job\":{{}},\"epsilons\":[{string.Join(',', Enumerable.Repeat("0", 30_000))}]}}",
                "/studies"
            ),
            Json("32 MiB, which are read and dropped", new string(' ', (32 << 20) - 1), attackers: 4),
            Name("regex", "a data set's name of 3,000 `a-` and a wrong end", Repeat("a-", 3_000) + "!"),
            Name("regex", "drawn digits of 200 parameters and a wrong end", $"digits:{Repeat("noise=1.5,", 200)}!"),
            Json("the same in a spec, 60,000 long", $"{{\"dataset\":\"{Repeat("a-", 30_000)}!\"}}", part: "regex"),
            Json("drawn digits in a spec, 60,000 long", $"{{\"dataset\":\"digits:{Repeat("noise=1.5,", 6_000)}!\"}}", part: "regex"),
            Upload("regex", "an npy header of spaces and commas", () => With(NpzFiles.Npy("|u1", Repeat("1, ", 3_000) + "!", [0]))),
            Upload("uploads", "900 MiB of zeros", () => NpzFiles.Zeros("images", 900 << 20)),
            Upload("uploads", "60 MiB of zeros", () => NpzFiles.Zeros("images", 60 << 20)),
            Upload("uploads", "a header of a billion rows", () => With(NpzFiles.Npy("|u1", "(1000000000, 8, 8)", [0]))),
            Upload("uploads", "a zip in a zip", () => NpzFiles.Zip(("cat/1.png", NpzFiles.Zeros("images", 60 << 20)), ("dog/1.png", [1]))),
            Upload(
                "uploads",
                "60,000 files",
                () => NpzFiles.Zip([.. Enumerable.Range(0, 60_000).Select(i => ($"cat/{i}.png", new byte[1]))])
            ),
        ];

    private static byte[] With(byte[] images) => NpzFiles.Pack(("images", images), ("labels", Labels));

    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));

    private static Attack Json(string name, string body, string path = "/jobs", int attackers = 32, string part = "json")
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        if (bytes.Length > LargestSpec && attackers == 32)
            name += $" ({bytes.Length >> 10} KiB: refused by its length)";
        return new(part, name, attackers, (victim, end) => PostAsync(victim, path, bytes, "application/json", end));
    }

    private static Attack Name(string part, string name, string text) =>
        new(
            part,
            name,
            32,
            async (victim, end) =>
            {
                victim.CountBytes(text.Length);
                using var answer = await victim.Api.Http.GetAsync($"/datasets/{Uri.EscapeDataString(text)}", end);
                return $"{(int)answer.StatusCode}";
            }
        );

    private static Attack Upload(string part, string name, Func<byte[]> make)
    {
        var file = new Lazy<byte[]>(make);
        return new(
            part,
            name,
            8,
            (victim, end) => PostAsync(victim, "/datasets?name=bomb", file.Value, "application/octet-stream", end),
            Before: () => _ = file.Value
        );
    }

    private static async Task<string> PostAsync(Victim victim, string path, byte[] body, string type, CancellationToken end)
    {
        using var content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(type) } };
        using var answer = await victim.Api.Http.PostAsync(path, content, end);
        victim.CountBytes(body.Length);
        await answer.Content.LoadIntoBufferAsync(end);
        return $"{(int)answer.StatusCode}";
    }
}
