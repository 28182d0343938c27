using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

/// <summary>The files that an endpoint takes; metadata of an endpoint with a parameter <see cref="PostedFiles"/>.</summary>
/// <param name="Types">Media types of a body that is one file, and <see cref="Form"/>, which has several.</param>
/// <param name="MostFiles">Most files of a form.</param>
internal sealed record FileRule(IReadOnlyList<string> Types, int MostFiles = 1)
{
    public const string Raw = "application/octet-stream",
        Zip = "application/zip",
        Form = "multipart/form-data",
        Json = "application/json";

    /// <summary>Largest body in bytes; null for the most that the settings allow.</summary>
    public long? MostBytes { get; init; }

    /// <summary>The type that a body of the type <see cref="Json"/> has, for the OpenAPI document; null without such bodies.</summary>
    public Type? JsonBody { get; init; }

    /// <summary>The fields that a form may have beside its files.</summary>
    public IReadOnlyList<string> Fields { get; init; } = [];

    /// <summary>Looks at a request before its body is received. It returns null when nothing is wrong.</summary>
    public Func<HttpRequest, ProblemHttpResult?> RefusalBefore { get; init; } = _ => null;

    /// <summary>Looks at the first bytes of each file, so that a large body of another kind is not received.</summary>
    public StartCheck FaultOfStart { get; init; } = _ => null;

    /// <param name="start">The first bytes, 4 or more unless the file is shorter.</param>
    /// <returns>A sentence without a subject; null when nothing is wrong.</returns>
    public delegate string? StartCheck(ReadOnlySpan<byte> start);
}
