using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Output;

namespace Temper.Cli.Jobs;

/// <summary>The commands that change the state of a job or of a study.</summary>
internal static class Verbs
{
    /// <param name="resource">`jobs` or `studies`.</param>
    public static Command Of(string resource, string verb, string description)
    {
        var what = resource == "jobs" ? "Job" : "Study";
        var id = Common.Id(what.ToUpperInvariant());
        var fresh = new Option<bool>("--fresh") { Description = "From the beginning, not from its checkpoint." };
        Symbol[] symbols = resource == "jobs" && verb == "retry" ? [id, fresh] : [id];
        return Common.Command(
            verb,
            description,
            (parsed, service, cancellation) =>
                service.PostAsync(
                    $"{resource}/{parsed.GetValue(id)}/{verb}{(symbols.Contains(fresh) && parsed.GetValue(fresh) ? "?fresh=true" : "")}",
                    null,
                    cancellation
                ),
            answer => Terminal.WriteLine($"{what} {answer["id"]} is {Outcome(answer)}."),
            symbols
        );

        string Outcome(JsonNode answer) =>
            verb switch
            {
                "pin" => "pinned",
                "unpin" => "not pinned",
                _ => $"{answer["state"]}",
            };
    }
}
