using System.Globalization;

namespace Temper.Store.Events;

/// <summary>
/// A set of transactions: all with an id below <paramref name="Next"/>, except the <paramref name="Unseen"/>. PostgreSQL's
/// pg_snapshot is such a set.
/// </summary>
/// <param name="Next">At least 1.</param>
/// <param name="Unseen">Ids below <paramref name="Next"/>, ascending.</param>
public sealed record Snapshot(ulong Next, IReadOnlyList<ulong> Unseen)
{
    /// <summary>The set without any transaction: PostgreSQL's first id is 3.</summary>
    public static Snapshot Empty { get; } = new(1, []);

    private ulong First => Unseen.Count > 0 ? Unseen[0] : Next;

    public bool Sees(ulong transaction) => transaction < Next && !Unseen.Contains(transaction);

    /// <summary>
    /// This set, and the transactions of <paramref name="now"/> below <paramref name="transaction"/>: what a reader has seen that
    /// started from this set and takes the transactions of <paramref name="now"/> in the order of their ids.
    /// </summary>
    public Snapshot Before(ulong transaction, Snapshot now)
    {
        var next = Math.Max(Next, transaction);
        var unseen = Unseen.Where(id => id >= transaction).Union(now.Unseen).Where(id => id < next);
        return new(next, [.. unseen.Order()]);
    }

    /// <summary>This set and one more transaction, whose id is at most <see cref="Next"/>.</summary>
    public Snapshot With(ulong transaction) => new(Math.Max(Next, transaction + 1), [.. Unseen.Where(id => id != transaction)]);

    /// <summary>The transactions that are in at least one of the two sets.</summary>
    public Snapshot Union(Snapshot other) =>
        new(Math.Max(Next, other.Next), [.. Unseen.Union(other.Unseen).Where(id => !Sees(id) && !other.Sees(id)).Order()]);

    /// <summary>Whether this set surely has all transactions of the other.</summary>
    public bool Includes(Snapshot other) => other.Next <= Next && !Unseen.Any(other.Sees);

    /// <summary>PostgreSQL's format: the first missing id, the next id, the unseen ids.</summary>
    public override string ToString() => $"{First}:{Next}:{string.Join(',', Unseen)}";

    /// <returns>Null when the text is no such set.</returns>
    public static Snapshot? Parse(string text)
    {
        if (text.Split(':') is not [var first, var next, var unseen])
            return null;
        var ids = unseen.Length == 0 ? [] : unseen.Split(',').Select(Number).ToList();
        if (ids.Contains(null) || Number(first) is null || Number(next) is not (>= 1 and var end))
            return null;
        var snapshot = new Snapshot(end, [.. ids.Select(id => id!.Value).Distinct().Order()]);
        return snapshot.Unseen.All(id => id >= 1 && id < end) && snapshot.ToString() == text ? snapshot : null;
    }

    internal static ulong? Number(string text) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}

/// <summary>What an event tells of; events of one job and one transaction are ordered by it.</summary>
public enum EventKind
{
    Attempt,
    Epoch,
    State,
    Study,
}

/// <summary>The place of an event in the order of all events.</summary>
/// <param name="Transaction">The transaction that made the change; 0 when a row of an older schema does not tell.</param>
/// <param name="Sequence">The job's or the study's sequence number.</param>
/// <param name="Number">The number of the attempt or the epoch; 0 for a state.</param>
public readonly record struct EventKey(ulong Transaction, EventKind Kind, long Sequence, int Number) : IComparable<EventKey>
{
    private const string Letters = "aesg"; // attempt, epoch, state, study (a grid)

    /// <summary>By transaction; within one, the jobs by sequence, then the studies.</summary>
    public int CompareTo(EventKey other) => Order.CompareTo(other.Order);

    private (ulong, bool, long, EventKind, int) Order => (Transaction, Kind == EventKind.Study, Sequence, Kind, Number);

    public override string ToString() => $"{Transaction}.{Letters[(int)Kind]}.{Sequence}.{Number}";

    /// <returns>Null when the text is no key.</returns>
    public static EventKey? Parse(string text) =>
        text.Split('.') is [var transaction, [var letter], var sequence, var number]
        && Snapshot.Number(transaction) is { } id
        && Letters.IndexOf(letter) is >= 0 and var kind
        && Snapshot.Number(sequence) is <= long.MaxValue and var place
        && Snapshot.Number(number) is <= int.MaxValue and var index
        && new EventKey(id, (EventKind)kind, (long)place, (int)index) is var key
        && key.ToString() == text
            ? key
            : null;
}

/// <summary>
/// How far a client has read; its text is the id of an event. Every process of the API can continue from it, because it consists
/// of what the rows tell.
/// </summary>
/// <param name="Seen">The transactions whose events the client has all got.</param>
/// <param name="Last">The event that it got last, of a transaction whose events it may not have all got; null when there is no
/// such transaction.</param>
public sealed record Position(Snapshot Seen, EventKey? Last)
{
    /// <summary>Longest text of a position, in characters. Each transaction that is open at the time adds about ten.</summary>
    public const int Longest = 16_000;

    /// <summary>Whether the client has seen no transaction.</summary>
    public bool IsStart => Seen.Next <= Snapshot.Empty.Next;

    /// <summary>The transaction of which the client may have got only a part; null when there is none.</summary>
    public ulong? Rest => Last is { } last && !Seen.Sees(last.Transaction) ? last.Transaction : null;

    public override string ToString() => Last is null ? $"{Seen}" : $"{Seen};{Last}";

    /// <returns>Null when the text is no position.</returns>
    public static Position? Parse(string text) =>
        text.Length > Longest ? null
        : text.Split(';') is var parts && Snapshot.Parse(parts[0]) is not { } seen ? null
        : parts.Length == 1 ? new(seen, null)
        : parts.Length == 2 && EventKey.Parse(parts[1]) is { } last && last.Transaction <= seen.Next ? new(seen, last)
        : null;

    /// <summary>Whether the client already has the event.</summary>
    public bool Has(EventKey key) => Last is { } last && key.Transaction == last.Transaction && key.CompareTo(last) <= 0;
}
