using k8s;
using k8s.Models;
using Temper.Harness;

namespace Temper.Unit.Deployment;

/// <summary>deploy/kubernetes against the types of the Kubernetes API. Fields that these do not know are errors.</summary>
public sealed class KubernetesTests
{
    private static readonly string Folder = Path.Combine(TemperProcess.Repository, "deploy", "kubernetes");

    /// <summary>Kinds that are not of the Kubernetes API itself.</summary>
    private static readonly string[] Foreign = ["kustomization.yaml", "scaling.yaml"];

    /// <summary>It runs once and is no part of the installation.</summary>
    private const string ByHand = "first-key.yaml";

    private static readonly object[] Objects =
    [
        .. Directory
            .GetFiles(Folder, "*.yaml")
            .Where(file => !Foreign.Contains(Path.GetFileName(file)))
            .SelectMany(file => KubernetesYaml.LoadAllFromString(File.ReadAllText(file), strict: true)),
    ];

    private static readonly (string Name, V1PodSpec Pod)[] Pods =
    [
        .. Objects.OfType<V1Deployment>().Select(deployment => (deployment.Metadata.Name, deployment.Spec.Template.Spec)),
        .. Objects.OfType<V1Job>().Select(job => (job.Metadata.Name, job.Spec.Template.Spec)),
    ];

    [Fact]
    public void Manifests_ReadStrictly_AreTheWholeInstallation()
    {
        Assert.Equal(["api", "first-key", "migrate", "worker", "worker-gpu"], Pods.Select(pod => pod.Name).Order());
        Assert.Equal(
            ["api", "worker", "worker-gpu"],
            Objects.OfType<V1PodDisruptionBudget>().Select(budget => budget.Metadata.Name).Order()
        );
        Assert.Empty(Objects.OfType<V1Secret>()); // secrets by name only
        Assert.Equal(
            Directory.GetFiles(Folder, "*.yaml").Select(file => Path.GetFileName(file)).Except(["kustomization.yaml", ByHand]).Order(),
            YamlFile.Read(Folder, "kustomization.yaml")[0]["resources"]!.AsArray().Select(file => (string)file!).Order()
        );
    }

    [Fact]
    public void Pods_AreAllowedByTheRestrictedStandard() =>
        Assert.All(
            Pods,
            pod =>
            {
                Assert.True(pod.Pod.SecurityContext.RunAsNonRoot);
                Assert.Equal("RuntimeDefault", pod.Pod.SecurityContext.SeccompProfile.Type);
                Assert.False(pod.Pod.AutomountServiceAccountToken);
                Assert.Equal("amd64", pod.Pod.NodeSelector["kubernetes.io/arch"]); // libtorch's packages are of x86-64
                var container = Assert.Single(pod.Pod.Containers);
                Assert.True(container.SecurityContext.ReadOnlyRootFilesystem);
                Assert.False(container.SecurityContext.AllowPrivilegeEscalation);
                Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
                Assert.Contains("memory", container.Resources.Limits.Keys);
                // Every mounted volume is declared, and no volume is of the host.
                Assert.Equal(
                    pod.Pod.Volumes.Select(volume => volume.Name).Order(),
                    container.VolumeMounts.Select(mount => mount.Name).Order()
                );
                Assert.DoesNotContain(pod.Pod.Volumes, volume => volume.HostPath is not null);
            }
        );

