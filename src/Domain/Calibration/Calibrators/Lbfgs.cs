namespace Temper.Domain.Calibration.Calibrators;

/// <summary>Minimises a smooth convex function by L-BFGS with backtracking; Nocedal and Wright 2006, algorithms 7.4 and 3.1.</summary>
internal static class Lbfgs
{
    private const int Memory = 10,
        MostSteps = 500,
        MostHalvings = 40;

    private const double Flat = 1e-10,
        SufficientDecrease = 1e-4;

    /// <summary>Near the minimum the differences of values are rounding of their sums. A step that raises the value by less, relative to
    /// it, is taken: without that, most evaluations would be spent on steps that are halved in vain.</summary>
    private const double Rounding = 1e-12;

    /// <summary>The value at a point, whose gradient is written to the second argument.</summary>
    public delegate double Objective(double[] at, double[] gradient);

    /// <param name="point">Where to begin; the minimum, up to a gradient of 10⁻¹⁰ or 500 steps, when it returns.</param>
    public static void Minimise(Objective objective, double[] point, CancellationToken cancellation)
    {
        var size = point.Length;
        var (gradient, next, nextGradient, direction) = (new double[size], new double[size], new double[size], new double[size]);
        var history = new (double[] Step, double[] Change, double Product)[Memory];
        for (var i = 0; i < Memory; i++)
            history[i] = (new double[size], new double[size], 0);
        var shares = new double[Memory];
        var (value, kept) = (objective(point, gradient), 0); // kept counts all pairs; the last of them are in the history
        for (var step = 0; step < MostSteps && Largest(gradient) > Flat; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            Descend();
            var slope = VectorLoops.Dot(direction, gradient);
            if (!(slope < 0))
                return; // rounding has eaten the gradient
            var length = kept == 0 ? Math.Min(1, 1 / Math.Sqrt(-slope)) : 1;
            double reached;
            for (var halving = 0; ; halving++)
            {
                if (halving == MostHalvings)
                    return;
                point.CopyTo(next.AsSpan());
                VectorLoops.AddProduct(next, direction, length);
                reached = objective(next, nextGradient);
                if (reached <= value + SufficientDecrease * length * slope + Rounding * Math.Abs(value))
                    break;
                length /= 2;
            }
            Keep();
            (value, gradient, nextGradient) = (reached, nextGradient, gradient);
            next.CopyTo(point.AsSpan());
        }

        // direction = −H·gradient, by the two loops over the history.
        void Descend()
        {
            direction.AsSpan().Clear();
            VectorLoops.AddProduct(direction, gradient, -1);
            var oldest = Math.Max(0, kept - Memory);
            for (var i = kept - 1; i >= oldest; i--)
            {
                var pair = history[i % Memory];
                shares[i % Memory] = VectorLoops.Dot(pair.Step, direction) / pair.Product;
                VectorLoops.AddProduct(direction, pair.Change, -shares[i % Memory]);
            }
            if (kept > 0)
            {
                var last = history[(kept - 1) % Memory];
                VectorLoops.Divide(direction, VectorLoops.Dot(last.Change, last.Change) / last.Product);
            }
            for (var i = oldest; i < kept; i++)
            {
                var pair = history[i % Memory];
                var share = VectorLoops.Dot(pair.Change, direction) / pair.Product;
                VectorLoops.AddProduct(direction, pair.Step, shares[i % Memory] - share);
            }
        }

        void Keep()
        {
            ref var pair = ref history[kept % Memory];
            for (var i = 0; i < size; i++)
                (pair.Step[i], pair.Change[i]) = (next[i] - point[i], nextGradient[i] - gradient[i]);
            pair.Product = VectorLoops.Dot(pair.Step, pair.Change);
            if (pair.Product > 0) // always in a strictly convex function, but for rounding
                kept++;
        }
    }

    private static double Largest(double[] values)
    {
        var largest = 0.0;
        foreach (var value in values)
            largest = Math.Max(largest, Math.Abs(value));
        return largest;
    }
}
