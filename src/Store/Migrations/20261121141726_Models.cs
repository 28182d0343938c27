using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class Models : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "models",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    weights = table.Column<byte[]>(type: "bytea", nullable: false),
                    classes = table.Column<int>(type: "integer", nullable: true),
                    validation_logits = table.Column<byte[]>(type: "bytea", nullable: true),
                    validation_labels = table.Column<byte[]>(type: "bytea", nullable: true),
                    test_logits = table.Column<byte[]>(type: "bytea", nullable: true),
                    test_labels = table.Column<byte[]>(type: "bytea", nullable: true),
                    true_probabilities = table.Column<byte[]>(type: "bytea", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_models", x => x.job_id);
                    table.CheckConstraint("ck_models_logits", "num_nulls(classes, validation_logits, validation_labels, test_logits, test_labels) IN (0, 5)");
                    table.ForeignKey(
                        name: "fk_models_job",
                        column: x => x.job_id,
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            // Floating-point noise does not compress: trying costs time at every write and read.
            migrationBuilder.Sql(
                """
                ALTER TABLE models ALTER weights SET STORAGE EXTERNAL, ALTER validation_logits SET STORAGE EXTERNAL,
                    ALTER test_logits SET STORAGE EXTERNAL, ALTER true_probabilities SET STORAGE EXTERNAL
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "models");
        }
    }
}
