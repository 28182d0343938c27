using System.Runtime.CompilerServices;

namespace Temper.Unit.Kernels;

internal static class LoadLibtorch
{
    /// <summary>Loads libtorch before any test, because TorchSharp must not load it by itself.</summary>
    [ModuleInitializer]
    internal static void Run() => Libtorch.Load();
}
