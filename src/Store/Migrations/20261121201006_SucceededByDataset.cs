using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class SucceededByDataset : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateIndex(
                name: "ix_jobs_succeeded",
                table: "jobs",
                columns: new[] { "dataset", "sequence" },
                filter: "state = 'succeeded'");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_jobs_succeeded",
                table: "jobs");
        }
    }
}
