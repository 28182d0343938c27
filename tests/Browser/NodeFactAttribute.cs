namespace Temper.Browser;

/// <summary>Skipped where the dashboard was not built.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NodeFactAttribute : FactAttribute
{
    public NodeFactAttribute()
    {
        if (!File.Exists(Path.Combine(TemperProcess.BuildOf("Api"), "dashboard", "index.html")))
            Skip = "The dashboard was not built, because Node or npm is missing.";
    }
}
