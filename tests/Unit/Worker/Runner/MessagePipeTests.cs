using System.Buffers.Binary;
using Temper.Domain.Jobs;
using Temper.Worker.Messages;

namespace Temper.Unit.Worker.Runner;

public class MessagePipeTests
{
    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0.1,
        Epochs = 1,
    };

    [Fact]
    public async Task Read_WhatWasWritten_GivesTheSameMessages()
    {
        var pipe = new MemoryStream();
        var writer = new MessageWriter<RunnerMessage>(pipe);
        writer.Write(Result(weights: 3_000_000));
        writer.Write(new Alive(300));
        writer.Write(new Checkpointed([]));
        writer.Write(new EpochDone(new(1, 2, 0.5, 2, 0.5, 0, 0, 0.1, 1, 100), null));
        pipe.Position = 0;
        var reader = new MessageReader<RunnerMessage>(pipe);

        var finished = Assert.IsType<Finished>(await reader.ReadAsync());
        Assert.Equal(Bytes(3_000_000), finished.Model.Weights);
        Assert.Equal(new byte[] { 4, 5 }, finished.Model.Logits!.TestLogits);
        Assert.Null(finished.Model.Logits.TrueProbabilities);
        Assert.Equal(["a note"], finished.Result.Notes);
        Assert.Equal(new Alive(300), await reader.ReadAsync());
        Assert.Empty(Assert.IsType<Checkpointed>(await reader.ReadAsync()).Checkpoint);
        Assert.Null(Assert.IsType<EpochDone>(await reader.ReadAsync()).Checkpoint);
        Assert.Null(await reader.ReadAsync());
    }

    [Fact]
    public void Write_LargeArrays_TravelAsTheyAre()
    {
        var pipe = new MemoryStream();

        new MessageWriter<RunnerMessage>(pipe).Write(Result(weights: 3_000_000));

        Assert.InRange(pipe.Length, 3_000_000, 3_002_000);
    }

    [Fact]
    public async Task Move_EveryPieceOfALargeMessage_IsASignOfLife()
    {
        var (pipe, written, read) = (new MemoryStream(), 0, 0);
        new MessageWriter<RunnerCommand>(pipe, () => written++).Write(new Train(Spec, Bytes(5 << 20)));
        pipe.Position = 0;

        var train = Assert.IsType<Train>(await new MessageReader<RunnerCommand>(pipe, () => read++).ReadAsync());

        Assert.Equal(Bytes(5 << 20), train.Checkpoint);
        Assert.Equal(5, written);
        Assert.InRange(read, 5, 20);
    }

    [Theory]
    [InlineData("\n\0garbage{]\n")]
    [InlineData("12 {\"message\":\"alive\"}\n")]
    [InlineData("text")]
    public async Task Read_SomethingElse_IsNoticedAtItsFirstBytes(string text) =>
        await Assert.ThrowsAsync<InvalidDataException>(() =>
            new MessageReader<RunnerMessage>(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text))).ReadAsync()
        );

    /// <summary>Replaces the int32 at each place of the header, and a byte of the JSON.</summary>
    [Theory]
    [InlineData(4, -1)]
    [InlineData(4, int.MaxValue)]
    [InlineData(8, -1)]
    [InlineData(8, int.MaxValue)]
    [InlineData(12, -1)]
    [InlineData(12, int.MaxValue)]
    [InlineData(16, 0)]
    public async Task Read_AMessageThatIsDamaged_IsRefused(int at, int value)
    {
        var bytes = Written(new Checkpointed([1, 2, 3]));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), value);

        await Assert.ThrowsAsync<InvalidDataException>(() => new MessageReader<RunnerMessage>(new MemoryStream(bytes)).ReadAsync());
    }

    [Fact]
    public async Task Read_AnArrayThatDoesNotCome_IsRefused()
    {
        var bytes = Written(new Checkpointed([1, 2, 3]));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), 0); // no arrays, but the JSON, 4 bytes earlier, has index 0
        byte[] without = [.. bytes[..12], .. bytes[16..]];

        await Assert.ThrowsAsync<InvalidDataException>(() => new MessageReader<RunnerMessage>(new MemoryStream(without)).ReadAsync());
    }

    [Fact]
    public async Task Read_APipeThatEndsWithinAMessage_SaysSo()
    {
        var bytes = Written(new Checkpointed([1, 2, 3]));

        for (var length = 1; length < bytes.Length; length++)
            await Assert.ThrowsAsync<EndOfStreamException>(() =>
                new MessageReader<RunnerMessage>(new MemoryStream(bytes[..length])).ReadAsync()
            );
    }

    private static byte[] Written(RunnerMessage message)
    {
        var pipe = new MemoryStream();
        new MessageWriter<RunnerMessage>(pipe).Write(message);
        return pipe.ToArray();
    }

    private static Finished Result(int weights) =>
        new(
            new(0.9, 0.3, 0.1, -0.1, 1, "cpu", 1, "libtorch", "00", ["a note"]),
            new(Bytes(weights), new StoredLogits(10, [0], [1], [4, 5], [6], null))
        );

    private static byte[] Bytes(int count) => [.. Enumerable.Range(0, count).Select(i => (byte)(i * 7))];
}
