using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Temper.Harness;

/// <summary>An OpenID Connect issuer in this process: a discovery document, its keys, and tokens signed with RS256.</summary>
public sealed class TokenIssuer : IAsyncDisposable
{
    private readonly RSA rsa = RSA.Create(2048);
    private readonly WebApplication app;

    private TokenIssuer()
    {
        Address = $"http://127.0.0.1:{ApiProcess.FreePort()}";
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Address);
        app = builder.Build();
        app.Run(context =>
            context.Response.WriteAsJsonAsync<object>(
                context.Request.Path == "/keys"
                    ? new { keys = new[] { PublicKey() } }
                    : new { issuer = Address, jwks_uri = $"{Address}/keys" }
            )
        );
    }

    public string Address { get; }

    public static async Task<TokenIssuer> StartAsync()
    {
        var issuer = new TokenIssuer();
        await issuer.app.StartAsync();
        return issuer;
    }

    /// <summary>A token that is valid for an hour, with changes.</summary>
    /// <param name="claims">Replace or add claims; a null takes one away.</param>
    /// <param name="header">The same of its header.</param>
    /// <param name="isSigned">False leaves the signature empty.</param>
    public string Token(Dictionary<string, object?>? claims = null, Dictionary<string, object?>? header = null, bool isSigned = true)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var heads = new Dictionary<string, object?>
        {
            ["alg"] = "RS256",
            ["typ"] = "at+jwt",
            ["kid"] = "one",
        };
        var body = new Dictionary<string, object?>
        {
            ["iss"] = Address,
            ["aud"] = "temper",
            ["sub"] = "ann@example.org",
            ["tenant"] = "birds",
            ["scope"] = "openid submit",
            ["iat"] = now,
            ["exp"] = now + 3600,
        };
        var signed = $"{Part(heads, header)}.{Part(body, claims)}";
        var signature = isSigned ? rsa.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1) : [];
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        rsa.Dispose();
    }

    private static string Part(Dictionary<string, object?> values, Dictionary<string, object?>? changes)
    {
        foreach (var (name, value) in changes ?? [])
            values[name] = value;
        return Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(values.Where(one => one.Value is not null).ToDictionary()));
    }

    private object PublicKey()
    {
        var key = rsa.ExportParameters(includePrivateParameters: false);
        return new
        {
            kty = "RSA",
            use = "sig",
            alg = "RS256",
            kid = "one",
            n = Base64Url.EncodeToString(key.Modulus),
            e = Base64Url.EncodeToString(key.Exponent),
        };
    }
}
