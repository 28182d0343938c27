using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "studies",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    sequence = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityAlwaysColumn),
                    spec = table.Column<string>(type: "jsonb", nullable: false),
                    submitted = table.Column<string>(type: "jsonb", nullable: false),
                    idempotency_key = table.Column<string>(type: "text", nullable: true),
                    pinned = table.Column<bool>(type: "boolean", nullable: false, defaultValue: false),
                    deleted_seconds = table.Column<double>(type: "double precision", nullable: false, defaultValue: 0.0),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_studies", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "workers",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    presence_key = table.Column<long>(type: "bigint", nullable: false),
                    device = table.Column<string>(type: "text", nullable: false),
                    slots = table.Column<int>(type: "integer", nullable: false),
                    started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()"),
                    heartbeat_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()"),
                    suspended_reason = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_workers", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "arms",
                columns: table => new
                {
                    study_id = table.Column<Guid>(type: "uuid", nullable: false),
                    arm = table.Column<int>(type: "integer", nullable: false),
                    epsilon = table.Column<double>(type: "double precision", nullable: false),
                    smoothing = table.Column<string>(type: "text", nullable: false),
                    learning_rate = table.Column<double>(type: "double precision", nullable: false),
                    model = table.Column<string>(type: "text", nullable: false),
                    label_noise = table.Column<double>(type: "double precision", nullable: false),
                    dropped_at_seeds = table.Column<int>(type: "integer", nullable: true),
                    compared_at_seeds = table.Column<int>(type: "integer", nullable: false, defaultValue: 0)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_arms", x => new { x.study_id, x.arm });
                    table.ForeignKey(
                        name: "fk_arms_study",
                        column: x => x.study_id,
                        principalTable: "studies",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "jobs",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    sequence = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityAlwaysColumn),
                    spec = table.Column<string>(type: "jsonb", nullable: false),
                    idempotency_key = table.Column<string>(type: "text", nullable: true),
                    reproduces = table.Column<Guid>(type: "uuid", nullable: true),
                    study_id = table.Column<Guid>(type: "uuid", nullable: true),
                    arm = table.Column<int>(type: "integer", nullable: true),
                    seed = table.Column<long>(type: "bigint", nullable: true),
                    dataset = table.Column<string>(type: "text", nullable: false, computedColumnSql: "spec->>'dataset'", stored: true),
                    priority = table.Column<int>(type: "integer", nullable: false, computedColumnSql: "(spec->>'priority')::int", stored: true),
                    device = table.Column<string>(type: "text", nullable: false, computedColumnSql: "spec->>'device'", stored: true),
                    tags = table.Column<string>(type: "jsonb", nullable: false, computedColumnSql: "spec->'tags'", stored: true),
                    state = table.Column<string>(type: "text", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    metrics_version = table.Column<int>(type: "integer", nullable: false, defaultValue: 0),
                    failures = table.Column<int>(type: "integer", nullable: false),
                    worker_id = table.Column<Guid>(type: "uuid", nullable: true),
                    run_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()"),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()"),
                    claimed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    training_started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    attempt_note = table.Column<string>(type: "text", nullable: true),
                    finished_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    stop_requested = table.Column<string>(type: "text", nullable: true),
                    progress = table.Column<string>(type: "jsonb", nullable: true),
                    result = table.Column<string>(type: "jsonb", nullable: true),
                    reason = table.Column<string>(type: "text", nullable: true),
                    pinned = table.Column<bool>(type: "boolean", nullable: false, defaultValue: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_jobs", x => x.id);
                    table.CheckConstraint("ck_jobs_finished", "(finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'cancelled'))");
                    table.CheckConstraint("ck_jobs_owner", "(worker_id IS NOT NULL) = (state = 'running')");
                    table.CheckConstraint("ck_jobs_result", "(result IS NOT NULL) = (state = 'succeeded')");
                    table.CheckConstraint("ck_jobs_state", "state IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')");
                    table.CheckConstraint("ck_jobs_stop", "stop_requested IS NULL OR (state = 'running' AND stop_requested IN ('cancel', 'pause'))");
                    table.CheckConstraint("ck_jobs_study", "num_nulls(study_id, arm, seed) IN (0, 3)");
                    table.ForeignKey(
                        name: "fk_jobs_arm",
                        columns: x => new { x.study_id, x.arm },
                        principalTable: "arms",
                        principalColumns: new[] { "study_id", "arm" });
                    table.ForeignKey(
                        name: "fk_jobs_reproduces",
                        column: x => x.reproduces,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.SetNull);
                    table.ForeignKey(
                        name: "fk_jobs_worker",
                        column: x => x.worker_id,
                        principalTable: "workers",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "attempts",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    worker = table.Column<string>(type: "text", nullable: false),
                    claimed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    training_started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    ended_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    outcome = table.Column<string>(type: "text", nullable: false),
                    reason = table.Column<string>(type: "text", nullable: true),
                    note = table.Column<string>(type: "text", nullable: true),
                    error_output = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_attempts", x => new { x.job_id, x.attempt });
                    table.CheckConstraint("ck_attempts_outcome", "outcome IN ('succeeded', 'failed', 'lost', 'handed_back', 'paused', 'cancelled')");
                    table.ForeignKey(
                        name: "fk_attempts_job",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "checkpoints",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    data = table.Column<byte[]>(type: "bytea", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_checkpoints", x => x.job_id);
                    table.ForeignKey(
                        name: "fk_checkpoints_job",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "epochs",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    epoch = table.Column<int>(type: "integer", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    train_loss = table.Column<double>(type: "double precision", nullable: false),
                    train_accuracy = table.Column<double>(type: "double precision", nullable: false),
                    validation_loss = table.Column<double>(type: "double precision", nullable: false),
                    validation_accuracy = table.Column<double>(type: "double precision", nullable: false),
                    ece = table.Column<double>(type: "double precision", nullable: false),
                    signed_gap = table.Column<double>(type: "double precision", nullable: false),
                    learning_rate = table.Column<double>(type: "double precision", nullable: false),
                    seconds = table.Column<double>(type: "double precision", nullable: false),
                    images_per_second = table.Column<double>(type: "double precision", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_epochs", x => new { x.job_id, x.epoch });
                    table.ForeignKey(
                        name: "fk_epochs_job",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "models",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    weights = table.Column<byte[]>(type: "bytea", nullable: true),
                    classes = table.Column<int>(type: "integer", nullable: true),
                    validation_logits = table.Column<byte[]>(type: "bytea", nullable: true),
                    validation_labels = table.Column<byte[]>(type: "bytea", nullable: true),
                    test_logits = table.Column<byte[]>(type: "bytea", nullable: true),
                    test_labels = table.Column<byte[]>(type: "bytea", nullable: true),
                    true_probabilities = table.Column<byte[]>(type: "bytea", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_models", x => x.job_id);
                    table.CheckConstraint("ck_models_logits", "num_nulls(classes, validation_logits, validation_labels, test_logits, test_labels) IN (0, 5)");
                    table.ForeignKey(
                        name: "fk_models_job",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "scores",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    train_accuracy = table.Column<double>(type: "double precision", nullable: false),
                    best_epoch = table.Column<int>(type: "integer", nullable: false),
                    validation_images = table.Column<int>(type: "integer", nullable: true),
                    test_images = table.Column<int>(type: "integer", nullable: true),
                    temperature = table.Column<double>(type: "double precision", nullable: false),
                    validation_accuracy = table.Column<double>(type: "double precision", nullable: false),
                    validation_nll = table.Column<double>(type: "double precision", nullable: false),
                    validation_brier = table.Column<double>(type: "double precision", nullable: false),
                    validation_ece = table.Column<double>(type: "double precision", nullable: false),
                    validation_signed_gap = table.Column<double>(type: "double precision", nullable: false),
                    validation_aurc = table.Column<double>(type: "double precision", nullable: false),
                    validation_nll_after_temperature = table.Column<double>(type: "double precision", nullable: false),
                    validation_ece_after_temperature = table.Column<double>(type: "double precision", nullable: false),
                    test_accuracy = table.Column<double>(type: "double precision", nullable: false),
                    test_nll = table.Column<double>(type: "double precision", nullable: false),
                    test_brier = table.Column<double>(type: "double precision", nullable: false),
                    test_ece = table.Column<double>(type: "double precision", nullable: false),
                    test_signed_gap = table.Column<double>(type: "double precision", nullable: false),
                    test_aurc = table.Column<double>(type: "double precision", nullable: false),
                    test_nll_after_temperature = table.Column<double>(type: "double precision", nullable: false),
                    test_ece_after_temperature = table.Column<double>(type: "double precision", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_scores", x => x.job_id);
                    table.ForeignKey(
                        name: "fk_scores_job",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_arms_grid",
                table: "arms",
                columns: new[] { "study_id", "epsilon", "smoothing", "learning_rate", "model", "label_noise" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_jobs_dataset",
                table: "jobs",
                columns: new[] { "dataset", "sequence" });

            migrationBuilder.CreateIndex(
                name: "ix_jobs_idempotency_key",
                table: "jobs",
                column: "idempotency_key",
                unique: true,
                filter: "idempotency_key IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_queue",
                table: "jobs",
                columns: new[] { "priority", "sequence" },
                descending: new[] { true, false },
                filter: "state = 'queued'");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_reproduces",
                table: "jobs",
                column: "reproduces",
                filter: "reproduces IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_sequence",
                table: "jobs",
                column: "sequence",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_jobs_state",
                table: "jobs",
                columns: new[] { "state", "sequence" });

            migrationBuilder.CreateIndex(
                name: "ix_jobs_study",
                table: "jobs",
                columns: new[] { "study_id", "arm", "seed" },
                unique: true,
                filter: "study_id IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_study_sequence",
                table: "jobs",
                columns: new[] { "study_id", "sequence" },
                filter: "study_id IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_succeeded",
                table: "jobs",
                columns: new[] { "dataset", "sequence" },
                filter: "state = 'succeeded'");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_tags",
                table: "jobs",
                column: "tags")
                .Annotation("Npgsql:IndexMethod", "gin");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_worker",
                table: "jobs",
                column: "worker_id",
                filter: "worker_id IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_studies_idempotency_key",
                table: "studies",
                column: "idempotency_key",
                unique: true,
                filter: "idempotency_key IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_studies_sequence",
                table: "studies",
                column: "sequence",
                unique: true);

            // Arrays are stored as they are: weights and logits hardly compress, and parts of them can be read without the rest.
            migrationBuilder.Sql(
                """
                ALTER TABLE models ALTER weights SET STORAGE EXTERNAL, ALTER validation_logits SET STORAGE EXTERNAL,
                    ALTER test_logits SET STORAGE EXTERNAL, ALTER true_probabilities SET STORAGE EXTERNAL;
                ALTER TABLE checkpoints ALTER data SET STORAGE EXTERNAL;
                """);

            // Rows that are written every second have room for their next version on the same page, which needs no index to change.
            // A table of few rows that change often is vacuumed after so many changes, whatever its size.
            migrationBuilder.Sql(
                """
                ALTER TABLE jobs SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 200);
                ALTER TABLE workers SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
                ALTER TABLE checkpoints SET (toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000);
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "attempts");

            migrationBuilder.DropTable(
                name: "checkpoints");

            migrationBuilder.DropTable(
                name: "epochs");

            migrationBuilder.DropTable(
                name: "models");

            migrationBuilder.DropTable(
                name: "scores");

            migrationBuilder.DropTable(
                name: "jobs");

            migrationBuilder.DropTable(
                name: "arms");

            migrationBuilder.DropTable(
                name: "workers");

            migrationBuilder.DropTable(
                name: "studies");
        }
    }
}
