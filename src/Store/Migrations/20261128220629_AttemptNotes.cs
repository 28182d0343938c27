using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class AttemptNotes : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "attempt_note",
                table: "jobs",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "note",
                table: "attempts",
                type: "text",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "attempt_note",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "note",
                table: "attempts");
        }
    }
}
