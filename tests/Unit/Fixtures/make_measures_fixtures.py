#!/usr/bin/env python3
"""Writes measures.json beside this script: the measures of docs/measures.md from their papers' formulas, in NumPy, SciPy and scikit-learn.

Run with Debian's python3-numpy, python3-scipy and python3-sklearn: /usr/bin/python3 make_measures_fixtures.py
Logits come from the same integer hash as those of make_calibration_fixtures.py, and random numbers from SplitMix64, which the tests
compute too, so the file holds results only. Everything is float64.
"""
import math

import numpy as np
from scipy import optimize
from scipy.special import log_softmax, softmax
from scipy.stats import norm
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from make_calibration_fixtures import aurc, draw, temperature, ties, write

MASK = (1 << 64) - 1
Z = norm.ppf(0.975)
DRAWS = 60
COVERAGES = (0.8, 0.9, 0.95)


class SplitMix64:
    def __init__(self, seed, stream):
        self.state = self.mix(seed) ^ self.mix(~stream & MASK)

    @staticmethod
    def mix(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return self.mix(self.state)

    def uniform(self):
        return (self.next() >> 11) * 2.0**-53

    def uniforms(self, count):
        return np.array([self.uniform() for _ in range(count)])

    def below(self, limit):
        return (self.next() * limit) >> 64


def deal(count, folds, seed):
    """CrossFit.Deal: the fold of each image."""
    dealt = [i % folds for i in range(count)]
    random = SplitMix64(seed, 3)
    for i in range(count - 1, 0, -1):
        j = random.below(i + 1)
        dealt[i], dealt[j] = dealt[j], dealt[i]
    return np.array(dealt)


def predict(logits, labels, t):
    p = softmax(logits.astype(np.float64) / t, axis=1)
    top = logits.argmax(1)
    return p, p[np.arange(len(p)), top], (top == labels).astype(float)


def losses(log_p, labels):
    return -log_p[np.arange(len(labels)), labels]


def refinement(logits, labels, t):
    z = logits.astype(np.float64)
    before, after = losses(log_softmax(z, axis=1), labels), losses(log_softmax(z / t, axis=1), labels)
    gain = before - after
    half = Z * gain.std(ddof=1) / math.sqrt(len(gain))
    return dict(nll=before.mean(), refinement=after.mean(), calibration=gain.mean(), low=gain.mean() - half, high=gain.mean() + half)


def augrc(scores, hits):
    """By its relation to the AUROC of failures, eq. 6 of the paper: (1 − AUROC)·a·(1 − a) + (1 − a)²/2."""
    tied = np.empty(len(scores))
    for rank, group in enumerate(ties(scores)):
        tied[group] = rank
    a = hits.mean()
    return (0 if a in (0, 1) else (1 - roc_auc_score(hits, tied)) * a * (1 - a)) + (1 - a) ** 2 / 2


def selective(scores, hits):
    shared = hits.copy()
    for tied in ties(scores):
        shared[tied] = hits[tied].mean()
    best_first = shared[np.argsort(-scores, kind="stable")]
    risks = [1 - best_first[: math.ceil(c * len(hits) - 1e-9)].mean() for c in COVERAGES]
    return dict(aurc=aurc(scores, hits), augrc=augrc(scores, hits), risks=risks)


def normed(logits, p):
    z = logits.astype(np.float64)
    z = z - z.mean(1, keepdims=True)
    return z.max(1) / np.linalg.norm(z, ord=p, axis=1)


def l2_interval(confidences, hits, bins):
    """The U-statistic over pairs of images of a bin, with the first and the second order of its variance."""
    n = len(hits)
    order = ties(confidences)
    starts = np.cumsum([0] + [len(g) for g in order])
    sizes = [len(part) for part in np.array_split(np.arange(n), bins)]
    bin_of = np.repeat(np.arange(bins), sizes)
    groups = {}
    for group, start in zip(order, starts):
        groups.setdefault(bin_of[start], []).extend(group)
    square, first, second = 0.0, 0.0, 0.0
    for group in groups.values():
        u = hits[group] - confidences[group]
        m = len(u)
        if m < 2:
            continue
        pairs = sum(u[i] * u[j] for i in range(m) for j in range(m) if i != j)
        t = pairs / (m * (m - 1))
        square += m / n * t
        first += m / n * (4 * t * (u**2).mean() - 3 * t * t)
        second += m / (m - 1) * u.var(ddof=1) ** 2
    variance = max(first - square**2, 0) / n + 2 * second / n**2
    half = Z * math.sqrt(variance)
    return dict(value=square, low=max(square - half, 0), high=max(square + half, 0))


def pav(confidences, hits):
    """Isotonic fit at each prediction; equal confidences share their hits."""
    x = np.empty(len(confidences))
    for rank, group in enumerate(ties(confidences)):
        x[group] = rank
    return IsotonicRegression().fit_transform(x, hits)


def corp(confidences, hits, seed):
    fit = pav(confidences, hits)
    score, recalibrated, uncertainty = ((confidences - hits) ** 2).mean(), ((fit - hits) ** 2).mean(), hits.mean() * (1 - hits.mean())
    order = np.argsort(confidences, kind="stable")
    x, n = confidences[order], len(hits)
    at = sorted({(i * (n - 1) + 20) // 40 for i in range(41)})
    random = SplitMix64(seed, 5)
    bands, chance = [], []
    for _ in range(DRAWS):
        drawn = (random.uniforms(n) < x).astype(float)
        again = pav(x, drawn)
        bands.append(again[at])
        chance.append(((x - drawn) ** 2).mean() - ((again - drawn) ** 2).mean())
    low, high = np.quantile(bands, [0.025, 0.975], axis=0)
    return dict(
        score=score, miscalibration=score - recalibrated, discrimination=uncertainty - recalibrated, uncertainty=uncertainty,
        chance=np.mean(chance), fitted=fit[order].tolist(), low=low.tolist(), high=high.tolist(), at=x[at].tolist())


def scores_of(p, order, u, method):
    """N×K conformity scores; smaller fits better."""
    if method == "split":
        return 1 - p
    ranked = np.take_along_axis(p, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    s = before + u[:, None] * ranked
    if method == "raps":
        s = s + 0.1 * np.maximum(np.arange(1, p.shape[1] + 1) - 2, 0)
    result = np.empty_like(p)
    np.put_along_axis(result, order, s, axis=1)
    return result


def conformal(calibration, test, t, seed):
    random = SplitMix64(seed, 6)
    u = [random.uniforms(len(part[1])) for part in (calibration, test)]
    result = {}
    for method in ("split", "aps", "raps"):
        s = []
        for (logits, labels), uniform in zip((calibration, test), u):
            s.append(scores_of(predict(logits, labels, t)[0], np.argsort(-logits, axis=1, kind="stable"), uniform, method))
        n = len(calibration[1])
        rank = math.ceil((n + 1) * 0.9 - 1e-9)
        threshold = np.sort(s[0][np.arange(n), calibration[1]])[rank - 1]
        sets = s[1] <= threshold
        result[method] = dict(
            threshold=threshold, size=sets.sum(1).mean(), empty=(sets.sum(1) == 0).mean(),
            coverage=sets[np.arange(len(sets)), test[1]].mean())
    return result


def kernel_error(p, labels, seed):
    n, k = p.shape
    kernel = np.exp(-np.linalg.norm(p[:, None] - p[None], axis=2) / 0.1)
    np.fill_diagonal(kernel, 0)

    def estimate(y):
        d = np.eye(k)[y] - p
        return np.einsum("ij,ik,jk->", kernel, d, d, optimize=True) / (n * (n - 1))

    random, above, observed = SplitMix64(seed, 7), 0, estimate(labels)
    for _ in range(DRAWS):
        y = []
        for i in range(n):
            u, c = random.uniform(), 0
            while c < k - 1:
                u -= p[i, c]
                if u < 0:
                    break
                c += 1
            y.append(c)
        above += estimate(np.array(y)) >= observed - 1e-12
    return dict(value=observed, pValue=(1 + above) / (1 + DRAWS))


def linear(kind, x, y):
    """Maximum of the penalised likelihood of x + (matrix·x) + bias, by BFGS. x are centred logits divided by T."""
    n, k = x.shape
    onehot = np.eye(k)[y]

    def unpack(theta):
        if kind == "biasCorrectedTemperature":
            return theta[0] * np.eye(k), theta[1:]
        if kind == "vector":
            return np.diag(theta[:k]), theta[k:]
        return theta[: k * k].reshape(k, k), theta[k * k :]

    def loss(theta):
        w, b = unpack(theta)
        out = x + x @ w.T + b
        residual = (softmax(out, axis=1) - onehot) / n
        gw, gb = residual.T @ x, residual.sum(0)
        if kind == "structuredMatrix":
            diagonal = np.eye(k, dtype=bool)
            strength = np.where(diagonal, k, k * (k - 1)) / n
            value = losses(log_softmax(out, axis=1), y).mean() + (strength * w**2).sum() + k / n * (b**2).sum()
            return value, np.concatenate([(gw + 2 * strength * w).ravel(), gb + 2 * k / n * b])
        value = losses(log_softmax(out, axis=1), y).mean() + (theta**2).sum() / (2 * n)
        g = np.concatenate([[np.trace(gw)] if kind == "biasCorrectedTemperature" else np.diag(gw), gb])
        return value, g + theta / n

    size = {"biasCorrectedTemperature": 1, "vector": k, "structuredMatrix": k * k}[kind] + k
    theta = np.zeros(size)
    for _ in range(20):  # Newton's method from BFGS's result, with a Hessian by differences of the gradient
        if _ == 0:
            theta = optimize.minimize(loss, theta, jac=True, method="BFGS", options=dict(gtol=1e-9, maxiter=2000)).x
        g = loss(theta)[1]
        if abs(g).max() < 1e-13:
            break
        h = 1e-5
        hessian = np.array([(loss(theta + h * e)[1] - loss(theta - h * e)[1]) / (2 * h) for e in np.eye(size)])
        theta = theta - np.linalg.solve(hessian, g)
    w, b = unpack(theta)
    return lambda new: new + new @ w.T + b


def one_against_all(kind, p, y, new):
    n, k = p.shape
    result = np.empty_like(new)
    for c in range(k):
        x, hit, at = p[:, c].copy(), (y == c).astype(float), new[:, c]
        for tied in ties(x):
            x[tied] = x[tied].min()
        if kind == "isotonic":
            fitted = IsotonicRegression(out_of_bounds="clip").fit(x, hit).predict(at)
        else:
            edges = [part[0] for part in np.array_split(np.sort(x), 15) if len(part)][1:]
            bins, bins_at = (np.searchsorted(edges, v + 1e-12, side="right") for v in (x, at))
            sums, counts = np.bincount(bins, hit, len(edges) + 1), np.bincount(bins, minlength=len(edges) + 1)
            fitted = np.where(counts > 0, sums / np.maximum(counts, 1), 0)[bins_at]
        result[:, c] = (n * fitted + 1) / (n + k)
    return np.log(result / result.sum(1, keepdims=True))


ORDER = ("none", "temperature", "biasCorrectedTemperature", "vector", "structuredMatrix", "histogram", "isotonic")


def calibrators(logits, labels, seed):
    folds = deal(len(labels), 5, seed)
    z = logits.astype(np.float64)
    out = {name: np.empty_like(z) for name in ORDER}
    for fold in range(5):
        fit, held = folds != fold, folds == fold
        t = temperature(logits[fit], labels[fit])
        centred = (z - z.mean(1, keepdims=True)) / t
        p = softmax(z, axis=1)
        for name in ORDER:
            if name in ("none", "temperature"):
                out[name][held] = log_softmax(z[held] / (1 if name == "none" else t), axis=1)
            elif name in ("histogram", "isotonic"):
                out[name][held] = one_against_all(name, p[fit], labels[fit], p[held])
            else:
                out[name][held] = log_softmax(linear(name, centred[fit], labels[fit])(centred[held]), axis=1)
    loss = {name: losses(out[name], labels) for name in ORDER}
    best = min(ORDER, key=lambda name: loss[name].mean())
    chosen, result = None, []
    for name in ORDER:
        difference = loss[name] - loss[best]
        error = difference.std(ddof=1) / math.sqrt(len(labels))
        if chosen is None and difference.mean() <= error:
            chosen = name
        result.append(dict(name=name, nll=loss[name].mean(), difference=difference.mean(), error=error))
    return dict(chosen=chosen, best=best, all=result)


def main():
    cases = []
    for n, k, spread, right, step in (
        (300, 2, 3, 0.8, 0), (300, 3, 4, 0.7, 0), (400, 6, 4, 0.75, 0), (200, 4, 2, 0.6, 1), (500, 5, 8, 0.9, 0), (60, 3, 2, 0.6, 0.5),
        (100, 3, 3, 1, 0), (100, 3, 3, 0, 0), (24, 3, 1, 0.5, 0),
    ):
        salt, seed, bins = 1000 + n + 7 * k, n, 15
        validation, test = draw(n, k, spread, right, salt, step), draw(n, k, spread, right, salt + 3, step)
        t = temperature(*validation)
        (p, c, h), (pt, ct, ht) = predict(*test, 1), predict(*test, t)
        norms = {q: augrc(normed(validation[0], q), predict(*validation, 1)[2]) for q in range(1, 11)}
        q = min(norms, key=lambda q: (round(norms[q], 12), q))
        halves = deal(n, 2, seed)
        cases.append(dict(
            n=n, k=k, spread=spread, right=right, salt=salt, step=step, seed=seed, bins=bins, draws=DRAWS, temperature=t,
            refinement=refinement(*test, t), maxProbability=selective(c, h), power=q,
            maxLogitNorm=None if k == 2 else selective(normed(test[0], q), h),
            l2=l2_interval(c, h, bins), l2After=l2_interval(ct, ht, bins), corp=corp(c, h, seed),
            conformal=conformal(validation, test, 1, seed), conformalAfter=conformal(validation, test, t, seed),
            conformalHalves=conformal(*[(test[0][halves == f], test[1][halves == f]) for f in (0, 1)], 1, seed),
            kernel=kernel_error(p, test[1], seed), calibrators=calibrators(*validation, seed)))
    write("measures.json", cases)


if __name__ == "__main__":
    main()
