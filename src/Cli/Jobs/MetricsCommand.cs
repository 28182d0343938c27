using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Http;
using Temper.Cli.Output;

namespace Temper.Cli.Jobs;

/// <summary>The command `metrics`, of jobs and of studies.</summary>
internal static class MetricsCommand
{
    /// <param name="resource">`jobs` or `studies`.</param>
    public static Command Of(string resource, string description, Argument<Guid> id, Action<JsonNode> show)
    {
        var csv = new Option<bool>("--csv") { Description = "Prints CSV with all columns." };
        var command = Common.Command(
            "metrics",
            description,
            async (parsed, service, cancellation) =>
            {
                var path = $"{resource}/{parsed.GetValue(id)}/metrics";
                if (parsed.GetValue(csv))
                    await CopyAsync(service, $"{path}?format=csv", cancellation);
                else if (await service.GetAsync(path, cancellation) is var metrics && parsed.GetValue(Common.Json))
                    Terminal.WriteJson(metrics);
                else
                    show(metrics);
                return ExitCodes.Done;
            },
            id,
            csv
        );
        command.Validators.Add(given =>
        {
            if (given.GetValue(csv) && given.GetValue(Common.Json))
                given.AddError("--csv and --json exclude each other.");
        });
        return command;
    }

    private static async Task CopyAsync(Service service, string path, CancellationToken cancellation)
    {
        using var answer = await service.OpenAsync(() => new(HttpMethod.Get, path), cancellation);
        await using var output = Console.OpenStandardOutput();
        await using var body = await Body.OfAsync(answer, cancellation);
        await body.CopyToAsync(output, cancellation);
    }
}
