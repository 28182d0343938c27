namespace Temper.Cli;

/// <summary>What the process ends with; docs/cli.md lists them.</summary>
internal static class ExitCodes
{
    public const int Done = 0,
        JobNotSucceeded = 1,
        Usage = 2,
        Refused = 3,
        Unreachable = 4,
        Interrupted = 130;
}
