using System.Data.Common;
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
        ("augrc", s => s.Augrc),
    ];

    public static IReadOnlyList<(string Name, Func<Scores, double?> Of)> All { get; } =
    [
        ("temperature", scores => scores.Temperature),
        .. OfSplit.Select(column => ($"validation_{column.Name}", (Func<Scores, double?>)(scores => column.Of(scores.Validation)))),
        .. OfSplit.Select(column => ($"test_{column.Name}", (Func<Scores, double?>)(scores => column.Of(scores.Test)))),
    ];

    /// <param name="first">The index of the first column of <see cref="All"/>; the others follow it.</param>
    public static Scores Read(DbDataReader row, int first) =>
        new(row.GetDouble(first), ReadSplit(row, first + 1), ReadSplit(row, first + 1 + OfSplit.Count));

    /// <param name="first">The index of the first column of <see cref="OfSplit"/>; the others follow it.</param>
    public static SplitScores ReadSplit(DbDataReader row, int first)
    {
        return new(
            row.GetDouble(first),
            row.GetDouble(first + 1),
            row.GetDouble(first + 2),
            row.GetDouble(first + 3),
            row.GetDouble(first + 4),
            row.GetDouble(first + 5),
            row.GetDouble(first + 6),
            row.GetDouble(first + 7),
            Newer(first + 8),
            Newer(first + 9),
            Newer(first + 10),
            Newer(first + 11),
            Newer(first + 12)
        );

        double? Newer(int column) => row.IsDBNull(column) ? null : row.GetDouble(column);
    }
}
