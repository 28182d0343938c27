using System.Globalization;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Smoothing;
using Temper.Domain.Studies;
using Temper.Store.Queue;
using Temper.Store.Rows;

namespace Temper.Store.Studies;

/// <summary>A study with the results of its jobs so far, by arm.</summary>
public sealed record StudyState(
    Guid Id,
    long Sequence,
    StudySpec Spec,
    DateTimeOffset CreatedAt,
    bool Pinned,
    IReadOnlyList<ArmState> Arms
);

/// <summary>An arm with the counts and the mean figures of its jobs.</summary>
/// <param name="Jobs">Number of jobs in each state.</param>
/// <param name="Scored">Number of jobs that have scores.</param>
/// <param name="Figures">Mean and standard deviation over seeds, and the number of jobs that have the figure, by the names of
/// <see cref="StudyReader.Figures"/>. The deviation is null below two jobs. The mean is NaN if a value is not finite or reaches 1e304,
/// the deviation at 1e140. A figure that no job has is left out.</param>
/// <param name="SecondsPerJob">Seconds of all attempts of a job, mean over the succeeded jobs; null without any.</param>
public sealed record ArmState(
    StudyArm Arm,
    IReadOnlyDictionary<JobState, int> Jobs,
    int Scored,
    IReadOnlyDictionary<string, (double Mean, double? Deviation, int Jobs)> Figures,
    double? SecondsPerJob
);

/// <summary>One study in a list.</summary>
/// <param name="Tenant">Whose study it is.</param>
/// <param name="Dropped">Number of cancelled jobs in arms that successive halving dropped.</param>
/// <param name="Spec">Null when this build cannot read it.</param>
public sealed record StudySummary(
    Guid Id,
    long Sequence,
    StudySpec? Spec,
    DateTimeOffset CreatedAt,
    IReadOnlyDictionary<JobState, int> Jobs,
    int Dropped,
    string Tenant
);

/// <summary>The metrics of an epoch as means over the seeds of an arm; <see cref="EpochMetrics"/> explains each.</summary>
/// <param name="Seeds">Number of jobs in the means.</param>
public sealed record MeanEpoch(
    int Epoch,
    int Seeds,
    double TrainLoss,
    double TrainAccuracy,
    double ValidationLoss,
    double ValidationAccuracy,
    double Ece,
    double SignedGap,
    double? ValidationLossAfterTemperature
);

/// <summary>A job of a study with the values in which it differs from the study's other jobs.</summary>
/// <param name="Sequence">Order of submission.</param>
public sealed record CurveJob(Guid Id, long Sequence, Arm Arm, long Seed);

/// <summary>How long earlier jobs took.</summary>
/// <param name="SecondsPerEpoch">Median over the jobs.</param>
/// <param name="Jobs">Number of jobs in the median.</param>
public sealed record EarlierTimes(double SecondsPerEpoch, int Jobs);

/// <summary>Reads studies; each answer takes one statement.</summary>
public sealed class StudyReader(NpgsqlDataSource database)
{
    /// <summary>The figures that a study shows for each arm, by name, with the SQL expression of each.</summary>
    public static IReadOnlyDictionary<string, string> Figures { get; } =
        new Dictionary<string, string>
        {
            ["accuracy"] = "test_accuracy",
            ["nll"] = "test_nll",
            ["brier"] = "test_brier",
            ["ece"] = "test_ece",
            ["eceAfterTemperature"] = "test_ece_after_temperature",
            ["nllAfterTemperature"] = "test_nll_after_temperature",
            ["signedGap"] = "test_signed_gap",
            ["aurc"] = "test_aurc",
            ["temperature"] = "temperature",
            ["bestEpoch"] = "best_epoch",
            ["bestEpochAfterTemperature"] = "best_epoch_after_temperature",
            ["trainTestGap"] = "train_accuracy - test_accuracy",
            ["validationAccuracy"] = "validation_accuracy",
            ["validationNll"] = "validation_nll",
            ["validationEce"] = "validation_ece",
            ["validationBrier"] = "validation_brier",
            ["validationNllAfterTemperature"] = "validation_nll_after_temperature",
            ["validationEceAfterTemperature"] = "validation_ece_after_temperature",
            ["debiasedEce"] = "test_debiased_ece",
            ["smoothEce"] = "test_smooth_ece",
            ["debiasedEceAfterTemperature"] = "test_debiased_ece_after_temperature",
            ["smoothEceAfterTemperature"] = "test_smooth_ece_after_temperature",
            ["validationDebiasedEce"] = "validation_debiased_ece",
            ["validationSmoothEce"] = "validation_smooth_ece",
            ["validationDebiasedEceAfterTemperature"] = "validation_debiased_ece_after_temperature",
            ["validationSmoothEceAfterTemperature"] = "validation_smooth_ece_after_temperature",
            ["augrc"] = "test_augrc",
            ["validationAugrc"] = "validation_augrc",
            ["corruptedAccuracy"] = "corrupted_accuracy",
            ["corruptedNll"] = "corrupted_nll",
            ["corruptedEce"] = "corrupted_ece",
            ["corruptedNllAfterTemperature"] = "corrupted_nll_after_temperature",
            ["corruptedEceAfterTemperature"] = "corrupted_ece_after_temperature",
        };

