using System;
using System.Collections.Generic;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class Evaluations : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "evaluations",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    sequence = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityAlwaysColumn),
                    name = table.Column<string>(type: "text", nullable: true),
                    idempotency_key = table.Column<string>(type: "text", nullable: true),
                    sha256 = table.Column<string>(type: "text", nullable: false),
                    outputs = table.Column<string>(type: "text", nullable: false),
                    count = table.Column<int>(type: "integer", nullable: false),
                    classes = table.Column<int>(type: "integer", nullable: false),
                    validation_count = table.Column<int>(type: "integer", nullable: true),
                    floored_zeros = table.Column<long>(type: "bigint", nullable: false),
                    has_true_probabilities = table.Column<bool>(type: "boolean", nullable: false),
                    scores = table.Column<string>(type: "jsonb", nullable: false),
                    notes = table.Column<List<string>>(type: "text[]", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_evaluations", x => x.id);
                    table.CheckConstraint("ck_evaluations_outputs", "outputs IN ('logits', 'probabilities')");
                });

            migrationBuilder.CreateTable(
                name: "evaluation_pieces",
                columns: table => new
                {
                    evaluation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    part = table.Column<string>(type: "text", nullable: false),
                    piece = table.Column<int>(type: "integer", nullable: false),
                    data = table.Column<byte[]>(type: "bytea", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_evaluation_pieces", x => new { x.evaluation_id, x.part, x.piece });
                    table.ForeignKey(
                        name: "fk_evaluation_pieces_evaluation",
                        column: x => x.evaluation_id,
                        principalTable: "evaluations",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_idempotency_key",
                table: "evaluations",
                column: "idempotency_key",
                unique: true,
                filter: "idempotency_key IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_evaluations_sequence",
                table: "evaluations",
                column: "sequence",
                unique: true);

            // The numbers hardly compress.
            migrationBuilder.Sql("ALTER TABLE evaluation_pieces ALTER data SET STORAGE EXTERNAL");
            migrationBuilder.Sql(
                "ALTER TABLE evaluation_pieces ALTER CONSTRAINT fk_evaluation_pieces_evaluation DEFERRABLE INITIALLY DEFERRED");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "evaluation_pieces");

            migrationBuilder.DropTable(
                name: "evaluations");
        }
    }
}