    [Fact]
    public void Connections_CheckTheCertificateOfTheDatabase()
    {
        const string authority = "SSL Mode=VerifyFull;Root Certificate=/run/secrets/database/ca.crt;";
        var connections = File.ReadAllLines(Path.Combine(Folder, "settings.env"))
            .Concat(Pods.SelectMany(pod => pod.Pod.Containers[0].Env ?? []).Select(variable => $"{variable.Name}={variable.Value}"))
            .Where(setting => setting.StartsWith("ConnectionStrings__Temper=", StringComparison.Ordinal))
            .ToList();
        Assert.Equal(3, connections.Count); // of the running pods, of migrate and of first-key
        Assert.All(connections, connection => Assert.Contains(authority, connection));
        Assert.All(
            Pods,
            pod =>
            {
                var mount = pod.Pod.Containers[0].VolumeMounts.Single(mount => mount.MountPath == "/run/secrets/database");
                Assert.Equal("database-ca", pod.Pod.Volumes.Single(volume => volume.Name == mount.Name).ConfigMap.Name);
            }
        );
        Assert.Equal(
            ["verify-full", "verify-full"],
            YamlFile
                .Read(Folder, "scaling.yaml")
                .SelectMany(document => document["spec"]!["triggers"]?.AsArray() ?? [])
                .Select(trigger => (string)trigger!["metadata"]!["sslmode"]!)
        );
    }

    [Fact]
    public void Deployments_HaveProbesAndSelectTheirPods() =>
        Assert.All(
            Objects.OfType<V1Deployment>(),
            deployment =>
            {
                var pod = deployment.Spec.Template;
                var container = pod.Spec.Containers[0];
                Assert.NotNull(container.LivenessProbe);
                Assert.NotNull(container.StartupProbe);
                Assert.Equal(deployment.Metadata.Name == "api", container.ReadinessProbe is not null);
                Assert.Equal(deployment.Spec.Selector.MatchLabels, pod.Metadata.Labels);
                Assert.True(pod.Spec.TerminationGracePeriodSeconds >= 25); // docs/operations.md, "Taking a worker out of service"
                Assert.Equal(
                    pod.Metadata.Labels,
                    Objects
                        .OfType<V1PodDisruptionBudget>()
                        .Single(budget => budget.Metadata.Name == deployment.Metadata.Name)
                        .Spec.Selector.MatchLabels
                );
            }
        );

    [Fact]
    public void GpuWorkers_AskForOneGpu()
    {
        var container = Pods.Single(pod => pod.Name == "worker-gpu").Pod.Containers[0];

        Assert.Equal("1", container.Resources.Limits["nvidia.com/gpu"].ToString());
        Assert.Equal("1", Value(container, "Worker__SlotsPerDevice"));
        Assert.Equal("cuda", Value(container, "Worker__Device"));
    }

    [Theory]
    [InlineData("worker")]
    [InlineData("worker-gpu")]
    public void Workers_HaveAsManyThreadsAsTheyAskForCpus(string name)
    {
        var container = Pods.Single(pod => pod.Name == name).Pod.Containers[0];

        Assert.Equal(container.Resources.Requests["cpu"].ToString(), Value(container, "Worker__Threads"));
    }

    [Fact]
    public void Metrics_OfEveryDeployment_AreForPrometheusOnly()
    {
        Assert.Contains("Telemetry__PrometheusPort=9464", File.ReadAllLines(Path.Combine(Folder, "settings.env")));
        Assert.All(
            Objects.OfType<V1Deployment>(),
            deployment =>
            {
                Assert.Equal("9464", deployment.Spec.Template.Metadata.Annotations["prometheus.io/port"]);
                Assert.Contains(
                    deployment.Spec.Template.Spec.Containers[0].Ports,
                    port => port is { Name: "metrics", ContainerPort: 9464 }
                );
            }
        );
        var policy = Objects.OfType<V1NetworkPolicy>().Single(policy => policy.Metadata.Name == "metrics").Spec;
        Assert.Equal(
            Objects.OfType<V1Deployment>().Select(deployment => deployment.Metadata.Name).Order(),
            policy.PodSelector.MatchExpressions.Single().Values.Order()
        );
        var rule = Assert.Single(policy.Ingress);
        Assert.NotEmpty(rule.FromProperty);
        Assert.Equal("9464", Assert.Single(rule.Ports).Port.Value);
    }

    private static string Value(V1Container container, string variable) => container.Env.Single(one => one.Name == variable).Value;
}
