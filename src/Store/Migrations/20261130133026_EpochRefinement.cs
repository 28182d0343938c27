using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class EpochRefinement : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "best_epoch_after_temperature",
                table: "scores",
                type: "integer",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "validation_loss_after_temperature",
                table: "epochs",
                type: "double precision",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "best_epoch_after_temperature",
                table: "scores");

            migrationBuilder.DropColumn(
                name: "validation_loss_after_temperature",
                table: "epochs");
        }
    }
}
