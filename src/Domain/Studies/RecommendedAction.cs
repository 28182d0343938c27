namespace Temper.Domain.Studies;

/// <summary>What a recommendation tells a user to do, the simplest first.</summary>
public enum RecommendedAction
{
    /// <summary>Train with cross-entropy on hard labels and use the model as it is.</summary>
    Nothing,

    /// <summary>Train with cross-entropy on hard labels and divide the logits by T.</summary>
    Calibrate,

    /// <summary>Train with smoothed labels.</summary>
    Smooth,

    /// <summary>Train with another loss than cross-entropy.</summary>
    OtherLoss,

    /// <summary>Train with mixup.</summary>
    Mixup,
}
