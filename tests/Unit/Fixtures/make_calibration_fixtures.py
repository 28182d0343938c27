#!/usr/bin/env python3
"""Writes calibration*.json beside this script: calibration metrics from their papers' formulas, in NumPy and SciPy.

Run with Debian's python3-numpy, python3-scipy and python3-sklearn: /usr/bin/python3 make_calibration_fixtures.py
Logits come from an integer hash that the tests compute too, so the file holds results only. Everything is float64.
"""
import json
import math
import pathlib

import numpy as np
from scipy import integrate, optimize, stats
from scipy.special import log_softmax, softmax

HERE = pathlib.Path(__file__).parent


def values(count, salt):
    """count numbers in [-0.5, 0.5): Fixture.Values of the tests."""
    index = np.arange(count, dtype=np.int64)
    return ((index * 2654435761 + salt * 40503) % 2**32) / 2**32 - 0.5


def draw(n, k, spread, right, salt, step):
    """N×K float32 logits and N labels, of which a share `right` is the predicted class, or, below 0, all are class 0; step > 0 makes ties."""
    logits = values(n * k, salt) * 2 * spread
    if step > 0:
        logits = np.round(logits / step) * step
    logits = logits.astype(np.float32).reshape(n, k)
    if right < 0:
        return logits, np.zeros(n, int)
    top = logits.argmax(1)
    other = (top + 1 + np.floor((values(n, salt + 2) + 0.5) * (k - 1)).astype(int)) % k
    return logits, np.where(values(n, salt + 1) + 0.5 < right, top, other)


def equal_width(confidences, hits, bins, rule):
    """One (count, hits, confidence) for each bin that is not empty."""
    edges = np.arange(bins + 1) / bins
    if rule == "guo":
        index = np.maximum(np.searchsorted(edges, confidences, side="left") - 1, 0)
    else:
        index = np.searchsorted(edges, confidences, side="right") - 1
        if rule == "netcal":
            index = np.minimum(index, bins - 1)
    return [(int(m.sum()), hits[m].sum(), confidences[m].sum()) for m in (index == b for b in range(bins + 1)) if m.any()]


def ties(confidences):
    """Indices of each run of confidences that are equal but for rounding, in ascending order."""
    order = np.argsort(confidences, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(confidences[order]) > 1e-12) + 1)


def equal_mass(confidences, hits, bins):
    hits = hits.astype(float)
    for tied in ties(confidences):
        hits[tied] = hits[tied].mean()
    order = np.argsort(confidences, kind="stable")
    confidences, hits = confidences[order], hits[order]
    parts = zip(np.array_split(confidences, bins), np.array_split(hits, bins))
    return [(len(c), h.sum(), c.sum()) for c, h in parts if len(c)]


def expected(bins):
    return sum(abs(h - c) for _, h, c in bins) / sum(n for n, _, _ in bins)


def maximum(bins):
    return max(abs(h - c) / n for n, h, c in bins)


def scatter(bins):
    means = [(h - c) / n for n, h, c in bins]
    deviations = [math.sqrt(max(h / n * (1 - h / n), 0) / n) for n, h, c in bins]
    return means, deviations


def folded_mean(mean, deviation):
    return abs(mean) if deviation == 0 else float(stats.foldnorm.mean(abs(mean) / deviation, scale=deviation))


def debiased_expected(bins):
    weights = [n / sum(n for n, _, _ in bins) for n, _, _ in bins]
    mean = sum(w * folded_mean(m, d) for w, m, d in zip(weights, *scatter(bins)))
    return max(2 * expected(bins) - mean, 0)


