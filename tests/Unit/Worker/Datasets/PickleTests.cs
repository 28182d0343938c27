using System.Text;
using Temper.Worker.Datasets;

namespace Temper.Unit.Worker.Datasets;

public class PickleTests
{
    [Fact]
    public void Read_PlainData_GivesIt()
    {
        // {'a': [1, 300, -2, None, True], 'b': ('x', u'é')}, then the first list again from the memo
        byte[] pickle =
        [
            0x80,
            2,
            .. "}(U\u0001a]q\u0001(K\u0001M"u8,
            44,
            1,
            (byte)'J',
            0xFE,
            0xFF,
            0xFF,
            0xFF,
            (byte)'N',
            0x88,
            .. "eU\u0001bU\u0001xX\u0002\0\0\0é"u8,
            0x86,
            .. "U\u0001ch\u0001u."u8,
        ];

        var read = Assert.IsType<Dictionary<string, object?>>(Pickle.Read(pickle));

        Assert.Equal([1, 300, -2, null, true], Assert.IsType<List<object?>>(read["a"]));
        Assert.Same(read["a"], read["c"]);
        var pair = Assert.IsType<object?[]>(read["b"]);
        Assert.Equal("x"u8.ToArray(), pair[0]);
        Assert.Equal("é", pair[1]);
    }

    /// <summary>Without the limit a packed file of a few hundred kilobytes could create tens of gigabytes of objects.</summary>
    [Fact]
    public void Read_MillionsOfDictionaries_IsRefused()
    {
        var pickle = new byte[3_000_000];
        pickle.AsSpan().Fill((byte)'}');

        Assert.Contains("more than 2000000 objects", Assert.Throws<InvalidDataException>(() => Pickle.Read(pickle)).Message);
    }

    [Theory]
    [InlineData("cos\nsystem\n(U\u0002lstR.", "os system, which is refused")]
    [InlineData("cnumpy\ndtype\nU\u0002f4\u0085R.", "other than an array of unsigned bytes")]
    [InlineData("cnumpy\ndtype\ncnumpy\ndtype\n\u0085R.", "no pickle")]
    [InlineData("(dp0\n.", "opcode 0x64")]
    [InlineData("P1\n.", "opcode 0x50")]
    [InlineData("U\u00ffabc.", "no pickle")]
    [InlineData("K\u0001", "no pickle")]
    [InlineData(".", "no pickle")]
    [InlineData("t.", "no pickle")]
    [InlineData("h\u0007.", "no pickle")]
    [InlineData("T\u00ff\u00ff\u00ff\u00ff.", "no pickle")]
    [InlineData("", "no pickle")]
    public void Read_AnythingElse_IsRefused(string pickle, string why) =>
        Assert.Contains(why, Assert.Throws<InvalidDataException>(() => Pickle.Read(Encoding.Latin1.GetBytes(pickle))).Message);
}
