using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Temper.Cli.Output;

namespace Temper.Cli;

/// <summary>The commands about tenants and their quotas.</summary>
internal static class TenantCommands
{
    private const string NoLimit = "none";

    public static Command Tenants() => new("tenants", "Shows tenants, and sets their quotas.") { List(), Show(), Set() };

    private static Command List() =>
        Common.Command(
            "list",
            "Lists the tenants that you may see.",
            (_, service, cancellation) => service.GetAsync("tenants", cancellation),
            answer => Write(answer["items"]!.AsArray())
        );

    private static Command Show()
    {
        var name = Name();
        return Common.Command(
            "show",
            "Shows what a tenant uses and may use.",
            (parsed, service, cancellation) => service.GetAsync(PathOf(parsed.GetValue(name)!), cancellation),
            tenant => Write([tenant.DeepClone()]),
            name
        );
    }

    private static Command Set()
    {
        var name = Name();
        (string Field, Option<string> Option)[] limits =
        [
            ("maxQueued", Limit("--max-queued", "The most jobs that may be queued")),
            ("maxRunning", Limit("--max-running", "The most jobs that run at once")),
            ("maxDeviceSecondsPerMonth", Limit("--max-device-seconds", "The seconds of attempts in a month, after which no job begins")),
            ("maxUploadedBytes", Limit("--max-uploaded-bytes", "The most bytes of uploaded data sets and evaluations")),
        ];
        return Common.Command(
            "set",
            "Sets quotas of a tenant; those that are not named stay.",
            async (parsed, service, cancellation) =>
            {
                var path = PathOf(parsed.GetValue(name)!);
                var quotas = (await service.GetAsync(path, cancellation))["quotas"]!.DeepClone();
                foreach (var (field, option) in limits)
                    if (parsed.GetValue(option) is { } given)
                        quotas[field] = given == NoLimit ? null : long.Parse(given, CultureInfo.InvariantCulture);
                return await service.PutAsync(path, quotas, cancellation);
            },
            tenant => Write([tenant.DeepClone()]),
            [name, .. limits.Select(limit => limit.Option)]
        );
    }

    private static Argument<string> Name() => new("NAME") { Description = "Name of the tenant." };

    private static Option<string> Limit(string name, string what) =>
        new(name)
        {
            Description = $"{what}; {NoLimit} for no limit.",
            CustomParser = given =>
            {
                var text = given.Tokens[0].Value;
                if (text != NoLimit && !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _))
                    given.AddError($"{name} must be a whole number from 0, or {NoLimit}; got {text}");
                return text;
            },
        };

    private static string PathOf(string name) => $"tenants/{Uri.EscapeDataString(name)}";

    private static void Write(JsonArray tenants)
    {
        var table = Terminal
            .Table("tenant", "queued", "of", "running", "of", "device seconds", "of", "uploaded bytes", "of")
            .NumbersFrom(1);
        foreach (var tenant in tenants)
            table.Row(
                Terminal.Plain(tenant!["name"]),
                Terminal.Plain(tenant["queued"]),
                Terminal.Plain(tenant["quotas"]!["maxQueued"]),
                Terminal.Plain(tenant["running"]),
                Terminal.Plain(tenant["quotas"]!["maxRunning"]),
                Terminal.Figure(tenant["deviceSecondsThisMonth"]!.GetValue<double>(), "0"),
                Terminal.Plain(tenant["quotas"]!["maxDeviceSecondsPerMonth"]),
                Terminal.Plain(tenant["uploadedBytes"]),
                Terminal.Plain(tenant["quotas"]!["maxUploadedBytes"])
            );
        Terminal.Out.Write(table);
    }
}
