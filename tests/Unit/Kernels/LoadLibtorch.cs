using System.Runtime.CompilerServices;

namespace Temper.Unit.Kernels;

internal static class LoadLibtorch
{
    /// <summary>Before any test, because TorchSharp must not try by itself.</summary>
    [ModuleInitializer]
    internal static void Run() => Libtorch.Load();
}
