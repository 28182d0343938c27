using System.Security.Cryptography;

namespace Temper.Worker.Training;

/// <summary>
/// Identifies the build of Temper that trained: a hash of Temper's files beside this program, with the native library.
/// </summary>
internal static class Build
{
    private static readonly Lazy<string> Hash = new(() =>
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory).Where(IsOurs).Order(StringComparer.Ordinal))
            hash.AppendData(File.ReadAllBytes(file));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    });

    public static string Id => Hash.Value;

    private static bool IsOurs(string path) =>
        Path.GetFileName(path) is var name
        && (
            name.StartsWith("Temper.", StringComparison.Ordinal) && name.EndsWith(".dll", StringComparison.Ordinal)
            || name.StartsWith("libtemper", StringComparison.Ordinal)
        );
}
