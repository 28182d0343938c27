using Spectre.Console;
using Spectre.Console.Rendering;
using Temper.Cli.Http;

namespace Temper.Cli.Output;

/// <summary>A job or a study that is watched, as it stands.</summary>
internal interface IWatched
{
    void Take(Change change);

    /// <summary>Where it stands, in one line.</summary>
    string Line { get; }

    /// <summary>The share of its work that is done, 0 to 1.</summary>
    double Share { get; }

    /// <summary>What stands above the bar on a terminal; null before there is anything.</summary>
    IRenderable? Table { get; }
}

/// <summary>Shows a job or a study while it runs: drawn over on a terminal, else a line for each change.</summary>
internal static class Watching
{
    /// <summary>Leaves room for the line of a job on a terminal of 80 columns.</summary>
    private const int BarWidth = 20;

    /// <param name="quiet">Shows nothing.</param>
    /// <param name="whenInterrupted">Told on standard error when the user stops watching.</param>
    public static async Task UntilTheEndAsync(
        IWatched watched,
        Changes changes,
        bool quiet,
        string whenInterrupted,
        CancellationToken cancellation
    )
    {
        try
        {
            if (quiet)
                await changes.FollowAsync(_ => { }, cancellation);
            else if (Terminal.IsInteractive)
                await LiveAsync(watched, changes, cancellation);
            else
                await LinesAsync(watched, changes, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            Terminal.Note(whenInterrupted);
            throw;
        }
    }

    /// <summary>The view is cleared at the end, where the whole table follows.</summary>
    private static Task LiveAsync(IWatched watched, Changes changes, CancellationToken cancellation) =>
        Terminal
            .Out.Live(View(watched))
            .AutoClear(true)
            .StartAsync(live =>
                changes.FollowAsync(
                    change =>
                    {
                        watched.Take(change);
                        live.UpdateTarget(View(watched));
                    },
                    cancellation
                )
            );

    private static async Task LinesAsync(IWatched watched, Changes changes, CancellationToken cancellation)
    {
        var last = "";
        await changes.FollowAsync(
            change =>
            {
                watched.Take(change);
                if (watched.Line is { Length: > 0 } line && line != last)
                    Terminal.WriteLine(last = line);
            },
            cancellation
        );
    }

    private static Rows View(IWatched watched)
    {
        var done = (int)Math.Round(BarWidth * Math.Clamp(watched.Share, 0, 1));
        var bar = new Paragraph(new string('━', done), new Style(Color.Green))
            .Append(new string('━', BarWidth - done), new Style(Color.Grey))
            .Append($"  {watched.Line}");
        return watched.Table is { } table ? new(table, bar) : new(bar);
    }
}
