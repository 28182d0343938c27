using System.CommandLine;
using Temper.Cli.Output;

namespace Temper.Cli;

/// <summary>The commands about the service itself.</summary>
internal static class ServiceCommands
{
    public static Command Datasets() =>
        Common.Command(
            "datasets",
            "Lists the data sets that a job may train on.",
            (_, service, cancellation) => service.GetAsync("datasets", cancellation),
            answer =>
            {
                var table = Terminal.Table("name", "classes", "images", "size", "about");
                foreach (var card in answer["items"]!.AsArray())
                    table.Row(
                        Terminal.Plain(card!["name"]),
                        Terminal.Plain(card["classes"]),
                        $"{card["trainImages"]} + {card["testImages"]}",
                        $"{card["channels"]}×{card["height"]}×{card["width"]}",
                        Terminal.Plain(card["about"])
                    );
                Terminal.Out.Write(table);
            }
        );

    public static Command Workers() =>
        Common.Command(
            "workers",
            "Lists the workers and the jobs that each runs.",
            (_, service, cancellation) => service.GetAsync("workers", cancellation),
            answer =>
            {
                var table = Terminal.Table("name", "state", "device", "slots", "jobs", "heartbeat");
                foreach (var worker in answer["items"]!.AsArray())
                    table.Row(
                        Terminal.Plain(worker!["name"]),
                        Terminal.Plain(worker["state"]),
                        Terminal.Plain(worker["device"]),
                        Terminal.Plain(worker["slots"]),
                        Terminal.Plain(worker["jobs"]),
                        Terminal.Time(worker["heartbeatAt"])
                    );
                Terminal.Out.Write(table);
            }
        );
}