def debiased_maximum(bins):
    """E max|X_b| by integrating P(max > t) between the points where it changes."""
    means, deviations = scatter(bins)
    certain = max([abs(m) for m, d in zip(means, deviations) if d == 0], default=0)
    noisy = [(m, d) for m, d in zip(means, deviations) if d > 0]

    def exceedance(t):
        below = 1.0
        for m, d in noisy:
            below *= stats.norm.cdf((t - m) / d) - stats.norm.cdf((-t - m) / d)
        return 1 - below

    knots = sorted({certain, *(abs(m) + z * d for m, d in noisy for z in range(-9, 10, 3))})
    knots = [t for t in knots if t >= certain]
    mean = certain + sum(integrate.quad(exceedance, a, b, epsabs=1e-13, epsrel=1e-12)[0] for a, b in zip(knots, knots[1:]))
    return max(2 * maximum(bins) - mean, 0)


def debiased_l2(bins):
    total = sum(n for n, _, _ in bins)
    terms = [n / total * (((h - c) / n) ** 2 - h / n * (1 - h / n) / (n - 1)) for n, h, c in bins if n > 1]
    return math.sqrt(max(sum(terms), 0))


def smooth_at(confidences, hits, sigma):
    """The definition in SmoothCalibrationError, by convolution."""
    mesh = max(200, math.ceil(10 / sigma))
    stride = max(2, math.ceil(1000 / mesh))
    cells = mesh * stride
    reach = int(min(6 * sigma, 0.5) * cells)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (cells * sigma)) ** 2)

    def smoothed(masses):
        left = np.minimum((confidences * cells).astype(int), cells - 1)
        share = confidences * cells - left
        grid = np.bincount(left, masses * (1 - share), cells + 1) + np.bincount(left + 1, masses * share, cells + 1)
        reflected = np.pad(grid, reach, mode="reflect")
        return np.convolve(reflected, kernel, "valid")[::stride]

    return np.abs(smoothed(confidences - hits)).sum() / smoothed(np.ones_like(confidences)).sum()


def smooth(confidences, hits):
    for step in range(2, 1025):
        if smooth_at(confidences, hits, step / 1024) <= step / 1024:
            return smooth_at(confidences, hits, step / 1024), step / 1024


def aurc(confidences, hits):
    """Expected over the order of ties: the i-th of m tied predictions has met i/m of their errors."""
    risks, covered, errors = [], 0, 0.0
    for tied in reversed(ties(confidences)):
        m, wrong = len(tied), float((1 - hits[tied]).sum())
        risks += [(errors + wrong * i / m) / (covered + i) for i in range(1, m + 1)]
        covered, errors = covered + m, errors + wrong
    return sum(risks) / len(risks)


def metrics(logits, labels, temperature, bins):
    z = logits.astype(np.float64) / temperature
    p, log_p = softmax(z, axis=1), log_softmax(z, axis=1)
    n, k = z.shape
    top = logits.argmax(1)
    confidences, hits = p[np.arange(n), top], (top == labels).astype(float)
    onehot = np.eye(k)[labels]
    result = dict(
        accuracy=hits.mean(), nll=-log_p[np.arange(n), labels].mean(), brier=((p - onehot) ** 2).sum(1).mean(),
        signedGap=confidences.mean() - hits.mean(), aurc=aurc(confidences, hits))
    for rule in ("guo", "torchmetrics", "netcal"):
        binned = equal_width(confidences, hits, bins, rule)
        classwise = [equal_width(p[:, c], onehot[:, c], bins, rule) for c in range(k)]
        result[rule] = dict(
            ece=expected(binned), eceDebiased=debiased_expected(binned), mce=maximum(binned),
            classwise=np.mean([expected(c) for c in classwise]), classwiseDebiased=np.mean([debiased_expected(c) for c in classwise]))
        if rule == "guo":
            result[rule]["mceDebiased"] = debiased_maximum(binned)
    mass = equal_mass(confidences, hits, bins)
    result["adaptive"], result["adaptiveDebiased"] = expected(mass), debiased_expected(mass)
    result["l2"] = math.sqrt(sum((h - c) ** 2 / m for m, h, c in mass) / n)
    result["l2Debiased"] = debiased_l2(mass)
    result["smooth"], result["smoothBandwidth"] = smooth(confidences, hits)
    return result


