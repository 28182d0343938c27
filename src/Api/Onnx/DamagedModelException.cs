namespace Temper.Api.Onnx;

/// <summary>A stored model is not as a worker has written it.</summary>
/// <param name="fault">Completes the sentence "The weights cannot be read: …".</param>
internal sealed class DamagedModelException(string fault, Exception? inner = null) : Exception(fault, inner);
