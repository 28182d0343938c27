using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Temper.Domain.Datasets;
using Temper.Domain.Evaluations;
using Temper.Domain.Jobs;
using Temper.Domain.Notifications;
using Temper.Domain.Serialization;
using Temper.Domain.Smoothing;
using Temper.Domain.Studies;
using Temper.Domain.Workers;
using Temper.Store.Datasets;
using Temper.Store.Keys;
using Temper.Store.Rows;
using Temper.Store.Tenants;

namespace Temper.Store;

/// <summary>
/// The tables. EF Core defines the schema, runs the reads whose conditions a client composes, and reads whole rows. All writes
/// are hand-written SQL, as are the reads that clients poll and the reads that aggregate.
/// </summary>
public sealed class TemperDb(DbContextOptions<TemperDb> options) : DbContext(options)
{
    public DbSet<JobRow> Jobs => Set<JobRow>();
    public DbSet<EpochRow> Epochs => Set<EpochRow>();
    public DbSet<CheckpointRow> Checkpoints => Set<CheckpointRow>();
    public DbSet<ModelRow> Models => Set<ModelRow>();
    public DbSet<AttemptRow> Attempts => Set<AttemptRow>();
    public DbSet<WorkerRow> Workers => Set<WorkerRow>();
    public DbSet<StudyRow> Studies => Set<StudyRow>();
    public DbSet<ArmRow> Arms => Set<ArmRow>();
    public DbSet<ScoresRow> Scores => Set<ScoresRow>();
    public DbSet<CorruptionScoresRow> CorruptionScores => Set<CorruptionScoresRow>();
    public DbSet<NotificationRow> Notifications => Set<NotificationRow>();
    public DbSet<EvaluationRow> Evaluations => Set<EvaluationRow>();
    public DbSet<DatasetRow> Datasets => Set<DatasetRow>();
    public DbSet<AuditRow> Audit => Set<AuditRow>();
    public DbSet<TenantRow> Tenants => Set<TenantRow>();
    public DbSet<RequiredMigrationRow> RequiredMigrations => Set<RequiredMigrationRow>();

    protected override void OnModelCreating(ModelBuilder model)
    {
        model.Entity<JobRow>(MapJobs);
        model.Entity<EpochRow>(MapEpochs);
        model.Entity<CheckpointRow>(MapCheckpoints);
        model.Entity<ModelRow>(MapModels);
        model.Entity<AttemptRow>(MapAttempts);
        model.Entity<WorkerRow>(MapWorkers);
        model.Entity<StudyRow>(MapStudies);
        model.Entity<ArmRow>(MapArms);
        model.Entity<ScoresRow>(MapScores);
        model.Entity<CorruptionScoresRow>(MapCorruptionScores);
        MapTransactions(model);
        model.Entity<NotificationRow>(MapNotifications);
        model.Entity<NotificationAttemptRow>(MapNotificationAttempts);
        model.Entity<NotedEndRow>().ToTable("noted_ends").HasKey(end => end.Id).HasName("pk_noted_ends");
        model.Entity<NotedEndRow>().Property(end => end.Id).UseIdentityAlwaysColumn();
        model.Entity<EvaluationRow>(MapEvaluations);
        model.Entity<EvaluationPieceRow>(MapEvaluationPieces);
        MapDatasets(model);
        model.Entity<KeyRow>(MapKeys);
        model.Entity<SessionRow>(MapSessions);
        model.Entity<AuditRow>(MapAudit);
        MapTenants(model);
        model
            .Entity<RequiredMigrationRow>()
            .ToTable(Migrator.RequiredTable)
            .HasKey(required => required.MigrationId)
            .HasName("pk_required_migrations");
        foreach (var property in model.Model.GetEntityTypes().SelectMany(entity => entity.GetProperties()))
            property.SetColumnName(SnakeCase(property.Name));
    }

