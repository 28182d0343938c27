namespace Temper.Torch;

public static partial class torch
{
    public static partial class nn
    {
        public static class init
        {
            /// <summary>Normal with variance 2/fan_in, which keeps the size of activations through layers with relu; in place.</summary>
            /// <param name="tensor">A weight, out×in×….</param>
            /// <remarks>He et al. 2015, arXiv:1502.01852.</remarks>
            public static Tensor kaiming_normal_(Tensor tensor)
            {
                using var noGraph = no_grad();
                return tensor.normal_(0, Math.Sqrt(2.0 * tensor.shape[0] / tensor.NumberOfElements));
            }
        }
    }
}