def temperature(logits, labels):
    """Root of the slope of the NLL in 1/T between T = 100 and T = 0.01, or the bound beyond which it lies; 1 where T changes nothing.
    Where all are right, the T at which half a mistake is expected among them, 1 where less is expected at T = 1."""
    z = logits.astype(np.float64)
    if np.ptp(z, axis=1).max() == 0:
        return 1.0
    right = z[np.arange(len(z)), labels]

    def slope(beta):
        return ((softmax(beta * z, axis=1) * z).sum(1) - right).mean()

    def mistakes(beta):
        return (1 - softmax(beta * z, axis=1).max(1)).sum()

    if (right == z.max(1)).all():
        if mistakes(1) <= 0.5:
            return 1.0
        return 0.01 if mistakes(100) > 0.5 else 1 / optimize.brentq(lambda beta: mistakes(beta) - 0.5, 1, 100, xtol=1e-14, rtol=1e-14)
    if slope(100) <= 0:
        return 0.01
    if slope(0.01) >= 0:
        return 100.0
    return 1 / optimize.brentq(slope, 0.01, 100, xtol=1e-14, rtol=1e-14)


def edges():
    """Confidences exactly on the edges of the bins, at 0 and at 1, by every rule."""
    cases = []
    for bins in (1, 2, 7, 10, 15, 49):
        confidences = np.repeat(np.arange(bins + 1) / bins, 3)
        hits = (np.arange(len(confidences)) * 7 % 5 < 2).astype(float)
        cases.append(dict(bins=bins, hits=hits.tolist(), **{
            rule: dict(ece=expected(equal_width(confidences, hits, bins, rule)), mce=maximum(equal_width(confidences, hits, bins, rule)))
            for rule in ("guo", "torchmetrics", "netcal")}))
    return cases


def relplot_figure():
    """The data behind figure 1 of relplot's notebooks, with the smooth ECE published there, which is that of relplot's earlier smECE_fast,
    and the one that relplot's present smECE gives for the same data."""
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import train_test_split

    x_train, x_test, y_train, y_test = train_test_split(*make_classification(n_samples=700, random_state=0), test_size=400, random_state=0)
    confidences = LogisticRegressionCV().fit(x_train, y_train).predict_proba(x_test)[:, 1]
    value, bandwidth = smooth(confidences, y_test)
    return [dict(confidences=confidences.tolist(), hits=y_test.tolist(), value=value, bandwidth=bandwidth,
                 published=0.13368462708105466, relplot=0.13374071022363054)]


def write(name, content):
    (HERE / name).write_text(json.dumps(content, separators=(",", ":"), default=float) + "\n")


def main():
    cases = []
    for n, k, spread, right, step in (
        (1, 2, 1, 1, 0), (1, 10, 3, 0, 0), (2, 3, 2, 0.5, 0), (17, 2, 0, 0.5, 0), (17, 10, 0, 0.2, 0), (40, 4, 2, 0.6, 1),
        (300, 2, 3, 0.8, 0), (300, 3, 400, 0.9, 0), (300, 10, 2, 1, 0), (300, 10, 2, 0, 0), (300, 100, 5, 0.5, 0),
        (1000, 2, 3, 0.75, 1), (1000, 10, 4, 0.7, 0.5), (2000, 10, 60, 0.95, 0), (10000, 10, 4, 0.9, 0), (10000, 3, 1, 0.45, 0),
        (2000, 100, 8, 0.8, 0.25), (500, 5, 3, -1, 0),
    ):
        salt, bins = n + 7 * k, 10 if step == 1 else 15
        logits, labels = draw(n, k, spread, right, salt, step)
        t = temperature(logits, labels)
        cases.append(dict(
            n=n, k=k, spread=spread, right=right, salt=salt, step=step, bins=bins, temperature=t,
            before=metrics(logits, labels, 1, bins), after=metrics(logits, labels, t, bins)))
    write("calibration.json", cases)
    write("calibration_edges.json", edges())
    write("calibration_relplot.json", relplot_figure())


if __name__ == "__main__":
    main()
