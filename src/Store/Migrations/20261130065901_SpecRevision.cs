using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class SpecRevision : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_jobs_queue",
                table: "jobs");

            migrationBuilder.AddColumn<int>(
                name: "spec_revision",
                table: "workers",
                type: "integer",
                nullable: false,
                defaultValue: 1);

            migrationBuilder.AddColumn<int>(
                name: "spec_revision",
                table: "jobs",
                type: "integer",
                nullable: false,
                defaultValue: 1);

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

            migrationBuilder.CreateIndex(
                name: "ix_jobs_queue",
                table: "jobs",
                columns: new[] { "priority", "sequence", "spec_revision" },
                descending: new[] { true, false, false },
                filter: "state = 'queued'");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "required_migrations");

            migrationBuilder.DropIndex(
                name: "ix_jobs_queue",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "spec_revision",
                table: "workers");

            migrationBuilder.DropColumn(
                name: "spec_revision",
                table: "jobs");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_queue",
                table: "jobs",
                columns: new[] { "priority", "sequence" },
                descending: new[] { true, false },
                filter: "state = 'queued'");
        }
    }
}
