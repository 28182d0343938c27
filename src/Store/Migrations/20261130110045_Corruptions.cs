using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class Corruptions : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "corruption_scores",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    kind = table.Column<string>(type: "text", nullable: false),
                    strength = table.Column<int>(type: "integer", nullable: false),
                    accuracy = table.Column<double>(type: "double precision", nullable: false),
                    nll = table.Column<double>(type: "double precision", nullable: false),
                    brier = table.Column<double>(type: "double precision", nullable: false),
                    ece = table.Column<double>(type: "double precision", nullable: false),
                    signed_gap = table.Column<double>(type: "double precision", nullable: false),
                    aurc = table.Column<double>(type: "double precision", nullable: false),
                    nll_after_temperature = table.Column<double>(type: "double precision", nullable: false),
                    ece_after_temperature = table.Column<double>(type: "double precision", nullable: false),
                    debiased_ece = table.Column<double>(type: "double precision", nullable: true),
                    smooth_ece = table.Column<double>(type: "double precision", nullable: true),
                    debiased_ece_after_temperature = table.Column<double>(type: "double precision", nullable: true),
                    smooth_ece_after_temperature = table.Column<double>(type: "double precision", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_corruption_scores", x => new { x.job_id, x.kind, x.strength });
                    table.CheckConstraint("ck_corruption_scores_kind", "kind IN ('noise', 'blur', 'rotation', 'contrast')");
                    table.CheckConstraint("ck_corruption_scores_strength", "strength BETWEEN 1 AND 5");
                    table.ForeignKey(
                        name: "fk_corruption_scores_job",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "corruption_scores");
        }
    }
}
