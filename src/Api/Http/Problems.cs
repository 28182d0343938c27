using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.WebUtilities;

namespace Temper.Api.Http;

/// <summary>Problem answers (RFC 9457). `errors` has each wrong field with the values that it may have.</summary>
internal static class Problems
{
    public static ProblemHttpResult Of(int status, string title, string detail) =>
        TypedResults.Problem(detail: detail, statusCode: status, title: title);

    /// <summary>A problem that passes by itself. It also sets `Retry-After` of the response.</summary>
    public static ProblemHttpResult TryLater(HttpContext context, int seconds, int status, string title, string detail)
    {
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return Of(status, title, detail);
    }

    public static ProblemHttpResult Invalid(string title, Dictionary<string, string[]> errors) =>
        TypedResults.Problem(
            new HttpValidationProblemDetails(errors)
            {
                Status = StatusCodes.Status400BadRequest,
                Title = title,
                Detail = $"Wrong: {string.Join(", ", errors.Keys)}.",
            }
        );

    public static ProblemHttpResult NoSuchJob(Guid id) => Of(StatusCodes.Status404NotFound, "No such job.", $"There is no job {id}.");

    public static ProblemHttpResult NoSuchStudy(Guid id) => Of(StatusCodes.Status404NotFound, "No such study.", $"There is no study {id}.");

    public static ProblemHttpResult NoSuchEvaluation(Guid id) =>
        Of(StatusCodes.Status404NotFound, "No such evaluation.", $"There is no evaluation {id}.");

    /// <summary>For a route without query parameters.</summary>
    /// <returns>A refusal that names each parameter; null when the query is empty.</returns>
    public static ProblemHttpResult? UnknownParameters(HttpRequest request)
    {
        var errors = new Dictionary<string, string[]>();
        AddUnknownParameters(request, errors);
        return errors.Count > 0 ? Invalid("The query is wrong.", errors) : null;
    }

    /// <summary>
    /// Adds an error for each query parameter that is unknown or given twice. ASP.NET Core would ignore it silently. It
    /// names the first 20.
    /// </summary>
    /// <param name="known">Names of the known parameters; case matters.</param>
    public static void AddUnknownParameters(HttpRequest request, Dictionary<string, string[]> errors, params string[] known)
    {
        if (!request.QueryString.HasValue)
            return;
        var seen = new HashSet<string>();
        foreach (var parameter in new QueryStringEnumerable(request.QueryString.Value))
        {
            if (errors.Count >= SpecErrors.MostNamed)
                return;
            var name = parameter.DecodeName().ToString();
            if (!known.Contains(name))
                errors[name] =
                [
                    known.Length == 0
                        ? "is not a parameter here; there are none"
                        : $"is not a parameter here; known are {string.Join(", ", known)}",
                ];
            else if (!seen.Add(name))
                errors[name] = ["is given twice"];
        }
    }

    /// <summary>Adds an error unless the query parameter `format` is `json`, `csv` or absent.</summary>
    public static void AddUnlessFormat(string? format, Dictionary<string, string[]> errors)
    {
        if (format is not (null or "json" or "csv"))
            errors.TryAdd("format", [$"must be json or csv; got {format}"]);
    }

    /// <summary>Refuses the request as a whole. <see cref="Customize"/> adds which part is wrong.</summary>
    public static ProblemHttpResult Refused(int status) => TypedResults.Problem(statusCode: status);

    /// <param name="part">The part of the request that is wrong.</param>
    /// <param name="message">What it must be.</param>
    public static ProblemHttpResult Refused(int status, string part, string message) =>
        TypedResults.Problem(
            statusCode: status,
            extensions: new Dictionary<string, object?> { ["errors"] = new Dictionary<string, string[]> { [part] = [message] } }
        );

    /// <summary>
    /// Adds which part of the request is wrong to a 413 or 415 of a route that takes JSON, whether the API or the framework answers it.
    /// </summary>
    public static void Customize(ProblemDetailsContext context)
    {
        var (part, message) = context.ProblemDetails.Status switch
        {
            StatusCodes.Status413PayloadTooLarge => ("body", $"must be at most {PostedBody.LargestBody} bytes"),
            StatusCodes.Status415UnsupportedMediaType => ("content-type", "must be application/json"),
            _ => default,
        };
        if (part is not null && context.ProblemDetails is not HttpValidationProblemDetails)
            context.ProblemDetails.Extensions.TryAdd("errors", new Dictionary<string, string[]> { [part] = [message] });
    }
}
