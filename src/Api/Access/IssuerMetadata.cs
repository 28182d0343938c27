using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Temper.Api.Http;

namespace Temper.Api.Access;

/// <summary>Says that the request's token was not judged. It is a feature of the request.</summary>
internal sealed record UnknownIssuer;

/// <summary>
/// Whether the metadata of the OpenID Connect issuer is known, without which no token can be judged. Requests share a try to read it,
/// so each waits for one or two of them.
/// </summary>
internal sealed class IssuerMetadata
{
    private const int RetryAfterSeconds = 5;

    private readonly SharedRounds<object, bool> rounds;
    private volatile bool isKnown;

    public IssuerMetadata(IOptionsMonitor<JwtBearerOptions> options, ILogger<IssuerMetadata> log) =>
        rounds = new(async _ =>
        {
            var issuer = options.Get(Oidc.Scheme);
            try
            {
                await issuer.ConfigurationManager!.GetConfigurationAsync(CancellationToken.None);
                return isKnown = true;
            }
            catch (Exception e)
            {
                log.LogWarning(
                    "The metadata of the issuer {Issuer} cannot be read: {Reason}",
                    issuer.Authority,
                    e.GetBaseException().Message
                );
                return false;
            }
        });

    public async Task<bool> IsKnownAsync() => isKnown || await rounds.AskAsync();

    public static ProblemHttpResult TryLater(HttpContext context) =>
        Problems.TryLater(
            context,
            RetryAfterSeconds,
            StatusCodes.Status503ServiceUnavailable,
            "The token cannot be judged.",
            "The issuer of tokens does not answer with its metadata. Try again later."
        );
}
