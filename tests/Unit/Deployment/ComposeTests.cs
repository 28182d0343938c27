using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Temper.Harness;
using Temper.Worker;

namespace Temper.Unit.Deployment;

/// <summary>What docker-compose.yml and the Dockerfile promise. No container engine runs them here.</summary>
public sealed partial class ComposeTests
{
    private static readonly JsonObject Compose = YamlFile.Read("docker-compose.yml")[0].AsObject();

    private static readonly (string Name, JsonNode Service)[] Services =
    [
        .. Compose["services"]!.AsObject().Select(service => (service.Key, service.Value!)),
    ];

    [Fact]
    public void EveryService_HasNoCapabilityAndAReadOnlyRoot() =>
        Assert.All(
            Services,
            service =>
            {
                Assert.Equal("true", (string?)service.Service["read_only"]);
                Assert.Equal(["ALL"], Strings(service.Service["cap_drop"]));
                Assert.Contains("no-new-privileges:true", Strings(service.Service["security_opt"]));
                Assert.Null(service.Service["privileged"]);
                Assert.Null(service.Service["cap_add"]);
                Assert.Null(service.Service["container_name"]); // --scale makes several
            }
        );

    [Fact]
    public void EveryService_HasAHealthCheckOrEndsByItself() =>
        Assert.All(
            Services,
            service =>
            {
                if (service.Name == "migrate")
                    Assert.Equal("on-failure:3", (string?)service.Service["restart"]);
                else
                    Assert.NotNull(service.Service["healthcheck"]?["test"]);
            }
        );

    [Fact]
    public void EveryImage_HasAVersion() =>
        Assert.All(
            Services,
            service =>
            {
                var tag = ImageTag().Match((string)service.Service["image"]!).Groups[1].Value;
                Assert.NotEmpty(tag);
                Assert.NotEqual("latest", tag);
            }
        );

    [Fact]
    public void EveryPort_IsOfThisMachineExceptThatOfTlsWhenBound() =>
        Assert.All(
            Services.SelectMany(service => Strings(service.Service["ports"]).Select(port => (service.Name, port))),
            port => Assert.StartsWith(port.Name == "tls" ? "${TEMPER_TLS_BIND:-127.0.0.1}:" : "127.0.0.1:", port.port)
        );

    [Theory]
    [InlineData("worker", 19)]
    [InlineData("worker-gpu", 19)]
    [InlineData("api", 40)]
    public void StopGracePeriod_IsLongerThanAStopTakes(string service, int seconds) =>
        Assert.InRange(int.Parse(((string)Compose["services"]![service]!["stop_grace_period"]!).TrimEnd('s')), seconds + 1, 60);

    /// <summary>Workers of one machine share its cores, and each would take all of them.</summary>
    [Fact]
    public void Workers_GetTheirThreadsFromAVariable()
    {
        Assert.All(
            ["worker", "worker-gpu"],
            service => Assert.Equal("${TEMPER_THREADS:-}", (string?)Compose["services"]![service]!["environment"]!["Worker__Threads"])
        );
        var empty = new ConfigurationBuilder().AddInMemoryCollection([new("Worker:Threads", "")]).Build();
        Assert.Null(WorkerOptions.From(empty).Threads);
    }

    /// <summary>libtorch's packages are of x86-64.</summary>
    [Fact]
    public void ImagesOfTheDockerfile_AreForX64() =>
        Assert.All(
            Services.Where(service => ((string)service.Service["image"]!).StartsWith("temper-", StringComparison.Ordinal)),
            service => Assert.Equal("linux/amd64", (string?)service.Service["platform"])
        );

    [Fact]
    public void Prometheus_ReadsThePortOfEachServiceThatHasMetrics()
    {
        var scraped = YamlFile.Read("deploy", "prometheus", "compose.yml")[0]["scrape_configs"]!
            .AsArray()
            .SelectMany(job => job!["dns_sd_configs"]!.AsArray())
            .SelectMany(found => Strings(found!["names"]).Select(name => (name, (string)found!["port"]!)));
        var serving = Services
            .Where(service => service.Service["environment"]?["Telemetry__PrometheusPort"] is not null)
            .Select(service => (service.Name, (string)service.Service["environment"]!["Telemetry__PrometheusPort"]!));

        Assert.Equal(serving.Order(), scraped.Order());
    }

    [Fact]
    public void EverySecretAndMountedFile_IsDeclared()
    {
        var declared = Compose["secrets"]!.AsObject().Select(secret => secret.Key).ToHashSet();
        Assert.All(
            Services,
            service =>
            {
                Assert.Subset(declared, Strings(service.Service["secrets"]).ToHashSet());
                Assert.All(
                    Strings(service.Service["volumes"]).Where(volume => volume.StartsWith("./deploy/", StringComparison.Ordinal)),
                    volume => Assert.True(File.Exists(Path.Combine(TemperProcess.Repository, volume.Split(':')[0])))
                );
                // No password is in the environment, which `docker inspect` shows.
                Assert.DoesNotContain("Password=", service.Service["environment"]?.ToJsonString() ?? "");
            }
        );
    }

    [Fact]
    public void EveryTargetOfTheDockerfile_RunsAsANumberedUserWithAHealthCheck()
    {
        var stages = Stage().Split(File.ReadAllText(Path.Combine(TemperProcess.Repository, "Dockerfile")));
        var targets = Services.Select(service => (string?)service.Service["build"]?["target"]).OfType<string>().Distinct();
        Assert.All(
            targets,
            target =>
            {
                var stage = stages[Array.IndexOf(stages, target) + 1]; // Split returns the captured name, then the stage
                Assert.Contains("\nUSER 1654\n", stage); // runAsNonRoot needs a number
                Assert.Contains("\nHEALTHCHECK ", stage);
            }
        );
    }

    private static IEnumerable<string> Strings(JsonNode? list) => list?.AsArray().Select(item => (string)item!) ?? [];

    [GeneratedRegex(@":(\$\{[^}]+\}|[^:/]+)$")]
    private static partial Regex ImageTag();

    [GeneratedRegex(@"^FROM \S+ AS (\S+)$", RegexOptions.Multiline)]
    private static partial Regex Stage();
}
