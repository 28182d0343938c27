using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

/// <summary>Checks that submissions of jobs and of studies share.</summary>
internal static class Submission
{
    private const int LongestKey = 255;

    /// <param name="validateOnly">The query parameter: `true`, `false` or absent.</param>
    /// <param name="key">The Idempotency-Key: 1 to 255 visible ASCII characters, or absent.</param>
    /// <returns>Null when the header and the query are valid.</returns>
    public static ProblemHttpResult? Refusal(HttpRequest request, string? validateOnly, string? key)
    {
        if (WrongKey(key) is { } wrong)
            return wrong;
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "validateOnly");
        if (validateOnly is not (null or "true" or "false"))
            errors.TryAdd("validateOnly", [$"must be true or false; got {validateOnly}"]);
        return errors.Count > 0 ? Problems.Invalid("The query is wrong.", errors) : null;
    }

    /// <returns>Null when the Idempotency-Key is absent or valid.</returns>
    public static ProblemHttpResult? WrongKey(string? key) =>
        key is null || (key.Length is >= 1 and <= LongestKey && key.All(c => c is > ' ' and <= '~'))
            ? null
            : Problems.Invalid(
                "The header is wrong.",
                new() { ["idempotency-key"] = [$"must be 1 to {LongestKey} visible ASCII characters, such as a UUID"] }
            );

    /// <param name="what">What was submitted with the key, such as `Job ID`.</param>
    /// <param name="by">What differs from it.</param>
    public static ProblemHttpResult KeyUsedForAnother(string what, string by = "spec") =>
        Problems.Of(
            StatusCodes.Status422UnprocessableEntity,
            $"The Idempotency-Key was used for another {by}.",
            $"{what} was submitted with this key and a different {by}. Send a new key for a new one."
        );
}
