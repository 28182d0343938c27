using Temper.Domain.Calibration.Calibrators;

namespace Temper.Api.Onnx;

/// <summary>Writes calibrators as nodes.</summary>
internal static class CalibratorNodes
{
    /// <summary>What a file says of its output.</summary>
    public static string Text(CalibratorName name) =>
        name switch
        {
            CalibratorName.None => "softmax(logits)",
            CalibratorName.Temperature => "softmax(logits / T), with T fitted on validation images",
            CalibratorName.BiasCorrectedTemperature => "temperature scaling with a bias for each class, fitted on validation images",
            CalibratorName.Vector => "vector scaling, fitted on validation images",
            CalibratorName.StructuredMatrix => "structured matrix scaling, fitted on validation images",
            CalibratorName.Histogram => "histogram binning of each class, fitted on validation images",
            _ => "isotonic regression of each class, fitted on validation images",
        };

    /// <param name="logits">The name of the logits, N×K float32.</param>
    /// <param name="output">The name of the calibrated probabilities, N×K float32.</param>
    public static void Add(Graph graph, Calibrator calibrator, string logits, string output)
    {
        switch (calibrator)
        {
            case TemperatureScaling scaling:
                Softmax(graph, graph.Add("Div", [logits, graph.Constant("temperature", (float)scaling.Temperature)]), output);
                break;
            case AffineScaling scaling:
                Softmax(graph, Scores(graph, scaling, logits), output);
                break;
            case OneAgainstAll classes:
                Add(graph, classes, logits, output);
                break;
            default:
                throw new ArgumentException($"There are no nodes for {calibrator.GetType()}.", nameof(calibrator));
        }
    }

    /// <summary>x + (W·x + b), where x are the logits without their mean, divided by T.</summary>
    private static string Scores(Graph graph, AffineScaling scaling, string logits)
    {
        var mean = graph.Add("ReduceMean", [logits], [Graph.Wholes("axes", 1), Graph.Whole("keepdims", 1)]);
        var x = graph.Add("Div", [graph.Add("Sub", [logits, mean]), graph.Constant("temperature", (float)scaling.Temperature)]);
        var classes = scaling.Bias.Length;
        var bias = graph.Constant("bias", Floats(scaling.Bias), classes);
        if (scaling.Name == CalibratorName.StructuredMatrix)
        {
            var matrix = graph.Constant("matrix", Floats(scaling.Matrix), classes, classes);
            return graph.Add("Add", [x, graph.Add("Gemm", [x, matrix, bias], [Graph.Whole("transB", 1)])]);
        }
        var factors = graph.Constant("matrix", Floats(scaling.Matrix), scaling.Matrix.Length);
        return graph.Add("Add", [x, graph.Add("Add", [graph.Add("Mul", [x, factors]), bias])]);
    }

    /// <summary>
    /// The functions of the softmax, divided by their sum, in float64: in float32 the probabilities of confident images would lie in
    /// other bins. A function is its first value, and for each of M lines between knots a rise, of which x has passed a part from 0 to 1.
    /// </summary>
    private static void Add(Graph graph, OneAgainstAll calibrator, string logits, string output)
    {
        var lines = calibrator.Functions.Select(Lines).ToList();
        var (classes, most) = (lines.Count, Math.Max(1, lines.Max(ofClass => ofClass.Count)));
        var all = lines.SelectMany(ofClass => ofClass.Concat(Enumerable.Repeat(new Line(0, 1, 0), most - ofClass.Count))).ToList();
        var x = Softmax(graph, graph.Add("Cast", [logits], [Graph.Whole("to", Graph.Float64)]));
        x = graph.Add("Unsqueeze", [x, graph.Constant("lastAxis", [2L])]); // N×K×1
        x = graph.Add("Sub", [x, graph.Constant("starts", [.. all.Select(line => line.Start)], classes, most)]); // N×K×M
        x = graph.Add("Div", [x, graph.Constant("widths", [.. all.Select(line => line.Width)], classes, most)]);
        x = graph.Add("Clip", [x, graph.Constant("zero", [0.0]), graph.Constant("one", [1.0])]);
        x = graph.Add("Mul", [x, graph.Constant("rises", [.. all.Select(line => line.Rise)], classes, most)]);
        x = graph.Add("ReduceSum", [x, "lastAxis"], [Graph.Whole("keepdims", 0)]); // N×K
        x = graph.Add("Add", [x, graph.Constant("firsts", [.. calibrator.Functions.Select(function => function.Values[0])], classes)]);
        x = graph.Add("Div", [x, graph.Add("ReduceSum", [x, graph.Constant("classAxis", [1L])], [Graph.Whole("keepdims", 1)])]);
        graph.Add("Cast", [x], [Graph.Whole("to", Graph.Float32)], output);
    }

    /// <summary>The lines of a function that are not level.</summary>
    private static List<Line> Lines(PiecewiseLinear function)
    {
        var lines = new List<Line>();
        for (var i = 1; i < function.At.Length; i++)
            if (function.Values[i] != function.Values[i - 1])
                lines.Add(new(function.At[i - 1], function.At[i] - function.At[i - 1], function.Values[i] - function.Values[i - 1]));
        return lines;
    }

    private static string Softmax(Graph graph, string scores, string? output = null) =>
        graph.Add("Softmax", [scores], [Graph.Whole("axis", 1)], output);

    private static float[] Floats(ReadOnlySpan<double> numbers) => Array.ConvertAll(numbers.ToArray(), number => (float)number);

    private readonly record struct Line(double Start, double Width, double Rise);
}
