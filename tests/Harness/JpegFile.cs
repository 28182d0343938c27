namespace Temper.Harness;

/// <summary>JPEG files of 28×28 grey pixels of 200: 16 blocks whose only coefficient is 576.</summary>
public static class JpegFile
{
    private const byte Baseline = 0xC0,
        Progressive = 0xC2;

    public static byte[] Of() => [.. Start(Baseline, category: 7), .. Scan(0, 63, 0, 0xA4, 0, 0, 0, 0), 0xFF, 0xD9];

    /// <param name="scans">
    /// At least 3: the higher bits of the constant terms, the other terms, and the lowest bits. Further ones repeat the last.
    /// </param>
    public static byte[] OfScans(int scans) =>
        [
            .. Start(Progressive, category: 6),
            .. Scan(0, 0, 0x01, 0xA4, 0, 1),
            .. Scan(1, 63, 0, 0, 0),
            .. Enumerable.Repeat(Scan(0, 0, 0x10, 0, 0), scans - 2).SelectMany(scan => scan),
            0xFF,
            0xD9,
        ];

    /// <summary>A quantization of 8, the size, and Huffman codes: 0 and 10 of constant terms, 0 of the end of a block.</summary>
    private static byte[] Start(byte frame, byte category) =>
        [
            0xFF,
            0xD8,
            .. Segment(0xDB, [0, .. Enumerable.Repeat((byte)8, 64)]),
            .. Segment(frame, [8, 0, 28, 0, 28, 1, 1, 0x11, 0]),
            .. Segment(0xC4, [0x00, 1, 1, .. new byte[14], 0, category]),
            .. Segment(0xC4, [0x10, 1, .. new byte[15], 0]),
        ];

    private static byte[] Scan(byte first, byte last, byte bits, params byte[] data) =>
        [.. Segment(0xDA, [1, 1, 0, first, last, bits]), .. data];

    private static byte[] Segment(byte marker, byte[] content) => [0xFF, marker, 0, (byte)(content.Length + 2), .. content];
}
