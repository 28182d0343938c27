using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class UploadQuota : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropCheckConstraint(
                name: "ck_tenants_quotas",
                table: "tenants");

            migrationBuilder.AddColumn<long>(
                name: "max_uploaded_bytes",
                table: "tenants",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddCheckConstraint(
                name: "ck_tenants_quotas",
                table: "tenants",
                sql: "max_queued >= 0 AND max_running >= 0 AND max_device_seconds_per_month >= 0 AND max_uploaded_bytes >= 0");

            migrationBuilder.Sql(
                """
                CREATE INDEX ix_datasets_uploaded ON datasets (tenant) INCLUDE (length);
                CREATE INDEX ix_evaluations_uploaded ON evaluations (tenant)
                    INCLUDE (classes, count, validation_count, has_true_probabilities);

                CREATE FUNCTION uploaded_bytes(who text) RETURNS bigint LANGUAGE sql STABLE AS $$
                    SELECT (coalesce((SELECT sum(length) FROM datasets WHERE tenant = who), 0)
                        + coalesce((SELECT sum(4 * (classes::bigint + 1) * (count + coalesce(validation_count, 0))
                                               + CASE WHEN has_true_probabilities THEN 8 * count::bigint ELSE 0 END)
                                    FROM evaluations WHERE tenant = who), 0))::bigint
                $$;

                CREATE FUNCTION check_uploaded(who text) RETURNS void LANGUAGE plpgsql AS $$
                DECLARE
                    most bigint;
                BEGIN
                    SELECT max_uploaded_bytes INTO most FROM tenants WHERE name = who AND max_uploaded_bytes IS NOT NULL FOR UPDATE;
                    IF FOUND AND uploaded_bytes(who) > most THEN
                        RAISE EXCEPTION USING ERRCODE = 'TQ002',
                            MESSAGE = format('Tenant %s may store %s bytes of data sets and evaluations.', who, most);
                    END IF;
                END $$;
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(
                """
                DROP FUNCTION check_uploaded(text);
                DROP FUNCTION uploaded_bytes(text);
                DROP INDEX ix_datasets_uploaded;
                DROP INDEX ix_evaluations_uploaded;
                """);

            migrationBuilder.DropCheckConstraint(
                name: "ck_tenants_quotas",
                table: "tenants");

            migrationBuilder.DropColumn(
                name: "max_uploaded_bytes",
                table: "tenants");

            migrationBuilder.AddCheckConstraint(
                name: "ck_tenants_quotas",
                table: "tenants",
                sql: "max_queued >= 0 AND max_running >= 0 AND max_device_seconds_per_month >= 0");
        }
    }
}
