// Cross-entropy with label smoothing as one differentiable operation, in one pass over the logits each way: libtorch makes it of
// some thirty small ones, which at the size of a training batch are all overhead. Mean over N of
// (1 − ε)(lse − x_target) + ε/K Σ (lse − x), lse being log Σ exp x.
#include "guard.h"
#include "parallel.h"

#include <cmath>
#include <limits>
#include <torch/csrc/autograd/custom_function.h>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Below so many logits a second thread costs more than it does.
constexpr int64_t worth_sharing = 1 << 15;

// Labels within the classes, which are read here once more than at::cross_entropy_loss would; others are left to it, and its errors.
bool fits(const at::Tensor& logits, const at::Tensor& target, const at::Tensor& weight, int64_t reduction) {
  if (weight.defined() || reduction != at::Reduction::Mean || logits.dim() != 2 || target.dim() != 1 || logits.size(0) != target.size(0) || logits.numel() == 0) return false;
  if (!logits.device().is_cpu() || !target.device().is_cpu() || logits.scalar_type() != at::kFloat || target.scalar_type() != at::kLong) return false;
  if (!logits.is_contiguous() || !target.is_contiguous()) return false;
  const int64_t *t = target.data_ptr<int64_t>(), classes = logits.size(1);
  return std::all_of(t, t + target.size(0), [&](int64_t label) { return label >= 0 && label < classes; });
}

// The loss; and, where they are wanted, the probabilities, [N][K].
at::Tensor forward(const at::Tensor& logits, const at::Tensor& target, double smoothing, at::Tensor* probabilities) {
  const int64_t rows = logits.size(0), classes = logits.size(1), parts = logits.numel() < worth_sharing ? 1 : tt::parts_of(rows);
  if (probabilities) *probabilities = at::empty({rows, classes}, logits.options().requires_grad(false));
  const float* x = logits.data_ptr<float>();
  const int64_t* t = target.data_ptr<int64_t>();
  float* p = probabilities ? probabilities->data_ptr<float>() : nullptr;
  std::vector<double> sums(parts);
  tt::by_thread(rows, parts, [&](int64_t part, int64_t first, int64_t last) {
    double sum = 0;
    for (int64_t n = first; n < last; n++) {
      const float* row = x + n * classes;
      float largest = -std::numeric_limits<float>::infinity(), exps = 0;
      double all = 0;
      for (int64_t k = 0; k < classes; k++) largest = std::max(largest, row[k]), all += row[k];
      for (int64_t k = 0; k < classes; k++) {
        const float e = std::exp(row[k] - largest);
        exps += e;
        if (p) p[n * classes + k] = e;
      }
      if (p)
        for (int64_t k = 0; k < classes; k++) p[n * classes + k] /= exps;
      const double lse = double(largest) + std::log(double(exps));
      sum += (1 - smoothing) * (lse - row[t[n]]) + (smoothing == 0 ? 0 : smoothing * (lse - all / classes));
    }
    sums[part] = sum;
  });
  double sum = 0;
  for (double each : sums) sum += each;
  return at::scalar_tensor(sum / rows, logits.options().requires_grad(false));
}

struct CrossEntropy : torch::autograd::Function<CrossEntropy> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& logits, const at::Tensor& target, double smoothing) {
    at::Tensor probabilities;
    auto loss = ::forward(logits, target, smoothing, &probabilities);
    context->save_for_backward({probabilities, target});
    context->saved_data["smoothing"] = smoothing;
    return loss;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &probabilities = saved[0], &target = saved[1];
    const int64_t rows = probabilities.size(0), classes = probabilities.size(1);
    const auto smoothing = static_cast<float>(context->saved_data["smoothing"].toDouble()), uniform = smoothing / classes;
    const float scale = gradients[0].item<float>() / rows;
    auto grad = at::empty({rows, classes}, probabilities.options());
    const float* p = probabilities.data_ptr<float>();
    const int64_t* t = target.data_ptr<int64_t>();
    float* g = grad.data_ptr<float>();
    tt::by_thread(rows, grad.numel() < worth_sharing ? 1 : tt::parts_of(rows), [&](int64_t, int64_t first, int64_t last) {
      for (int64_t i = first * classes; i < last * classes; i++) g[i] = (p[i] - uniform) * scale;
      for (int64_t n = first; n < last; n++) g[n * classes + t[n]] -= (1 - smoothing) * scale;
    });
    return {grad, at::Tensor(), at::Tensor()};
  }
};

} // namespace

status tt_cross_entropy(tensor logits, tensor target, tensor weight, int64_t reduction, int64_t ignore_index, double label_smoothing, tensor* out) {
  return tt::give(out, [&] {
    const auto &x = tt::deref(logits), &t = tt::deref(target);
    const auto w = tt::optional(weight);
    // A label that is to be ignored is none of the classes.
    if (!fits(x, t, w, reduction) || label_smoothing < 0 || label_smoothing > 1 || (ignore_index >= 0 && ignore_index < x.size(1)))
      return at::cross_entropy_loss(x, t, w, reduction, ignore_index, label_smoothing);
    return at::GradMode::is_enabled() && x.requires_grad() ? CrossEntropy::apply(x, t, label_smoothing) : forward(x, t, label_smoothing, nullptr);
  });
}
