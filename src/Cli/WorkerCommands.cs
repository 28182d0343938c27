using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Http;
using Temper.Cli.Output;

namespace Temper.Cli;

/// <summary>The commands about workers.</summary>
internal static class WorkerCommands
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    public static Command Workers()
    {
        var workers = Common.Command(
            "workers",
            "Lists the workers, those of your jobs that each runs, and their cards.",
            (_, service, cancellation) => service.GetAsync("workers", cancellation),
            Show
        );
        workers.Add(Drain());
        workers.Add(Verb("resume", "Lets a drained worker take jobs again."));
        return workers;
    }

    private static Command Drain()
    {
        var wait = new Option<bool>("--wait") { Description = "Waits until no job runs on it, of any tenant." };
        return Verb("drain", "Lets a worker finish the jobs that it runs, and take no more.", wait);
    }

    private static Command Verb(string verb, string description, Option<bool>? wait = null)
    {
        var name = new Argument<string>("NAME") { Description = "Name of the worker, its host if no other worker is on it, or its id." };
        return Common.Command(
            verb,
            description,
            async (parsed, service, cancellation) =>
            {
                var id = await FindAsync(service, parsed.GetValue(name)!, cancellation);
                var answer = await service.PostAsync($"workers/{id}/{verb}", null, cancellation);
                while (wait is not null && parsed.GetValue(wait) && answer["slotsTaken"]!.GetValue<int>() > 0)
                {
                    await Task.Delay(PollInterval, cancellation);
                    if ((await ListAsync(service, cancellation)).FirstOrDefault(worker => $"{worker["id"]}" == id) is not { } now)
                        break; // it has ended
                    answer = now;
                }
                return answer;
            },
            answer => Terminal.WriteLine($"Worker {answer["name"]} is {answer["state"]}."),
            wait is null ? [name] : [name, wait]
        );
    }

    /// <returns>The worker's id.</returns>
    /// <exception cref="UsageException">No worker has the name, or several have it.</exception>
    private static async Task<string> FindAsync(Service service, string name, CancellationToken cancellation)
    {
        var found = (await ListAsync(service, cancellation))
            .Where(worker => $"{worker["id"]}" == name || $"{worker["name"]}" == name || $"{worker["name"]}".Split(':')[0] == name)
            .ToList();
        return found switch
        {
            [var one] => $"{one["id"]}",
            [] => throw new UsageException($"There is no worker {name}."),
            _ => throw new UsageException($"Several workers are {name}: {string.Join(", ", found.Select(Described))}."),
        };

        static string Described(JsonNode worker) => $"{worker["name"]} ({worker["id"]})";
    }

    private static async Task<IEnumerable<JsonNode>> ListAsync(Service service, CancellationToken cancellation) =>
        (await service.GetAsync("workers", cancellation))["items"]!.AsArray().Select(worker => worker!);

    private static void Show(JsonNode answer)
    {
        var workers = answer["items"]!.AsArray();
        var table = Terminal.Table("name", "state", "device", "slots", "taken", "jobs", "heartbeat");
        var cards = Terminal.Table("worker", "card", "name", "memory MiB", "used %", "busy slots", "set aside");
        foreach (var worker in workers)
        {
            table.Row(
                Terminal.Plain(worker!["name"]),
                Terminal.Plain(worker["state"]),
                Terminal.Plain(worker["device"]),
                Terminal.Plain(worker["slots"]),
                Terminal.Plain(worker["slotsTaken"]),
                Terminal.Plain(worker["jobs"]),
                Terminal.Time(worker["heartbeatAt"])
            );
            foreach (var card in worker["devices"]?.AsArray() ?? [])
                cards.Row(
                    Terminal.Plain(worker["name"]),
                    Terminal.Plain(card!["index"]),
                    Terminal.Plain(card["name"]),
                    $"{Terminal.Plain(card["memoryUsedMiB"])} of {Terminal.Plain(card["memoryTotalMiB"])}",
                    Terminal.Plain(card["utilizationPercent"]),
                    $"{Terminal.Plain(card["busySlots"])} of {Terminal.Plain(card["slots"])}",
                    Terminal.Plain(card["setAsideReason"])
                );
        }
        Terminal.Out.Write(table);
        if (cards.Rows.Count == 0)
            return;
        Terminal.WriteLine("");
        Terminal.Out.Write(cards);
    }
}
