using Temper.Integration.Store.Queue;
using Temper.Store.Datasets;
using Temper.Store.Rows;
using Temper.Store.Tenants;

namespace Temper.Integration.Store.Datasets;

/// <summary>Tests what the recurring clean-up leaves of uploads that broke off.</summary>
public class UnusedContentTests : QueueTest
{
    [Fact]
    public async Task RemoveAll_UploadsThatBrokeOff_GoAndOthersStay()
    {
        var contents = new DatasetContents(Database.DataSource);
        var (used, fresh, old) = (await StoreAsync(contents), await StoreAsync(contents), await StoreAsync(contents));
        var set = new NewDataset(
            TenantStore.Default,
            "set",
            used,
            8,
            new("aa", 2, 1, 4, 4, 4, 0, 1),
            new([new ClassCount("0", 2, 0, 1)], null),
            [1],
            [2]
        );
        var datasets = new UploadedDatasets(Database.DataSource);
        Assert.Equal(("set@1", false), await datasets.AddAsync(set, default));
        await Database.ExecuteAsync(
            $"UPDATE dataset_contents SET created_at = now() - interval '61 minutes' WHERE id IN ('{used}', '{old}')"
        );

        Assert.Equal(1, await new UnusedContent(Database.DataSource).RemoveAllAsync(default));

        Assert.Equal(0, await ChunksAsync(old));
        Assert.Equal((2, 2), (await ChunksAsync(used), await ChunksAsync(fresh)));
        await using var copy = new MemoryStream();
        Assert.True(await contents.CopyAsync(used, 1, copy, default));
        Assert.Equal([5, 6, 7, 8], copy.ToArray());

        // An upload that ends too late does not become a data set without bytes.
        await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
            datasets.AddAsync(set with { ContentId = old, Content = set.Content with { Sha256 = "bb" } }, default)
        );
        Assert.Equal((true, null), await datasets.DeleteAsync(TenantStore.Default, "set@1", default));
        Assert.Equal(1, await new UnusedContent(Database.DataSource).RemoveAllAsync(default));
        Assert.Equal(0, await ChunksAsync(used));
    }

    private static async Task<Guid> StoreAsync(DatasetContents contents)
    {
        var id = await contents.BeginAsync(default);
        await contents.AddAsync(id, 0, new byte[] { 1, 2, 3, 4 }, default);
        await contents.AddAsync(id, 1, new byte[] { 5, 6, 7, 8 }, default);
        return id;
    }

    private Task<long> ChunksAsync(Guid content) =>
        Database.ScalarAsync<long>($"SELECT count(*) FROM dataset_chunks WHERE content_id = '{content}'");
}
