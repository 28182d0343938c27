using System.Text.Json;

namespace Temper.Domain.Jobs;

/// <summary>Settings of published trainings, as fields of a <see cref="JobSpec"/>. docs/api.md says where they differ.</summary>
public static class Recipes
{
    /// <summary>By name, each a JSON object.</summary>
    private static readonly Dictionary<string, JsonElement> ByName = new()
    {
        // 64,000 steps of 128 of 45,000 images; the rate falls at 32,000 and 48,000. He et al. 2016, arXiv:1512.03385, 4.2.
        ["he2016-resnet20"] = Parsed(
            """
            {"model":"resnet20","optimizer":"sgd","learningRate":0.1,"schedule":"step","weightDecay":0.0001,"batchSize":128,"epochs":182,
             "augmentation":"cropFlip","validationFraction":0.1}
            """
        ),
        // Their cross-entropy counts three times, which is three times the rate, a third of the decay and a third of the clip. 64,000
        // steps of 128 of 40,000 images. Müller et al. 2019, arXiv:1906.02629, A.2.
        ["muller2019-resnet56"] = Parsed(
            """
            {"model":"resnet56","optimizer":"sgd","learningRate":0.3,"schedule":"step","weightDecay":3.33e-5,"gradientClip":0.333,
             "batchSize":128,"epochs":205,"augmentation":"cropFlip","validationFraction":0.2}
            """
        ),
        // Their rate of 1, in the last layer 0.1, is for gradients averaged by 0.9 and 0.1, which is a rate of 0.1, in the last layer
        // 0.01, with momentum 0.9. A.5. Between the two is ours for all layers: with 0.1 and dropout the training collapses.
        ["muller2019-mlp"] = Parsed(
            """
            {"model":"mlp","widths":[1200,1200],"optimizer":"sgd","learningRate":0.03,"schedule":"linear","epochs":100,
             "augmentation":"shift","initialization":"gaussian"}
            """
        ),
        // The network and the constant rate of Pereyra et al. 2017, arXiv:1701.06548, section 4.1.1. The momentum, the first weights
        // and 50,000 images for training are our choice.
        ["pereyra2017-mlp"] = Parsed(
            """
            {"model":"mlp","widths":[1024,1024],"optimizer":"sgd","learningRate":0.05,"epochs":100,"validationFraction":0.16667}
            """
        ),
        // 45,000, 5,000 and 10,000 images. Guo et al. 2017, arXiv:1706.04599, table 1.
        ["guo2017-lenet5"] = Parsed(
            """
            {"model":"lenet5","optimizer":"sgd","learningRate":0.01,"schedule":"step","weightDecay":0.0001,"batchSize":128,"epochs":100,
             "validationFraction":0.1}
            """
        ),
    };

    public static IReadOnlyCollection<string> Names => ByName.Keys;

    /// <returns>The recipe's fields; null when there is no such recipe.</returns>
    public static JsonElement? Find(string? name) => name is not null && ByName.TryGetValue(name, out var recipe) ? recipe : null;

    private static JsonElement Parsed(string fields) => JsonDocument.Parse(fields).RootElement;
}
