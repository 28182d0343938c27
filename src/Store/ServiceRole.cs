using Npgsql;

namespace Temper.Store;

/// <summary>The database role of the API and the workers, where another role owns the tables and migrates them.</summary>
public static class ServiceRole
{
    /// <summary>True when the role can do more than its grants say, so that they would not bind it.</summary>
    private const string IsTooPowerful = """
        SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR pg_has_role(oid, current_user, 'MEMBER')
            OR pg_has_role(oid, 'pg_execute_server_program', 'MEMBER') OR pg_has_role(oid, 'pg_read_server_files', 'MEMBER')
            OR pg_has_role(oid, 'pg_write_server_files', 'MEMBER')
        FROM pg_roles WHERE rolname = $1
        """;

    /// <summary>
    /// Makes the rights of a role those that the API and the workers need: rows of every table, sequences, functions, and
    /// temporary tables, which the API's readiness check makes. Later tables of the same owner get the same grants.
    /// </summary>
    /// <param name="database">Connects as the owner of the schema, which is migrated.</param>
    /// <exception cref="InvalidOperationException">The role does not exist, or its grants would not bind it.</exception>
    public static async Task GrantAsync(NpgsqlDataSource database, string role, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await Migrator.TakeGateAsync(connection, transaction, cancellationToken); // two GRANTs at once fail
        await using (var check = new NpgsqlCommand(IsTooPowerful, connection, transaction) { Parameters = { new() { Value = role } } })
            switch (await check.ExecuteScalarAsync(cancellationToken))
            {
                case null:
                    throw new InvalidOperationException($"There is no role {role}. Create it first: CREATE ROLE {role} LOGIN PASSWORD …");
                case true:
                    throw new InvalidOperationException(
                        $"The role {role} can do more than its grants: it is the owner or a member of it, a superuser, or may create roles "
                            + "or databases, replicate, pass by row security, or use the server's files and programs. Use another role."
                    );
            }
        await using var grant = new NpgsqlCommand(Grants(connection, role), connection, transaction);
        await grant.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static string Grants(NpgsqlConnection connection, string role)
    {
        const string schemas = "public, hangfire";
        var quote = new NpgsqlCommandBuilder();
        var (to, database) = (quote.QuoteIdentifier(role), quote.QuoteIdentifier(connection.Database));
        // Autovacuum alone frees the space of replaced checkpoints where the role may not vacuum them.
        var maintain = connection.PostgreSqlVersion.Major >= 17 ? $"GRANT MAINTAIN ON checkpoints TO {to};" : "";
        return $"""
            REVOKE CREATE ON SCHEMA public FROM PUBLIC;
            GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {to};
            REVOKE ALL ON SCHEMA {schemas} FROM {to};
            REVOKE ALL ON ALL TABLES IN SCHEMA {schemas} FROM {to};
            GRANT USAGE ON SCHEMA {schemas} TO {to};
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schemas} TO {to};
            REVOKE INSERT, UPDATE, DELETE ON "__EFMigrationsHistory", {Migrator.RequiredTable}, hangfire.schema FROM {to};
            REVOKE UPDATE ON audit FROM {to};
            GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schemas} TO {to};
            GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schemas} TO {to};
            ALTER DEFAULT PRIVILEGES IN SCHEMA {schemas} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {to};
            ALTER DEFAULT PRIVILEGES IN SCHEMA {schemas} GRANT USAGE ON SEQUENCES TO {to};
            ALTER DEFAULT PRIVILEGES IN SCHEMA {schemas} GRANT EXECUTE ON FUNCTIONS TO {to};
            {maintain}
            """;
    }
}
