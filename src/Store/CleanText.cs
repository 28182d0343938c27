using System.Text;

namespace Temper.Store;

/// <summary>Makes a text of any origin one that PostgreSQL stores: it rejects the character 0 and half of a surrogate pair.</summary>
internal static class CleanText
{
    /// <param name="longest">In UTF-16 code units. A longer text is cut between two characters.</param>
    /// <param name="keepEnd">Cuts the start rather than the end.</param>
    /// <returns>The text without the character 0, and with U+FFFD for each half of a surrogate pair.</returns>
    public static string Of(string text, int longest, bool keepEnd = false)
    {
        text = text.Replace("\0", "");
        if (text.Length > longest)
        {
            var cut = keepEnd ? text.Length - longest : longest;
            if (char.IsSurrogatePair(text, cut - 1))
                cut += keepEnd ? 1 : -1;
            text = keepEnd ? text[cut..] : text[..cut];
        }
        return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
    }
}
