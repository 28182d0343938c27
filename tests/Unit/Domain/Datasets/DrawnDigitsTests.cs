using Temper.Domain.Datasets;

namespace Temper.Unit.Domain.Datasets;

public class DrawnDigitsTests
{
    [Theory]
    [InlineData("digits", "digits")]
    [InlineData("digits:classes=10,size=28,noise=0.25,images=4000", "digits")]
    [InlineData("digits:images=500,classes=37", "digits:classes=37,images=500")]
    [InlineData("digits:noise=0.40", "digits:noise=0.4")]
    [InlineData("digits:noise=1,size=64", "digits:size=64,noise=1")]
    [InlineData("digits:noise=0", "digits:noise=0")]
    [InlineData("digits:noise=0.000001", "digits:noise=0.000001")]
    public void Read_AName_GivesTheOneNameOfItsParameters(string text, string name)
    {
        var read = DrawnDigits.Read(text)!;

        Assert.Equal(name, read.ToString());
        Assert.Equal(read, DrawnDigits.Read(name));
        Assert.Equal(name, DatasetCatalog.Find(text)!.Name);
    }

    [Theory]
    [InlineData("digits:")]
    [InlineData("digits:classes=1")]
    [InlineData("digits:classes=101")]
    [InlineData("digits:classes=10.5")]
    [InlineData("digits:classes=9999999")]
    [InlineData("digits:size=15")]
    [InlineData("digits:size=65")]
    [InlineData("digits:noise=1.1")]
    [InlineData("digits:noise=-0.1")]
    [InlineData("digits:images=99")]
    [InlineData("digits:images=60001")]
    [InlineData("digits:classes=5,classes=6")]
    [InlineData("digits:classes=5,")]
    [InlineData("digits:classes=5 size=20")]
    [InlineData("digits:seed=1")]
    [InlineData("digits:classes=5\n")]
    [InlineData("Digits")]
    [InlineData("mnist:classes=5")]
    public void Read_AnythingElse_GivesNone(string text)
    {
        Assert.Null(DrawnDigits.Read(text));
        Assert.Null(DatasetCatalog.Find(text));
    }

    [Theory]
    [InlineData("digits:classes=3", "0", "2")]
    [InlineData("digits:classes=37", "00", "36")]
    public void ClassNames_AreTheNumbersThatAreDrawn(string name, string first, string last)
    {
        var names = ClassNames.Of(name)!;

        Assert.Equal((first, last, DatasetCatalog.Find(name)!.Classes), (names[0], names[^1], names.Count));
    }
}
