using Temper.Harness;
using Temper.Worker.Supervisor;

namespace Temper.Unit.Worker.Supervisor;

/// <summary>Runs a script in place of nvidia-smi.</summary>
public sealed class NvidiaSmiTests : IDisposable
{
    private static readonly Card[] Three =
    [
        new(0, "GPU-aa1", "A", 80, 1, 2),
        new(1, "GPU-ab2", "B", 80, 1, 2),
        new(2, "GPU-cc3", "C", 80, 1, 2),
    ];

    private readonly string folder = Directory.CreateTempSubdirectory("temper-test-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task List_OfTwoCards_HasTheirFigures()
    {
        var script = new FakeNvidiaSmi(
            folder,
            "0, GPU-5c1e, NVIDIA H100 80GB HBM3, 81559, 1234, 97",
            "1, GPU-77aa, A, b, 40960, [N/A], [Not Supported]"
        );

        Assert.Equal(
            [new Card(0, "GPU-5c1e", "NVIDIA H100 80GB HBM3", 81559, 1234, 97), new Card(1, "GPU-77aa", "A, b", 40960, null, null)],
            await ListAsync(script.Path)
        );
    }

    [Fact]
    public async Task List_OfNoCards_IsEmpty() => Assert.Empty(await ListAsync(new FakeNvidiaSmi(folder).Path));

    [Theory]
    [InlineData("echo No devices were found", "describes no card: No devices were found")]
    [InlineData("echo '0, GPU-1, A, 1, 1, 1'; echo '{\"garbage\": 1}'", "describes no card: {\"garbage\": 1}")]
    [InlineData("head -c 100000 /dev/zero", "describes no card")]
    [InlineData("yes", "did not end within 1 s")]
    [InlineData("echo the driver is broken; exit 9", "exited with code 9: the driver is broken")]
    [InlineData("sleep 60", "did not end within 1 s")]
    [InlineData("trap '' TERM; echo '0, GPU-1, A, 1, 1, 1'; sleep 60", "did not end within 1 s")]
    [InlineData("exec >&-; sleep 60", "did not end within 1 s")]
    public async Task List_ByAProgramThatFails_SaysWhyAndLeavesNoProcess(string commands, string reason)
    {
        var script = new FakeNvidiaSmi(folder);
        script.Run(commands);

        var e = await Assert.ThrowsAsync<NvidiaSmiException>(() => ListAsync(script.Path, seconds: 1));

        Assert.Contains(reason, e.Message);
        Assert.DoesNotContain(Directory.GetDirectories("/proc").Select(CommandLine), line => line.Contains(script.Path));
    }

    [Fact]
    public async Task List_ByAProgramThatIsMissing_SaysSo()
    {
        var e = await Assert.ThrowsAsync<NvidiaSmiException>(() => ListAsync(Path.Combine(folder, "missing")));

        Assert.Contains("does not start", e.Message);
    }

    [Fact]
    public async Task List_WithoutAProgram_SaysSo()
    {
        var e = await Assert.ThrowsAsync<NvidiaSmiException>(() => ListAsync(""));

        Assert.Contains("cannot be used", e.Message);
    }

    [Theory]
    [InlineData(null, "0 1 2")]
    [InlineData("", "")]
    [InlineData("-1", "")]
    [InlineData("1", "1")]
    [InlineData("2, 0", "2 0")]
    [InlineData("GPU-ab2,0,1", "1 0")]
    [InlineData("gpu-c", "2")]
    [InlineData("0,9,1", "0")]
    [InlineData("MIG-1234", "")]
    public void Visible_AsTheOperatorSet_KeepsThoseCardsInThatOrder(string? variable, string kept) =>
        Assert.Equal(kept, string.Join(' ', NvidiaSmi.Visible(Three, variable).Select(card => card.Index)));

    private static Task<IReadOnlyList<Card>> ListAsync(string program, double seconds = 20) =>
        new NvidiaSmi(program, TimeSpan.FromSeconds(seconds)).ListAsync(default);

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // it has ended
        }
    }
}
