using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class DatasetSequence : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // An identity column that is added numbers the rows as they lie in the table; these are numbered by their age.
            migrationBuilder.Sql(
                """
                ALTER TABLE datasets ADD sequence bigint;
                UPDATE datasets SET sequence = numbered.number
                FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS number FROM datasets) numbered
                WHERE datasets.id = numbered.id;
                ALTER TABLE datasets ALTER sequence SET NOT NULL, ALTER sequence ADD GENERATED ALWAYS AS IDENTITY;
                SELECT setval(pg_get_serial_sequence('datasets', 'sequence'), (SELECT count(*) + 1 FROM datasets), false);
                """);

            migrationBuilder.CreateIndex(
                name: "ix_datasets_sequence",
                table: "datasets",
                column: "sequence",
                unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_datasets_sequence",
                table: "datasets");

            migrationBuilder.DropColumn(
                name: "sequence",
                table: "datasets");
        }
    }
}
