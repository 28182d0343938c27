using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class Tenants : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropForeignKey(
                name: "fk_datasets_name",
                table: "datasets");

            migrationBuilder.DropForeignKey(
                name: "fk_jobs_uploaded",
                table: "jobs");

            migrationBuilder.DropForeignKey(
                name: "fk_studies_uploaded",
                table: "studies");

            migrationBuilder.DropIndex(
                name: "ix_studies_idempotency_key",
                table: "studies");

            migrationBuilder.DropIndex(
                name: "ix_studies_sequence",
                table: "studies");

            migrationBuilder.DropIndex(
                name: "ix_studies_uploaded",
                table: "studies");

            migrationBuilder.DropIndex(
                name: "ix_jobs_dataset",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_idempotency_key",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_queue",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_sequence",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_state",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_succeeded",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_uploaded",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_evaluations_idempotency_key",
                table: "evaluations");

            migrationBuilder.DropIndex(
                name: "ix_evaluations_sequence",
                table: "evaluations");

            migrationBuilder.DropPrimaryKey(
                name: "pk_datasets",
                table: "datasets");

            migrationBuilder.DropIndex(
                name: "ix_datasets_content",
                table: "datasets");

            migrationBuilder.DropIndex(
                name: "ix_datasets_sequence",
                table: "datasets");

            migrationBuilder.DropIndex(
                name: "ix_datasets_version",
                table: "datasets");

            migrationBuilder.DropPrimaryKey(
                name: "pk_dataset_names",
                table: "dataset_names");

            migrationBuilder.AddColumn<string>(
                name: "tenant",
                table: "studies",
                type: "text",
                nullable: false,
                defaultValue: "default");

            migrationBuilder.AddColumn<string>(
                name: "tenant",
                table: "jobs",
                type: "text",
                nullable: false,
                defaultValue: "default");

            migrationBuilder.AddColumn<string>(
                name: "tenant",
                table: "evaluations",
                type: "text",
                nullable: false,
                defaultValue: "default");

            migrationBuilder.AddColumn<string>(
                name: "tenant",
                table: "datasets",
                type: "text",
                nullable: false,
                defaultValue: "default");

            migrationBuilder.AddColumn<string>(
                name: "tenant",
                table: "dataset_names",
                type: "text",
                nullable: false,
                defaultValue: "default");

            migrationBuilder.AddPrimaryKey(
                name: "pk_datasets",
                table: "datasets",
                columns: new[] { "id", "tenant" });

            migrationBuilder.AddPrimaryKey(
                name: "pk_dataset_names",
                table: "dataset_names",
                columns: new[] { "tenant", "name" });

            migrationBuilder.CreateTable(
                name: "tenant_usage",
                columns: table => new
                {
                    month = table.Column<DateOnly>(type: "date", nullable: false),
                    tenant = table.Column<string>(type: "text", nullable: false),
                    part = table.Column<short>(type: "smallint", nullable: false),
                    device_seconds = table.Column<double>(type: "double precision", nullable: false),
                    last_claimed = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_tenant_usage", x => new { x.month, x.tenant, x.part });
                });

            migrationBuilder.CreateTable(
                name: "tenants",
                columns: table => new
                {
                    name = table.Column<string>(type: "text", nullable: false),
                    max_queued = table.Column<int>(type: "integer", nullable: true),
                    max_running = table.Column<int>(type: "integer", nullable: true),
                    max_device_seconds_per_month = table.Column<long>(type: "bigint", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_tenants", x => x.name);
                    table.CheckConstraint("ck_tenants_quotas", "max_queued >= 0 AND max_running >= 0 AND max_device_seconds_per_month >= 0");
                });

            migrationBuilder.CreateIndex(
                name: "ix_studies_idempotency_key",
                table: "studies",
                columns: new[] { "tenant", "idempotency_key" },
                unique: true,
                filter: "idempotency_key IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_studies_sequence",
                table: "studies",
                columns: new[] { "tenant", "sequence" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_studies_uploaded",
                table: "studies",
                columns: new[] { "uploaded", "tenant" },
                filter: "uploaded IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_dataset",
                table: "jobs",
                columns: new[] { "tenant", "dataset", "sequence" });

            migrationBuilder.CreateIndex(
                name: "ix_jobs_idempotency_key",
                table: "jobs",
                columns: new[] { "tenant", "idempotency_key" },
                unique: true,
                filter: "idempotency_key IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_queue",
                table: "jobs",
                columns: new[] { "tenant", "priority", "sequence", "spec_revision" },
                descending: new[] { false, true, false, false },
                filter: "state = 'queued'");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_running",
                table: "jobs",
                column: "tenant",
                filter: "state = 'running'");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_sequence",
                table: "jobs",
                columns: new[] { "tenant", "sequence" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_jobs_state",
                table: "jobs",
                columns: new[] { "tenant", "state", "sequence" });

            migrationBuilder.CreateIndex(
                name: "ix_jobs_succeeded",
                table: "jobs",
                columns: new[] { "tenant", "dataset", "sequence" },
                filter: "state = 'succeeded'");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_uploaded",
                table: "jobs",
                columns: new[] { "uploaded", "tenant" },
                filter: "uploaded IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_idempotency_key",
                table: "evaluations",
                columns: new[] { "tenant", "idempotency_key" },
                unique: true,
                filter: "idempotency_key IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_sequence",
                table: "evaluations",
                columns: new[] { "tenant", "sequence" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_datasets_content",
                table: "datasets",
                columns: new[] { "tenant", "name", "sha256" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_datasets_sequence",
                table: "datasets",
                columns: new[] { "tenant", "sequence" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_datasets_version",
                table: "datasets",
                columns: new[] { "tenant", "name", "version" },
                unique: true);

            migrationBuilder.AddForeignKey(
                name: "fk_datasets_name",
                table: "datasets",
                columns: new[] { "tenant", "name" },
                principalTable: "dataset_names",
                principalColumns: new[] { "tenant", "name" },
                onDelete: ReferentialAction.Restrict);

            migrationBuilder.AddForeignKey(
                name: "fk_jobs_uploaded",
                table: "jobs",
                columns: new[] { "uploaded", "tenant" },
                principalTable: "datasets",
                principalColumns: new[] { "id", "tenant" },
                onDelete: ReferentialAction.Restrict);

            migrationBuilder.AddForeignKey(
                name: "fk_studies_uploaded",
                table: "studies",
                columns: new[] { "uploaded", "tenant" },
                principalTable: "datasets",
                principalColumns: new[] { "id", "tenant" },
                onDelete: ReferentialAction.Restrict);

            // Earlier builds name the dropped unique indexes in ON CONFLICT.
            migrationBuilder.Sql("INSERT INTO required_migrations VALUES ('20261130070643_Tenants')");

            // A function takes a new snapshot for each of its queries, so a count after a lock includes what was committed before it.
            // A claim takes one lock for all tenants: with one for each, two claims could wait for each other. The key is "temper" 2.
            migrationBuilder.Sql(
                """
                CREATE FUNCTION check_queued(who text) RETURNS void LANGUAGE plpgsql AS $$
                DECLARE
                    most integer;
                BEGIN
                    SELECT max_queued INTO most FROM tenants WHERE name = who AND max_queued IS NOT NULL FOR UPDATE;
                    IF FOUND THEN
                        IF (SELECT count(*) FROM (SELECT FROM jobs WHERE tenant = who AND state = 'queued'
                                                  LIMIT most::bigint + 1) queued) > most THEN
                            RAISE EXCEPTION USING ERRCODE = 'TQ001', MESSAGE = format('Tenant %s may have %s queued jobs.', who, most);
                        END IF;
                    END IF;
                END $$;

                CREATE FUNCTION device_seconds(who text) RETURNS float8 LANGUAGE sql STABLE AS $$
                    SELECT coalesce((SELECT sum(device_seconds) FROM tenant_usage
                                     WHERE tenant = who AND month = date_trunc('month', now() AT TIME ZONE 'UTC')::date), 0)
                        + coalesce((SELECT sum(extract(epoch FROM clock_timestamp() - claimed_at))::float8 FROM jobs
                                    WHERE tenant = who AND state = 'running'), 0)
                $$;

                CREATE FUNCTION wait_of(who text) RETURNS text LANGUAGE sql STABLE AS $$
                    SELECT CASE
                        WHEN max_running <= (SELECT count(*) FROM jobs WHERE tenant = who AND state = 'running')
                            THEN format('waits for its tenant''s quota: at most %s of its jobs run at once', max_running)
                        WHEN max_device_seconds_per_month <= device_seconds(who)
                            THEN format('waits for the next month: its tenant has used its %s device seconds of this month',
                                        max_device_seconds_per_month)
                        END
                    FROM tenants WHERE name = who
                $$;

                CREATE FUNCTION take_turn(who text) RETURNS text LANGUAGE plpgsql AS $$
                BEGIN
                    PERFORM pg_advisory_xact_lock(8387230210553151490);
                    RETURN CASE WHEN wait_of(who) IS NULL THEN who END;
                END $$;
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(
                """
                DROP FUNCTION take_turn(text);
                DROP FUNCTION wait_of(text);
                DROP FUNCTION device_seconds(text);
                DROP FUNCTION check_queued(text);
                """);

            migrationBuilder.Sql("DELETE FROM required_migrations WHERE migration_id = '20261130070643_Tenants'");

            migrationBuilder.DropForeignKey(
                name: "fk_datasets_name",
                table: "datasets");

            migrationBuilder.DropForeignKey(
                name: "fk_jobs_uploaded",
                table: "jobs");

            migrationBuilder.DropForeignKey(
                name: "fk_studies_uploaded",
                table: "studies");

            migrationBuilder.DropTable(
                name: "tenant_usage");

            migrationBuilder.DropTable(
                name: "tenants");

            migrationBuilder.DropIndex(
                name: "ix_studies_idempotency_key",
                table: "studies");

            migrationBuilder.DropIndex(
                name: "ix_studies_sequence",
                table: "studies");

            migrationBuilder.DropIndex(
                name: "ix_studies_uploaded",
                table: "studies");

            migrationBuilder.DropIndex(
                name: "ix_jobs_dataset",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_idempotency_key",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_queue",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_running",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_sequence",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_state",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_succeeded",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_uploaded",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_evaluations_idempotency_key",
                table: "evaluations");

            migrationBuilder.DropIndex(
                name: "ix_evaluations_sequence",
                table: "evaluations");

            migrationBuilder.DropPrimaryKey(
                name: "pk_datasets",
                table: "datasets");

            migrationBuilder.DropIndex(
                name: "ix_datasets_content",
                table: "datasets");

            migrationBuilder.DropIndex(
                name: "ix_datasets_sequence",
                table: "datasets");

            migrationBuilder.DropIndex(
                name: "ix_datasets_version",
                table: "datasets");

            migrationBuilder.DropPrimaryKey(
                name: "pk_dataset_names",
                table: "dataset_names");

            migrationBuilder.DropColumn(
                name: "tenant",
                table: "studies");

            migrationBuilder.DropColumn(
                name: "tenant",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "tenant",
                table: "evaluations");

            migrationBuilder.DropColumn(
                name: "tenant",
                table: "datasets");

            migrationBuilder.DropColumn(
                name: "tenant",
                table: "dataset_names");

            migrationBuilder.AddPrimaryKey(
                name: "pk_datasets",
                table: "datasets",
                column: "id");

            migrationBuilder.AddPrimaryKey(
                name: "pk_dataset_names",
                table: "dataset_names",
                column: "name");

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

            migrationBuilder.CreateIndex(
                name: "ix_studies_uploaded",
                table: "studies",
                column: "uploaded",
                filter: "uploaded IS NOT NULL");

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
                columns: new[] { "priority", "sequence", "spec_revision" },
                descending: new[] { true, false, false },
                filter: "state = 'queued'");

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
                name: "ix_jobs_succeeded",
                table: "jobs",
                columns: new[] { "dataset", "sequence" },
                filter: "state = 'succeeded'");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_uploaded",
                table: "jobs",
                column: "uploaded",
                filter: "uploaded IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_idempotency_key",
                table: "evaluations",
                column: "idempotency_key",
                unique: true,
                filter: "idempotency_key IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_sequence",
                table: "evaluations",
                column: "sequence",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_datasets_content",
                table: "datasets",
                columns: new[] { "name", "sha256" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_datasets_sequence",
                table: "datasets",
                column: "sequence",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_datasets_version",
                table: "datasets",
                columns: new[] { "name", "version" },
                unique: true);

            migrationBuilder.AddForeignKey(
                name: "fk_datasets_name",
                table: "datasets",
                column: "name",
                principalTable: "dataset_names",
                principalColumn: "name",
                onDelete: ReferentialAction.Restrict);

            migrationBuilder.AddForeignKey(
                name: "fk_jobs_uploaded",
                table: "jobs",
                column: "uploaded",
                principalTable: "datasets",
                principalColumn: "id",
                onDelete: ReferentialAction.Restrict);

            migrationBuilder.AddForeignKey(
                name: "fk_studies_uploaded",
                table: "studies",
                column: "uploaded",
                principalTable: "datasets",
                principalColumn: "id",
                onDelete: ReferentialAction.Restrict);
        }
    }
}
