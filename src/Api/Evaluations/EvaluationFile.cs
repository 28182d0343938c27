using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Domain.Calibration;
using Temper.Domain.Evaluations;

namespace Temper.Api.Evaluations;

/// <summary>An uploaded npz file with the outputs of a model, read and checked.</summary>
/// <param name="FlooredZeros">How many probabilities were exactly 0 and were raised.</param>
/// <param name="Notes">What a reader of the report should know of the file.</param>
internal sealed record EvaluationFile(EvaluatedLogits Logits, OutputKind Outputs, long FlooredZeros, List<string> Notes);

/// <summary>Reads the file of an evaluation. It collects the errors of all arrays before it reads their numbers.</summary>
internal sealed class EvaluationReader
{
    private const int LeastClasses = 2,
        MostClasses = 1000,
        PieceNumbers = 64 << 10;

    /// <summary>Numbers of both parts together: 256 MiB as float32.</summary>
    private const long MostNumbers = 1L << 26;

    /// <summary>Images of a part. The report of one takes about 200 bytes for each image, however few classes there are.</summary>
    private const int MostImages = 4_000_000;

    /// <summary>How far the sum of a row of probabilities may be from 1.</summary>
    private const double SumTolerance = 1e-3;

    private const string TrueProbabilities = "true_probabilities",
        Validation = "validation_";

    private static readonly string[] Known =
    [
        "logits",
        "probabilities",
        "labels",
        "validation_logits",
        "validation_probabilities",
        "validation_labels",
        TrueProbabilities,
    ];

    private static readonly ZipBounds Bounds = new(Members: 16, MemberBytes: 1 << 30, TotalBytes: 2L << 30);

    private readonly NpzFile npz;
    private readonly SpecErrors errors;
    private readonly CancellationToken cancellation;
    private readonly List<string> notes = [];
    private long flooredZeros;

    private EvaluationReader(NpzFile npz, SpecErrors errors, CancellationToken cancellation) =>
        (this.npz, this.errors, this.cancellation) = (npz, errors, cancellation);

    /// <returns>Null when there are errors: each is under the array at fault, or under `body`.</returns>
    public static EvaluationFile? Read(Stream file, SpecErrors errors, CancellationToken cancellation) =>
        errors.Try(() => new NpzFile(file, Bounds, cancellation)) is { } npz
            ? new EvaluationReader(npz, errors, cancellation).Read()
            : null;

    private EvaluationFile? Read()
    {
        foreach (var name in npz.Names.Except(Known))
            errors.Add(name, $"is not an array of an evaluation; its arrays are {string.Join(", ", Known)}");
        var test = FindPart("", isRequired: true);
        var validation = FindPart(Validation, isRequired: false);
        var trueProbabilities = Find(TrueProbabilities, ElementTypes.Floats);
        if (test is not null && validation is not null)
            CheckBoth(test, validation);
        if (test is { Validation: null } && validation is null && !HasAny(Validation) && test.Count < 2)
            errors.Add(test.Scores.Name, "must have at least 2 images, because there is no validation part to fit T on");
        if (test is not null && trueProbabilities is not null)
            CheckTrueProbabilities(test, trueProbabilities);
        if (errors.Any || test is null)
            return null;

        var testLogits = ReadPart(test);
        var validationLogits = validation is null ? null : ReadPart(validation);
        var truth = trueProbabilities is null ? null : errors.Try(() => ReadTrueProbabilities(trueProbabilities, test, testLogits));
        return errors.Any || testLogits is null ? null : new(new(testLogits, validationLogits, truth), test.Kind, flooredZeros, notes);
    }

    /// <summary>The arrays of the test or the validation part, whose headers are checked.</summary>
    private sealed record Part(NpzArray Scores, NpzArray Labels, OutputKind Kind, string? Validation)
    {
        public int Count => (int)Scores.Shape[0];

        public int Classes => (int)Scores.Shape[1];
    }

    private bool HasAny(string prefix) => npz.Names.Any(name => name.StartsWith(prefix, StringComparison.Ordinal));