    /// <summary>
    /// The means of a job's figures under corruption, null without any. In a study without corruptions it reads no row.
    /// </summary>
    private static readonly string CorruptedSql = $"""
        SELECT {string.Join(", ", ScoreColumns.OfSplit.Select(column => $"{Mean(column.Name)} AS corrupted_{column.Name}"))}
        FROM corruption_scores WHERE corruption_scores.job_id = jobs.id AND (studies.spec->'job'->>'corruptions')::boolean
        """;

    internal const string ArmColumns = "arms.arm, epsilon, smoothing, learning_rate, model, label_noise, settings, dropped_at_seeds";

    private const int ArmColumnCount = 8;

    /// <summary>Timeout. Reading millions of epochs takes longer than the few seconds that other statements may take.</summary>
    private const int CurvesSeconds = 60;

    private static readonly string[] CurveFigures =
    [
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "ece",
        "signed_gap",
        "validation_loss_after_temperature",
    ];

    internal static string ScoresSql { get; } = string.Join(", ", ScoreColumns.All.Select(column => column.Name));

    private static readonly JobState[] States = Enum.GetValues<JobState>();

    private static readonly string CountsSql = string.Join(
        ", ",
        States.Select(state => $"count(*) FILTER (WHERE state = '{TemperDb.Word(state)}')::int")
    );

    /// <summary>
    /// PostgreSQL's avg squares its values, and a square or sum beyond the range of float8 fails the whole statement. This
    /// expression gives NaN instead.
    /// </summary>
    private static string Mean(string sql) => $"sum({Below("1e304", sql)}) / nullif(count({sql}), 0)";

    /// <inheritdoc cref="Mean"/>
    private static string Deviation(string sql) => $"stddev_samp({Below("1e140", sql)})";

    private static string Below(string bound, string sql) =>
        $"CASE WHEN abs({sql}) < {bound} THEN ({sql})::float8 WHEN ({sql}) IS NOT NULL THEN 'NaN' END";

    private static readonly string FindSql = $"""
        SELECT studies.id, studies.sequence, spec::text, created_at, pinned, {ArmColumns}, jobs.*
        FROM studies JOIN arms ON study_id = id
        LEFT JOIN LATERAL (
            SELECT {CountsSql}, avg({JobQueue.SecondsOf("jobs")}) FILTER (WHERE state = 'succeeded'),
                   count(job_id)::int, {string.Join(
            ", ",
            Figures.Values.Select(sql => $"{Mean(sql)}, {Deviation(sql)}, count({sql})::int")
        )}
            FROM jobs LEFT JOIN scores ON job_id = id LEFT JOIN LATERAL ({CorruptedSql}) corrupted ON true
            WHERE jobs.study_id = studies.id AND jobs.arm = arms.arm) jobs ON true
        WHERE studies.id = $1 ORDER BY label_noise, model, learning_rate, settings, smoothing DESC, epsilon
        """;

