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
        Assert.Equal(["api", "migrate", "worker", "worker-gpu"], Pods.Select(pod => pod.Name).Order());
        Assert.Equal(
            ["api", "worker", "worker-gpu"],
            Objects.OfType<V1PodDisruptionBudget>().Select(budget => budget.Metadata.Name).Order()
        );
        Assert.Empty(Objects.OfType<V1Secret>()); // secrets by name only
        Assert.Equal(
            Directory.GetFiles(Folder, "*.yaml").Select(file => Path.GetFileName(file)).Except(["kustomization.yaml"]).Order(),
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
                Assert.True(pod.Spec.TerminationGracePeriodSeconds >= 15); // docs/operations.md, "Draining a worker"
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
        Assert.Equal("1", container.Env.Single(variable => variable.Name == "Worker__Slots").Value);
    }
}
