using Temper.Api.Http;
using Temper.Store;

namespace Temper.Api.Jobs;

/// <summary>
/// Reads the current versions of jobs, to compare with the versions that clients hold. Many pollers share few statements.
/// </summary>
internal sealed class JobVersions(JobReader reader)
{
    private readonly SharedRounds<Guid, IReadOnlyDictionary<Guid, JobVersion>> rounds = new(ids => reader.VersionsAsync(ids.ToHashSet()));

    /// <returns>The job's version; null when there is no such job.</returns>
    public async Task<JobVersion?> FindAsync(Guid id) => (await rounds.AskAsync(id)).TryGetValue(id, out var version) ? version : null;
}
