namespace Temper.Api.Http;

/// <summary>Paths that several parts of the API name.</summary>
internal static class Routes
{
    /// <summary>Hangfire's dashboard.</summary>
    public const string Dashboard = "/hangfire";

    /// <summary>Where browsers sign in.</summary>
    public const string Session = "/session";
}
