using Temper.Domain.Evaluations;

namespace Temper.Store.Rows;

/// <summary>An evaluation of a model that was trained elsewhere. It never changes.</summary>
public sealed class EvaluationRow
{
    public Guid Id { get; init; }

    /// <summary>Whose evaluation it is.</summary>
    public required string Tenant { get; init; }

    /// <summary>Order of submission. Lists page by it.</summary>
    public long Sequence { get; init; }

    /// <summary>The submitter's name for it; null without one.</summary>
    public string? Name { get; init; }

    /// <summary>The submitter's idempotency key: two submissions with one key make one evaluation. Null without one.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>SHA-256 of the submitted file, in hexadecimal digits.</summary>
    public required string Sha256 { get; init; }

    public OutputKind Outputs { get; init; }

    /// <summary>N, the number of test images.</summary>
    public int Count { get; init; }

    /// <summary>K.</summary>
    public int Classes { get; init; }

    /// <summary>The number of validation images; null without a validation part.</summary>
    public int? ValidationCount { get; init; }

    /// <summary>How many probabilities were exactly 0 and were raised.</summary>
    public long FlooredZeros { get; init; }

    public bool HasTrueProbabilities { get; init; }

    public required EvaluationScores Scores { get; init; }

    /// <summary>What a reader of the report should know of the file.</summary>
    public required List<string> Notes { get; init; }

    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A piece of an array of an evaluation, little-endian.</summary>
public sealed class EvaluationPieceRow
{
    public Guid EvaluationId { get; init; }

    /// <summary>`test_logits`, `test_labels`, `validation_logits`, `validation_labels` or `true_probabilities`.</summary>
    public required string Part { get; init; }

    /// <summary>Order of the piece in its array, from 0.</summary>
    public int Piece { get; init; }

    /// <summary>float32 of logits, int32 of labels, float64 of probabilities.</summary>
    public required byte[] Data { get; init; }
}
