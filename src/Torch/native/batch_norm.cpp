// Batch normalization, a residual added and relu as one differentiable operation. What the kernels do not take goes by
// libtorch's own operations.
#include "guard.h"
#include "images.h"
#include "kernels.h"
#include "parallel.h"

#include <cmath>
#include <functional>
#include <initializer_list>
#include <torch/csrc/autograd/custom_function.h>
#include <vector>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using tt::batch_norm_kernels;
using tt::channels_last;
using tt::dense;
using tt::deref;

namespace {

const batch_norm_kernels* kernels(int64_t channels) {
  return tt::widest(channels, [](auto set) { return &decltype(set)::batch_norm; });
}

int64_t rows_of(const at::Tensor& t) { return t.numel() / t.size(1); }

float* data(const at::Tensor& t) { return t.defined() ? t.data_ptr<float>() : nullptr; }

// The kernel's two sums per channel over all rows: those of the threads, added up in their order.
template <class Kernel>
void sum_rows(int64_t rows, int64_t channels, std::vector<double>& one, std::vector<double>& other, Kernel&& kernel) {
  const int64_t parts = tt::parts_of(rows);
  std::vector<double> sums(2 * parts * channels);
  tt::by_thread(rows, parts, [&](int64_t part, int64_t first, int64_t last) { kernel(first, last, &sums[2 * part * channels], &sums[(2 * part + 1) * channels]); });
  one.assign(channels, 0);
  other.assign(channels, 0);
  for (int64_t part = 0; part < parts; part++)
    for (int64_t c = 0; c < channels; c++) one[c] += sums[2 * part * channels + c], other[c] += sums[(2 * part + 1) * channels + c];
}

struct BatchNorm : torch::autograd::Function<BatchNorm> {
  // `residuals` has one tensor or none.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, at::TensorList residuals, at::Tensor running_mean,
                            at::Tensor running_var, double momentum, double eps, bool relu) {
    const int64_t channels = input.size(1), rows = rows_of(input);
    const auto& k = *kernels(channels);
    const float *x = data(input), *w = data(weight), *b = data(bias);
    std::vector<double> sum, squares;
    // Sums of what differs from the first row lose less than sums of the values.
    sum_rows(rows, channels, sum, squares, [&](int64_t first, int64_t last, double* s, double* q) { k.moments(x, x, channels, first, last, s, q); });

    const auto statistics = at::empty({4, channels}, input.options().requires_grad(false)); // mean, 1/deviation, scale, offset
    float *mean = data(statistics), *inverse = mean + channels, *scale = inverse + channels, *offset = scale + channels;
    float *running_m = data(running_mean), *running_v = data(running_var);
    for (int64_t c = 0; c < channels; c++) {
      const double m = sum[c] / rows, variance = std::max(squares[c] / rows - m * m, 0.0), average = m + x[c];
      mean[c] = static_cast<float>(average);
      inverse[c] = static_cast<float>(1 / std::sqrt(variance + eps));
      scale[c] = w[c] * inverse[c];
      offset[c] = b[c] - mean[c] * scale[c];
      running_m[c] = static_cast<float>((1 - momentum) * running_m[c] + momentum * average);
      running_v[c] = static_cast<float>((1 - momentum) * running_v[c] + momentum * variance * rows / std::max<int64_t>(rows - 1, 1));
    }
    auto output = at::empty(input.sizes(), input.options().requires_grad(false), channels_last);
    const float* added = residuals.empty() ? nullptr : data(residuals[0]);
    float* y = data(output);
    tt::by_thread(rows, tt::parts_of(rows), [&](int64_t, int64_t first, int64_t last) { k.normalize(x, scale, offset, added, relu, y, channels, first, last); });

    context->save_for_backward({input, weight, statistics, relu ? output : at::Tensor()});
    context->saved_data["residual"] = !residuals.empty();
    return output;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &input = saved[0], &weight = saved[1], &statistics = saved[2], &output = saved[3];
    const auto grad = gradients[0].contiguous(channels_last);
    const int64_t channels = input.size(1), rows = rows_of(input);
    const auto& k = tt::still_there(kernels(channels));
    const float *x = data(input), *g = data(grad), *y = data(output), *mean = data(statistics), *inverse = mean + channels, *scale = inverse + channels;
    std::vector<double> sum, products;
    sum_rows(rows, channels, sum, products, [&](int64_t first, int64_t last, double* s, double* p) { k.gradient_sums(x, y, g, mean, channels, first, last, s, p); });

    const auto grad_weight = at::empty_like(weight), grad_bias = at::empty_like(weight);
    std::vector<float> slope(channels), offset(channels);
    for (int64_t c = 0; c < channels; c++) {
      data(grad_weight)[c] = static_cast<float>(products[c] * inverse[c]);
      data(grad_bias)[c] = static_cast<float>(sum[c]);
      const double s = -static_cast<double>(scale[c]) * inverse[c] * inverse[c] * products[c] / rows;
      slope[c] = static_cast<float>(s);
      offset[c] = static_cast<float>(-static_cast<double>(scale[c]) * sum[c] / rows - s * mean[c]);
    }
    auto grad_input = at::empty(input.sizes(), input.options().requires_grad(false), channels_last);
    at::Tensor grad_residual;
    if (context->saved_data["residual"].toBool()) grad_residual = output.defined() ? at::empty_like(grad_input) : grad;
    float *gx = data(grad_input), *gr = output.defined() ? data(grad_residual) : nullptr;
    tt::by_thread(rows, tt::parts_of(rows), [&](int64_t, int64_t first, int64_t last) { k.propagate(x, y, g, scale, slope.data(), offset.data(), gx, gr, channels, first, last); });
    return {grad_input, grad_weight, grad_bias, grad_residual, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

bool fits(const at::Tensor& input, const at::Tensor& residual, std::initializer_list<std::reference_wrapper<const at::Tensor>> per_channel) {
  if (!dense(input) || !kernels(input.size(1)) || (residual.defined() && !(dense(residual) && residual.sizes() == input.sizes()))) return false;
  for (const at::Tensor& t : per_channel)
    if (!t.device().is_cpu() || t.scalar_type() != at::kFloat || !t.is_contiguous() || t.numel() != input.size(1)) return false;
  return true;
}

// Without a graph and with the running statistics: scale and offset are known beforehand.
at::Tensor infer(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual, const at::Tensor& running_mean, const at::Tensor& running_var, double eps,
                 bool relu) {
  const auto scale = weight / (running_var + eps).sqrt(), offset = bias - running_mean * scale;
  auto output = at::empty(input.sizes(), input.options(), channels_last);
  const int64_t channels = input.size(1), rows = rows_of(input);
  const float *x = data(input), *s = data(scale), *o = data(offset), *added = data(residual);
  float* y = data(output);
  const auto& k = *kernels(channels);
  tt::by_thread(rows, tt::parts_of(rows), [&](int64_t, int64_t first, int64_t last) { k.normalize(x, s, o, added, relu, y, channels, first, last); });
  return output;
}

} // namespace

status tt_batch_norm(tensor input, tensor weight, tensor bias, tensor running_mean, tensor running_var, tensor residual, int32_t training, double momentum, double eps, int32_t relu,
                     tensor* out) {
  return tt::give(out, [&] {
    const auto &x = deref(input), &w = deref(weight), &b = deref(bias);
    auto &mean = deref(running_mean), &variance = deref(running_var);
    const auto added = tt::optional(residual);
    if (fits(x, added, {w, b, mean, variance})) {
      if (training) return BatchNorm::apply(x, w, b, added.defined() ? at::TensorList(added) : at::TensorList(), mean, variance, momentum, eps, relu != 0);
      if (!at::GradMode::is_enabled()) return infer(x, w, b, added, mean, variance, eps, relu != 0);
    }
    auto y = at::batch_norm(x, w, b, mean, variance, training != 0, momentum, eps, /*cudnn_enabled=*/true);
    if (added.defined()) y = y + added;
    return relu ? at::relu(y) : y;
  });
}
