using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Temper.Harness;
using Temper.Store.Retention;
using Temper.Worker;

namespace Temper.Unit;

/// <summary>Tests that docs/configuration.md lists the settings of a worker as the code has them.</summary>
public sealed class ConfigurationDocumentTests
{
    private const string None = "none",
        HomeFolder = ".temper";

    /// <summary>
    /// Keys of the properties of WorkerOptions that are outside the section `Worker`; null for a property that is a section
    /// itself.
    /// </summary>
    private static readonly Dictionary<string, string?> OtherKeys = new()
    {
        [nameof(WorkerOptions.ConnectionString)] = "ConnectionStrings:Temper",
        [nameof(WorkerOptions.Home)] = "TEMPER_HOME",
        [nameof(WorkerOptions.DataFolder)] = "TEMPER_DATA",
    };

    private static readonly Type[] Numbers = [typeof(int), typeof(int?), typeof(double), typeof(double?)];

    /// <summary>The rows of the table under the heading "Worker".</summary>
    private static Row[] Table { get; } = Read(File.ReadAllText(Path.Combine(TemperProcess.Repository, "docs", "configuration.md")));

    public static TheoryData<string> KeysOfNumbers =>
        [.. Settings().Where(setting => Numbers.Contains(setting.Property.PropertyType)).Select(setting => setting.Key)];

    [Fact]
    public void WorkerTable_ListsEverySetting_AndNoOther() =>
        Assert.Equal(Settings().Select(setting => setting.Key).Order(), Table.Select(row => row.Key).Order());

    [Fact]
    public void WorkerTable_NamesTheVariableOfEachKey() => Assert.All(Table, row => Assert.Equal(row.Key.Replace(":", "__"), row.Variable));

    [Fact]
    public void WorkerTable_HasTheDefaultsOfANewInstance()
    {
        var defaults = Defaults(new WorkerOptions { Home = Path.GetFullPath(HomeFolder) }, new());

        Assert.All(Table, row => Assert.Equal($"{row.Key} {defaults[row.Key]}", $"{row.Key} {row.Default}"));
    }

    /// <summary>WorkerOptions.From repeats the default values of the properties.</summary>
    [Fact]
    public void From_NoSettings_HasTheDefaultsOfANewInstance() =>
        Assert.Equal(
            Defaults(new WorkerOptions { Home = Path.GetFullPath(HomeFolder) }, new()),
            Defaults(WorkerFrom(new()), RetentionFrom(new()))
        );

    [Theory, MemberData(nameof(KeysOfNumbers))]
    public void WorkerTable_HasTheRangeThatTheCodeChecks(string key)
    {
        var (accepted, refused) = Bounds(Table.Single(row => row.Key == key).Range);

        Assert.All(accepted, value => Assert.True(IsAccepted(key, value), $"{key} = {value} was refused"));
        Assert.All(refused, value => Assert.False(IsAccepted(key, value), $"{key} = {value} was accepted"));
    }

    private static IEnumerable<(string Key, PropertyInfo Property)> Settings()
    {
        foreach (var property in Settable(typeof(WorkerOptions)))
            if (!OtherKeys.TryGetValue(property.Name, out var key))
                yield return ($"Worker:{property.Name}", property);
            else if (key is not null)
                yield return (key, property);
        foreach (var property in Settable(typeof(RetentionOptions)))
            yield return ($"Retention:{property.Name}", property);
    }

    private static IEnumerable<PropertyInfo> Settable(Type options) =>
        options.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.SetMethod is { IsPublic: true });

    /// <summary>The default values by key, written as in the table.</summary>
    private static Dictionary<string, string> Defaults(WorkerOptions worker, RetentionOptions retention) =>
        Settings()
            .ToDictionary(
                setting => setting.Key,
                setting => Default(setting.Property, setting.Property.DeclaringType == typeof(RetentionOptions) ? retention : worker)
            );

    private static string Default(PropertyInfo property, object options) =>
        property.GetValue(options) switch
        {
            null => None,
            Enum word => word.ToString().ToLowerInvariant(),
            string home when property.Name == nameof(WorkerOptions.Home) => Path.GetRelativePath(Environment.CurrentDirectory, home),
            var value => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };

    private static WorkerOptions WorkerFrom(Dictionary<string, string?> settings) => WorkerOptions.From(Configuration(settings));

    private static RetentionOptions RetentionFrom(Dictionary<string, string?> settings) =>
        (Configuration(settings).GetSection("Retention").Get<RetentionOptions>() ?? new()).Checked();

    private static IConfiguration Configuration(Dictionary<string, string?> settings) =>
        new ConfigurationBuilder().AddInMemoryCollection(settings).Build();

    private static bool IsAccepted(string key, double value)
    {
        try
        {
            var settings = new Dictionary<string, string?> { [key] = value.ToString(CultureInfo.InvariantCulture) };
            WorkerFrom(settings);
            RetentionFrom(settings);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>Values just inside and just outside the bounds of a range.</summary>
    private static (double[] Accepted, double[] Refused) Bounds(string range)
    {
        if (Regex.Match(range, @"^(\d+) to (\d+)$") is { Success: true } closed)
            return ([Number(closed, 1), Number(closed, 2)], [Number(closed, 1) - 1, Number(closed, 2) + 1]);
        if (Regex.Match(range, @"^at least (\d+)$") is { Success: true } open)
            return ([Number(open, 1), 1_000_000], [Number(open, 1) - 1]);
        var above = Regex.Match(range, @"^above (\d+), at most (\d+)$");
        Assert.True(above.Success, $"\"{range}\" is no range.");
        return ([Number(above, 1) + 0.001, Number(above, 2)], [Number(above, 1), Number(above, 2) + 1]);
    }

    private static double Number(Match match, int group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    private static Row[] Read(string document)
    {
        var section = document.Split("\n## Worker\n") is [_, var rest]
            ? rest.Split("\n## ")[0]
            : throw new InvalidDataException("docs/configuration.md needs one heading \"Worker\".");
        return
        [
            .. section
                .Split('\n')
                .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
                .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
                .Select(cells => new Row(Plain(cells[1]), Plain(cells[2]), Plain(cells[3]), cells[4])),
        ];
    }

    private static string Plain(string cell) => cell.Trim('`');

    private sealed record Row(string Variable, string Key, string Default, string Range);
}
