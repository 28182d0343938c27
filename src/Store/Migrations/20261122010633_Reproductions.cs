using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Temper.Store.Migrations
{
    /// <inheritdoc />
    public partial class Reproductions : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<Guid>(
                name: "reproduces",
                table: "jobs",
                type: "uuid",
                nullable: true);

            migrationBuilder.CreateIndex(
                name: "ix_jobs_reproduces",
                table: "jobs",
                column: "reproduces",
                filter: "reproduces IS NOT NULL");

            migrationBuilder.AddForeignKey(
                name: "fk_jobs_reproduces",
                table: "jobs",
                column: "reproduces",
                principalTable: "jobs",
                principalColumn: "id",
                onDelete: ReferentialAction.SetNull);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropForeignKey(
                name: "fk_jobs_reproduces",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_reproduces",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "reproduces",
                table: "jobs");
        }
    }
}
