using System.Diagnostics;
using Temper.Api.Arrays;
using Temper.Harness;

namespace Temper.Unit.Api.Arrays;

/// <summary>The files of write_npz.py, most of them written by NumPy.</summary>
public sealed class NpzFiles : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("temper-npz-");

    public NpzFiles()
    {
        var script = Path.Combine(TemperProcess.Repository, "tests/Unit/Api/Arrays/write_npz.py");
        using var python = Process.Start(new ProcessStartInfo("/usr/bin/python3", [script, folder.FullName]))!;
        python.WaitForExit();
        Assert.Equal(0, python.ExitCode);
    }

    public FileStream Open(string name) => File.OpenRead(Path.Combine(folder.FullName, $"{name}.npz"));

    public void Dispose() => folder.Delete(recursive: true);
}

public class NpzFileTests(NpzFiles files) : IClassFixture<NpzFiles>
{
    private static readonly ZipBounds Bounds = new(Members: 20, MemberBytes: 1 << 30, TotalBytes: 1 << 30, Ratio: 200);

    private static readonly ElementType[] Numbers = [.. ElementTypes.Floats, .. ElementTypes.Integers];

    [Theory]
    [InlineData("savez")]
    [InlineData("savez_compressed")]
    [InlineData("piped")]
    [InlineData("version1")]
    [InlineData("version2")]
    [InlineData("version3")]
    [InlineData("zip64")]
    [InlineData("other_writer")]
    [InlineData("commented")]
    public void Read_FileOfNumPy_GivesItsNumbers(string name)
    {
        using var file = files.Open(name);
        var npz = new NpzFile(file, Bounds, default);

        Assert.Equal(["a"], npz.Names);
        Assert.Null(npz.Find("b", Numbers));
        var array = npz.Find("a", Numbers)!;
        Assert.Equal([2L, 3L], array.Shape);
        Assert.Equal(ElementType.Float32, array.Type);
        Assert.Equal([0.0, 1, 2, 3, 4, 5], Read(array));
    }

    [Fact]
    public void Read_EveryType_ConvertsIt()
    {
        using var file = files.Open("types");
        var npz = new NpzFile(file, Bounds, default);

        Assert.Equal(Enum.GetValues<ElementType>().Select(type => type.Name()).Order(), npz.Names.Order());
        foreach (var type in Enum.GetValues<ElementType>())
            Assert.Equal([0.0, 1, 1], Read(npz.Find(type.Name(), Enum.GetValues<ElementType>())!));
    }

    [Fact]
    public void Find_EveryShape_IsRead()
    {
        using var file = files.Open("shapes");
        var npz = new NpzFile(file, Bounds, default);

        Assert.Equal([0L, 3L], npz.Find("none", Numbers)!.Shape);
        Assert.Empty(Read(npz.Find("none", Numbers)!));
        Assert.Empty(npz.Find("number", Numbers)!.Shape);
        Assert.Equal([2.0], Read(npz.Find("number", Numbers)!));
        Assert.Equal([0.0, 1, 2], Read(npz.Find("f1", Numbers)!));
        Assert.Equal([2L, 1L, 3L, 1L], npz.Find("four", Numbers)!.Shape);
    }

    [Fact]
    public void Read_InPieces_GivesTheNumbersInOrder()
    {
        using var file = files.Open("large");
        using var numbers = new NpzFile(file, Bounds, default).Find("a", Numbers)!.Open();
        var piece = new float[30_011];

        var next = 0;
        for (int read; (read = numbers.Read<float>(piece)) > 0; )
            foreach (var number in piece.AsSpan(0, read))
                Assert.Equal(next++, number);
        Assert.Equal(100_000, next);
    }

    /// <summary>4,000,000 sorted labels pack to less than a two-hundredth.</summary>
    [Fact]
    public void Read_SortedLabels_AreNotTooManyForTheirSize()
    {
        using var file = files.Open("sorted");
        Assert.InRange(file.Length, 1, 4_000_000 * sizeof(long) / Bounds.Ratio);

        Assert.Equal(9, Read(new NpzFile(file, Bounds, default).Find("a", Numbers)!)[^1]);
    }

