using Temper.Domain.Jobs;

namespace Temper.Store.Rows;

/// <summary>
/// The columns of <see cref="Rows.ScoresRow"/> that hold <see cref="Scores"/>, for the statements that write and read
/// them.
/// </summary>
internal static class ScoreColumns
{
    /// <summary>The columns of one <see cref="SplitScores"/>, as <see cref="CorruptionScoresRow"/> has them.</summary>
    public static IReadOnlyList<(string Name, Func<SplitScores, double> Of)> OfSplit { get; } =
    [
        ("accuracy", s => s.Accuracy),
        ("nll", s => s.Nll),
        ("brier", s => s.Brier),
        ("ece", s => s.Ece),
        ("signed_gap", s => s.SignedGap),
        ("aurc", s => s.Aurc),
        ("nll_after_temperature", s => s.NllAfterTemperature),
        ("ece_after_temperature", s => s.EceAfterTemperature),
    ];

    public static IReadOnlyList<(string Name, Func<Scores, double> Of)> All { get; } =
    [
        ("temperature", scores => scores.Temperature),
        .. OfSplit.Select(column => ($"validation_{column.Name}", (Func<Scores, double>)(scores => column.Of(scores.Validation)))),
        .. OfSplit.Select(column => ($"test_{column.Name}", (Func<Scores, double>)(scores => column.Of(scores.Test)))),
    ];

    /// <param name="at">Gives a column's value by its index in <see cref="All"/>.</param>
    public static Scores Read(Func<int, double> at) => new(at(0), ReadSplit(at, 1), ReadSplit(at, 1 + OfSplit.Count));

    /// <param name="first">The index of the first column of <see cref="OfSplit"/>; the others follow it.</param>
    public static SplitScores ReadSplit(Func<int, double> at, int first) =>
        new(at(first), at(first + 1), at(first + 2), at(first + 3), at(first + 4), at(first + 5), at(first + 6), at(first + 7));
}
