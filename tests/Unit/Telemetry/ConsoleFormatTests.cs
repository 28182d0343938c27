using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using Temper.Telemetry;

namespace Temper.Unit.Telemetry;

public sealed class ConsoleFormatTests
{
    [Fact]
    public void Line_ByDefault_IsOneLineWithoutScopes() =>
        Assert.Matches(new Regex(@"^\d\d:\d\d:\d\d info: Category\[0\] It happened\n$"), Write([]));

    [Fact]
    public void Line_AsJson_HasItsScopes()
    {
        var line = JsonNode.Parse(Write(new() { ["Logging:Console:FormatterName"] = "json" }))!;

        Assert.Equal("It happened", line["Message"]!.GetValue<string>());
        Assert.Equal(7, line["Scopes"]![0]!["Attempt"]!.GetValue<int>());
        Assert.EndsWith("Z", line["Timestamp"]!.GetValue<string>());
    }

    /// <summary>Formats a line in a scope as a program with these settings does.</summary>
    private static string Write(Dictionary<string, string?> settings)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new());
        Microsoft.Extensions.Configuration.MemoryConfigurationBuilderExtensions.AddInMemoryCollection(builder.Configuration, settings);
        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        builder.Logging.AddConsole();
        builder.Logging.AddLines();
        using var host = builder.Build();
        var name = host.Services.GetRequiredService<IOptions<ConsoleLoggerOptions>>().Value.FormatterName;
        var formatter = host.Services.GetServices<ConsoleFormatter>().Single(one => one.Name == name);
        var scopes = new LoggerExternalScopeProvider();
        using var scope = scopes.Push(new Dictionary<string, object> { ["Attempt"] = 7 });
        using var text = new StringWriter { NewLine = "\n" };
        formatter.Write(new LogEntry<string>(LogLevel.Information, "Category", 0, "It happened", null, (state, _) => state), scopes, text);
        return text.ToString();
    }
}
