using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Output;

namespace Temper.Cli;

/// <summary>The commands that make, list and revoke keys, with a key that has the scope `admin`.</summary>
internal static class KeyCommands
{
    public static Command Keys() => new("keys", "Makes, lists and revokes keys to the service.") { Create(), List(), Revoke() };

    private static Command Create()
    {
        var name = new Option<string>("--name") { Description = "Name of the key, in logs and in the audit.", Required = true };
        var tenant = new Option<string>("--tenant") { Description = "Tenant whose jobs and data the key opens.", Required = true };
        var scopes = new Option<string>("--scopes")
        {
            Description = "What it allows, separated by commas: read, submit, operate, admin.",
            Required = true,
        };
        var expires = new Option<string>("--expires")
        {
            Description = "How long it is valid, such as 90d or 12h; without it, until revoked.",
        };
        return Common.Command(
            "create",
            "Makes a key and prints it. It is not stored and cannot be shown again.",
            (parsed, service, cancellation) =>
                service.PostAsync(
                    "keys",
                    new JsonObject
                    {
                        ["name"] = parsed.GetValue(name),
                        ["tenant"] = parsed.GetValue(tenant),
                        ["scopes"] = new JsonArray([.. WordsOf(parsed.GetValue(scopes)!)]),
                        ["expires"] = parsed.GetValue(expires),
                    },
                    cancellation
                ),
            answer =>
            {
                Terminal.WriteLine($"{answer["secret"]}");
                Terminal.Note($"Key {answer["key"]!["id"]}. It is not stored and is not shown again.");
            },
            name,
            tenant,
            scopes,
            expires
        );
    }

    private static Command List() =>
        Common.Command(
            "list",
            "Lists the keys of all tenants, newest first.",
            (_, service, cancellation) => service.GetAsync("keys", cancellation),
            answer =>
            {
                var table = Terminal.Table("id", "begins", "tenant", "name", "scopes", "last used", "ends");
                foreach (var key in answer["items"]!.AsArray())
                    table.Row(
                        Terminal.Plain(key!["id"]),
                        Terminal.Plain(key["prefix"]),
                        Terminal.Plain(key["tenant"]),
                        Terminal.Plain(key["name"]),
                        string.Join(", ", key["scopes"]!.AsArray()),
                        key["lastUsedAt"] is { } used ? Terminal.Time(used) : "never",
                        key["revokedAt"] is not null ? "revoked"
                            : key["expiresAt"] is { } end ? Terminal.Time(end)
                            : "never"
                    );
                Terminal.Out.Write(table);
            }
        );

    private static Command Revoke()
    {
        var id = Common.Id("KEY");
        return Common.Command(
            "revoke",
            "Revokes a key. Every API process refuses it at once.",
            (parsed, service, cancellation) => service.PostAsync($"keys/{parsed.GetValue(id)}/revoke", null, cancellation),
            answer => Terminal.WriteLine($"Key {answer["name"]} of tenant {answer["tenant"]} is revoked."),
            id
        );
    }

    private static IEnumerable<JsonNode> WordsOf(string scopes) =>
        scopes.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(word => JsonValue.Create(word));
}
