using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Temper.Telemetry;

/// <summary>How both programs write their log to standard output.</summary>
public static class ConsoleFormat
{
    /// <summary>
    /// One line per message, or with `Logging:Console:FormatterName=json` one JSON object per message, with its scopes: the job,
    /// the attempt and the trace.
    /// </summary>
    public static void AddLines(this ILoggingBuilder logging)
    {
        // Without a name, the console's own settings of older versions replace those of the lines.
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.FormatterName ??= ConsoleFormatterNames.Simple);
        logging.Services.Configure<SimpleConsoleFormatterOptions>(lines => (lines.SingleLine, lines.TimestampFormat) = (true, "HH:mm:ss "));
        logging.Services.Configure<JsonConsoleFormatterOptions>(json =>
            (json.IncludeScopes, json.UseUtcTimestamp, json.TimestampFormat) = (true, true, "yyyy-MM-dd'T'HH:mm:ss.fff'Z'")
        );
    }
}