    private Part? FindPart(string prefix, bool isRequired)
    {
        var (logitsName, probabilitiesName, labelsName) = ($"{prefix}logits", $"{prefix}probabilities", $"{prefix}labels");
        var logits = Find(logitsName, ElementTypes.Floats);
        var probabilities = Find(probabilitiesName, ElementTypes.Floats);
        var labels = Find(labelsName, ElementTypes.Integers);
        bool hasLogits = npz.Names.Contains(logitsName),
            hasProbabilities = npz.Names.Contains(probabilitiesName),
            hasLabels = npz.Names.Contains(labelsName);
        if (hasLogits && hasProbabilities)
            errors.Add(probabilitiesName, $"is given beside {logitsName}; give one of the two");
        if (!hasLogits && !hasProbabilities && (isRequired || hasLabels))
            errors.Add(logitsName, $"is required, or {probabilitiesName}: N×K, N images and K classes");
        if (!hasLabels && (isRequired || hasLogits || hasProbabilities))
            errors.Add(labelsName, "is required: N whole numbers from 0 to K − 1");
        if ((logits ?? probabilities) is not { } scores || !IsTable(scores) || labels is null)
            return null;
        if (labels.Shape.Count != 1 || labels.Shape[0] != scores.Shape[0])
        {
            errors.Add(labelsName, $"must be one label for each of {scores.Shape[0]} images; its shape is {NpyHeader.Shown(labels.Shape)}");
            return null;
        }
        return new(scores, labels, logits is null ? OutputKind.Probabilities : OutputKind.Logits, prefix.Length > 0 ? prefix : null);
    }

    private NpzArray? Find(string name, IReadOnlyList<ElementType> allowed) => errors.Try(() => npz.Find(name, allowed));

    private bool IsTable(NpzArray scores)
    {
        var error = scores.Shape switch
        {
            not [_, _] => "must be N×K, N images and K classes",
            [_, < LeastClasses or > MostClasses] => $"must have {LeastClasses} to {MostClasses} classes",
            [0, _] => "must have at least one image",
            [> MostImages, _] => $"must have at most {MostImages} images",
            _ when scores.Count > MostNumbers => $"must have at most {MostNumbers} numbers",
            _ => null,
        };
        if (error is not null)
            errors.Add(scores.Name, $"{error}; its shape is {NpyHeader.Shown(scores.Shape)}");
        return error is null;
    }

    private void CheckBoth(Part test, Part validation)
    {
        if (test.Classes != validation.Classes)
            errors.Add(
                validation.Scores.Name,
                $"must have the {test.Classes} classes of {test.Scores.Name}; its shape is {NpyHeader.Shown(validation.Scores.Shape)}"
            );
        else if (test.Scores.Count + validation.Scores.Count > MostNumbers)
            errors.Add(validation.Scores.Name, $"must have, together with {test.Scores.Name}, at most {MostNumbers} numbers");
    }

    private void CheckTrueProbabilities(Part test, NpzArray given)
    {
        var isOfPredicted = given.Shape is [var count] && count == test.Count;
        var isOfAll = given.Shape is [var rows, var classes] && rows == test.Count && classes == test.Classes;
        if (!isOfPredicted && !isOfAll)
            errors.Add(
                TrueProbabilities,
                $"must be N×K as {test.Scores.Name}, or N numbers for the predicted classes; its shape is {NpyHeader.Shown(given.Shape)}"
            );
    }

    /// <returns>Null when there are errors.</returns>
    private LabelledLogits? ReadPart(Part part)
    {
        var labels = errors.Try(() => ReadLabels(part));
        var logits = errors.Try(() => part.Kind == OutputKind.Logits ? ReadLogits(part) : ReadProbabilities(part));
        return labels is null || logits is null ? null : new(logits, labels, part.Classes);
    }

    private int[] ReadLabels(Part part)
    {
        using var numbers = part.Labels.Open();
        var (labels, piece, filled) = (new int[part.Count], new long[PieceNumbers], 0);
        for (int read; (read = Next<long>(numbers, piece)) > 0; )
            foreach (var label in piece.AsSpan(0, read))
            {
                if (label < 0 || label >= part.Classes)
                    throw Wrong(part.Labels, $"must be from 0 to {part.Classes - 1}; {Row(filled)} has {label}");
                labels[filled++] = (int)label;
            }
        return labels;
    }

