namespace Temper.Harness.Chaos;

/// <summary>Times during which something was unavailable.</summary>
/// <param name="margin">How long before and after each span its effects may show.</param>
public sealed class Spans(TimeSpan margin)
{
    private readonly Lock gate = new();
    private readonly List<Span> spans = [];

    /// <returns>An object that ends the span when it is disposed.</returns>
    public IDisposable Open()
    {
        var span = new Span();
        lock (gate)
            spans.Add(span);
        return span;
    }

    /// <summary>Whether a span covers some moment of that time.</summary>
    public bool Touch(DateTime from, DateTime until)
    {
        lock (gate)
            return spans.Any(span => from < Later(span.Until) && until > span.From - margin);
    }

    private DateTime Later(DateTime until) => until == DateTime.MaxValue ? until : until + margin;

    private sealed class Span : IDisposable
    {
        public DateTime From { get; } = DateTime.UtcNow;

        public DateTime Until { get; private set; } = DateTime.MaxValue;

        public void Dispose() => Until = DateTime.UtcNow;
    }
}
