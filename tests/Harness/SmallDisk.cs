using System.Diagnostics;
using Npgsql;

namespace Temper.Harness;

/// <summary>
/// A disk of a few megabytes that a database can fill. It is a tmpfs, which only root may mount, used as a tablespace.
/// </summary>
public sealed class SmallDisk : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("temper-disk-").FullName;

    private SmallDisk() { }

    /// <summary>Whether this process may mount a tmpfs.</summary>
    public static bool IsPossible => Environment.UserName == "root" && Run("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt");

    private string Name => Path.GetFileName(folder).Replace('-', '_').ToLowerInvariant();

    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var disk = new SmallDisk();
        if (!Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m,uid=postgres,gid=postgres,mode=700", "tmpfs", disk.folder))
            throw new InvalidOperationException("The disk cannot be mounted.");
        await TestDatabase.OnServerAsync($"CREATE TABLESPACE {disk.Name} LOCATION '{disk.folder}'");
        return disk;
    }

    public Task<TestDatabase> CreateDatabaseAsync() => TestDatabase.CreateAsync(tablespace: Name);

    /// <summary>Deleted before the table is dropped: that may write a page of a catalogue, for which a full disk has no room.</summary>
    private string Reserve => Path.Combine(folder, "reserve");

    /// <summary>Fills the disk to the last page.</summary>
    public async Task FillAsync(TestDatabase database)
    {
        await File.WriteAllBytesAsync(Reserve, new byte[1 << 20]);
        await database.ExecuteAsync("CREATE TABLE IF NOT EXISTS filler (data text)");
        foreach (var rows in new[] { 1000, 100, 10, 1 })
            while (await FitsAsync(database, rows)) { }
    }

    public Task EmptyAsync(TestDatabase database)
    {
        File.Delete(Reserve);
        return database.ExecuteAsync("DROP TABLE filler");
    }

    public async ValueTask DisposeAsync()
    {
        await TestDatabase.OnServerAsync($"DROP TABLESPACE {Name}");
        Run("umount", folder);
        Directory.Delete(folder);
    }

    private static async Task<bool> FitsAsync(TestDatabase database, int rows)
    {
        try
        {
            await database.ExecuteAsync($"INSERT INTO filler SELECT repeat('-', 1900) FROM generate_series(1, {4 * rows})");
            return true;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DiskFull)
        {
            return false;
        }
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
