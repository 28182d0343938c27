namespace Temper.Domain.Datasets;

/// <summary>The names of a data set's classes, in the order of their labels.</summary>
public static class ClassNames
{
    private static readonly Dictionary<string, string[]> All = new()
    {
        ["mnist"] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        ["fashion-mnist"] = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
        ["kmnist"] = ["お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を"],
        ["cifar10"] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
        ["cifar100"] =
        [
            .. (
                "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle "
                + "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant "
                + "flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man "
                + "maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree "
                + "plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail "
                + "snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout "
                + "tulip turtle wardrobe whale willow_tree wolf woman worm"
            ).Split(' '),
        ],
    };

    /// <returns>K names; null when the data set has none.</returns>
    public static IReadOnlyList<string>? Of(string dataset) => DrawnDigits.Read(dataset)?.ClassNames() ?? All.GetValueOrDefault(dataset);
}
