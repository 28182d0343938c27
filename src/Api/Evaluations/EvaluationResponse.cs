using Temper.Domain.Calibration;
using Temper.Domain.Evaluations;
using Temper.Store.Rows;

namespace Temper.Api.Evaluations;

/// <summary>An evaluation of a model that was trained elsewhere.</summary>
/// <param name="Id">Id of the evaluation, used in every URL.</param>
/// <param name="Name">The name that it was submitted with; null without one.</param>
/// <param name="Outputs">Whether the file had logits or probabilities.</param>
/// <param name="Count">N, the number of test images.</param>
/// <param name="Classes">K.</param>
/// <param name="ValidationCount">Number of validation images; null when there are none and T is cross-fitted.</param>
/// <param name="FlooredZeros">How many probabilities were exactly 0 and were raised to the smallest positive number of their
/// type.</param>
/// <param name="Sha256">SHA-256 of the file.</param>
/// <param name="Scores">The main figures of the report with its default options.</param>
/// <param name="Notes">What a reader of the report should know of the file.</param>
/// <param name="CreatedAt">When it was submitted.</param>
/// <param name="Links">Paths of the operations on the evaluation.</param>
public sealed record EvaluationResponse(
    Guid Id,
    string? Name,
    OutputKind Outputs,
    int Count,
    int Classes,
    int? ValidationCount,
    long FlooredZeros,
    string Sha256,
    EvaluationScores Scores,
    IReadOnlyList<string> Notes,
    DateTimeOffset CreatedAt,
    EvaluationLinks Links
)
{
    internal static EvaluationResponse Of(EvaluationRow row) =>
        new(
            row.Id,
            row.Name,
            row.Outputs,
            row.Count,
            row.Classes,
            row.ValidationCount,
            row.FlooredZeros,
            row.Sha256,
            row.Scores,
            row.Notes,
            row.CreatedAt,
            new($"/evaluations/{row.Id}", $"/evaluations/{row.Id}/calibration")
        );
}

/// <summary>Paths of the operations on an evaluation.</summary>
public sealed record EvaluationLinks(string Self, string Calibration);

/// <summary>A stored evaluation with its report.</summary>
/// <param name="Report">The report with its default options, as `links.calibration` gives it.</param>
public sealed record EvaluatedResponse(EvaluationResponse Evaluation, CalibrationReport Report);

/// <summary>A page of evaluations, newest first.</summary>
/// <param name="Next">The `cursor` of the following page; null on the last.</param>
public sealed record EvaluationPage(IReadOnlyList<EvaluationResponse> Items, string? Next);
