// Compiled once per instruction set, with KERNEL_LANES floats in a register.
#include "instruction_sets.h"
#include "simd.h"

#include <algorithm>

namespace {

// Number of rows to sum in float32 before the sum is added to a double: few enough to keep the precision, many enough to make the
// additions of doubles cheap.
constexpr int64_t run = 256;

inline vec let_through(const float* output, const float* output_grad, int64_t at) {
  const vec g = load(output_grad + at);
  return output ? (load(output + at) <= vec{} ? vec{} : g) : g; // as in PyTorch, a NaN passes
}

// Sums two values of every row, per channel. It sums four rows in parallel, so that an addition does not wait for the one before.
template <class Pair>
inline void add_up(int64_t channels, int64_t first, int64_t last, double* one, double* other, const Pair& pair) {
  for (int64_t start = first; start < last; start += run) {
    const int64_t end = std::min(last, start + run);
    for (int64_t c = 0; c < channels; c += lanes) {
      vec a[4] = {}, b[4] = {};
      int64_t r = start;
      for (; r + 4 <= end; r += 4)
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) pair((r + k) * channels + c, c, a[k], b[k]);
      for (; r < end; r++) pair(r * channels + c, c, a[0], b[0]);
      const vec sum_a = (a[0] + a[1]) + (a[2] + a[3]), sum_b = (b[0] + b[1]) + (b[2] + b[3]);
      for (int64_t k = 0; k < lanes; k++) one[c + k] += sum_a[k], other[c + k] += sum_b[k];
    }
  }
}

void moments(const float* input, const float* shift, int64_t channels, int64_t first, int64_t last, double* sum, double* squares) {
  add_up(channels, first, last, sum, squares, [&](int64_t at, int64_t c, vec& a, vec& b) {
    const vec x = load(input + at) - load(shift + c);
    a += x;
    b += x * x;
  });
}

template <bool Residual, bool Relu>
inline void normalize_rows(const float* input, const float* scale, const float* offset, const float* residual, float* output, int64_t channels, int64_t first, int64_t last) {
  for (int64_t r = first; r < last; r++)
    for (int64_t c = 0; c < channels; c += lanes) {
      const int64_t at = r * channels + c;
      vec y = load(input + at) * load(scale + c) + load(offset + c);
      if constexpr (Residual) y += load(residual + at);
      if constexpr (Relu) y = y <= vec{} ? vec{} : y;
      store(output + at, y);
    }
}

void normalize(const float* input, const float* scale, const float* offset, const float* residual, bool relu, float* output, int64_t channels, int64_t first, int64_t last) {
  if (residual && relu) normalize_rows<true, true>(input, scale, offset, residual, output, channels, first, last);
  else if (residual) normalize_rows<true, false>(input, scale, offset, residual, output, channels, first, last);
  else if (relu) normalize_rows<false, true>(input, scale, offset, residual, output, channels, first, last);
  else normalize_rows<false, false>(input, scale, offset, residual, output, channels, first, last);
}

void gradient_sums(const float* input, const float* output, const float* output_grad, const float* mean, int64_t channels, int64_t first, int64_t last, double* sum, double* products) {
  add_up(channels, first, last, sum, products, [&](int64_t at, int64_t c, vec& a, vec& b) {
    const vec g = let_through(output, output_grad, at);
    a += g;
    b += g * (load(input + at) - load(mean + c));
  });
}

void propagate(const float* input, const float* output, const float* output_grad, const float* scale, const float* slope, const float* offset, float* input_grad, float* residual_grad,
               int64_t channels, int64_t first, int64_t last) {
  for (int64_t r = first; r < last; r++)
    for (int64_t c = 0; c < channels; c += lanes) {
      const int64_t at = r * channels + c;
      const vec g = let_through(output, output_grad, at);
      store(input_grad + at, load(scale + c) * g + load(slope + c) * load(input + at) + load(offset + c));
      if (residual_grad) store(residual_grad + at, g);
    }
}

void add_passed(const float* output, const float* output_grad, float* sum, int64_t channels, int64_t first, int64_t last) {
  for (int64_t at = first * channels; at < last * channels; at += lanes) store(sum + at, load(sum + at) + let_through(output, output_grad, at));
}

} // namespace

template <>
const temper::batch_norm_kernels temper::kernels<KERNEL_LANES>::batch_norm = {moments, normalize, gradient_sums, propagate, add_passed};
