using Temper.Domain.Datasets;

namespace Temper.Store.Rows;

/// <summary>A version of an uploaded data set. It never changes.</summary>
public sealed class DatasetRow
{
    /// <summary>Whose data set it is.</summary>
    public required string Tenant { get; init; }

    /// <summary>Name and version, such as `birds@3`, as job specs have it. Two tenants may each have one with this id.</summary>
    public required string Id { get; init; }

    /// <summary>Grows with time: the order of lists.</summary>
    public long Sequence { get; init; }

    public required string Name { get; init; }

    public int Version { get; init; }

    /// <summary>Its bytes, in <see cref="DatasetFile"/>'s format.</summary>
    public Guid ContentId { get; init; }

    /// <summary>Number of these bytes.</summary>
    public long Length { get; init; }

    public required DatasetContent Content { get; init; }

    /// <summary>PostgreSQL generates it from the content, for the index.</summary>
    public string Sha256 { get; init; } = null!;

    public required DatasetDetails Details { get; init; }

    /// <summary>Contact sheet, a PNG.</summary>
    public required byte[] Samples { get; init; }

    /// <summary>Mean of the training images, a PNG.</summary>
    public required byte[] Mean { get; init; }

    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>What is known of a data set beside its content.</summary>
/// <param name="Note">How the test part was made; null when it was uploaded.</param>
public sealed record DatasetDetails(IReadOnlyList<ClassCount> Classes, string? Note);

/// <summary>Number of images of a class in each part.</summary>
public sealed record ClassCount(string Name, int Train, int Validation, int Test);

/// <summary>
/// The name of uploaded data sets, which counts their versions. It stays when they are deleted, so no version comes twice.
/// </summary>
public sealed class DatasetNameRow
{
    public required string Tenant { get; init; }

    public required string Name { get; init; }

    public int LastVersion { get; init; }
}

/// <summary>
/// The bytes of one upload. No data set refers to them while the upload goes on, after it broke off, and after the data set was
/// deleted; <see cref="Datasets.UnusedContent"/> removes them.
/// </summary>
public sealed class DatasetContentRow
{
    public Guid Id { get; init; }

    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A piece of the bytes.</summary>
public sealed class DatasetChunkRow
{
    public Guid ContentId { get; init; }

    /// <summary>Its place, from 0.</summary>
    public int Number { get; init; }

    public required byte[] Bytes { get; init; }
}
