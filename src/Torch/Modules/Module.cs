using System.Reflection;
using Temper.Torch.Modules;

namespace Temper.Torch;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Parameters and submodules under the names of the fields that hold them, as in TorchSharp.</summary>
        public abstract class Module : IDisposable
        {
            private readonly List<(string name, Parameter parameter)> ownParameters = [];
            private readonly List<(string name, Tensor buffer)> ownBuffers = [];
            private readonly List<(string name, Module module)> submodules = [];
            private readonly string name;

            private protected Module(string name) => this.name = name;

            public virtual string GetName() => name;

            /// <summary>Whether layers that differ between training and inference are in training.</summary>
            public bool training { get; private set; } = true;

            /// <summary>To be called at the end of a model's constructor, when its fields hold their layers.</summary>
            protected void RegisterComponents()
            {
                var fields = GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);
                foreach (var field in fields)
                {
                    if (field.GetValue(this) is Module module) submodules.Add((field.Name, module));
                    if (field.GetValue(this) is Parameter parameter) register_parameter(field.Name, parameter);
                }
            }

            public virtual void register_parameter(string name, Parameter param)
            {
                param.DetachFromDisposeScope();
                ownParameters.Add((name, param));
            }

            /// <summary>A tensor that belongs to the model and that no optimizer trains.</summary>
            public virtual void register_buffer(string name, Tensor tensor, bool persistent = true)
            {
                if (!persistent) throw new NotImplementedException("Buffers that are not saved are not bound.");
                tensor.DetachFromDisposeScope();
                ownBuffers.Add((name, tensor));
            }

            public virtual void register_module(string name, Module submodule) => submodules.Add((name, submodule));

            public virtual IEnumerable<(string name, Tensor buffer)> named_buffers(bool recurse = true) =>
                recurse
                    ? ownBuffers.Concat(submodules.SelectMany(sub => sub.module.named_buffers().Select(b => ($"{sub.name}.{b.name}", b.buffer))))
                    : ownBuffers;

            /// <summary>All that makes the model what it is: parameters, then buffers.</summary>
            public virtual Dictionary<string, Tensor> state_dict(Dictionary<string, Tensor>? destination = null, string? prefix = null)
            {
                destination ??= [];
                foreach (var (name, parameter) in named_parameters()) destination.Add(prefix + name, parameter);
                foreach (var (name, buffer) in named_buffers()) destination.Add(prefix + name, buffer);
                return destination;
            }

            public virtual IEnumerable<(string name, Parameter parameter)> named_parameters(bool recurse = true) =>
                recurse
                    ? ownParameters.Concat(submodules.SelectMany(sub => sub.module.named_parameters().Select(p => ($"{sub.name}.{p.name}", p.parameter))))
                    : ownParameters;

            public virtual IEnumerable<Parameter> parameters(bool recurse = true) => named_parameters(recurse).Select(p => p.parameter);

            public virtual void train(bool train = true)
            {
                training = train;
                foreach (var (_, module) in submodules) module.train(train);
            }

            public virtual void eval() => train(false);

            /// <summary>Writes the values of every parameter and buffer, in order.</summary>
            public Module save(BinaryWriter writer)
            {
                foreach (var tensor in state_dict().Values) StateFile.Write(writer, tensor);
                return this;
            }

            /// <summary>Reads what <see cref="save"/> wrote of the same model; layouts and devices stay.</summary>
            /// <exception cref="InvalidDataException">The stream is cut short or of another model.</exception>
            public virtual Module load(BinaryReader reader)
            {
                foreach (var tensor in state_dict().Values) StateFile.Read(reader, tensor);
                return this;
            }

            /// <summary>Replaces the storage or layout of each parameter and buffer; only while no graph holds it.</summary>
            internal void Convert(Func<Tensor, Tensor> conversion)
            {
                foreach (var tensor in state_dict().Values)
                {
                    using var plain = tensor.detach();
                    using var converted = conversion(plain);
                    Native.Check(Native.tt_set_data(tensor.Handle, converted.Handle));
                }
            }

            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            protected virtual void Dispose(bool disposing)
            {
                if (!disposing) return;
                foreach (var (_, parameter) in ownParameters) parameter.Dispose();
                foreach (var (_, buffer) in ownBuffers) buffer.Dispose();
                foreach (var (_, module) in submodules) module.Dispose();
            }
        }

        public abstract class Module<T, TResult> : Module
        {
            protected Module(string name) : base(name) { }

            public abstract TResult forward(T input);

            public TResult call(T input) => forward(input);
        }
    }
}

public static class ModuleExtensionMethods
{
    public static T to<T>(this T module, torch.Device device) where T : torch.nn.Module
    {
        module.Convert(parameter => parameter.to(device));
        return module;
    }
}
