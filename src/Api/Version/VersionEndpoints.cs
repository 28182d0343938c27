using System.Reflection;
using System.Runtime.InteropServices;

namespace Temper.Api.Version;

/// <summary>The build of the service that answers.</summary>
/// <param name="Version">Version of the service.</param>
/// <param name="Commit">Commit of the source that it was built from; null when unknown.</param>
/// <param name="Runtime">Runtime that it runs on, such as `.NET 10.0.1`.</param>
public sealed record VersionResponse(string Version, string? Commit, string Runtime)
{
    internal static VersionResponse Own { get; } =
        Of(typeof(VersionResponse).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0");

    /// <summary>Splits the informational version, which the build writes as `1.0.0+commit`.</summary>
    private static VersionResponse Of(string informational) =>
        new(informational.Split('+')[0], informational.Split('+').ElementAtOrDefault(1), RuntimeInformation.FrameworkDescription);
}

internal static class VersionEndpoints
{
    public static void MapVersion(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/version", () => TypedResults.Ok(VersionResponse.Own)).WithTags("Version");
}
