namespace Temper.Store;

/// <summary>This process is of an older build than the database's schema or than what it was to read.</summary>
public sealed class NewerBuildException(string message, Exception? cause = null) : Exception(message, cause);
