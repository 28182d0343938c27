using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Http;
using Temper.Cli.Output;

namespace Temper.Cli;

/// <summary>What commands share.</summary>
internal static class Common
{
    public static Option<bool> Json { get; } =
        new("--json") { Description = "Prints the service's JSON, and nothing else, on standard output.", Recursive = true };

    /// <param name="what">`JOB`, `STUDY` or `EVALUATION`.</param>
    public static Argument<Guid> Id(string what) =>
        new(what)
        {
            Description = $"Id of the {what.ToLowerInvariant()}.",
            CustomParser = given =>
            {
                if (!Guid.TryParse(given.Tokens[0].Value, out var id))
                    given.AddError($"{what} must be an id such as {Guid.Empty}; got {given.Tokens[0].Value}");
                return id;
            },
        };

    /// <summary>Makes a command that asks the service once, and shows the answer.</summary>
    /// <param name="ask">Asks the service.</param>
    /// <param name="show">Shows the answer to a person.</param>
    public static Command Command(
        string name,
        string description,
        Func<ParseResult, Service, CancellationToken, Task<JsonNode>> ask,
        Action<JsonNode> show,
        params Symbol[] symbols
    ) =>
        Command(
            name,
            description,
            async (parsed, service, cancellation) =>
            {
                var answer = await ask(parsed, service, cancellation);
                if (parsed.GetValue(Json))
                    Terminal.WriteJson(answer);
                else
                    show(answer);
                return ExitCodes.Done;
            },
            symbols
        );

    /// <summary>The command `delete`. With `--json` it prints nothing, because the service answers nothing.</summary>
    /// <param name="resource">Such as `jobs`.</param>
    /// <param name="what">What is deleted, by id or name.</param>
    public static Command Delete<T>(string description, string resource, Argument<T> what) =>
        Command(
            "delete",
            description,
            async (parsed, service, cancellation) =>
            {
                await service.DeleteAsync($"{resource}/{Uri.EscapeDataString($"{parsed.GetValue(what)}")}", cancellation);
                if (!parsed.GetValue(Json))
                    Terminal.WriteLine($"{parsed.GetValue(what)} is deleted.");
                return ExitCodes.Done;
            },
            what
        );

    /// <param name="run">Returns the exit code.</param>
    public static Command Command(
        string name,
        string description,
        Func<ParseResult, Service, CancellationToken, Task<int>> run,
        params Symbol[] symbols
    )
    {
        var command = new Command(name, description);
        foreach (var argument in symbols.OfType<Argument>())
            command.Add(argument);
        foreach (var option in symbols.OfType<Option>())
            command.Add(option);
        command.SetAction(
            async (parsed, cancellation) =>
            {
                using var service = new Service();
                return await run(parsed, service, cancellation);
            }
        );
        return command;
    }
}
