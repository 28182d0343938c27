using FsCheck;
using FsCheck.Fluent;
using Temper.Domain.Calibration;

namespace Temper.Unit.Domain.Calibration;

/// <summary>Logits for tests of properties.</summary>
internal static class RandomLogits
{
    /// <summary>
    /// K is from 2. The logits have few distinct values, so that ties and confidences on bin edges are common; the scales reach from
    /// flat to saturated.
    /// </summary>
    public static Arbitrary<LabelledLogits> Of(int leastImages, int mostImages, int mostClasses) =>
        (
            from n in Gen.Choose(leastImages, mostImages)
            from k in Gen.Choose(2, mostClasses)
            from scale in Gen.Elements(0f, 0.25f, 1f, 20f)
            from logits in Gen.ArrayOf(Gen.Choose(-8, 8), n * k)
            from labels in Gen.ArrayOf(Gen.Choose(0, k - 1), n)
            select new LabelledLogits(Array.ConvertAll(logits, logit => logit * scale), labels, k)
        ).ToArbitrary();
}
