using System.Text.RegularExpressions;
using Temper.Harness;

namespace Temper.Unit.Structure;

public class MergeMarkerTests
{
    [Fact]
    public void Documents_HaveNoMarkersOfAMerge()
    {
        string[] folders = ["docs", "bench/records", "deploy"];
        string[] files =
        [
            .. Directory.EnumerateFiles(TemperProcess.Repository, "*.md"),
            .. folders.SelectMany(folder =>
                Directory.EnumerateFiles(Path.Combine(TemperProcess.Repository, folder), "*", SearchOption.AllDirectories)
            ),
        ];
        Assert.True(files.Length > 100);

        Assert.DoesNotContain(files, file => Regex.IsMatch(File.ReadAllText(file), "^(<{7} |>{7} )", RegexOptions.Multiline));
    }
}
