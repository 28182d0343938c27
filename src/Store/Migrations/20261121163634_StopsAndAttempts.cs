using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class StopsAndAttempts : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropCheckConstraint(
                name: "ck_jobs_state",
                table: "jobs");

            migrationBuilder.AddColumn<string>(
                name: "suspended_reason",
                table: "workers",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "stop_requested",
                table: "jobs",
                type: "text",
                nullable: true);

            migrationBuilder.Sql("UPDATE jobs SET stop_requested = 'cancel' WHERE state = 'running' AND cancel_requested_at IS NOT NULL");

            migrationBuilder.DropColumn(
                name: "cancel_requested_at",
                table: "jobs");

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

            migrationBuilder.AddCheckConstraint(
                name: "ck_jobs_state",
                table: "jobs",
                sql: "state IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')");

            migrationBuilder.AddCheckConstraint(
                name: "ck_jobs_stop",
                table: "jobs",
                sql: "stop_requested IS NULL OR (state = 'running' AND stop_requested IN ('cancel', 'pause'))");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "attempts");

            migrationBuilder.DropCheckConstraint(
                name: "ck_jobs_state",
                table: "jobs");

            migrationBuilder.DropCheckConstraint(
                name: "ck_jobs_stop",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "suspended_reason",
                table: "workers");

            migrationBuilder.DropColumn(
                name: "stop_requested",
                table: "jobs");

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "cancel_requested_at",
                table: "jobs",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddCheckConstraint(
                name: "ck_jobs_state",
                table: "jobs",
                sql: "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')");
        }
    }
}
