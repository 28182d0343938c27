using System.Net;

namespace Temper.Domain.Notifications;

/// <summary>The address to which a job or a study posts its end.</summary>
public static class NotifyAddress
{
    /// <summary>Longest address in characters.</summary>
    public const int Longest = 2000;

    /// <summary>Completes the sentence "must be …".</summary>
    public const string Allowed = "null or an https address that the service's settings allow (`Notifications__Allowed__0` …)";

    /// <summary>
    /// Reads an absolute address in visible ASCII characters, with https or, for a receiver on the same machine, http to a
    /// loopback address. It names no user and has no fragment. Its path has no slash, backslash or dot in percent encoding:
    /// a server that decodes them could take the path for one outside the allowed path.
    /// </summary>
    /// <returns>Null when the text is not such an address.</returns>
    public static Uri? Read(string text) =>
        text.Length <= Longest
        && text.All(c => c is > ' ' and <= '~' and not '\\')
        && !Misread.Any(text.Split('?')[0].ToLowerInvariant().Contains)
        && Uri.TryCreate(text, UriKind.Absolute, out var address)
        && (address.Scheme == Uri.UriSchemeHttps || (address.Scheme == Uri.UriSchemeHttp && IsLoopback(address)))
        && address.UserInfo.Length == 0
        && address.Fragment.Length == 0
            ? address
            : null;

    private static readonly string[] Misread = ["%2f", "%5c", "%2e"];

    private static bool IsLoopback(Uri address) => IPAddress.TryParse(address.DnsSafeHost, out var ip) && IPAddress.IsLoopback(ip);
}
