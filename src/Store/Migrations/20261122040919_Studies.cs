using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class Studies : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "arm",
                table: "jobs",
                type: "integer",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "seed",
                table: "jobs",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<Guid>(
                name: "study_id",
                table: "jobs",
                type: "uuid",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "scores",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    train_accuracy = table.Column<double>(type: "double precision", nullable: false),
                    best_epoch = table.Column<int>(type: "integer", nullable: false),
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
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_studies", x => x.id);
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
                    dropped_at_seeds = table.Column<int>(type: "integer", nullable: true)
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

            migrationBuilder.AddCheckConstraint(
                name: "ck_jobs_study",
                table: "jobs",
                sql: "num_nulls(study_id, arm, seed) IN (0, 3)");

            migrationBuilder.CreateIndex(
                name: "ix_arms_grid",
                table: "arms",
                columns: new[] { "study_id", "epsilon", "smoothing", "learning_rate", "model", "label_noise" },
                unique: true);

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

            migrationBuilder.AddForeignKey(
                name: "fk_jobs_arm",
                table: "jobs",
                columns: new[] { "study_id", "arm" },
                principalTable: "arms",
                principalColumns: new[] { "study_id", "arm" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropForeignKey(
                name: "fk_jobs_arm",
                table: "jobs");

            migrationBuilder.DropTable(
                name: "arms");

            migrationBuilder.DropTable(
                name: "scores");

            migrationBuilder.DropTable(
                name: "studies");

            migrationBuilder.DropIndex(
                name: "ix_jobs_study",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_study_sequence",
                table: "jobs");

            migrationBuilder.DropCheckConstraint(
                name: "ck_jobs_study",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "arm",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "seed",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "study_id",
                table: "jobs");
        }
    }
}
