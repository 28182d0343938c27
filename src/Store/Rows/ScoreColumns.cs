using Temper.Domain.Jobs;

namespace Temper.Store.Rows;

/// <summary>
/// The columns of <see cref="Rows.ScoresRow"/> that hold <see cref="Scores"/>, for the statements that write and read
/// them.
/// </summary>
internal static class ScoreColumns
{
    /// <summary>The columns of one <see cref="SplitScores"/>, as <see cref="CorruptionScoresRow"/> has them.</summary>
    public static IReadOnlyList<(string Name, Func<SplitScores, double?> Of)> OfSplit { get; } =
    [
        ("accuracy", s => s.Accuracy),
        ("nll", s => s.Nll),
        ("brier", s => s.Brier),
        ("ece", s => s.Ece),
        ("signed_gap", s => s.SignedGap),
        ("aurc", s => s.Aurc),
        ("nll_after_temperature", s => s.NllAfterTemperature),
        ("ece_after_temperature", s => s.EceAfterTemperature),
        ("debiased_ece", s => s.DebiasedEce),
        ("smooth_ece", s => s.SmoothEce),
        ("debiased_ece_after_temperature", s => s.DebiasedEceAfterTemperature),
        ("smooth_ece_after_temperature", s => s.SmoothEceAfterTemperature),
    ];

    public static IReadOnlyList<(string Name, Func<Scores, double?> Of)> All { get; } =
    [
        ("temperature", scores => scores.Temperature),
        .. OfSplit.Select(column => ($"validation_{column.Name}", (Func<Scores, double?>)(scores => column.Of(scores.Validation)))),
        .. OfSplit.Select(column => ($"test_{column.Name}", (Func<Scores, double?>)(scores => column.Of(scores.Test)))),
    ];

    /// <param name="at">Gives a column's value by its index in <see cref="All"/>.</param>
    public static Scores Read(Func<int, double?> at) => new(at(0)!.Value, ReadSplit(at, 1), ReadSplit(at, 1 + OfSplit.Count));

    /// <param name="first">The index of the first column of <see cref="OfSplit"/>; the others follow it.</param>
    public static SplitScores ReadSplit(Func<int, double?> at, int first)
    {
        double Required(int column) => at(first + column)!.Value;
        return new(
            Required(0),
            Required(1),
            Required(2),
            Required(3),
            Required(4),
            Required(5),
            Required(6),
            Required(7),
            at(first + 8),
            at(first + 9),
            at(first + 10),
            at(first + 11)
        );
    }
}
