// Batch normalization over rows of C channels, the addition of a residual, and relu. The kernels take one pass over memory for
// the statistics and one for the rest; separate operations take up to six.
#pragma once
#include <cstdint>

namespace temper {

// Each kernel processes the rows from `first` up to `last`. Channels are a multiple of the lanes. Kernels add sums to their
// targets.
struct batch_norm_kernels {
  // Adds up Σ (x − shift) and Σ (x − shift)², per channel.
  void (*moments)(const float* input, const float* shift, int64_t channels, int64_t first, int64_t last, double* sum, double* squares);
  // Writes scale·x + offset, plus the residual unless it is null, with relu applied if `relu` is true.
  void (*normalize)(const float* input, const float* scale, const float* offset, const float* residual, bool relu, float* output, int64_t channels, int64_t first, int64_t last);
  // Adds up Σ g and Σ g·(x − mean) of the gradients g that relu passes, per channel. `output` is null if there was no relu.
  void (*gradient_sums)(const float* input, const float* output, const float* output_grad, const float* mean, int64_t channels, int64_t first, int64_t last, double* sum, double* products);
  // Writes scale·g + slope·x + offset to the input's gradient, and g to the residual's unless that is null.
  void (*propagate)(const float* input, const float* output, const float* output_grad, const float* scale, const float* slope, const float* offset, float* input_grad, float* residual_grad,
                    int64_t channels, int64_t first, int64_t last);
  // Adds the gradient that relu passes to `sum`.
  void (*add_passed)(const float* output, const float* output_grad, float* sum, int64_t channels, int64_t first, int64_t last);
};

} // namespace temper
