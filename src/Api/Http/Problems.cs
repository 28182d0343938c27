using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.WebUtilities;

namespace Temper.Api.Http;

/// <summary>RFC 9457 answers, in one shape: what is wrong, and under `errors` each wrong field with what it may hold.</summary>
internal static class Problems
{
    public static ProblemHttpResult Of(int status, string title, string detail) =>
        TypedResults.Problem(detail: detail, statusCode: status, title: title);

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

    /// <returns>Null where the query is empty, as it must be.</returns>
    public static ProblemHttpResult? UnknownParameters(HttpRequest request)
    {
        var errors = new Dictionary<string, string[]>();
        AddUnknownParameters(request, errors);
        return errors.Count > 0 ? Invalid("The query is wrong.", errors) : null;
    }

    /// <summary>
    /// Names the query parameters that nobody reads, and those given twice: they would otherwise be ignored without a
    /// word.
    /// </summary>
    /// <param name="known">Exactly: another case is another name.</param>
    public static void AddUnknownParameters(HttpRequest request, Dictionary<string, string[]> errors, params string[] known)
    {
        if (!request.QueryString.HasValue)
            return;
        var seen = new HashSet<string>();
        foreach (var parameter in new QueryStringEnumerable(request.QueryString.Value))
        {
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

    /// <summary>A refusal of the request as a whole; <see cref="Customize"/> names the part that is wrong.</summary>
    public static ProblemHttpResult Refused(int status) => TypedResults.Problem(statusCode: status);

    /// <summary>Adds to our refusals, and to the framework's own, which part of the request is wrong.</summary>
    public static void Customize(ProblemDetailsContext context)
    {
        var (part, message) = context.ProblemDetails.Status switch
        {
            StatusCodes.Status413PayloadTooLarge => ("body", $"must be at most {PostedBody.LargestBody} bytes"),
            StatusCodes.Status415UnsupportedMediaType => ("content-type", "must be application/json"),
            _ => default,
        };
        if (part is not null)
            context.ProblemDetails.Extensions["errors"] = new Dictionary<string, string[]> { [part] = [message] };
    }
}
