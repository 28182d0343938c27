using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;

namespace Temper.Api.Http;

/// <summary>ETags: a client that already has the current answer gets 304 without a body.</summary>
internal static class EntityTags
{
    /// <summary>Part of each tag, because another build may show the same rows in another way.</summary>
    private static readonly string Build = string.Concat(
        new[] { typeof(EntityTags), typeof(Json), typeof(JobSpec) }.Select(type => type.Module.ModuleVersionId.ToString("N")[..4])
    );

    /// <param name="version">Version of the rows that the answer shows.</param>
    public static string Of(long version) => $"\"{version:x}-{Build}\"";

    /// <summary>Makes a tag from the content of a short answer that has no version.</summary>
    public static string Of<T>(T answer)
        where T : class =>
        $"\"{Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(answer, Json.Options))[..12])}-{Build}\"";

    public static StatusCodeHttpResult NotModified { get; } = TypedResults.StatusCode(StatusCodes.Status304NotModified);

    public static bool HasIfNoneMatch(this HttpRequest request) => !StringValues.IsNullOrEmpty(request.Headers.IfNoneMatch);

    /// <summary>Sends an answer. A problem gets no ETag: it belongs to the answer that the problem replaces.</summary>
    public static Task ExecuteWithoutTagOfOthersAsync(this IResult answer, HttpContext context)
    {
        if (answer is ProblemHttpResult)
            context.Response.Headers.Remove("ETag");
        return answer.ExecuteAsync(context);
    }

    /// <summary>Sets the ETag of the response.</summary>
    /// <returns>Whether the client already has that version.</returns>
    public static bool IsKnownAs(this HttpRequest request, string tag)
    {
        request.HttpContext.Response.Headers.ETag = tag;
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
