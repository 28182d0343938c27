using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store.Datasets;
using Temper.Store.Tenants;
using Temper.Worker;
using Temper.Worker.Datasets;
using Temper.Worker.Supervisor;

namespace Temper.Integration.Worker;

public sealed class UploadedFilesTests : IAsyncLifetime
{
    private static readonly DateTime LongAgo = DateTime.UtcNow - TimeSpan.FromDays(31);

    private readonly WorkerOptions options = new() { Home = Directory.CreateTempSubdirectory("temper-test-").FullName };
    private readonly Listener log = new();
    private TestDatabase database = null!;
    private UploadedFiles files = null!;

    public async Task InitializeAsync()
    {
        database = await TestDatabase.TakeAsync();
        files = new(new DatasetContents(database.DataSource), options, log);
    }

    public async Task DisposeAsync()
    {
        await database.GiveBackAsync();
        Directory.Delete(options.Home, recursive: true);
    }

    /// <summary>The lock stands for another slot that has found its file and has not written yet that it uses it.</summary>
    [Fact]
    public async Task Fetch_DeletesFilesThatNobodyUses_ButNoneThatAJobIsAboutToUse()
    {
        var (_, unused) = Old("unused");
        var (_, used) = Old("used");
        using (var slot = FileLock.TryTake($"{used}.lock"))
        {
            Assert.NotNull(slot);
            await files.FetchAsync(TenantStore.Default, await StoreAsync(1), default);
        }

        Assert.False(File.Exists(unused));
        Assert.True(File.Exists(used));
        await files.FetchAsync(TenantStore.Default, await StoreAsync(2), default);
        Assert.False(File.Exists(used));
    }

    /// <summary>The lock stands for a slot that fetches the file. Nobody holds the lock of a part whose worker was killed.</summary>
    [Fact]
    public void DeleteUnused_DeletesAPartThatNobodyFetches_AndNoOther()
    {
        var (broken, fetched) = (Part("broken"), Part("fetched"));
        using (FileLock.TryTake($"{fetched[..^".part".Length]}.lock"))
            files.DeleteUnused();

        Assert.False(File.Exists(broken));
        Assert.True(File.Exists(fetched));

        string Part(string name)
        {
            var path = $"{Old(name).Path}.part";
            File.WriteAllBytes(path, [1]);
            return path;
        }
    }

    [Fact]
    public void DeleteUnused_WithoutAFolder_DoesNothing() => files.DeleteUnused();

    [Fact]
    public async Task Fetch_OfAnOldFile_WaitsForItsLockAndKeepsTheFile()
    {
        var (spec, path) = Old("old");
        Task fetch;
        using (FileLock.TryTake($"{path}.lock"))
        {
            fetch = files.FetchAsync(TenantStore.Default, spec, default);
            await log.Told;
            Assert.False(fetch.IsCompleted);
        }
        await fetch;

        await files.FetchAsync(TenantStore.Default, await StoreAsync(3), default);
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task Fetch_OfAnotherTenantsSet_FindsNone()
    {
        var spec = await StoreAsync(4);

        await Assert.ThrowsAsync<DatasetUnavailableException>(() => files.FetchAsync("other", spec, default));
        await files.FetchAsync(TenantStore.Default, spec, default);
    }

    /// <summary>A file that was used a month ago.</summary>
    private (JobSpec Spec, string Path) Old(string name)
    {
        var content = new DatasetContent(name, 2, 1, 4, 4, 2, 0, 2);
        var path = UploadedFile.PathOf(options, content);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, [1]);
        File.SetLastWriteTimeUtc(path, LongAgo);
        return (SpecOf($"{name}@1", content), path);
    }

    /// <summary>Stores a data set in the database.</summary>
    private async Task<JobSpec> StoreAsync(byte number)
    {
        byte[] file = [number];
        var content = new DatasetContent(Convert.ToHexStringLower(SHA256.HashData(file)), 2, 1, 4, 4, 2, 0, 2);
        var contents = new DatasetContents(database.DataSource);
        var id = await contents.BeginAsync(default);
        await contents.AddAsync(id, 0, file, default);
        var (name, _) = await new UploadedDatasets(database.DataSource).AddAsync(
            new(TenantStore.Default, "shapes", id, file.Length, content, new([], null), [], []),
            default
        );
        return SpecOf(name, content);
    }

    /// <summary>Hears the first message: that the lock is waited for.</summary>
    private sealed class Listener : ILogger
    {
        private readonly TaskCompletionSource told = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Told => told.Task;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel level) => true;

        public void Log<TState>(LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> format) =>
            told.TrySetResult();
    }

    private static JobSpec SpecOf(string dataset, DatasetContent content) =>
        new()
        {
            Dataset = dataset,
            Data = content,
            Epsilon = 0.1,
            Epochs = 1,
        };
}
