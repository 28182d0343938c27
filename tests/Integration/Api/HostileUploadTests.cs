using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Temper.Integration.Api;

/// <summary>
/// Uploads that nobody should accept. Each is refused in 100 MB, with its own sentence, and leaves nothing in the database or on
/// disk.
/// </summary>
public sealed class HostileUploadTests : IAsyncLifetime
{
    private const int MostBytes = 100 << 20;

    private readonly string temporary = Directory.CreateTempSubdirectory("temper-hostile-").FullName;
    private TestDatabase database = null!;
    private ApiProcess api = null!;

    private static readonly byte[] Images = NpzFiles.Npy("|u1", "(4, 8, 8)", new byte[4 * 64]);

    private static byte[] With(byte[] images, byte[]? labels = null) =>
        NpzFiles.Pack(("images", images), ("labels", labels ?? NpzFiles.Labels([0, 1, 0, 1])));

    private static readonly (string What, Func<byte[]> File, string Part, string Sentence)[] Uploads =
    [
        ("a member that unpacks to 1000 times its size", () => NpzFiles.Zeros("images", 900 << 20), "body", "more than 250 times its size"),
        ("2 GB of zeros in a member", () => NpzFiles.Zeros("images", 2_000_000_000), "body", "has a member of 2000000128 bytes"),
        ("a header of a billion rows", () => With(NpzFiles.Npy("|u1", "(1000000000, 8, 8)", [0])), "images", "64000000000 bytes; it has 1"),
        ("objects", () => With(Images, NpzFiles.Npy("|O", "(4,)", [1])), "labels", "holds Python objects, which are never read"),
        (
            "Fortran order",
            () => With(NpzFiles.Npy("|u1", "(4, 8, 8)", new byte[256], isFortran: true)),
            "images",
            "is stored in Fortran order"
        ),
        ("big endian", () => With(Images, NpzFiles.Npy(">i8", "(4,)", new byte[32])), "labels", "is big endian"),
        ("floats", () => With(NpzFiles.Npy("<f4", "(4, 8, 8)", new byte[1024])), "images", "its dtype is float32"),
        ("a truncated file", () => With(Images)[..^30], "body", "no zip directory at its end"),
        ("a truncated member", Truncated, "images", "truncated"),
        ("a damaged member", Damaged, "images", "damaged"),
        ("duplicate names", () => NpzFiles.Pack(("images", Images), ("images", Images)), "body", "two arrays of the name images"),
        ("an unknown array", () => NpzFiles.Pack(("images", Images), ("pixels", Images)), "pixels", "is no array of a data set"),
        ("a path outside", () => NpzFiles.Zip(("../../etc/cat/1.png", [1])), "../../etc/cat/1.png", "a path of plain names"),
        ("a path from the root", () => NpzFiles.Zip(("/cat/1.png", [1])), "/cat/1.png", "a path of plain names"),
        (
            "a program among images",
            () => NpzFiles.Zip(("cat/1.png", Png(8)), ("dog/1.exe", [1])),
            "dog/1.exe",
            "must be a PNG or JPEG file"
        ),
        ("a label below 0", () => With(Images, NpzFiles.Labels([0, 1, -1, 1])), "labels", "image 2 has -1"),
        ("a label above 999", () => With(Images, NpzFiles.Labels([0, 1, 1000, 1])), "labels", "image 2 has 1000"),
        ("labels from 1", () => With(Images, NpzFiles.Labels([1, 2, 1, 2])), "labels", "class 0 has 0"),
        ("one image of a class and no test part", () => With(Images, NpzFiles.Labels([0, 1, 1, 1])), "labels", "class 0 has 1"),
        ("one class", () => With(Images, NpzFiles.Labels([0, 0, 0, 0])), "labels", "2 to 1000 classes; it has 1"),
        ("labels of other images", () => With(Images, NpzFiles.Labels([0, 1, 0])), "labels", "its shape is (3,)"),
        ("large images", () => With(NpzFiles.Npy("|u1", "(1, 257, 4)", new byte[1028])), "images", "its shape is (1, 257, 4)"),
        ("two channels", () => With(NpzFiles.Npy("|u1", "(4, 8, 8, 2)", new byte[512])), "images", "its shape is (4, 8, 8, 2)"),
        ("a PNG of 60,000×60,000", () => NpzFiles.Zip(("cat/1.png", Png(60_000)), ("dog/1.png", Png(8))), "cat/1.png", "60000"),
        (
            "a JPEG of many scans",
            () => NpzFiles.Zip(("cat/1.jpg", JpegFile.OfScans(33)), ("dog/1.jpg", JpegFile.Of())),
            "cat/1.jpg",
            "has more than 32 scans"
        ),
        ("a truncated JPEG", TruncatedJpeg, "cat/1.jpg", "damaged or cut off"),
        ("a PNG without pixels", NoPixels, "cat/1.png", "damaged or cut off"),
        (
            "an IDX file of a billion images",
            () => NpzFiles.Zip(Idx(1_000_000_000)),
            "train-images-idx3-ubyte",
            "it has 1000000000 of 28×28"
        ),
        (
            "a gzip bomb",
            () => NpzFiles.Zip(PackedZeros(60_000)),
            "train-images-idx3-ubyte.gz",
            "more than 250 times the bytes that were sent"
        ),
        (
            "two IDX files of images",
            () => NpzFiles.Zip(("a.idx", IdxFiles.Images(30)), ("b.idx", IdxFiles.Images(30))),
            "body",
            "one file of images and one of labels to train on; got a.idx (images), b.idx (images)"
        ),
        (
            "two IDX files of labels",
            () => NpzFiles.Zip(("a.idx", IdxFiles.Labels(30)), ("b.idx", IdxFiles.Labels(30))),
            "body",
            "got a.idx (labels), b.idx (labels)"
        ),
        ("a gzip file without its trailer", () => NpzFiles.Zip(Packed(whole => whole[..^8])), "train-images-idx3-ubyte.gz", "is damaged"),
        ("a gzip file with more after it", () => NpzFiles.Zip(Packed(whole => [.. whole, 1])), "train-images-idx3-ubyte.gz", "is damaged"),
        ("a truncated IDX file", () => NpzFiles.Zip(Idx(30)), "train-images-idx3-ubyte", "is truncated"),
    ];

