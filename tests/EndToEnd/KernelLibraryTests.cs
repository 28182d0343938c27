using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Temper.EndToEnd;

public sealed class KernelLibraryTests : EndToEndTest
{
    /// <summary>A worker as it is built on a machine without a compiler.</summary>
    [Fact]
    public async Task Worker_WithoutTheKernelLibrary_TrainsAllTheSameAndSaysOnceWhyItIsSlow()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Home, "worker")).FullName;
        foreach (
            var file in Directory
                .GetFiles(TemperProcess.BuildOf("Worker"))
                .Where(file => !file.EndsWith("libtemper_kernels.so", StringComparison.Ordinal))
        )
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        await using var worker = await WorkerProcess.StartAsync(Database.ConnectionString, Home, folder: folder);

        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits:images=1500",
                epsilon = 0.1,
                epochs = 3,
            }
        );
        var job = await Api.FinishedJobAsync(id, TimeSpan.FromMinutes(2));

        Assert.Equal("succeeded", State(job));
        Assert.Contains("no kernels", job["result"]!["libtorch"]!.GetValue<string>());
        Assert.InRange(job["result"]!["testAccuracy"]!.GetValue<double>(), 0.4, 1);
        Assert.Single(Regex.Matches(worker.Output, "libtemper_kernels.so"));
    }

    [Fact]
    public async Task Build_WithCuda_TakesTorchSharpsCudaPackage()
    {
        Assert.Equal(["TorchSharp", "libtorch-cpu-linux-x64"], await PackagesAsync());
        Assert.Equal(["TorchSharp", "TorchSharp-cuda-linux"], await PackagesAsync("-p:Cuda=true"));

        static async Task<string[]> PackagesAsync(params string[] options)
        {
            var start = new ProcessStartInfo(
                "dotnet",
                [
                    "msbuild",
                    Path.Combine(TemperProcess.Repository, "src", "Kernels", "Kernels.csproj"),
                    "-getItem:PackageReference",
                    .. options,
                ]
            )
            {
                RedirectStandardOutput = true,
            };
            using var process = Process.Start(start)!;
            var items = JsonNode.Parse(await process.StandardOutput.ReadToEndAsync())!["Items"]!["PackageReference"]!.AsArray();
            await process.WaitForExitAsync();
            return [.. items.Select(item => item!["Identity"]!.GetValue<string>())];
        }
    }
}
