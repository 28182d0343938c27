using System.Text.Json.Nodes;
using Temper.Domain.Jobs;

namespace Temper.Harness;

/// <summary>The specs that the API makes of a recipe without other fields.</summary>
public static class RecipeSpec
{
    /// <returns>A spec with the recipe's values, on hard labels.</returns>
    /// <param name="name">One of <see cref="Recipes.Names"/>.</param>
    public static JobSpec Of(string name, string dataset)
    {
        var fields = JsonObject.Create(Recipes.Find(name)!.Value)!;
        (fields["recipe"], fields["dataset"], fields["epsilon"]) = (name, dataset, 0);
        return Domain.Serialization.Json.Read<JobSpec>(fields.ToJsonString());
    }
}
