using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class MetricsVersion : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "metrics_version",
                table: "jobs",
                type: "integer",
                nullable: false,
                defaultValue: 0);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "metrics_version",
                table: "jobs");
        }
    }
}
