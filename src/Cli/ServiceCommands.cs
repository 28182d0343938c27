using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Output;

namespace Temper.Cli;

/// <summary>The commands about the service itself.</summary>
internal static class ServiceCommands
{
    public static Command Datasets()
    {
        var datasets = List();
        datasets.Add(Add());
        datasets.Add(Show());
        datasets.Add(Common.Delete("Deletes a version of an uploaded data set that no job and no study uses.", "datasets", Version()));
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
        var cursor = new Option<string>("--cursor") { Description = "The cursor that the last list ended with." };
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

    private static Argument<string> Version() => new("NAME") { Description = "Name of the data set with its version, such as birds@3." };

    private static Command Show()
    {
        var name = new Argument<string>("NAME")
        {
            Description = "Name of the data set, such as mnist, birds@3, or birds for its newest version.",
        };
        return Common.Command(
            "show",
            "Shows a data set, with the number of images of each class when it was uploaded.",
            (parsed, service, cancellation) => service.GetAsync($"datasets/{Uri.EscapeDataString(parsed.GetValue(name)!)}", cancellation),
            ShowOne,
            name
        );
    }

    private static void ShowOne(JsonNode set)
    {
        var table = Terminal.Table("data set", Terminal.Plain(set["name"]));
        table.Row("about", Terminal.Plain(set["about"]));
        table.Row("image", $"{set["channels"]}×{set["height"]}×{set["width"]}");
        foreach (var field in new[] { "classes", "trainImages", "validationImages", "testImages", "note", "sha256" })
            if (set[field] is { } value)
                table.Row(field, Terminal.Plain(value));
        if (set["createdAt"] is { } time)
            table.Row("createdAt", Terminal.Time(time));
        Terminal.Out.Write(table);
        if (set["counts"] is not JsonArray counts)
            return;
        var classes = Terminal.Table("class", "train", "validation", "test").NumbersFrom(1);
        foreach (var one in counts)
            classes.Row(
                Terminal.Plain(one!["name"]),
                Terminal.Plain(one["train"]),
                Terminal.Plain(one["validation"]),
                Terminal.Plain(one["test"])
            );
        Terminal.WriteLine("");
        Terminal.Out.Write(classes);
    }

    public static Command Workers() =>
        Common.Command(
            "workers",
            "Lists the workers and those of your jobs that each runs.",
            (_, service, cancellation) => service.GetAsync("workers", cancellation),
            answer =>
            {
                var table = Terminal.Table("name", "state", "device", "slots", "taken", "jobs", "heartbeat");
                foreach (var worker in answer["items"]!.AsArray())
                    table.Row(
                        Terminal.Plain(worker!["name"]),
                        Terminal.Plain(worker["state"]),
                        Terminal.Plain(worker["device"]),
                        Terminal.Plain(worker["slots"]),
                        Terminal.Plain(worker["slotsTaken"]),
                        Terminal.Plain(worker["jobs"]),
                        Terminal.Time(worker["heartbeatAt"])
                    );
                Terminal.Out.Write(table);
            }
        );
}
