using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class EventOrder : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<ulong>(
                name: "changed",
                table: "studies",
                type: "xid8",
                nullable: true);

            migrationBuilder.AddColumn<ulong>(
                name: "attempt_changed",
                table: "jobs",
                type: "xid8",
                nullable: true);

            migrationBuilder.AddColumn<ulong>(
                name: "state_changed",
                table: "jobs",
                type: "xid8",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "state_changed_at",
                table: "jobs",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<ulong>(
                name: "changed",
                table: "epochs",
                type: "xid8",
                nullable: true);

            migrationBuilder.AddColumn<ulong>(
                name: "changed",
                table: "attempts",
                type: "xid8",
                nullable: true);

            migrationBuilder.CreateIndex(
                name: "ix_studies_changed",
                table: "studies",
                column: "changed",
                filter: "changed IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_state_changed",
                table: "jobs",
                column: "state_changed",
                filter: "state_changed IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_epochs_changed",
                table: "epochs",
                column: "changed",
                filter: "changed IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_attempts_changed",
                table: "attempts",
                column: "changed",
                filter: "changed IS NOT NULL");

            // The defaults are added after the columns: a column that is added with such a default rewrites the whole table.
            migrationBuilder.Sql(
                """
                ALTER TABLE jobs ALTER state_changed SET DEFAULT pg_current_xact_id(),
                    ALTER state_changed_at SET DEFAULT clock_timestamp();
                ALTER TABLE epochs ALTER changed SET DEFAULT pg_current_xact_id();
                ALTER TABLE attempts ALTER changed SET DEFAULT pg_current_xact_id();
                ALTER TABLE studies ALTER changed SET DEFAULT pg_current_xact_id();
                """);

            // Many statements change a job's state. A trigger cannot miss one. It does not run for progress, which workers write
            // every second.
            migrationBuilder.Sql(
                """
                CREATE FUNCTION note_job_change() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF (NEW.state, NEW.stop_requested, NEW.reason, NEW.attempt)
                        IS DISTINCT FROM (OLD.state, OLD.stop_requested, OLD.reason, OLD.attempt) THEN
                        NEW.state_changed := pg_current_xact_id();
                        NEW.state_changed_at := clock_timestamp();
                    END IF;
                    IF NEW.state = 'running' AND (NEW.attempt, NEW.training_started_at, NEW.attempt_note)
                        IS DISTINCT FROM (OLD.attempt, OLD.training_started_at, OLD.attempt_note) THEN
                        NEW.attempt_changed := pg_current_xact_id();
                    END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER note_change BEFORE UPDATE ON jobs FOR EACH ROW
                WHEN ((NEW.state, NEW.stop_requested, NEW.reason, NEW.attempt, NEW.training_started_at, NEW.attempt_note)
                      IS DISTINCT FROM
                      (OLD.state, OLD.stop_requested, OLD.reason, OLD.attempt, OLD.training_started_at, OLD.attempt_note))
                EXECUTE FUNCTION note_job_change();
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("DROP TRIGGER note_change ON jobs; DROP FUNCTION note_job_change();");

            migrationBuilder.DropIndex(
                name: "ix_studies_changed",
                table: "studies");

            migrationBuilder.DropIndex(
                name: "ix_jobs_state_changed",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_epochs_changed",
                table: "epochs");

            migrationBuilder.DropIndex(
                name: "ix_attempts_changed",
                table: "attempts");

            migrationBuilder.DropColumn(
                name: "changed",
                table: "studies");

            migrationBuilder.DropColumn(
                name: "attempt_changed",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "state_changed",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "state_changed_at",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "changed",
                table: "epochs");

            migrationBuilder.DropColumn(
                name: "changed",
                table: "attempts");
        }
    }
}
