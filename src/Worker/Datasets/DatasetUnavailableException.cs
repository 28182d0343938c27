namespace Temper.Worker.Datasets;

/// <summary>A data set is neither here nor to be had; the message says what to do.</summary>
internal sealed class DatasetUnavailableException(string message) : Exception(message);
