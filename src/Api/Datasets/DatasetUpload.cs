using Temper.Api.Http;
using Temper.Store.Datasets;

namespace Temper.Api.Datasets;

/// <summary>
/// Turns the files of an upload into a data set. The upload is read and checked to its end before the first byte is stored.
/// </summary>
internal sealed class DatasetUpload(
    Uploads uploads,
    UploadedDatasets datasets,
    DatasetContents contents,
    UnusedContent unused,
    ILogger<DatasetUpload> log
)
{
    /// <summary>Uploads that are read at once: half the cores, because each keeps one busy.</summary>
    private static readonly SemaphoreSlim Turns = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <param name="tenant">Whose data set it will be.</param>
    /// <param name="errors">Gets what is wrong with each array or file.</param>
    /// <returns>
    /// Id of the new version, or of the one that has this content; whether that existed before. Null when there are errors.
    /// </returns>
    public async Task<(string Id, bool WasThere)?> AddAsync(
        string tenant,
        string name,
        IReadOnlyList<PostedFile> files,
        int seed,
        SpecErrors errors,
        CancellationToken cancellation
    )
    {
        using var prepared = await PrepareAsync(files, seed, errors, cancellation);
        if (prepared is null)
            return null;
        if (await datasets.FindSameAsync(tenant, name, prepared.Content.Sha256, cancellation) is { } same)
            return (same, true);
        var content = await contents.BeginAsync(cancellation);
        var isUsed = false;
        try
        {
            await StoreAsync(content, prepared.File, cancellation);
            var (id, wasThere) = await datasets.AddAsync(
                new(tenant, name, content, prepared.File.Length, prepared.Content, prepared.Details, prepared.Samples, prepared.Mean),
                cancellation
            );
            isUsed = !wasThere;
            return (id, wasThere);
        }
        finally
        {
            if (!isUsed)
                await RemoveAsync(content);
        }
    }

    private async Task<PreparedDataset?> PrepareAsync(
        IReadOnlyList<PostedFile> files,
        int seed,
        SpecErrors errors,
        CancellationToken cancellation
    )
    {
        await Turns.WaitAsync(cancellation);
        try
        {
            return await Task.Run(() => errors.Try(() => Prepare(files, seed, errors, cancellation)), cancellation);
        }
        finally
        {
            Turns.Release();
        }
    }

    private PreparedDataset? Prepare(IReadOnlyList<PostedFile> files, int seed, SpecErrors errors, CancellationToken cancellation) =>
        UploadFormat.Read(files, uploads.LargestBytes, errors, cancellation) is { } images
            ? PreparedDataset.Of(images, seed, uploads.LargestBytes, errors, cancellation)
            : null;

    private async Task StoreAsync(Guid content, FileStream file, CancellationToken cancellation)
    {
        var chunk = new byte[DatasetContents.ChunkLength];
        file.Position = 0;
        for (var number = 0; ; number++)
        {
            var read = await file.ReadAtLeastAsync(chunk, chunk.Length, throwOnEndOfStream: false, cancellation);
            if (read > 0)
                await contents.AddAsync(content, number, chunk.AsMemory(0, read), cancellation);
            if (read < chunk.Length)
                return;
        }
    }

    /// <summary>Removes what was stored. If that fails, the recurring clean-up does it.</summary>
    private async Task RemoveAsync(Guid content)
    {
        try
        {
            await unused.RemoveAsync(content, CancellationToken.None);
        }
        catch (Exception e)
        {
            log.LogWarning("The bytes of an upload that failed are not removed yet: {Reason}", e.Message);
        }
    }
}
