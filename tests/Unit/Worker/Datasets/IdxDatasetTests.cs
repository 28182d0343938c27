using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Temper.Harness;
using Temper.Worker;
using Temper.Worker.Datasets;

namespace Temper.Unit.Worker.Datasets;

/// <summary>Tests with files in the format and layout of kmnist, served over real HTTP.</summary>
public sealed class IdxDatasetTests : IAsyncLifetime
{
    private static readonly Dictionary<string, byte[]> Files = new()
    {
        ["train-images-idx3-ubyte.gz"] = IdxFiles.Images(30),
        ["train-labels-idx1-ubyte.gz"] = IdxFiles.Labels(30),
        ["t10k-images-idx3-ubyte.gz"] = IdxFiles.Images(20),
        ["t10k-labels-idx1-ubyte.gz"] = IdxFiles.Labels(20),
    };

    private readonly string home = Directory.CreateTempSubdirectory("temper-test-").FullName;
    private readonly ConcurrentQueue<string> requests = new(),
        told = new();
    private readonly ConcurrentDictionary<string, byte[]> served = new();
    private WebApplication server = null!;

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        server = builder.Build();
        server.Run(async context =>
        {
            requests.Enqueue(context.Request.Path);
            if (context.Request.Path.StartsWithSegments("/stalled"))
            {
                await context.Response.Body.WriteAsync(new byte[1000]);
                await context.Response.Body.FlushAsync();
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { });
            }
            else if (context.Request.Path.StartsWithSegments("/endless"))
            {
                while (!context.RequestAborted.IsCancellationRequested)
                    await context.Response.Body.WriteAsync(new byte[1 << 20], context.RequestAborted);
            }
            else if (served.TryGetValue(context.Request.Path, out var file))
                await context.Response.Body.WriteAsync(file);
            else
                context.Response.StatusCode = StatusCodes.Status404NotFound;
        });
        await server.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await server.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }

    [Fact]
    public void Load_AMirrorThatStallsAndOneWithoutEnd_AreLeftForTheNext()
    {
        Serve("/kmnist/");
        var cache = Directory.CreateDirectory(Path.Combine(home, "data", "kmnist")).FullName;
        const string Missing = "train-images-idx3-ubyte.gz";
        foreach (var (name, file) in Files.Where(file => file.Key != Missing))
            File.WriteAllBytes(Path.Combine(cache, name), file);

        var dataset = Load(Published("/stalled/", "/endless/", "/kmnist/"));

        Assert.Equal(30, dataset.Train.Count);
        Assert.Equal([$"/stalled/{Missing}", $"/endless/{Missing}", $"/kmnist/{Missing}"], requests);
        Assert.Empty(Directory.EnumerateFiles(home, "*.part", SearchOption.AllDirectories));
    }

    [Fact]
    public void Load_AConnectionThatBreaks_GoesOnWhereItWas()
    {
        using var mirror = new BreakingMirror(Files);

        var dataset = Load(Published(mirror.Url));

        Assert.Equal(30, dataset.Train.Count);
        const string Name = "train-images-idx3-ubyte.gz";
        Assert.Equal([(Name, 0), (Name, Files[Name].Length / 2)], mirror.Requests.Take(2));
        Assert.Single(mirror.Requests, request => request == (Name, 0));
    }

    /// <summary>The part that a killed runner left may belong to another file than the mirror's current one.</summary>
    [Fact]
    public void Load_APartOfAnotherFile_IsFetchedFromItsBeginning()
    {
        using var mirror = new BreakingMirror(Files);
        const string Name = "train-images-idx3-ubyte.gz";
        var folder = Directory.CreateDirectory(Path.Combine(home, "data", "kmnist")).FullName;
        File.WriteAllBytes(Download.PartOf(Path.Combine(folder, Name), new(mirror.Url + Name)), [9, 9, 9]);

        Assert.Equal(30, Load(Published(mirror.Url)).Train.Count);
        Assert.Equal((Name, 3), mirror.Requests.First());
        Assert.Contains((Name, 0), mirror.Requests);
        Assert.Empty(Directory.EnumerateFiles(folder, "*.part"));
    }

    [Fact]
    public async Task Load_ByFourRunnersAtOnce_FetchesEachFileOnce()
    {
        Serve("/kmnist/");
        var published = Published("/kmnist/");

        var runners = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(() => Load(published), TaskCreationOptions.LongRunning));
        var sets = await Task.WhenAll(runners);

        Assert.All(sets, set => Assert.Equal(30, set.Train.Count));
        Assert.Equal(4, requests.Count);
    }

    [Theory]
    [InlineData("-idx")]
    [InlineData(".idx")]
    public void Load_UnpackedFilesInTheUsersFolder_AreTaken(string separator)
    {
        var folder = WriteFolder(
            Files.ToDictionary(file => file.Key.Replace(".gz", "").Replace("-idx", separator), file => IdxFiles.Unpack(file.Value))
        );

        var dataset = Load(Published("/kmnist/"), data: folder);

        Assert.Equal((30, 20), (dataset.Train.Count, dataset.Test.Count));
        Assert.Empty(requests);
        Assert.All(dataset.Notes, note => Assert.Contains("is unpacked", note));
    }

    /// <summary>A set of half the user's files and half downloaded files would be no known data set.</summary>
    [Fact]
    public void Load_APartOfTheSetInTheUsersFolder_SaysWhatIsThereAndWhatIsMissing()
    {
        Serve("/kmnist/");
        var folder = WriteFolder(Files.Where(file => file.Key.StartsWith("train")).ToDictionary());

        var error = Assert.Throws<DatasetUnavailableException>(() => Load(Published("/kmnist/"), data: folder));

        Assert.Contains($"{folder}/kmnist has train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz", error.Message);
        Assert.Contains("but not t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz", error.Message);
        Assert.Empty(requests);
    }

    [Fact]
    public void Load_FilesThatWereReplacedTruncatedOrDeleted_AreReadAgain()
    {
        var folder = WriteFolder(Files);
        var loader = new DatasetLoader(Options(folder), told.Enqueue);
        var first = loader.Load("kmnist", CancellationToken.None);
        Assert.Same(first, loader.Load("kmnist", CancellationToken.None));

        Write("t10k-labels-idx1-ubyte.gz", IdxFiles.Pack([20], [.. Enumerable.Repeat((byte)3, 20)]));
        Assert.All(loader.Load("kmnist", CancellationToken.None).Test.Labels, label => Assert.Equal(3, label));

        Write("t10k-labels-idx1-ubyte.gz", Files["t10k-labels-idx1-ubyte.gz"][..^8]);
        Assert.Contains("it is damaged", Assert.Throws<InvalidDataException>(() => loader.Load("kmnist", CancellationToken.None)).Message);

        File.Delete(Path.Combine(folder, "kmnist", "t10k-labels-idx1-ubyte.gz"));
        Assert.Contains(
            "but not t10k-labels",
            Assert.Throws<DatasetUnavailableException>(() => loader.Load("kmnist", CancellationToken.None)).Message
        );

        Write("t10k-labels-idx1-ubyte.gz", Files["t10k-labels-idx1-ubyte.gz"]);
        Assert.Equal(first.Sha256, loader.Load("kmnist", CancellationToken.None).Sha256);

        void Write(string name, byte[] file) => File.WriteAllBytes(Path.Combine(folder, "kmnist", name), file);
    }

    [Fact]
    public void Load_ALinkThatLeadsElsewhereNow_IsReadAgain()
    {
        var folder = WriteFolder(Files);
        var link = Path.Combine(folder, "kmnist", "t10k-labels-idx1-ubyte.gz");
        var target = Path.Combine(home, "labels.gz");
        File.Move(link, target);
        File.CreateSymbolicLink(link, target);
        var loader = new DatasetLoader(Options(folder), told.Enqueue);
        loader.Load("kmnist", CancellationToken.None);

        File.WriteAllBytes(target, IdxFiles.Pack([20], [.. Enumerable.Repeat((byte)3, 20)]));

        Assert.All(loader.Load("kmnist", CancellationToken.None).Test.Labels, label => Assert.Equal(3, label));
    }

    [Fact]
    public void Load_ACachedFileThatIsBroken_IsFetchedAgain()
    {
        Serve("/kmnist/");
        Load(Published("/kmnist/"));
        File.WriteAllText(Path.Combine(home, "data", "kmnist", "train-images-idx3-ubyte.gz"), "broken");

        Assert.Equal(30, Load(Published("/kmnist/")).Train.Count);
        Assert.Equal(5, requests.Count);
    }

    [Fact]
    public void Load_NotHere_DownloadsChecksAndKeepsTheFiles()
    {
        Serve("/kmnist/");

        var dataset = Load(Published("/kmnist/"));

        Assert.Equal((30, 20), (dataset.Train.Count, dataset.Test.Count));
        Assert.Equal([0, 1, 2], dataset.Train.Labels[..3]);
        Assert.Empty(dataset.Notes);
        Assert.Equal(4, requests.Count);
        Assert.Contains("/kmnist/train-images-idx3-ubyte.gz", told.First());
        Assert.Equal(30, Load(Published("/kmnist/")).Train.Count);
        Assert.Equal(4, requests.Count);
    }

    [Fact]
    public void Load_FilesInTheUsersFolder_AsksNoMirrorButSaysThatTheyAreNotThePublishedOnes()
    {
        var folder = WriteFolder(Files);

        var dataset = Load(Published("/kmnist/", md5: _ => "0123"), data: folder);

        Assert.Empty(requests);
        Assert.Equal(4, dataset.Notes.Count);
        Assert.Contains("is not the published kmnist file", dataset.Notes[0]);
        Assert.Empty(Load(Published("/kmnist/"), data: folder).Notes);
    }

    [Fact]
    public void Load_FirstMirrorMissingOrWrong_TakesTheNext()
    {
        Serve("/right/");
        served["/wrong/train-images-idx3-ubyte.gz"] = IdxFiles.Images(31);

        Assert.Equal(30, Load(Published("/wrong/", "/right/")).Train.Count);
    }

    [Fact]
    public void Load_WrongFileEverywhere_SaysWhatToDoAndKeepsNothing()
    {
        Serve("/kmnist/");

        var error = Assert.Throws<DatasetUnavailableException>(() => Load(Published("/kmnist/", md5: _ => "0123")));

        Assert.Contains("its MD5 differs", error.Message);
        Assert.Contains("Put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz", error.Message);
        Assert.Contains("/kmnist/ on the worker", error.Message);
        Assert.DoesNotContain(
            Directory.GetFiles(home, "*", SearchOption.AllDirectories),
            path => !path.EndsWith(".lock", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void Load_NoMirrorReachable_SaysWhatToDo()
    {
        var nowhere = PublishedFiles.Of("kmnist", ["http://127.0.0.1:9/"], HashOf.File, "", "", "", "");

        var error = Assert.Throws<DatasetUnavailableException>(() =>
            new IdxDataset(nowhere, Options(), told.Enqueue).Load(CancellationToken.None)
        );

        Assert.Contains("http://127.0.0.1:9/train-images-idx3-ubyte.gz", error.Message);
        Assert.Contains("Worker__Mirror", error.Message);
    }

    [Fact]
    public void Load_OwnMirrorSet_IsAskedFirst()
    {
        Serve("/intranet/kmnist/");

        var options = new WorkerOptions { Home = home, Mirror = $"{server.Urls.First()}/intranet" };

        Assert.Equal(30, new IdxDataset(Published("/public/"), options, told.Enqueue).Load(CancellationToken.None).Train.Count);
        Assert.All(requests, path => Assert.StartsWith("/intranet/", path));
    }

    [Fact]
    public void Load_CachedFileDamaged_IsFetchedAgain()
    {
        Serve("/kmnist/");
        Load(Published("/kmnist/"));
        File.WriteAllText(Path.Combine(home, "data", "kmnist", "t10k-labels-idx1-ubyte.gz"), "damaged");

        Assert.Equal(20, Load(Published("/kmnist/")).Test.Count);
        Assert.Equal(5, requests.Count);
    }

    [Fact]
    public void Load_MoreLabelsThanImages_IsRefused()
    {
        var folder = WriteFolder(new(Files) { ["train-labels-idx1-ubyte.gz"] = IdxFiles.Labels(31) });

        var error = Assert.Throws<InvalidDataException>(() => Load(Published("/kmnist/"), data: folder));

        Assert.Contains("30 images", error.Message);
    }

    [Fact]
    public void Load_LabelBeyondTheClasses_IsRefused()
    {
        var folder = WriteFolder(new(Files) { ["t10k-labels-idx1-ubyte.gz"] = IdxFiles.Pack([20], [.. Enumerable.Repeat((byte)10, 20)]) });

        Assert.Contains("labels above 9", Assert.Throws<InvalidDataException>(() => Load(Published("/kmnist/"), data: folder)).Message);
    }

    [Fact]
    public void All_PublishedSets_AreInTheCatalog() =>
        Assert.All(PublishedFiles.All, files => Assert.NotNull(Temper.Domain.Datasets.DatasetCatalog.Find(files.Dataset)));

    private Dataset Load(PublishedFiles published, string? data = null) =>
        new IdxDataset(published, Options(data), told.Enqueue).Load(CancellationToken.None);

    private WorkerOptions Options(string? data = null) =>
        new()
        {
            Home = home,
            DataFolder = data,
            DownloadStallSeconds = 4,
        };

    private PublishedFiles Published(params string[] mirrors) => Published(mirrors, IdxFiles.Md5);

    private PublishedFiles Published(string mirror, Func<byte[], string> md5) => Published([mirror], md5);

    private PublishedFiles Published(string[] mirrors, Func<byte[], string> md5)
    {
        var hashes = Files.Values.Select(md5).ToArray();
        string[] urls = [.. mirrors.Select(mirror => mirror.StartsWith('/') ? server.Urls.First() + mirror : mirror)];
        return PublishedFiles.Of("kmnist", urls, HashOf.File, hashes[0], hashes[1], hashes[2], hashes[3]);
    }

    private void Serve(string under)
    {
        foreach (var (name, file) in Files)
            served[under + name] = file;
    }

    private string WriteFolder(Dictionary<string, byte[]> files)
    {
        var folder = Path.Combine(home, "own");
        Directory.CreateDirectory(Path.Combine(folder, "kmnist"));
        foreach (var (name, file) in files)
            File.WriteAllBytes(Path.Combine(folder, "kmnist", name), file);
        return folder;
    }
}
