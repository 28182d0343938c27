// Batch normalization's statistics and gradients per channel, from the sums of several parts.
#pragma once
#include "temper_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace temper {

// The values per channel that a forward pass stores for its backward pass.
struct statistics {
  float *mean, *inverse, *scale, *offset; // inverse: 1 / √(variance + eps)
  statistics(const float* p, int64_t channels) : mean(const_cast<float*>(p)), inverse(mean + channels), scale(mean + 2 * channels), offset(mean + 3 * channels) {}
};

// Two sums per channel of each part, in the order of the parts.
struct channel_sums {
  double* sums; // [part][2][channels]
  int64_t parts, channels;

  static int64_t size(int64_t parts, int64_t channels) { return 2 * parts * channels; }
  double* one(int64_t part) const { return sums + 2 * part * channels; }
  double* other(int64_t part) const { return one(part) + channels; }
  void clear() const { std::fill_n(sums, size(parts, channels), 0.0); }

  void total(int64_t c, double& sum, double& other_sum) const {
    sum = other_sum = 0;
    for (int64_t part = 0; part < parts; part++) sum += one(part)[c], other_sum += other(part)[c];
  }
};

// Computes the statistics from the parts' Σ(x − shift) and Σ(x − shift)², and updates the running mean and variance.
inline void finish_statistics(const channel_sums& sums, const float* shift, int64_t rows, const tk_norm& norm) {
  const statistics s(norm.statistics, sums.channels);
  for (int64_t c = 0; c < sums.channels; c++) {
    double difference, squares;
    sums.total(c, difference, squares);
    difference /= rows;
    const double variance = std::max(squares / rows - difference * difference, 0.0), mean = difference + shift[c];
    s.mean[c] = static_cast<float>(mean);
    s.inverse[c] = static_cast<float>(1 / std::sqrt(variance + norm.eps));
    s.scale[c] = norm.weight[c] * s.inverse[c];
    s.offset[c] = norm.bias[c] - s.mean[c] * s.scale[c];
    norm.running_mean[c] = static_cast<float>((1 - norm.momentum) * norm.running_mean[c] + norm.momentum * mean);
    norm.running_var[c] = static_cast<float>((1 - norm.momentum) * norm.running_var[c] + norm.momentum * variance * rows / std::max<int64_t>(rows - 1, 1)); // unbiased, as in PyTorch
  }
}

// Computes, from Σg and Σg·(x − mean), the gradients of weight and bias, and the factors of the input's gradient for `propagate`.
inline void finish_gradients(const channel_sums& sums, const float* kept, int64_t rows, float* weight_grad, float* bias_grad, float* slope, float* offset) {
  const statistics s(kept, sums.channels);
  for (int64_t c = 0; c < sums.channels; c++) {
    double sum, products;
    sums.total(c, sum, products);
    const double scale = s.scale[c], inverse = s.inverse[c], by_value = -scale * inverse * inverse * products / rows;
    weight_grad[c] = static_cast<float>(products * inverse);
    bias_grad[c] = static_cast<float>(sum);
    slope[c] = static_cast<float>(by_value);
    offset[c] = static_cast<float>(-scale * sum / rows - by_value * s.mean[c]);
  }
}

// Computes the factors of scale·x + offset from the running statistics.
inline void running_factors(int64_t channels, const tk_norm& norm, float* scale, float* offset) {
  for (int64_t c = 0; c < channels; c++) {
    scale[c] = norm.weight[c] / std::sqrt(norm.running_var[c] + static_cast<float>(norm.eps));
    offset[c] = norm.bias[c] - norm.running_mean[c] * scale[c];
  }
}

} // namespace temper
