using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;

namespace Temper.Api.Http;

/// <summary>ETags: who has an answer already is told 304 and sent nothing.</summary>
internal static class EntityTags
{
    /// <summary>Another build may show the same rows in another way.</summary>
    private static readonly string Build = string.Concat(
        new[] { typeof(EntityTags), typeof(Json), typeof(JobSpec) }.Select(type => type.Module.ModuleVersionId.ToString("N")[..4])
    );

    /// <param name="version">Of the rows behind the answer.</param>
    public static string Of(long version) => $"\"{version:x}-{Build}\"";

    /// <summary>Of a short answer that has no version: of its content.</summary>
    public static string Of<T>(T answer)
        where T : class =>
        $"\"{Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(answer, Json.Options))[..12])}-{Build}\"";

    public static StatusCodeHttpResult NotModified { get; } = TypedResults.StatusCode(StatusCodes.Status304NotModified);

    public static bool HasIfNoneMatch(this HttpRequest request) => !StringValues.IsNullOrEmpty(request.Headers.IfNoneMatch);

    /// <summary>Names the version of the answer to this request.</summary>
    /// <returns>Whether the client has that one already.</returns>
    public static bool IsKnownAs(this HttpRequest request, string tag)
    {
        var response = request.HttpContext.Response.Headers;
        (response.ETag, response.CacheControl) = (tag, "no-cache"); // to be kept, and asked for again each time
        if (!request.HasIfNoneMatch())
            return false;
        if (request.Headers.IfNoneMatch == tag)
            return true;
        var ours = EntityTagHeaderValue.Parse(tag);
        return request
            .GetTypedHeaders()
            .IfNoneMatch.Any(theirs => theirs.Equals(EntityTagHeaderValue.Any) || theirs.Compare(ours, useStrongComparison: false));
    }
}
