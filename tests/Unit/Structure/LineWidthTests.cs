using Temper.Harness;

namespace Temper.Unit.Structure;

public class LineWidthTests
{
    /// <summary>The value of max_line_length in .editorconfig.</summary>
    private const int Widest = 140;

    [Fact]
    public void Sources_HaveNoWiderLineThanTheEditorConfigAllows()
    {
        string[] folders = ["src", "tests", "bench"];
        var files = folders
            .SelectMany(folder =>
                Directory.EnumerateFiles(Path.Combine(TemperProcess.Repository, folder), "*.cs", SearchOption.AllDirectories)
            )
            .Select(file => Path.GetRelativePath(TemperProcess.Repository, file))
            .Where(file => !file.Split('/').Any(part => part is "bin" or "obj" or "Migrations"))
            .ToArray();
        Assert.True(files.Length > 300);

        Assert.Empty(
            files.SelectMany(file =>
                File.ReadLines(Path.Combine(TemperProcess.Repository, file))
                    .Select((line, i) => (line.Length, Place: $"{file}:{i + 1}"))
                    .Where(line => line.Length > Widest)
                    .Select(line => line.Place)
            )
        );
    }
}
