using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class MoreScores : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<double>(
                name: "test_debiased_ece",
                table: "scores",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "test_debiased_ece_after_temperature",
                table: "scores",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "test_smooth_ece",
                table: "scores",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "test_smooth_ece_after_temperature",
                table: "scores",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "validation_debiased_ece",
                table: "scores",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "validation_debiased_ece_after_temperature",
                table: "scores",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "validation_smooth_ece",
                table: "scores",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "validation_smooth_ece_after_temperature",
                table: "scores",
                type: "double precision",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "test_debiased_ece",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "test_debiased_ece_after_temperature",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "test_smooth_ece",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "test_smooth_ece_after_temperature",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "validation_debiased_ece",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "validation_debiased_ece_after_temperature",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "validation_smooth_ece",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "validation_smooth_ece_after_temperature",
                table: "scores");
        }
    }
}
