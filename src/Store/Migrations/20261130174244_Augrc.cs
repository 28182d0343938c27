using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class Augrc : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<double>(
                name: "test_augrc",
                table: "scores",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "validation_augrc",
                table: "scores",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "augrc",
                table: "corruption_scores",
                type: "double precision",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "test_augrc",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "validation_augrc",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "augrc",
                table: "corruption_scores");
        }
    }
}
