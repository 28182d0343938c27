using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class RetentionIndexes : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // The end of a job locks jobs before models, so this does too.
            migrationBuilder.Sql("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE");

            migrationBuilder.CreateTable(
                name: "noted_ends",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityAlwaysColumn),
                    job_id = table.Column<Guid>(type: "uuid", nullable: true),
                    study_id = table.Column<Guid>(type: "uuid", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_noted_ends", x => x.id);
                });

            // Where there are many jobs, an operator builds them before, without a lock (docs/operations.md, "Upgrade"). One that was
            // interrupted is invalid.
            migrationBuilder.Sql(
                """
                DO $$ DECLARE invalid regclass;
                BEGIN
                    FOR invalid IN SELECT indexrelid FROM pg_index
                        WHERE NOT indisvalid AND indexrelid IN (to_regclass('ix_models_logits'), to_regclass('ix_models_weights'),
                                                                to_regclass('ix_jobs_queue_any'), to_regclass('ix_jobs_study_open'))
                    LOOP EXECUTE format('DROP INDEX %s', invalid); END LOOP;
                END $$;
                CREATE INDEX IF NOT EXISTS ix_models_logits ON models (job_id) WHERE classes IS NOT NULL;
                CREATE INDEX IF NOT EXISTS ix_models_weights ON models (job_id) WHERE weights IS NOT NULL;
                CREATE INDEX IF NOT EXISTS ix_jobs_queue_any ON jobs (tenant, priority DESC, sequence, spec_revision)
                    WHERE state = 'queued' AND device <> 'cuda';
                CREATE INDEX IF NOT EXISTS ix_jobs_study_open ON jobs (study_id)
                    WHERE study_id IS NOT NULL AND state IN ('queued', 'running', 'paused');
                """);

            // The triggers hold a lock that lets no job end until the commit, so the ends before them are those that the last two
            // statements find. A study may also be over when its last open job is deleted.
            migrationBuilder.Sql(
                """
                CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS $$
                DECLARE
                    job uuid := CASE WHEN TG_OP = 'UPDATE' AND OLD.spec->>'notify' IS NOT NULL THEN OLD.id END;
                    study uuid := (SELECT id FROM studies WHERE id = OLD.study_id AND spec->>'notify' IS NOT NULL);
                BEGIN
                    IF job IS NOT NULL OR study IS NOT NULL THEN
                        INSERT INTO noted_ends (job_id, study_id) VALUES (job, study);
                    END IF;
                    RETURN NULL;
                END $$;
                CREATE TRIGGER note_end AFTER UPDATE ON jobs FOR EACH ROW
                WHEN (NEW.finished_at IS DISTINCT FROM OLD.finished_at AND NEW.finished_at IS NOT NULL
                      AND (NEW.study_id IS NOT NULL OR NEW.spec->>'notify' IS NOT NULL))
                EXECUTE FUNCTION note_end();
                CREATE TRIGGER note_deletion AFTER DELETE ON jobs FOR EACH ROW
                WHEN (OLD.finished_at IS NULL AND OLD.study_id IS NOT NULL)
                EXECUTE FUNCTION note_end();

                INSERT INTO noted_ends (job_id)
                SELECT id FROM jobs
                WHERE finished_at IS NOT NULL AND spec->>'notify' IS NOT NULL
                      AND NOT EXISTS (SELECT FROM notifications WHERE job_id = jobs.id AND ended_at >= jobs.finished_at);
                INSERT INTO noted_ends (study_id)
                SELECT id FROM studies
                WHERE spec->>'notify' IS NOT NULL
                      AND NOT EXISTS (SELECT FROM jobs WHERE study_id = studies.id AND finished_at IS NULL);
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(
                "DROP TRIGGER note_deletion ON jobs; DROP TRIGGER note_end ON jobs; DROP FUNCTION note_end();");

            migrationBuilder.DropTable(
                name: "noted_ends");

            migrationBuilder.DropIndex(
                name: "ix_models_logits",
                table: "models");

            migrationBuilder.DropIndex(
                name: "ix_models_weights",
                table: "models");

            migrationBuilder.DropIndex(
                name: "ix_jobs_queue_any",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_study_open",
                table: "jobs");
        }
    }
}
