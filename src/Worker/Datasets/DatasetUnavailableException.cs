namespace Temper.Worker.Datasets;

/// <summary>A data set is neither on this machine nor can it be downloaded. The message says what to do.</summary>
internal sealed class DatasetUnavailableException(string message) : Exception(message);
