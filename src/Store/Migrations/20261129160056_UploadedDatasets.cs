using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class UploadedDatasets : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "uploaded",
                table: "studies",
                type: "text",
                nullable: true,
                computedColumnSql: "CASE WHEN spec->'job'->>'data' IS NOT NULL THEN spec->'job'->>'dataset' END",
                stored: true);

            migrationBuilder.AddColumn<string>(
                name: "uploaded",
                table: "jobs",
                type: "text",
                nullable: true,
                computedColumnSql: "CASE WHEN spec->>'data' IS NOT NULL THEN spec->>'dataset' END",
                stored: true);

            migrationBuilder.CreateTable(
                name: "dataset_chunks",
                columns: table => new
                {
                    content_id = table.Column<Guid>(type: "uuid", nullable: false),
                    number = table.Column<int>(type: "integer", nullable: false),
                    bytes = table.Column<byte[]>(type: "bytea", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_dataset_chunks", x => new { x.content_id, x.number });
                });

            migrationBuilder.CreateTable(
                name: "dataset_contents",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_dataset_contents", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "dataset_names",
                columns: table => new
                {
                    name = table.Column<string>(type: "text", nullable: false),
                    last_version = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_dataset_names", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "datasets",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    version = table.Column<int>(type: "integer", nullable: false),
                    content_id = table.Column<Guid>(type: "uuid", nullable: false),
                    length = table.Column<long>(type: "bigint", nullable: false),
                    content = table.Column<string>(type: "jsonb", nullable: false),
                    sha256 = table.Column<string>(type: "text", nullable: false, computedColumnSql: "content->>'sha256'", stored: true),
                    details = table.Column<string>(type: "jsonb", nullable: false),
                    samples = table.Column<byte[]>(type: "bytea", nullable: false),
                    mean = table.Column<byte[]>(type: "bytea", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_datasets", x => x.id);
                    table.ForeignKey(
                        name: "fk_datasets_content",
                        column: x => x.content_id,
                        principalTable: "dataset_contents",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Restrict);
                    table.ForeignKey(
                        name: "fk_datasets_name",
                        column: x => x.name,
                        principalTable: "dataset_names",
                        principalColumn: "name",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateIndex(
                name: "ix_studies_uploaded",
                table: "studies",
                column: "uploaded",
                filter: "uploaded IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_uploaded",
                table: "jobs",
                column: "uploaded",
                filter: "uploaded IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_datasets_content",
                table: "datasets",
                columns: new[] { "name", "sha256" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_datasets_content_id",
                table: "datasets",
                column: "content_id",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_datasets_version",
                table: "datasets",
                columns: new[] { "name", "version" },
                unique: true);

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

            // Chunks are stored as they are: images hardly compress, and the hash is of the bytes as they were sent.
            migrationBuilder.Sql("ALTER TABLE dataset_chunks ALTER bytes SET STORAGE EXTERNAL;");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropForeignKey(
                name: "fk_jobs_uploaded",
                table: "jobs");

            migrationBuilder.DropForeignKey(
                name: "fk_studies_uploaded",
                table: "studies");

            migrationBuilder.DropTable(
                name: "dataset_chunks");

            migrationBuilder.DropTable(
                name: "datasets");

            migrationBuilder.DropTable(
                name: "dataset_contents");

            migrationBuilder.DropTable(
                name: "dataset_names");

            migrationBuilder.DropIndex(
                name: "ix_studies_uploaded",
                table: "studies");

            migrationBuilder.DropIndex(
                name: "ix_jobs_uploaded",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "uploaded",
                table: "studies");

            migrationBuilder.DropColumn(
                name: "uploaded",
                table: "jobs");
        }
    }
}
