using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.WebUtilities;
using Temper.Api.Http;

namespace Temper.Api.Sessions;

/// <summary>What a browser posts to sign in, as JSON or as a form.</summary>
public sealed record SignIn
{
    private const string FormType = "application/x-www-form-urlencoded";

    private static readonly SpecReader<SignIn> Reader = new("a sign-in", Allowed);

    /// <summary>One of the configured keys.</summary>
    public required string Key { get; init; }

    /// <summary>
    /// A path of this host, in visible ASCII characters, that a browser opens after it has sent a form; null in a request of a script.
    /// </summary>
    public string? ReturnTo { get; init; }

    /// <returns>The sign-in, or the refusal of a body that has none.</returns>
    internal static (SignIn? SignIn, ProblemHttpResult? Refusal) Read(SignInBody body)
    {
        if (body.Posted.Refusal is { } refusal)
            return (null, refusal);
        var errors = new SpecErrors();
        var read = body.IsForm ? ReadForm(body.Posted.Bytes, errors) : ReadJson(body.Posted.Bytes, errors);
        // The path is sent in a header, which cannot have other characters.
        if (read?.ReturnTo is { } path && !errors.Any && !(RedirectHttpResult.IsLocalUrl(path) && path.All(c => c is > ' ' and <= '~')))
            errors.Add("returnTo", $"must be {Allowed("returnTo")}");
        return errors.Any ? (null, Problems.Invalid("The sign-in is wrong.", errors.ByField())) : (read, null);
    }

    private static SignIn? ReadJson(ReadOnlyMemory<byte> bytes, SpecErrors errors)
    {
        using var document = errors.Parse(bytes);
        return document is null ? null : Reader.Read(document.RootElement, errors, "", out _);
    }

    private static SignIn ReadForm(ReadOnlyMemory<byte> bytes, SpecErrors errors)
    {
        var form = QueryHelpers.ParseQuery(System.Text.Encoding.UTF8.GetString(bytes.Span));
        foreach (var (field, values) in form)
            if (field is not ("key" or "returnTo"))
                errors.Add(field, "is not a field of a sign-in; its fields are key, returnTo");
            else if (values.Count > 1)
                errors.Add(field, "is given twice");
        if (!form.ContainsKey("key"))
            errors.Add("key", $"is required: {Allowed("key")}");
        return new() { Key = form.TryGetValue("key", out var key) ? key.ToString() : "", ReturnTo = form.GetValueOrDefault("returnTo") };
    }

    private static string Allowed(string field) =>
        field == "key" ? "a text" : "a path of this host in visible ASCII characters, such as /hangfire";

    /// <summary>The body of a sign-in, read before the endpoint's filters: see <see cref="Overload"/>.</summary>
    internal sealed record SignInBody(PostedBody Posted, bool IsForm)
    {
        public static async ValueTask<SignInBody> BindAsync(HttpContext context)
        {
            var isForm = context.Request.ContentType?.Split(';')[0].Trim().Equals(FormType, StringComparison.OrdinalIgnoreCase) == true;
            return new(await PostedBody.ReadAsync(context, isForm || context.Request.HasJsonContentType()), isForm);
        }
    }
}