    private static void MapJobs(EntityTypeBuilder<JobRow> jobs)
    {
        jobs.ToTable(
            "jobs",
            table =>
            {
                table.HasCheckConstraint("ck_jobs_state", $"state IN ({SqlList(Enum.GetValues<JobState>())})");
                table.HasCheckConstraint("ck_jobs_finished", $"(finished_at IS NOT NULL) = (state IN ({SqlList(FinalStates)}))");
                table.HasCheckConstraint("ck_jobs_owner", "(worker_id IS NOT NULL) = (state = 'running')");
                table.HasCheckConstraint("ck_jobs_result", "(result IS NOT NULL) = (state = 'succeeded')");
                table.HasCheckConstraint("ck_jobs_study", "num_nulls(study_id, arm, seed) IN (0, 3)");
                table.HasCheckConstraint(
                    "ck_jobs_stop",
                    $"stop_requested IS NULL OR (state = 'running' AND stop_requested IN ({SqlList(Enum.GetValues<StopRequest>())}))"
                );
            }
        );
        jobs.HasKey(job => job.Id).HasName("pk_jobs");
        jobs.Property(job => job.Id).ValueGeneratedNever();
        jobs.Property(job => job.Sequence).UseIdentityAlwaysColumn();
        jobs.Property(job => job.Tenant).HasDefaultValue(TenantStore.Default);
        jobs.Property(job => job.Spec).HasConversion(AsJson<JobSpec>()).HasColumnType("jsonb");
        jobs.Property(job => job.SpecRevision).HasDefaultValue(1);
        jobs.Property(job => job.Dataset).HasComputedColumnSql("spec->>'dataset'", stored: true);
        jobs.Property(job => job.Priority).HasComputedColumnSql("(spec->>'priority')::int", stored: true);
        jobs.Property(job => job.Device).HasComputedColumnSql("spec->>'device'", stored: true);
        jobs.Property(job => job.Tags).HasColumnType("jsonb").HasComputedColumnSql("spec->'tags'", stored: true);
        jobs.Property(job => job.State).HasConversion(AsWord<JobState>());
        jobs.Property(job => job.StopRequested).HasConversion(AsWord<StopRequest>());
        jobs.Property(job => job.MetricsVersion).HasDefaultValue(0);
        jobs.Property(job => job.Pinned).HasDefaultValue(false);
        jobs.Property(job => job.RunAt).HasDefaultValueSql("clock_timestamp()");
        jobs.Property(job => job.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        jobs.Property(job => job.Progress).HasConversion(AsJson<TrainingProgress?>()).HasColumnType("jsonb");
        jobs.Property(job => job.Result).HasConversion(AsJson<JobResult?>()).HasColumnType("jsonb");
        // The row of a worker that owns a job cannot be deleted: another worker must rescue the job first.
        jobs.HasOne(job => job.Worker)
            .WithMany(worker => worker.Jobs)
            .HasForeignKey(job => job.WorkerId)
            .HasConstraintName("fk_jobs_worker")
            .OnDelete(DeleteBehavior.Restrict);

        jobs.HasOne<JobRow>()
            .WithMany()
            .HasForeignKey(job => job.Reproduces)
            .HasConstraintName("fk_jobs_reproduces")
            .OnDelete(DeleteBehavior.SetNull);
        jobs.HasIndex(job => job.Reproduces, "ix_jobs_reproduces").HasFilter("reproduces IS NOT NULL"); // for the foreign key

        jobs.HasOne<ArmRow>().WithMany().HasForeignKey(job => new { job.StudyId, job.Arm }).HasConstraintName("fk_jobs_arm");
        // Each arm has one job per seed, even when two requests extend the study at the same time.
        jobs.HasIndex(
                job => new
                {
                    job.StudyId,
                    job.Arm,
                    job.Seed,
                },
                "ix_jobs_study"
            )
            .IsUnique()
            .HasFilter("study_id IS NOT NULL");
        jobs.HasIndex(job => new { job.StudyId, job.Sequence }, "ix_jobs_study_sequence").HasFilter("study_id IS NOT NULL");
        jobs.HasIndex(job => job.StudyId, "ix_jobs_study_open")
            .HasFilter("study_id IS NOT NULL AND state IN ('queued', 'running', 'paused')");

        QueueIndex("ix_jobs_queue", "state = 'queued'");
        QueueIndex("ix_jobs_queue_any", "state = 'queued' AND device <> 'cuda'"); // what a worker without CUDA can run
        jobs.HasIndex(job => job.Tenant, "ix_jobs_running").HasFilter("state = 'running'");
        jobs.HasIndex(job => job.WorkerId, "ix_jobs_worker").HasFilter("worker_id IS NOT NULL");
        jobs.HasIndex(job => new { job.Tenant, job.Sequence }, "ix_jobs_sequence").IsUnique();
        jobs.HasIndex(job => new { job.Tenant, job.IdempotencyKey }, "ix_jobs_idempotency_key")
            .IsUnique()
            .HasFilter("idempotency_key IS NOT NULL");
        jobs.HasIndex(
            job => new
            {
                job.Tenant,
                job.State,
                job.Sequence,
            },
            "ix_jobs_state"
        );
        jobs.HasIndex(
            job => new
            {
                job.Tenant,
                job.Dataset,
                job.Sequence,
            },
            "ix_jobs_dataset"
        );
        // For the advice on ε.
        jobs.HasIndex(
                job => new
                {
                    job.Tenant,
                    job.Dataset,
                    job.Sequence,
                },
                "ix_jobs_succeeded"
            )
            .HasFilter("state = 'succeeded'");
        jobs.HasIndex(job => job.Tags, "ix_jobs_tags").HasMethod("gin");
        // For the ends to notify of.
        jobs.HasIndex(job => job.FinishedAt, "ix_jobs_notify").HasFilter("finished_at IS NOT NULL AND spec->>'notify' IS NOT NULL");

        // A claim passes over revisions that its worker does not know within the index, without their rows.
        void QueueIndex(string name, string filter) =>
            jobs.HasIndex(
                    job => new
                    {
                        job.Tenant,
                        job.Priority,
                        job.Sequence,
                        job.SpecRevision,
                    },
                    name
                )
                .IsDescending(false, true, false, false)
                .HasFilter(filter);
    }

    private static void MapEpochs(EntityTypeBuilder<EpochRow> epochs)
    {
        epochs.ToTable("epochs");
        epochs.HasKey(epoch => new { epoch.JobId, epoch.Epoch }).HasName("pk_epochs");
        epochs.HasOne<JobRow>().WithMany(job => job.Epochs).HasForeignKey(epoch => epoch.JobId).HasConstraintName("fk_epochs_job");
    }

    private static void MapCheckpoints(EntityTypeBuilder<CheckpointRow> checkpoints)
    {
        checkpoints.ToTable("checkpoints");
        checkpoints.HasKey(checkpoint => checkpoint.JobId).HasName("pk_checkpoints");
        checkpoints
            .HasOne<JobRow>()
            .WithOne()
            .HasForeignKey<CheckpointRow>(checkpoint => checkpoint.JobId)
            .HasConstraintName("fk_checkpoints_job");
    }

    private static void MapModels(EntityTypeBuilder<ModelRow> models)
    {
        models.ToTable(
            "models",
            table =>
                table.HasCheckConstraint(
                    "ck_models_logits",
                    "num_nulls(classes, validation_logits, validation_labels, test_logits, test_labels) IN (0, 5)"
                )
        );
        models.HasKey(model => model.JobId).HasName("pk_models");
        // For retention, which passes over the models that it has emptied.
        models.HasIndex(model => model.JobId, "ix_models_logits").HasFilter("classes IS NOT NULL");
        models.HasIndex(model => model.JobId, "ix_models_weights").HasFilter("weights IS NOT NULL");
        models.HasOne<JobRow>().WithOne().HasForeignKey<ModelRow>(model => model.JobId).HasConstraintName("fk_models_job");
    }

    private static void MapAttempts(EntityTypeBuilder<AttemptRow> attempts)
    {
        attempts.ToTable(
            "attempts",
            table => table.HasCheckConstraint("ck_attempts_outcome", $"outcome IN ({SqlList(Enum.GetValues<AttemptOutcome>())})")
        );
        attempts.HasKey(attempt => new { attempt.JobId, attempt.Attempt }).HasName("pk_attempts");
        attempts.Property(attempt => attempt.Outcome).HasConversion(AsWord<AttemptOutcome>());
        attempts
            .HasOne<JobRow>()
            .WithMany(job => job.Attempts)
            .HasForeignKey(attempt => attempt.JobId)
            .HasConstraintName("fk_attempts_job");
    }

    private static void MapWorkers(EntityTypeBuilder<WorkerRow> workers)
    {
        workers.ToTable("workers");
        workers.HasKey(worker => worker.Id).HasName("pk_workers");
        workers.Property(worker => worker.Id).ValueGeneratedNever();
        workers.Property(worker => worker.SpecRevision).HasDefaultValue(1);
        workers.Property(worker => worker.StartedAt).HasDefaultValueSql("clock_timestamp()");
        workers.Property(worker => worker.HeartbeatAt).HasDefaultValueSql("clock_timestamp()");
        workers.Property(worker => worker.Draining).HasDefaultValue(false);
        workers
            .Property(worker => worker.Devices)
            .HasConversion(
                AsJson<IReadOnlyList<WorkerDevice>>(),
                new ValueComparer<IReadOnlyList<WorkerDevice>>(
                    (one, other) => ReferenceEquals(one, other) || (one != null && other != null && one.SequenceEqual(other)),
                    devices => devices.Count
                )
            )
            .HasColumnType("jsonb")
            .HasDefaultValueSql("'[]'");
    }

    private static void MapStudies(EntityTypeBuilder<StudyRow> studies)
    {
        studies.ToTable("studies");
        studies.HasKey(study => study.Id).HasName("pk_studies");
        studies.Property(study => study.Id).ValueGeneratedNever();
        studies.Property(study => study.Sequence).UseIdentityAlwaysColumn();
        studies.Property(study => study.Tenant).HasDefaultValue(TenantStore.Default);
        studies.Property(study => study.Spec).HasConversion(AsJson<StudySpec>()).HasColumnType("jsonb");
        studies.Property(study => study.Submitted).HasConversion(AsJson<StudySpec>()).HasColumnType("jsonb");
        studies.Property(study => study.Pinned).HasDefaultValue(false);
        studies.Property(study => study.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        studies.Property(study => study.DeletedSeconds).HasDefaultValue(0.0);
        studies.HasIndex(study => new { study.Tenant, study.Sequence }, "ix_studies_sequence").IsUnique();
        studies.HasIndex(study => study.Id, "ix_studies_notify").HasFilter("spec->>'notify' IS NOT NULL");
        studies
            .HasIndex(study => new { study.Tenant, study.IdempotencyKey }, "ix_studies_idempotency_key")
            .IsUnique()
            .HasFilter("idempotency_key IS NOT NULL");
    }

    private static void MapArms(EntityTypeBuilder<ArmRow> arms)
    {
        arms.ToTable("arms");
        arms.HasKey(arm => new { arm.StudyId, arm.Arm }).HasName("pk_arms");
        arms.Property(arm => arm.Smoothing).HasConversion(AsWord<SmoothingConvention>());
        arms.Property(arm => arm.Model).HasConversion(AsWord<ModelName>());
        arms.Property(arm => arm.ComparedAtSeeds).HasDefaultValue(0);
        arms.Property(arm => arm.Settings).HasDefaultValue("{}");
        arms.HasOne<StudyRow>().WithMany(study => study.Arms).HasForeignKey(arm => arm.StudyId).HasConstraintName("fk_arms_study");
        arms.HasIndex(
                arm => new
                {
                    arm.StudyId,
                    arm.Epsilon,
                    arm.Smoothing,
                    arm.LearningRate,
                    arm.Model,
                    arm.LabelNoise,
                    arm.Settings,
                },
                "ix_arms_grid"
            )
            .IsUnique();
    }

    /// <summary>The columns that order events; see <see cref="Events.EventReader"/>.</summary>
    private static void MapTransactions(ModelBuilder model)
    {
        const string Type = "xid8",
            Current = "pg_current_xact_id()";
        model.Entity<JobRow>(jobs =>
        {
            jobs.Property(job => job.StateChanged).HasColumnType(Type).HasDefaultValueSql(Current);
            jobs.Property(job => job.StateChangedAt).HasDefaultValueSql("clock_timestamp()");
            jobs.Property(job => job.AttemptChanged).HasColumnType(Type);
            jobs.HasIndex(job => job.StateChanged, "ix_jobs_state_changed").HasFilter("state_changed IS NOT NULL");
        });
        model.Entity<EpochRow>().Property(epoch => epoch.Changed).HasColumnType(Type).HasDefaultValueSql(Current);
        model.Entity<EpochRow>().HasIndex(epoch => epoch.Changed, "ix_epochs_changed").HasFilter("changed IS NOT NULL");
        model.Entity<AttemptRow>().Property(attempt => attempt.Changed).HasColumnType(Type).HasDefaultValueSql(Current);
        model.Entity<AttemptRow>().HasIndex(attempt => attempt.Changed, "ix_attempts_changed").HasFilter("changed IS NOT NULL");
        model.Entity<StudyRow>().Property(study => study.Changed).HasColumnType(Type).HasDefaultValueSql(Current);
        model.Entity<StudyRow>().HasIndex(study => study.Changed, "ix_studies_changed").HasFilter("changed IS NOT NULL");
    }

    private static void MapScores(EntityTypeBuilder<ScoresRow> scores)
    {
        scores.ToTable("scores");
        scores.HasKey(row => row.JobId).HasName("pk_scores");
        scores.HasOne<JobRow>().WithOne().HasForeignKey<ScoresRow>(row => row.JobId).HasConstraintName("fk_scores_job");
    }

    private static void MapCorruptionScores(EntityTypeBuilder<CorruptionScoresRow> scores)
    {
        scores.ToTable(
            "corruption_scores",
            table =>
            {
                table.HasCheckConstraint("ck_corruption_scores_kind", $"kind IN ({SqlList(Enum.GetValues<CorruptionKind>())})");
                table.HasCheckConstraint("ck_corruption_scores_strength", $"strength BETWEEN 1 AND {Corruption.MostStrength}");
            }
        );
        scores
            .HasKey(row => new
            {
                row.JobId,
                row.Kind,
                row.Strength,
            })
            .HasName("pk_corruption_scores");
        scores.Property(row => row.Kind).HasConversion(AsWord<CorruptionKind>());
        scores.HasOne<JobRow>().WithMany().HasForeignKey(row => row.JobId).HasConstraintName("fk_corruption_scores_job");
    }

    private static void MapNotifications(EntityTypeBuilder<NotificationRow> notifications)
    {
        notifications.ToTable(
            "notifications",
            table =>
            {
                table.HasCheckConstraint("ck_notifications_subject", "num_nulls(job_id, study_id) = 1");
                table.HasCheckConstraint("ck_notifications_state", $"state IN ({SqlList(Enum.GetValues<NotificationState>())})");
            }
        );
        notifications.HasKey(notification => notification.Id).HasName("pk_notifications");
        notifications.Property(notification => notification.Id).ValueGeneratedNever();
        notifications.Property(notification => notification.State).HasConversion(AsWord<NotificationState>());
        notifications.Property(notification => notification.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        notifications
            .HasOne<JobRow>()
            .WithMany()
            .HasForeignKey(notification => notification.JobId)
            .HasConstraintName("fk_notifications_job")
            .OnDelete(DeleteBehavior.Cascade);
        notifications
            .HasOne<StudyRow>()
            .WithMany()
            .HasForeignKey(notification => notification.StudyId)
            .HasConstraintName("fk_notifications_study")
            .OnDelete(DeleteBehavior.Cascade);
        // An end has one notification, even when two processes collect it at once.
        notifications
            .HasIndex(notification => new { notification.JobId, notification.EndedAt }, "ix_notifications_job")
            .IsUnique()
            .HasFilter("job_id IS NOT NULL");
        notifications
            .HasIndex(notification => new { notification.StudyId, notification.EndedAt }, "ix_notifications_study")
            .IsUnique()
            .HasFilter("study_id IS NOT NULL");
        notifications.HasIndex(notification => notification.OverdueAt, "ix_notifications_overdue").HasFilter("state = 'pending'");
    }

    private static void MapNotificationAttempts(EntityTypeBuilder<NotificationAttemptRow> attempts)
    {
        attempts.ToTable("notification_attempts");
        attempts.HasKey(attempt => new { attempt.NotificationId, attempt.Attempt }).HasName("pk_notification_attempts");
        attempts
            .HasOne<NotificationRow>()
            .WithMany(notification => notification.History)
            .HasForeignKey(attempt => attempt.NotificationId)
            .HasConstraintName("fk_notification_attempts_notification");
    }

    private static void MapEvaluations(EntityTypeBuilder<EvaluationRow> evaluations)
    {
        evaluations.ToTable(
            "evaluations",
            table => table.HasCheckConstraint("ck_evaluations_outputs", $"outputs IN ({SqlList(Enum.GetValues<OutputKind>())})")
        );
        evaluations.HasKey(evaluation => evaluation.Id).HasName("pk_evaluations");
        evaluations.Property(evaluation => evaluation.Id).ValueGeneratedNever();
        evaluations.Property(evaluation => evaluation.Sequence).UseIdentityAlwaysColumn();
        evaluations.Property(evaluation => evaluation.Tenant).HasDefaultValue(TenantStore.Default);
        evaluations.Property(evaluation => evaluation.Outputs).HasConversion(AsWord<OutputKind>());
        evaluations.Property(evaluation => evaluation.Scores).HasConversion(AsJson<EvaluationScores>()).HasColumnType("jsonb");
        evaluations.Property(evaluation => evaluation.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        evaluations.HasIndex(evaluation => new { evaluation.Tenant, evaluation.Sequence }, "ix_evaluations_sequence").IsUnique();
        evaluations
            .HasIndex(evaluation => new { evaluation.Tenant, evaluation.IdempotencyKey }, "ix_evaluations_idempotency_key")
            .IsUnique()
            .HasFilter("idempotency_key IS NOT NULL");
    }

    private static void MapKeys(EntityTypeBuilder<KeyRow> keys)
    {
        keys.ToTable(
            "keys",
            table =>
            {
                table.HasCheckConstraint("ck_keys_digest", "octet_length(digest) = 32");
                table.HasCheckConstraint(
                    "ck_keys_scopes",
                    $"cardinality(scopes) > 0 AND scopes <@ ARRAY[{SqlList(Enum.GetValues<Scope>())}]::text[]"
                );
            }
        );
        keys.HasKey(key => key.Id).HasName("pk_keys");
        keys.Property(key => key.Id).ValueGeneratedNever();
        keys.Property(key => key.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        keys.HasIndex(key => key.Digest, "ix_keys_digest").IsUnique();
        keys.HasIndex(key => new { key.Tenant, key.Name }, "ix_keys_name").IsUnique().HasFilter("revoked_at IS NULL");
    }

    private static void MapSessions(EntityTypeBuilder<SessionRow> sessions)
    {
        sessions.ToTable("sessions", table => table.HasCheckConstraint("ck_sessions_digest", "octet_length(digest) = 32"));
        sessions.HasKey(session => session.Digest).HasName("pk_sessions");
        sessions
            .HasOne<KeyRow>()
            .WithMany()
            .HasForeignKey(session => session.KeyId)
            .HasConstraintName("fk_sessions_key")
            .OnDelete(DeleteBehavior.Cascade);
        sessions.HasIndex(session => session.KeyId, "ix_sessions_key");
        sessions.HasIndex(session => session.EndsAt, "ix_sessions_ends_at");
    }

    private static void MapAudit(EntityTypeBuilder<AuditRow> audit)
    {
        audit.ToTable("audit");
        audit.HasKey(row => row.Id).HasName("pk_audit");
        audit.Property(row => row.Id).UseIdentityAlwaysColumn();
        audit.Property(row => row.At).HasDefaultValueSql("clock_timestamp()");
        audit.HasIndex(row => new { row.Tenant, row.Id }, "ix_audit_tenant");
        audit.HasIndex(row => row.At, "ix_audit_at"); // for retention
        audit.Property(row => row.EntryId).HasDefaultValueSql("gen_random_uuid()");
        audit.HasIndex(row => row.EntryId, "ix_audit_entry").IsUnique();
    }

    private static void MapEvaluationPieces(EntityTypeBuilder<EvaluationPieceRow> pieces)
    {
        pieces.ToTable("evaluation_pieces");
        pieces
            .HasKey(piece => new
            {
                piece.EvaluationId,
                piece.Part,
                piece.Piece,
            })
            .HasName("pk_evaluation_pieces");
        pieces
            .HasOne<EvaluationRow>()
            .WithMany()
            .HasForeignKey(piece => piece.EvaluationId)
            .HasConstraintName("fk_evaluation_pieces_evaluation")
            .OnDelete(DeleteBehavior.Cascade);
    }

    private static void MapDatasets(ModelBuilder model)
    {
        model.Entity<DatasetNameRow>(names =>
        {
            names.ToTable("dataset_names").HasKey(name => new { name.Tenant, name.Name }).HasName("pk_dataset_names");
            names.Property(name => name.Tenant).HasDefaultValue(TenantStore.Default);
        });
        model.Entity<DatasetContentRow>(contents =>
        {
            contents.ToTable("dataset_contents").HasKey(content => content.Id).HasName("pk_dataset_contents");
            contents.Property(content => content.Id).ValueGeneratedNever();
            contents.Property(content => content.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        });
        // Without a foreign key to the content, which would delete gigabytes in one statement.
        model.Entity<DatasetChunkRow>(chunks =>
            chunks.ToTable("dataset_chunks").HasKey(chunk => new { chunk.ContentId, chunk.Number }).HasName("pk_dataset_chunks")
        );
        model.Entity<DatasetRow>(datasets =>
        {
            datasets.ToTable("datasets");
            datasets.HasKey(dataset => new { dataset.Id, dataset.Tenant }).HasName("pk_datasets");
            datasets.Property(dataset => dataset.Tenant).HasDefaultValue(TenantStore.Default);
            datasets.Property(dataset => dataset.Sequence).UseIdentityAlwaysColumn();
            datasets.Property(dataset => dataset.Content).HasConversion(AsJson<DatasetContent>()).HasColumnType("jsonb");
            datasets.Property(dataset => dataset.Sha256).HasComputedColumnSql("content->>'sha256'", stored: true);
            datasets.Property(dataset => dataset.Details).HasConversion(AsJson<DatasetDetails>()).HasColumnType("jsonb");
            datasets.Property(dataset => dataset.CreatedAt).HasDefaultValueSql("clock_timestamp()");
            datasets
                .HasIndex(
                    dataset => new
                    {
                        dataset.Tenant,
                        dataset.Name,
                        dataset.Version,
                    },
                    "ix_datasets_version"
                )
                .IsUnique();
            datasets
                .HasIndex(
                    dataset => new
                    {
                        dataset.Tenant,
                        dataset.Name,
                        dataset.Sha256,
                    },
                    "ix_datasets_content"
                )
                .IsUnique();
            datasets.HasIndex(dataset => dataset.ContentId, "ix_datasets_content_id").IsUnique();
            datasets.HasIndex(dataset => new { dataset.Tenant, dataset.Sequence }, "ix_datasets_sequence").IsUnique();
            datasets
                .HasOne<DatasetNameRow>()
                .WithMany()
                .HasForeignKey(dataset => new { dataset.Tenant, dataset.Name })
                .HasConstraintName("fk_datasets_name")
                .OnDelete(DeleteBehavior.Restrict);
            datasets
                .HasOne<DatasetContentRow>()
                .WithMany()
                .HasForeignKey(dataset => dataset.ContentId)
                .HasConstraintName("fk_datasets_content")
                .OnDelete(DeleteBehavior.Restrict);
        });
        // A data set cannot be deleted while a job or a study trains on it, nor can a job begin on a deleted one.
        model.Entity<JobRow>(jobs =>
        {
            jobs.Property(job => job.Uploaded)
                .HasComputedColumnSql("CASE WHEN spec->>'data' IS NOT NULL THEN spec->>'dataset' END", stored: true);
            jobs.HasIndex(job => new { job.Uploaded, job.Tenant }, "ix_jobs_uploaded").HasFilter("uploaded IS NOT NULL");
            jobs.HasOne<DatasetRow>()
                .WithMany()
                .HasForeignKey(job => new { job.Uploaded, job.Tenant })
                .HasConstraintName(UploadedDatasets.JobsConstraint)
                .OnDelete(DeleteBehavior.Restrict);
        });
        model.Entity<StudyRow>(studies =>
        {
            studies
                .Property(study => study.Uploaded)
                .HasComputedColumnSql("CASE WHEN spec->'job'->>'data' IS NOT NULL THEN spec->'job'->>'dataset' END", stored: true);
            studies.HasIndex(study => new { study.Uploaded, study.Tenant }, "ix_studies_uploaded").HasFilter("uploaded IS NOT NULL");
            studies
                .HasOne<DatasetRow>()
                .WithMany()
                .HasForeignKey(study => new { study.Uploaded, study.Tenant })
                .HasConstraintName(UploadedDatasets.StudiesConstraint)
                .OnDelete(DeleteBehavior.Restrict);
        });
    }

    private static void MapTenants(ModelBuilder model)
    {
        model.Entity<TenantRow>(tenants =>
        {
            tenants.ToTable(
                "tenants",
                table =>
                    table.HasCheckConstraint(
                        "ck_tenants_quotas",
                        "max_queued >= 0 AND max_running >= 0 AND max_device_seconds_per_month >= 0 AND max_uploaded_bytes >= 0"
                    )
            );
            tenants.HasKey(tenant => tenant.Name).HasName("pk_tenants");
        });
        model.Entity<TenantUsageRow>(usage =>
        {
            usage.ToTable("tenant_usage");
            usage
                .HasKey(row => new
                {
                    row.Month,
                    row.Tenant,
                    row.Part,
                })
                .HasName("pk_tenant_usage");
        });
    }

    /// <summary>Reads an enum's value from its column.</summary>
    /// <exception cref="NewerBuildException">This build does not know the value.</exception>
    internal static T Parse<T>(string word)
        where T : struct, Enum =>
        Enum.TryParse<T>(word.Replace("_", ""), ignoreCase: true, out var value)
            ? value
            : throw new NewerBuildException($"This build knows no {typeof(T).Name} '{word}', which another build stored.");

    private static IEnumerable<JobState> FinalStates => Enum.GetValues<JobState>().Where(state => state.IsFinal());

    private static string SqlList<T>(IEnumerable<T> values)
        where T : struct, Enum => string.Join(", ", values.Select(value => $"'{Word(value)}'"));

    internal static string Word<T>(T value)
        where T : struct, Enum => SnakeCase(value.ToString());

    private static ValueConverter<T, string> AsWord<T>()
        where T : struct, Enum => new(value => Word(value), text => Parse<T>(text));

    private static ValueConverter<T, string> AsJson<T>() => new(value => Json.Write(value), json => Read<T>(json));

    /// <summary>Reads what the database keeps as JSON.</summary>
    /// <exception cref="NewerBuildException">This build cannot read it.</exception>
    internal static T Read<T>(string json)
    {
        try
        {
            return Json.Read<T>(json);
        }
        catch (JsonException e)
        {
            throw new NewerBuildException($"This build cannot read a {typeof(T).Name} that another build stored: {e.Message}", e);
        }
    }

    private static string SnakeCase(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i == 0 ? "" : "_") + char.ToLowerInvariant(c) : c.ToString()));
}