    /// <returns>Null when there is no such study.</returns>
    public async Task<StudyState?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(FindSql);
        command.Parameters.AddWithValue(id);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        StudyState? study = null;
        var arms = new List<ArmState>();
        while (await row.ReadAsync(cancellationToken))
        {
            study ??= new(
                row.GetGuid(0),
                row.GetInt64(1),
                TemperDb.Read<StudySpec>(row.GetString(2)),
                row.GetFieldValue<DateTimeOffset>(3),
                row.GetBoolean(4),
                arms
            );
            arms.Add(ReadState(row));
        }
        return study;
    }

    /// <returns>The succeeded jobs that have scores; empty when there is no such study.</returns>
    public async Task<IReadOnlyList<StudyJob>> JobsAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await JobsAsync(connection, id, cancellationToken);
    }

    /// <inheritdoc cref="JobsAsync(Guid, CancellationToken)"/>
    internal static async Task<List<StudyJob>> JobsAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"""
            SELECT jobs.id, arm, seed, train_accuracy, best_epoch, validation_images, test_images, {ScoresSql}, corrupted.*
            FROM jobs JOIN scores ON job_id = jobs.id JOIN studies ON studies.id = study_id
            LEFT JOIN LATERAL ({CorruptedSql}) corrupted ON true
            WHERE study_id = $1 ORDER BY arm, seed
            """,
            connection
        );
        command.Parameters.AddWithValue(id);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        const int First = 7;
        var corrupted = First + ScoreColumns.All.Count;
        var jobs = new List<StudyJob>();
        while (await row.ReadAsync(cancellationToken))
            jobs.Add(
                new(
                    row.GetGuid(0),
                    row.GetInt32(1),
                    row.GetInt64(2),
                    row.GetDouble(3),
                    row.GetInt32(4),
                    ScoreColumns.Read(row, First),
                    row.IsDBNull(5) ? null : row.GetInt32(5),
                    row.IsDBNull(6) ? null : row.GetInt32(6),
                    row.IsDBNull(corrupted) ? null : ScoreColumns.ReadSplit(row, corrupted)
                )
            );
        return jobs;
    }

    /// <returns>The number of failed jobs by arm and reason.</returns>
    public async Task<IReadOnlyList<FailedJobs>> FailedAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await FailedAsync(connection, id, cancellationToken);
    }

    /// <inheritdoc cref="FailedAsync(Guid, CancellationToken)"/>
    internal static async Task<IReadOnlyList<FailedJobs>> FailedAsync(
        NpgsqlConnection connection,
        Guid id,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(
            "SELECT arm, coalesce(reason, 'for an unknown reason'), count(*)::int FROM jobs WHERE study_id = $1 AND state = 'failed' "
                + "GROUP BY arm, reason ORDER BY arm, reason",
            connection
        );
        command.Parameters.AddWithValue(id);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var failed = new List<FailedJobs>();
        while (await row.ReadAsync(cancellationToken))
            failed.Add(new(row.GetInt32(0), row.GetString(1), row.GetInt32(2)));
        return failed;
    }

    /// <param name="epochs">The epochs to return: a long training has more than a chart can show.</param>
    /// <returns>Means over the succeeded jobs, by the number of the arm, in the order of epochs.</returns>
    public async Task<ILookup<int, MeanEpoch>> CurvesAsync(Guid id, int[] epochs, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
            SELECT arm, epoch, count(*)::int, {string.Join(", ", CurveFigures.Select(Mean))}
            FROM jobs JOIN epochs ON job_id = id WHERE study_id = $1 AND state = 'succeeded' AND epoch = ANY ($2)
            GROUP BY arm, epoch ORDER BY arm, epoch
            """
        );
        command.CommandTimeout = CurvesSeconds;
        command.Parameters.AddWithValue(id);
        command.Parameters.AddWithValue(epochs);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var means = new List<(int Arm, MeanEpoch Epoch)>();
        while (await row.ReadAsync(cancellationToken))
            means.Add(
                (
                    row.GetInt32(0),
                    new(
                        row.GetInt32(1),
                        row.GetInt32(2),
                        row.GetDouble(3),
                        row.GetDouble(4),
                        row.GetDouble(5),
                        row.GetDouble(6),
                        row.GetDouble(7),
                        row.GetDouble(8),
                        row.IsDBNull(9) ? null : row.GetDouble(9)
                    )
                )
            );
        return means.ToLookup(mean => mean.Arm, mean => mean.Epoch);
    }

    public async Task<bool> ExistsAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT EXISTS (SELECT FROM studies WHERE id = $1)");
        command.Parameters.AddWithValue(id);
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <param name="after">Returns only jobs with a larger sequence number; 0 starts at the oldest.</param>
    /// <returns>Oldest first.</returns>
    public async Task<IReadOnlyList<CurveJob>> CurveJobsAsync(Guid id, long after, int limit, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
            SELECT id, sequence, seed, {ArmColumns} FROM jobs JOIN arms USING (study_id, arm)
            WHERE study_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
            """
        );
        command.Parameters.AddWithValue(id);
        command.Parameters.AddWithValue(after);
        command.Parameters.AddWithValue(limit);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var jobs = new List<CurveJob>();
        while (await row.ReadAsync(cancellationToken))
            jobs.Add(new(row.GetGuid(0), row.GetInt64(1), ReadArm(row, 3).Arm, row.GetInt64(2)));
        return jobs;
    }

    /// <param name="tenant">Whose studies.</param>
    /// <param name="before">Returns only studies with a smaller sequence number; null starts at the newest.</param>
    /// <returns>Newest first.</returns>
    public async Task<IReadOnlyList<StudySummary>> ListAsync(string tenant, long? before, int limit, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(SummariesOf("tenant = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3"));
        command.Parameters.AddWithValue(tenant);
        command.Parameters.AddWithValue(before ?? long.MaxValue);
        command.Parameters.AddWithValue(limit);
        return await SummariesAsync(command, cancellationToken);
    }

    /// <returns>Those of the studies that exist, newest first.</returns>
    internal static async Task<IReadOnlyList<StudySummary>> SummariesAsync(
        NpgsqlConnection connection,
        Guid[] ids,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(SummariesOf("id = ANY ($1)"), connection);
        command.Parameters.AddWithValue(ids);
        return await SummariesAsync(command, cancellationToken);
    }

    private static string SummariesOf(string which) =>
        $"""
            SELECT id, sequence, spec::text, created_at, jobs.*, tenant
            FROM (SELECT * FROM studies WHERE {which}) studies
            LEFT JOIN LATERAL (
                SELECT {CountsSql}, count(*) FILTER (WHERE state = 'cancelled' AND dropped_at_seeds IS NOT NULL)::int
                FROM jobs JOIN arms USING (study_id, arm) WHERE study_id = studies.id) jobs ON true
            ORDER BY sequence DESC
            """;

    private static async Task<IReadOnlyList<StudySummary>> SummariesAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var studies = new List<StudySummary>();
        while (await row.ReadAsync(cancellationToken))
            studies.Add(
                new(
                    row.GetGuid(0),
                    row.GetInt64(1),
                    ReadOrNull(row.GetString(2)),
                    row.GetFieldValue<DateTimeOffset>(3),
                    ReadCounts(row, 4),
                    row.GetInt32(4 + States.Length),
                    row.GetString(5 + States.Length)
                )
            );
        return studies;
    }

    private static StudySpec? ReadOrNull(string spec)
    {
        try
        {
            return TemperDb.Read<StudySpec>(spec);
        }
        catch (NewerBuildException)
        {
            return null;
        }
    }

    /// <summary>
    /// The median seconds per epoch, over all attempts, of the latest 50 succeeded jobs like each of these on each kind of device. It
    /// considers the latest 1,000 succeeded jobs on the data set; alike means the same model, batch size, widths and corruptions, and
    /// with corruptions also the same epochs, because the time of corruptions does not grow with them.
    /// </summary>
    /// <param name="tenant">Whose jobs.</param>
    /// <param name="specs">At least one, all on one data set.</param>
    /// <returns>For each spec the times by kind of device, `cpu` or `cuda`.</returns>
    public async Task<IReadOnlyList<IReadOnlyDictionary<string, EarlierTimes>>> TimesAsync(
        string tenant,
        IReadOnlyList<JobSpec> specs,
        CancellationToken cancellationToken
    )
    {
        await using var command = database.CreateCommand(
            $"""
            WITH latest AS MATERIALIZED (
                SELECT id, sequence, spec, state, claimed_at, finished_at, split_part(result->>'device', ':', 1) AS kind
                FROM jobs WHERE tenant = $6 AND dataset = $1 AND state = 'succeeded' ORDER BY sequence DESC LIMIT 1000)
            SELECT number::int, kind, percentile_cont(0.5) WITHIN GROUP (ORDER BY {JobQueue.SecondsOf("alike")} / epochs), count(*)::int
            FROM (SELECT number, id, kind, state, claimed_at, finished_at, (spec->>'epochs')::int AS epochs,
                      row_number() OVER (PARTITION BY number, kind ORDER BY sequence DESC) AS place
                  FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $7::bool[], $8::int[]) WITH ORDINALITY
                      AS s (model, batch_size, width, widths, corruptions, epochs, number)
                  JOIN latest ON spec->>'model' = s.model AND (spec->>'batchSize')::int = s.batch_size
                      AND coalesce(spec->>'width', '') = coalesce(s.width, '')
                      AND coalesce(spec->>'widths', '') = coalesce(s.widths::jsonb::text, '')
                      AND coalesce((spec->>'corruptions')::bool, false) = s.corruptions
                      AND (NOT s.corruptions OR (spec->>'epochs')::int = s.epochs)) alike
            WHERE place <= 50 GROUP BY number, kind
            """
        );
        command.Parameters.AddWithValue(specs[0].Dataset);
        command.Parameters.AddWithValue(specs.Select(spec => Json.Name(spec.Model)).ToArray());
        command.Parameters.AddWithValue(specs.Select(spec => spec.BatchSize).ToArray());
        command.Parameters.AddWithValue(specs.Select(spec => spec.Width?.ToString(CultureInfo.InvariantCulture)).ToArray());
        command.Parameters.AddWithValue(specs.Select(spec => spec.Widths is null ? null : Json.Write(spec.Widths)).ToArray());
        command.Parameters.AddWithValue(tenant);
        command.Parameters.AddWithValue(specs.Select(spec => spec.Corruptions).ToArray());
        command.Parameters.AddWithValue(specs.Select(spec => spec.Epochs).ToArray());
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var times = specs.Select(_ => new Dictionary<string, EarlierTimes>()).ToArray();
        while (await row.ReadAsync(cancellationToken))
            times[row.GetInt32(0) - 1][row.GetString(1)] = new(row.GetDouble(2), row.GetInt32(3));
        return times;
    }

    internal static StudyArm ReadArm(NpgsqlDataReader row, int first) =>
        new(
            row.GetInt32(first),
            new(
                row.GetDouble(first + 1),
                TemperDb.Parse<SmoothingConvention>(row.GetString(first + 2)),
                row.GetDouble(first + 3),
                TemperDb.Parse<ModelName>(row.GetString(first + 4)),
                row.GetDouble(first + 5),
                ReadSettings(row.GetString(first + 6))
            ),
            row.IsDBNull(first + 7) ? null : row.GetInt32(first + 7)
        );

    private static ArmSettings ReadSettings(string text)
    {
        var settings = new ArmSettings(text);
        return settings.UnknownField() is { } field
            ? throw new NewerBuildException(
                $"This build does not know the field {field} of a study's arm. Send the request to a newer build."
            )
            : settings;
    }

    private static ArmState ReadState(NpgsqlDataReader row)
    {
        const int First = 5 + ArmColumnCount;
        var at = First + States.Length;
        var figures = new Dictionary<string, (double, double?, int)>();
        foreach (var (name, column) in Figures.Keys.Select((name, i) => (name, at + 2 + 3 * i)))
            if (row.GetInt32(column + 2) is > 0 and var jobs)
                figures[name] = (row.GetDouble(column), row.IsDBNull(column + 1) ? null : row.GetDouble(column + 1), jobs);
        return new(ReadArm(row, 5), ReadCounts(row, First), row.GetInt32(at + 1), figures, row.IsDBNull(at) ? null : row.GetDouble(at));
    }

    private static Dictionary<JobState, int> ReadCounts(NpgsqlDataReader row, int first) =>
        States.Select((state, i) => (state, Count: row.GetInt32(first + i))).ToDictionary(one => one.state, one => one.Count);
}
