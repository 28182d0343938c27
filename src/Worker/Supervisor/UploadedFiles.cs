using System.Security.Cryptography;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store.Datasets;
using Temper.Worker.Datasets;

namespace Temper.Worker.Supervisor;

/// <summary>
/// Brings uploaded data sets from the database into a folder on this machine, because runners do not open the database. Its
/// files are named by their hashes.
/// </summary>
internal sealed class UploadedFiles(DatasetContents contents, WorkerOptions options, ILogger log)
{
    private const string PartSuffix = ".part";

    private static readonly TimeSpan KeptUnused = TimeSpan.FromDays(30);

    /// <summary>Deletes files that no job has used for 30 days, and parts of fetches that broke off.</summary>
    public void DeleteUnused()
    {
        var folder = UploadedFile.FolderOf(options);
        if (!Directory.Exists(folder))
            return;
        try
        {
            foreach (var path in Directory.EnumerateFiles(folder))
                if (!path.EndsWith(UploadedFile.LockSuffix, StringComparison.Ordinal) && IsUnused(path))
                {
                    using var turn = FileLock.TryTake(LockOf(path));
                    if (turn is not null && IsUnused(path)) // no job has begun to use it before the lock was taken
                        File.Delete(path);
                }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.LogWarning("Unused data sets in {Folder} cannot be deleted: {Reason}", folder, e.Message);
        }
    }

    /// <summary>Fetches the job's data set if it is an uploaded one and not here.</summary>
    /// <param name="tenant">The job's tenant.</param>
    /// <exception cref="DatasetUnavailableException">It is not in the database, its hash is wrong, or it cannot be
    /// written.</exception>
    public async Task FetchAsync(string tenant, JobSpec spec, CancellationToken stop)
    {
        if (spec.Data is not { } content)
            return;
        var path = UploadedFile.PathOf(options, content);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            // The lock also keeps another slot from deleting the file before its time of last use is written.
            await using var turn = await Task.Run(
                () => FileLock.Take(UploadedFile.LockOf(path), () => log.LogInformation("{Path}: another slot fetches it", path), stop),
                stop
            );
            if (!File.Exists(path))
                await FetchAsync(tenant, spec.Dataset, content, path, stop);
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DatasetUnavailableException($"The data set {spec.Dataset} cannot be kept on this worker: {e.Message}");
        }
    }

    private async Task FetchAsync(string tenant, string dataset, DatasetContent content, string path, CancellationToken stop)
    {
        DeleteUnused();
        var part = $"{path}{PartSuffix}";
        try
        {
            if (await ReceiveAsync(tenant, dataset, content.Sha256, part, stop) != content.Sha256)
                throw new DatasetUnavailableException(
                    $"The data set {dataset} is damaged in the database: its SHA-256 is not {content.Sha256}."
                );
            File.Move(part, path, overwrite: true);
        }
        catch
        {
            File.Delete(part);
            throw;
        }
        log.LogInformation("Fetched {Dataset}: {Bytes} bytes in {Path}", dataset, new FileInfo(path).Length, path);
    }

    /// <returns>SHA-256 of what was received, lower-case hex.</returns>
    private async Task<string> ReceiveAsync(string tenant, string dataset, string sha256, string part, CancellationToken stop)
    {
        if (await contents.FindAsync(tenant, dataset, sha256, stop) is not var (id, length))
            throw new DatasetUnavailableException($"There is no data set {dataset} in the database.");
        using var hash = SHA256.Create();
        await using (var file = new FileStream(part, FileMode.Create, FileAccess.Write, FileShare.Read))
        await using (var hashed = new CryptoStream(file, hash, CryptoStreamMode.Write))
            for (var number = 0; file.Position < length && await contents.CopyAsync(id, number, hashed, stop); number++) { }
        return Convert.ToHexStringLower(hash.Hash!);
    }

    private static bool IsPart(string path) => path.EndsWith(PartSuffix, StringComparison.Ordinal);

    /// <summary>Whoever fetches a part holds its lock, so one whose lock is free belongs to a worker that was killed.</summary>
    private static bool IsUnused(string path) => IsPart(path) || File.GetLastWriteTimeUtc(path) < DateTime.UtcNow - KeptUnused;

    /// <summary>A file and the part of it that is being fetched have one lock.</summary>
    private static string LockOf(string path) => UploadedFile.LockOf(IsPart(path) ? path[..^PartSuffix.Length] : path);
}
