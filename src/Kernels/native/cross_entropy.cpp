// Cross-entropy with label smoothing, in one pass over the logits forward and one backward. libtorch uses some thirty operations,
// whose overhead exceeds their work at the size of a training batch. For a row the loss is
// (1 − ε)(lse − x_label) + ε/K·Σ (lse − x), where lse = log Σ exp x.
#include "guard.h"
#include "threads.h"

#include <algorithm>
#include <cmath>
#include <limits>

using temper::for_ranges;

namespace {

// Number of logits from which more than one thread saves time.
constexpr int64_t worth_sharing = 1 << 15;

int64_t parts_of(int64_t rows, int64_t classes) { return rows * classes < worth_sharing ? 1 : temper::parts_of(rows); }

// Returns one row's loss, and writes its probabilities unless they are null.
double row_loss(const float* logits, int64_t classes, int64_t label, double smoothing, float* probabilities) {
  float largest = -std::numeric_limits<float>::infinity(), exps = 0;
  double all = 0;
  for (int64_t k = 0; k < classes; k++) largest = std::max(largest, logits[k]), all += logits[k];
  for (int64_t k = 0; k < classes; k++) {
    const float e = std::exp(logits[k] - largest);
    exps += e;
    if (probabilities) probabilities[k] = e;
  }
  if (probabilities)
    for (int64_t k = 0; k < classes; k++) probabilities[k] /= exps;
  const double lse = double(largest) + std::log(double(exps));
  return (1 - smoothing) * (lse - logits[label]) + (smoothing == 0 ? 0 : smoothing * (lse - all / classes)); // ε = 0 must not give 0·∞
}

} // namespace

int64_t tk_cross_entropy_forward(int64_t rows, int64_t classes, const float* logits, const int64_t* labels, double smoothing, float* loss, float* probabilities) {
  for (int64_t n = 0; n < rows; n++)
    if (labels[n] < 0 || labels[n] >= classes) return n;
  constexpr int64_t most_parts = 1024;
  const int64_t parts = std::min(most_parts, parts_of(rows, classes));
  double sums[most_parts];
  for_ranges(rows, parts, [&](int64_t part, int64_t first, int64_t last) {
    double sum = 0;
    for (int64_t n = first; n < last; n++) sum += row_loss(logits + n * classes, classes, labels[n], smoothing, probabilities ? probabilities + n * classes : nullptr);
    sums[part] = sum;
  });
  double sum = 0;
  for (int64_t part = 0; part < parts; part++) sum += sums[part];
  *loss = static_cast<float>(sum / rows);
  return -1;
}

int64_t tk_count_hits(int64_t rows, int64_t classes, const float* logits, const int64_t* labels) {
  int64_t hits = 0;
  for (int64_t n = 0; n < rows; n++) {
    const float* row = logits + n * classes;
    int64_t best = 0;
    for (int64_t k = 1; k < classes; k++)
      if (row[k] > row[best] || (std::isnan(row[k]) && !std::isnan(row[best]))) best = k; // as in PyTorch a NaN is the largest
    hits += best == labels[n];
  }
  return hits;
}

tk_status tk_cross_entropy_backward(int64_t rows, int64_t classes, const float* probabilities, const int64_t* labels, double smoothing, float scale, float* logits_grad) {
  return temper::guarded([&] {
    const auto on_label = static_cast<float>(1 - smoothing) * scale / rows, uniform = static_cast<float>(smoothing) / classes;
    for_ranges(rows, parts_of(rows, classes), [&](int64_t, int64_t first, int64_t last) {
      for (int64_t i = first * classes; i < last * classes; i++) logits_grad[i] = (probabilities[i] - uniform) * (scale / rows);
      for (int64_t n = first; n < last; n++) logits_grad[n * classes + labels[n]] -= on_label;
    });
  });
}
