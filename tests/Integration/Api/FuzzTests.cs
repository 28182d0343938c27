using Temper.Harness.Fuzz;

namespace Temper.Integration.Api;

/// <summary>Random requests to every operation, each answer judged by the OpenAPI document.</summary>
public class FuzzTests(ApiFixture fixture) : ApiTest(fixture)
{
    private const int Requests = 1500;

    [Fact]
    public async Task RandomRequests_GetOnlyAnswersThatTheDocumentAllows()
    {
        var seed = Random.Shared.NextInt64();
        using var fuzzer = await TenantFuzzer.CreateAsync(seed, Http.BaseAddress!, [new("zebra", [null])]);

        await fuzzer.RunAsync(Requests);

        Assert.True(
            fuzzer.Faults.Count == 0,
            $"Seed {seed}, {fuzzer.Summary()}.\n"
                + string.Join("\n", fuzzer.Faults.OrderBy(fault => fault.Key).Select(fault => $"{fault.Value.Count} × {fault.Key}"))
                + "\n\n"
                + string.Join("\n\n", fuzzer.Faults.OrderBy(fault => fault.Key).Select(fault => $"{fault.Key}\n{fault.Value.Example}"))
        );
    }
}
