using System.CommandLine;
using Temper.Cli.Output;

namespace Temper.Cli;

/// <summary>The commands about the service itself.</summary>
internal static class ServiceCommands
{
    public static Command Datasets()
    {
        var datasets = List();
        datasets.Add(Add());
        return datasets;
    }

    private static Command Add()
    {
        var file = new Argument<FileInfo>("FILE")
        {
            Description = "An npz file, or a zip of the four IDX files or of PNG and JPEG files in a folder per class.",
        };
        var name = new Option<string>("--name")
        {
            Description = "Name of the data set; a name that is there gets the next version.",
            Required = true,
        };
        var seed = new Option<int>("--seed") { Description = "Determines the test part of a set that has none; 0 when absent." };
        return Common.Command(
            "add",
            "Adds a data set; prints its name with the version.",
            (parsed, service, cancellation) =>
                service.PostFileAsync(
                    $"datasets?name={Uri.EscapeDataString(parsed.GetValue(name)!)}&seed={parsed.GetValue(seed)}",
                    parsed.GetValue(file)!.FullName,
                    cancellation
                ),
            set =>
            {
                Terminal.WriteLine($"{set["name"]}");
                if (set["note"] is { } note)
                    Terminal.Note($"{note}");
            },
            file,
            name,
            seed
        );
    }

    private static Command List()
    {
        var cursor = new Option<string>("--cursor") { Description = "Lists the page that begins here." };
        return Common.Command(
            "datasets",
            "Lists the data sets that a job may train on.",
            (parsed, service, cancellation) =>
                service.GetAsync(
                    parsed.GetValue(cursor) is { } from ? $"datasets?cursor={Uri.EscapeDataString(from)}" : "datasets",
                    cancellation
                ),
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
                if (answer["next"] is { } next)
                    Terminal.Note($"There are more: --cursor {next}");
            },
            cursor
        );
    }

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
