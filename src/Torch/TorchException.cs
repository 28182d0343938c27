using System.Runtime.InteropServices;

namespace Temper.Torch;

/// <summary>A libtorch call failed, with libtorch's own message. After one on a CUDA device the process is not to be trusted.</summary>
public class TorchException : ExternalException
{
    private TorchException(string message) : base(message) { }

    internal static Exception Of(int status, string message) => status switch
    {
        2 => new IndexOutOfRangeException(message),
        3 => new NotImplementedException(message),
        4 => new OutOfMemoryException(message),
        _ => new TorchException(message),
    };
}
