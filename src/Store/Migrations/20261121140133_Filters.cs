using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class Filters : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateIndex(
                name: "ix_jobs_dataset",
                table: "jobs",
                columns: new[] { "dataset", "sequence" });

            migrationBuilder.CreateIndex(
                name: "ix_jobs_tags",
                table: "jobs",
                column: "tags")
                .Annotation("Npgsql:IndexMethod", "gin");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_jobs_dataset",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_tags",
                table: "jobs");
        }
    }
}
