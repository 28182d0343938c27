using System.Collections;
using Temper.Torch.Modules;

namespace Temper.Torch
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static ModuleList<T> ModuleList<T>(params T[] modules) where T : Module => new(modules);
        }
    }
}

namespace Temper.Torch.Modules
{
    /// <summary>Modules in order, named by their place.</summary>
    public sealed class ModuleList<T> : torch.nn.Module, IEnumerable<T> where T : torch.nn.Module
    {
        private readonly T[] modules;

        internal ModuleList(T[] modules) : base(nameof(ModuleList<T>))
        {
            this.modules = modules;
            for (var i = 0; i < modules.Length; i++) register_module($"{i}", modules[i]);
        }

        public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)modules).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
