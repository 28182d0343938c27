using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class KeysAndTenants : Migration
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
                name: "devices",
                table: "workers",
                type: "jsonb",
                nullable: false,
                defaultValueSql: "'[]'");

            migrationBuilder.AddColumn<bool>(
                name: "draining",
                table: "workers",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<int>(
                name: "spec_revision",
                table: "workers",
                type: "integer",
                nullable: false,
                defaultValue: 1);

            migrationBuilder.AddColumn<string>(
                name: "tenant",
                table: "studies",
                type: "text",
                nullable: false,
                defaultValue: "default");

            migrationBuilder.AddColumn<string>(
                name: "attempt_traceparent",
                table: "jobs",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "spec_revision",
                table: "jobs",
                type: "integer",
                nullable: false,
                defaultValue: 1);

            migrationBuilder.AddColumn<string>(
                name: "tenant",
                table: "jobs",
                type: "text",
                nullable: false,
                defaultValue: "default");

            migrationBuilder.AddColumn<string>(
                name: "traceparent",
                table: "jobs",
                type: "text",
                nullable: true);

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
                name: "audit",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityAlwaysColumn),
                    entry_id = table.Column<Guid>(type: "uuid", nullable: false, defaultValueSql: "gen_random_uuid()"),
                    at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()"),
                    tenant = table.Column<string>(type: "text", nullable: false),
                    actor = table.Column<string>(type: "text", nullable: false),
                    key_id = table.Column<Guid>(type: "uuid", nullable: true),
                    action = table.Column<string>(type: "text", nullable: false),
                    target = table.Column<string>(type: "text", nullable: true),
                    status = table.Column<int>(type: "integer", nullable: false),
                    address = table.Column<string>(type: "text", nullable: true),
                    detail = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_audit", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "keys",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    tenant = table.Column<string>(type: "text", nullable: false),
                    digest = table.Column<byte[]>(type: "bytea", nullable: false),
                    prefix = table.Column<string>(type: "text", nullable: false),
                    scopes = table.Column<string[]>(type: "text[]", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()"),
                    created_by = table.Column<string>(type: "text", nullable: false),
                    expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    revoked_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    last_used_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_keys", x => x.id);
                    table.CheckConstraint("ck_keys_digest", "octet_length(digest) = 32");
                    table.CheckConstraint("ck_keys_scopes", "cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'submit', 'operate', 'admin']::text[]");
                });

            migrationBuilder.CreateTable(
                name: "required_migrations",
                columns: table => new
                {
                    migration_id = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_required_migrations", x => x.migration_id);
                });

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

            migrationBuilder.CreateTable(
                name: "sessions",
                columns: table => new
                {
                    digest = table.Column<byte[]>(type: "bytea", nullable: false),
                    key_id = table.Column<Guid>(type: "uuid", nullable: false),
                    ends_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_sessions", x => x.digest);
                    table.CheckConstraint("ck_sessions_digest", "octet_length(digest) = 32");
                    table.ForeignKey(
                        name: "fk_sessions_key",
                        column: x => x.key_id,
                        principalTable: "keys",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
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

            migrationBuilder.CreateIndex(
                name: "ix_audit_at",
                table: "audit",
                column: "at");

            migrationBuilder.CreateIndex(
                name: "ix_audit_entry",
                table: "audit",
                column: "entry_id",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_audit_tenant",
                table: "audit",
                columns: new[] { "tenant", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_keys_digest",
                table: "keys",
                column: "digest",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_keys_name",
                table: "keys",
                columns: new[] { "tenant", "name" },
                unique: true,
                filter: "revoked_at IS NULL");

            migrationBuilder.CreateIndex(
                name: "ix_sessions_ends_at",
                table: "sessions",
                column: "ends_at");

            migrationBuilder.CreateIndex(
                name: "ix_sessions_key",
                table: "sessions",
                column: "key_id");

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

            // Earlier builds name unique indexes in ON CONFLICT that this migration replaces.
            migrationBuilder.Sql("INSERT INTO required_migrations VALUES ('20261130083504_KeysAndTenants')");

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
                name: "audit");

            migrationBuilder.DropTable(
                name: "required_migrations");

            migrationBuilder.DropTable(
                name: "sessions");

            migrationBuilder.DropTable(
                name: "tenant_usage");

            migrationBuilder.DropTable(
                name: "tenants");

            migrationBuilder.DropTable(
                name: "keys");

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
                name: "devices",
                table: "workers");

            migrationBuilder.DropColumn(
                name: "draining",
                table: "workers");

            migrationBuilder.DropColumn(
                name: "spec_revision",
                table: "workers");

            migrationBuilder.DropColumn(
                name: "tenant",
                table: "studies");

            migrationBuilder.DropColumn(
                name: "attempt_traceparent",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "spec_revision",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "tenant",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "traceparent",
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
                columns: new[] { "priority", "sequence" },
                descending: new[] { true, false },
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
