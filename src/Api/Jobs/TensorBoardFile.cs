using System.Buffers.Binary;
using System.Numerics;
using System.Text.Json.Serialization.Metadata;
using Google.Protobuf;
using Temper.Api.Protobuf;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>
/// Writes a job's metrics as a TensorBoard event file. Its tags are the names of the figures in JSON, its steps are epochs, and
/// the figures of the test set are at the kept epoch. Values are float32; NaN and infinity are written as they are.
/// </summary>
/// <remarks>
/// The end of an epoch is not stored. The times in the file begin at the submission and add up the seconds of the epochs, so
/// TensorBoard's relative time is the time spent training, and each download of a job gives the same file.
/// <para>
/// Formats: event.proto (tensorflow/core/util), summary.proto (tensorflow/core/framework) and record_writer.h
/// (tensorflow/core/lib/io) of https://github.com/tensorflow/tensorflow.
/// </para>
/// </remarks>
internal static class TensorBoardFile
{
    // Fields of Event: double wall_time, int64 step, string file_version, Summary summary.
    private const int WallTime = 1,
        Step = 2,
        FileVersion = 3,
        Summary = 5;

    // Field of Summary: repeated Value value. Fields of Value: string tag, float simple_value.
    private const int Value = 1,
        Tag = 1,
        SimpleValue = 2;

    private static readonly JsonPropertyInfo[] OfEpoch = FiguresOf(typeof(EpochMetrics)),
        OfTest = FiguresOf(typeof(JobResult));

    /// <summary>TensorBoard reads files with `tfevents` in their name. A job's file has the same name at each download.</summary>
    public static string NameOf(JobRow job) => $"events.out.tfevents.{job.CreatedAt.ToUnixTimeSeconds()}.{job.Id}";

    public static async Task WriteAsync(Stream to, JobRow job, IReadOnlyList<EpochMetrics> epochs, CancellationToken cancellation)
    {
        var file = new BufferedStream(to, 64 << 10); // not disposed: it would close the response
        var time = job.CreatedAt.ToUnixTimeMilliseconds() / 1000.0;
        await WriteRecordAsync(Header(time));
        foreach (var epoch in epochs)
            await WriteRecordAsync(Event(time += epoch.Seconds, epoch.Epoch, OfEpoch, epoch));
        if (job.Result is { } result)
            await WriteRecordAsync(Event(time, result.KeptEpoch, OfTest, result));
        await file.FlushAsync(cancellation);

        ValueTask WriteRecordAsync(ByteString message) => file.WriteAsync(Record(message.Span), cancellation);
    }

    private static JsonPropertyInfo[] FiguresOf(Type type) =>
        [
            .. Json
                .Options.GetTypeInfo(type)
                .Properties.Where(property => property.PropertyType == typeof(double) || property.PropertyType == typeof(double?)),
        ];

    private static ByteString Header(double time) =>
        Message.Of(header =>
        {
            header.Number(WallTime, time);
            header.Text(FileVersion, "brain.Event:2");
        });

    private static ByteString Event(double time, int step, JsonPropertyInfo[] figures, object of) =>
        Message.Of(scalars =>
        {
            scalars.Number(WallTime, time);
            scalars.Whole(Step, step);
            scalars.Bytes(
                Summary,
                Message.Of(summary =>
                {
                    foreach (var figure in figures)
                        if (figure.Get!(of) is double value)
                            summary.Bytes(Value, Scalar(figure.Name, (float)value));
                })
            );
        });

    private static ByteString Scalar(string tag, float value) =>
        Message.Of(scalar =>
        {
            scalar.Text(Tag, tag);
            scalar.Number(SimpleValue, value);
        });

    /// <summary>TFRecord: the length as 8 bytes and its checksum, then the message and its checksum, little-endian.</summary>
    private static byte[] Record(ReadOnlySpan<byte> message)
    {
        var record = new byte[8 + 4 + message.Length + 4];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)message.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc32C(record.AsSpan(0, 8)));
        message.CopyTo(record.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + message.Length), MaskedCrc32C(message));
        return record;
    }

    private static uint MaskedCrc32C(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var one in bytes)
            crc = BitOperations.Crc32C(crc, one);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }
}
