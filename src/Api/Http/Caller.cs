namespace Temper.Api.Http;

/// <summary>Who a request comes from.</summary>
internal static class Caller
{
    /// <summary>The tenant of every request to an API without keys, and of what was stored before there were tenants.</summary>
    public const string DefaultTenant = "default";

    /// <returns>The tenant whose jobs, studies, data sets and evaluations the request may see and change.</returns>
    public static string TenantOf(HttpContext context) => DefaultTenant;
}