    public async Task InitializeAsync()
    {
        database = await TestDatabase.TakeAsync();
        api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["TMPDIR"] = temporary, ["DOTNET_gcServer"] = "0" }
        );
    }

    public async Task DisposeAsync()
    {
        await api.DisposeAsync();
        await database.GiveBackAsync();
        Directory.Delete(temporary, recursive: true);
    }

    [Fact]
    public async Task Post_HostileFiles_AreRefusedAndLeaveNothing()
    {
        await RefusedAsync(With(Images, NpzFiles.Labels([0]))); // the first request compiles the code
        var failures = new List<string>();
        foreach (var (what, file, part, sentence) in Uploads)
        {
            var body = file();
            var before = PeakMemory.Reset(api.Id);
            var (status, errors) = await RefusedAsync(body);
            var bytes = PeakMemory.Of(api.Id) - before;
            if (
                status != HttpStatusCode.BadRequest
                || errors?[part]?[0]?.GetValue<string>().Contains(sentence) != true
                || bytes > MostBytes
            )
                failures.Add($"{what}: {status} {errors?.ToJsonString()} in {bytes >> 20} MiB");
        }

        Assert.True(failures.Count == 0, string.Join('\n', failures));
        await NothingIsLeftAsync();
    }

    /// <summary>The first bytes tell, so the rest is not received.</summary>
    [Fact]
    public async Task Post_AGigabyteOfZeros_IsRefusedByItsFirstBytes()
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(Head("zeros", 1L << 30));
        var (answer, sent) = (ReceiveAsync(socket), 0L);
        try
        {
            for (; !answer.IsCompleted; sent += 64 << 10)
                await socket.SendAsync(new byte[64 << 10]);
        }
        catch (SocketException) { } // the API has closed the connection

        var text = await answer;
        Assert.StartsWith("HTTP/1.1 400", text);
        Assert.Contains("it is something else", text);
        Assert.InRange(sent, 0, 1L << 29); // half of the body
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task Post_TooLarge_Is413()
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(Head("large", 2L << 30));
        var text = await ReceiveAsync(socket);
        Assert.StartsWith("HTTP/1.1 413", text);
        Assert.Contains("1073741824", text);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Post_ThatBreaksOff_LeavesNothing(bool killed)
    {
        var file = With(NpzFiles.Npy("|u1", "(20000, 32, 32)", RandomBytes(20000 * 1024)), Alternating(20000));
        using var socket = await ConnectAsync();
        await socket.SendAsync(Head("half", file.Length));
        await socket.SendAsync(file.AsMemory(0, file.Length / 2));
        await Eventually.TrueAsync(() => Task.FromResult(OpenUploads() == 1));

        if (killed)
            await api.KillAsync();
        else
            socket.Close();

        await Eventually.TrueAsync(() => Task.FromResult(OpenUploads() == 0));
        await NothingIsLeftAsync();
    }

    private async Task NothingIsLeftAsync()
    {
        foreach (var table in new[] { "datasets", "dataset_names", "dataset_contents", "dataset_chunks" })
            Assert.Equal(0, await database.ScalarAsync<long>($"SELECT count(*) FROM {table}"));
        Assert.Empty(Directory.EnumerateFiles(temporary, "temper-upload-*"));
        if (!api.HasExited)
            await Eventually.TrueAsync(() => Task.FromResult(OpenUploads() == 0));
    }

    private async Task<(HttpStatusCode Status, JsonNode? Errors)> RefusedAsync(byte[] file)
    {
        using var content = new ByteArrayContent(file);
        content.Headers.ContentType = new("application/octet-stream");
        using var response = await api.Http.PostAsync("/datasets?name=hostile", content);
        return (response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>())?["errors"]);
    }

    private byte[] Head(string name, long length) =>
        Encoding.ASCII.GetBytes(
            $"POST /datasets?name={name} HTTP/1.1\r\nHost: {api.Http.BaseAddress!.Authority}\r\nContent-Type: application/zip\r\n"
                + $"Content-Length: {length}\r\n\r\n"
        );

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(api.Http.BaseAddress!.Host, api.Http.BaseAddress.Port);
        return socket;
    }

    private static async Task<string> ReceiveAsync(Socket socket)
    {
        var answer = new byte[4096];
        return Encoding.UTF8.GetString(answer, 0, await socket.ReceiveAsync(answer));
    }

    /// <summary>The unnamed temporary files that the API has open.</summary>
    private int OpenUploads() =>
        Directory.Exists($"/proc/{api.Id}/fd")
            ? Directory
                .EnumerateFiles($"/proc/{api.Id}/fd")
                .Count(path => new FileInfo(path).LinkTarget?.Contains("temper-upload-") == true)
            : 0;

    /// <summary>An npz whose directory gives the images half of their packed bytes.</summary>
    private static byte[] Truncated()
    {
        var npz = With(NpzFiles.Npy("|u1", "(400, 8, 8)", RandomBytes(400 * 64)), Alternating(400));
        var size = npz.AsSpan(FirstEntry(npz) + 20);
        BinaryPrimitives.WriteUInt32LittleEndian(size, BinaryPrimitives.ReadUInt32LittleEndian(size) / 2);
        return npz;
    }

    /// <summary>An npz with another CRC of the images in its directory.</summary>
    private static byte[] Damaged()
    {
        var npz = With(Images);
        npz[FirstEntry(npz) + 16] ^= 0xFF;
        return npz;
    }

    /// <returns>The place of the first entry of the zip's directory.</returns>
    private static int FirstEntry(byte[] zip) => zip.AsSpan().IndexOf("PK\x01\x02"u8);

    private static byte[] Alternating(int count) => NpzFiles.Labels([.. Enumerable.Range(0, count).Select(i => (long)(i % 2))]);

    private static byte[] NoPixels() =>
        NpzFiles.Zip(("cat/1.png", Png(8)), ("cat/2.png", Png(8)), ("dog/1.png", Png(8)), ("dog/2.png", Png(8)));

    private static byte[] TruncatedJpeg()
    {
        var (whole, cut) = (JpegFile.Of(), JpegFile.Of()[..^6]);
        return NpzFiles.Zip(("cat/1.jpg", cut), ("cat/2.jpg", whole), ("dog/1.jpg", whole), ("dog/2.jpg", whole));
    }

    /// <summary>MNIST's training images, but blank: 47 MB that gzip packs to a thousandth.</summary>
    private static (string, byte[])[] PackedZeros(int count) =>
        [
            ("train-images-idx3-ubyte.gz", IdxFiles.Pack([count, 28, 28], new byte[count * 784])),
            ("train-labels-idx1-ubyte.gz", IdxFiles.Labels(count)),
        ];

    /// <summary>Images whose gzip file is changed.</summary>
    private static (string, byte[])[] Packed(Func<byte[], byte[]> change) =>
        [("train-images-idx3-ubyte.gz", change(IdxFiles.Images(30))), ("train-labels-idx1-ubyte.gz", IdxFiles.Labels(30))];

    /// <summary>A PNG that claims a size, and has one pixel.</summary>
    private static byte[] Png(int side) =>
        PngFile.Of(
            PngFile.Grey,
            [
                [0],
            ],
            claimedSide: side
        );

    private static byte[] BigEndian(int number) => [(byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number];

    private static (string, byte[])[] Idx(int announced) =>
        [
            ("train-images-idx3-ubyte", [0, 0, 8, 3, .. BigEndian(announced), 0, 0, 0, 28, 0, 0, 0, 28, 1, 2, 3]),
            ("train-labels-idx1-ubyte", [0, 0, 8, 1, .. BigEndian(announced), .. Enumerable.Range(0, 30).Select(i => (byte)(i % 2))]),
        ];

    private static byte[] RandomBytes(int count)
    {
        var bytes = new byte[count];
        new Random(1).NextBytes(bytes);
        return bytes;
    }
}
