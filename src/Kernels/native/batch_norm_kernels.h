// Batch normalization over rows of C channels, the addition of a residual, and relu. It takes one pass over memory for the
// statistics and one for the rest, where separate operations take up to six.
#pragma once
#include <cstdint>

namespace temper {

// Each kernel works on the rows from `first` up to `last`; channels come in multiples of the lanes. Sums are added to what is there.
struct batch_norm_kernels {
  // Σ (x − shift) and Σ (x − shift)², per channel.
  void (*moments)(const float* input, const float* shift, int64_t channels, int64_t first, int64_t last, double* sum, double* squares);
  // scale·x + offset, plus the residual unless it is null, and relu of it if asked for.
  void (*normalize)(const float* input, const float* scale, const float* offset, const float* residual, bool relu, float* output, int64_t channels, int64_t first, int64_t last);
  // Of the gradients that relu lets through: Σ g and Σ g·(x − mean), per channel. `output` is null when there was no relu.
  void (*gradient_sums)(const float* input, const float* output, const float* output_grad, const float* mean, int64_t channels, int64_t first, int64_t last, double* sum, double* products);
  // scale·g + slope·x + offset into the input's gradient, and g into the residual's unless that is null.
  void (*propagate)(const float* input, const float* output, const float* output_grad, const float* scale, const float* slope, const float* offset, float* input_grad, float* residual_grad,
                    int64_t channels, int64_t first, int64_t last);
  // Adds the gradient that relu lets through to `sum`.
  void (*add_passed)(const float* output, const float* output_grad, float* sum, int64_t channels, int64_t first, int64_t last);
};

} // namespace temper
