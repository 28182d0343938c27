using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class StudyGrid : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_arms_grid",
                table: "arms");

            migrationBuilder.AddColumn<string>(
                name: "settings",
                table: "arms",
                type: "text",
                nullable: false,
                defaultValue: "{}");

            migrationBuilder.CreateIndex(
                name: "ix_arms_grid",
                table: "arms",
                columns: new[] { "study_id", "epsilon", "smoothing", "learning_rate", "model", "label_noise", "settings" },
                unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_arms_grid",
                table: "arms");

            migrationBuilder.DropColumn(
                name: "settings",
                table: "arms");

            migrationBuilder.CreateIndex(
                name: "ix_arms_grid",
                table: "arms",
                columns: new[] { "study_id", "epsilon", "smoothing", "learning_rate", "model", "label_noise" },
                unique: true);
        }
    }
}
