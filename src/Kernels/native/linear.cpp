#include "guard.h"
#include "instruction_sets.h"
#include "scratch.h"
#include "threads.h"

#include <algorithm>

using temper::epilogue;
using temper::matrix;
using temper::matrix_kernels;
using temper::product_shape;

namespace {

void multiply(const matrix_kernels& k, const product_shape& s, const matrix& left, const matrix& right, const epilogue& end, float* product) {
  const int64_t panels = (s.columns + k.panel - 1) / k.panel;
  // With many panels, make a few ranges for each thread, so that a delayed thread does fewer. For all panels of a range, each row
  // of the left matrix is read once.
  const int64_t ranges = std::clamp(panels / 4, std::min(panels, temper::thread_count()), 4 * temper::thread_count());
  temper::for_ranges(panels, ranges, [&](int64_t, int64_t first, int64_t last) {
    if (first < last) k.multiply(s, left, right, end, product, first * k.panel, std::min(s.columns, last * k.panel));
  });
}

const matrix_kernels& kernels_of(const tk_linear& l) {
  return *temper::kernels_of(l.lanes, [](auto set) { return &decltype(set)::matrices; });
}

} // namespace

int64_t tk_linear_lanes() { return temper::lanes(); }

tk_status tk_linear_forward(const tk_linear* l, const float* input, const float* weight, const float* bias, int32_t relu, float* output) {
  return temper::guarded([&] {
    multiply(kernels_of(*l), {l->rows, l->outputs, l->inputs}, {input, l->inputs, 1}, {weight, 1, l->inputs}, {bias, relu != 0}, output);
  });
}

tk_status tk_linear_backward(const tk_linear* l, const float* input, const float* weight, const float* output, const float* output_grad, float* weight_grad, float* bias_grad, float* input_grad) {
  return temper::guarded([&] {
    const auto& k = kernels_of(*l);
    const int64_t values = l->rows * l->outputs;
    const float* gradients = output_grad;
    if (output) {
      float* passed = scratch<1>(values);
      for (int64_t i = 0; i < values; i++) passed[i] = output[i] <= 0 ? 0 : output_grad[i]; // as in PyTorch, a NaN passes
      gradients = passed;
    }
    if (bias_grad) {
      std::fill_n(bias_grad, l->outputs, 0.f);
      for (int64_t n = 0; n < l->rows; n++)
        for (int64_t o = 0; o < l->outputs; o++) bias_grad[o] += gradients[n * l->outputs + o];
    }
    if (weight_grad) multiply(k, {l->outputs, l->inputs, l->rows}, {gradients, 1, l->outputs}, {input, l->inputs, 1}, {}, weight_grad);
    if (input_grad) multiply(k, {l->rows, l->inputs, l->outputs}, {gradients, l->outputs, 1}, {weight, l->inputs, 1}, {}, input_grad);
  });
}