    private float[] ReadLogits(Part part)
    {
        using var numbers = part.Scores.Open();
        var logits = new float[part.Scores.Count];
        for (
            int start = 0, read;
            (read = Next(numbers, logits.AsSpan(start, Math.Min(PieceNumbers, logits.Length - start)))) > 0;
            start += read
        )
        for (var i = start; i < start + read; i++)
            if (!float.IsFinite(logits[i]))
                throw Wrong(
                    part.Scores,
                    $"must be finite in float32; {Row(i / part.Classes)} has {(float.IsNaN(logits[i]) ? "NaN" : "infinity")}"
                );
        return logits;
    }

    /// <summary>
    /// Takes the logarithms as logits. An exact 0 is below the smallest positive number of its type, so it becomes that number.
    /// </summary>
    private float[] ReadProbabilities(Part part)
    {
        using var numbers = part.Scores.Open();
        var floor = part.Scores.Type switch
        {
            ElementType.Float16 => (double)Half.Epsilon,
            ElementType.Float32 => float.Epsilon,
            _ => double.Epsilon,
        };
        var logits = new float[part.Scores.Count];
        var rows = new double[Math.Max(1, PieceNumbers / part.Classes) * part.Classes];
        var (filled, zeros) = (0, 0L);
        for (int read; (read = Next<double>(numbers, rows)) > 0; )
        {
            for (var row = 0; row < read; row += part.Classes)
            {
                CheckRow(part.Scores, rows.AsSpan(row, part.Classes), (filled + row) / part.Classes);
                foreach (var p in rows.AsSpan(row, part.Classes))
                    zeros += p == 0 ? 1 : 0;
            }
            for (var i = 0; i < read; i++)
                logits[filled + i] = (float)Math.Log(Math.Max(rows[i], floor));
            filled += read;
        }
        if (zeros > 0)
            notes.Add(
                FormattableString.Invariant(
                    $"{zeros} of {part.Scores.Name} are exactly 0 and count as {floor:G3}, the smallest positive {part.Scores.Type.Name()}."
                )
            );
        flooredZeros += zeros;
        return logits;
    }

    /// <summary>Takes the true probability of the class with the largest logit; of equal logits, the first class.</summary>
    /// <param name="logits">Null when they are wrong; then the probabilities are only checked.</param>
    private double[] ReadTrueProbabilities(NpzArray given, Part test, LabelledLogits? logits)
    {
        using var numbers = given.Open();
        var width = given.Shape.Count == 1 ? 1 : test.Classes;
        var (truth, rows, filled) = (new double[test.Count], new double[Math.Max(1, PieceNumbers / width) * width], 0);
        for (int read; (read = Next<double>(numbers, rows)) > 0; )
        for (var row = 0; row < read; row += width)
        {
            var values = rows.AsSpan(row, width);
            if (width > 1)
                CheckRow(given, values, filled);
            else if (!(values[0] >= 0 && values[0] <= 1))
                throw Wrong(given, FormattableString.Invariant($"must be from 0 to 1; {Row(filled)} has {values[0]}"));
            truth[filled] =
                width == 1 ? values[0]
                : logits is null ? 0
                : Math.Min(values[logits.Predicted[filled]], 1);
            filled++;
        }
        return truth;
    }

    private static void CheckRow(NpzArray array, ReadOnlySpan<double> probabilities, int row)
    {
        var sum = 0.0;
        foreach (var p in probabilities)
        {
            if (!(p >= 0)) // also NaN
                throw Wrong(array, FormattableString.Invariant($"must be from 0 to 1; {Row(row)} has {p}"));
            sum += p;
        }
        if (!(Math.Abs(sum - 1) <= SumTolerance))
            throw Wrong(
                array,
                FormattableString.Invariant($"must sum to 1 within {SumTolerance} in each row; {Row(row)} sums to {sum:G6}")
            );
    }

    private int Next<T>(NpzNumbers numbers, Span<T> piece)
        where T : unmanaged, System.Numerics.INumberBase<T>
    {
        cancellation.ThrowIfCancellationRequested();
        return numbers.Read(piece);
    }

    private static string Row(int row) => $"row {row} (from 0)";

    private static WrongBodyException Wrong(NpzArray array, string sentence) => new(array.Name, sentence);
}
