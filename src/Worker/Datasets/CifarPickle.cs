namespace Temper.Worker.Datasets;

/// <summary>
/// Reads a file of CIFAR's Python version: a pickled dictionary with `data`, N×3072 bytes, and lists of labels.
/// </summary>
internal static class CifarPickle
{
    /// <param name="labels">The names of the label lists, in the order of the binary version.</param>
    /// <returns>The same file in the binary version: records of labels and pixels.</returns>
    /// <exception cref="InvalidDataException">The bytes are not such a file.</exception>
    public static byte[] ToRecords(byte[] pickle, IReadOnlyList<string> labels, int pixels)
    {
        if (Pickle.Read(pickle) is not Dictionary<string, object?> file)
            throw new InvalidDataException("it is no dictionary");
        if (file.GetValueOrDefault("data") is not ByteArray { Shape: [var count, var width] } data || width != pixels)
            throw new InvalidDataException($"it has no data of {pixels} bytes an image");
        var lists = labels
            .Select(name =>
                file.GetValueOrDefault(name) is List<object?> list && list.Count == count && list.All(label => label is >= 0 and <= 255)
                    ? list
                    : throw new InvalidDataException($"it has no list of {count} {name}")
            )
            .ToArray();

        var record = lists.Length + pixels;
        var records = new byte[count * record];
        for (var n = 0; n < count; n++)
        {
            for (var i = 0; i < lists.Length; i++)
                records[n * record + i] = (byte)(int)lists[i][n]!;
            data.Values.AsSpan(n * pixels, pixels).CopyTo(records.AsSpan(n * record + lists.Length));
        }
        return records;
    }
}