    [Theory]
    [InlineData("object", "a", "holds Python objects")]
    [InlineData("structured", "a", "structured dtype")]
    [InlineData("text", "a", "its dtype is <U1")]
    [InlineData("complex", "a", "its dtype is <c8")]
    [InlineData("big_endian", "a", "is big endian, >f4; store it as little endian, such as '<f4'")]
    [InlineData("fortran", "a", "Fortran order")]
    [InlineData("billion_rows", "a", "(1000000000, 10) of float32: 40000000000 bytes; it has 80")]
    [InlineData("overflow", "a", "must have the numbers of its shape")]
    [InlineData("overflow_to_zero", "a", "must have the numbers of its shape")]
    [InlineData("huge_length", "a", "no valid shape")]
    [InlineData("negative", "a", "no valid npy header")]
    [InlineData("no_tuple", "a", "no valid shape")]
    [InlineData("more_numbers", "a", "24 bytes; it has 28")]
    [InlineData("code", "a", "no valid npy header")]
    [InlineData("twice", "a", "no valid npy header")]
    [InlineData("long_header", "a", "an npy header of 60")]
    [InlineData("longer_header", "a", "an npy header of 4294967295 bytes")]
    [InlineData("version4", "a", "has version 4.0")]
    [InlineData("no_npy", "a", "is truncated")]
    [InlineData("empty_member", "a", "is truncated")]
    [InlineData("duplicate", "body", "two arrays of the name a")]
    [InlineData("path", "body", "it has ../a.npy")]
    [InlineData("absolute", "body", "it has /etc/a.npy")]
    [InlineData("other_file", "body", "must have npy files only; it has readme.txt")]
    [InlineData("many", "body", "has 30 members; the most are 20")]
    [InlineData("bzip2", "body", "neither stored nor deflated")]
    [InlineData("bomb", "body", "unpacks to more than 200 times its size, a.npy")]
    [InlineData("two_gigabytes", "body", "has a member of 2147483648 bytes, a.npy; the largest have 1073741824")]
    [InlineData("more_than_size", "a", "unpacks to more bytes than the zip directory says")]
    [InlineData("truncated_member", "a", "truncated")]
    [InlineData("beyond_end", "body", "its member a.npy is truncated")]
    [InlineData("wrong_crc", "a", "CRC-32")]
    [InlineData("wrong_crc_stored", "a", "CRC-32")]
    [InlineData("two_sizes", "body", "has two sizes")]
    [InlineData("overlap", "body", "share bytes")]
    [InlineData("fewer_entries", "body", "fewer entries than it says")]
    [InlineData("more_entries", "body", "another length than it says")]
    [InlineData("wrong_start", "body", "not where it says")]
    [InlineData("encrypted", "body", "encrypted")]
    [InlineData("truncated", "body", "no zip directory at its end")]
    [InlineData("empty", "body", "no zip directory at its end")]
    [InlineData("no_zip", "body", "no zip directory at its end")]
    [InlineData("json", "body", "no zip directory at its end")]
    public void Read_HostileFile_IsRefusedInLittleMemory(string name, string array, string sentence)
    {
        using var file = files.Open(name);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var refusal = Assert.Throws<WrongBodyException>(() =>
        {
            var npz = new NpzFile(file, Bounds, default);
            foreach (var found in npz.Names)
                Read(npz.Find(found, Numbers)!);
        });

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100 << 20);
        Assert.Equal(array, refusal.Part);
        Assert.Contains(sentence, refusal.Sentence);
    }

    private static double[] Read(NpzArray array)
    {
        using var numbers = array.Open();
        var all = new double[array.Count];
        Assert.Equal(all.Length, numbers.Read<double>(all));
        return all;
    }
}
