// Batch normalization of N, H, W, C images as rows of C channels, with what commonly follows it: a residual added, then
// relu. One pass over memory for the statistics and one for the rest, where separate operations take up to six.
#pragma once
#include <cstdint>

namespace tt {

// Each works on the rows from `first` up to `last` of all channels, a multiple of `lanes`; sums are added to.
struct batch_norm_kernels {
  // Σ (x − shift) and Σ (x − shift)², per channel.
  void (*moments)(const float* input, const float* shift, int64_t channels, int64_t first, int64_t last, double* sum, double* squares);
  // scale·x + offset (+ residual), and relu of it where `relu`.
  void (*normalize)(const float* input, const float* scale, const float* offset, const float* residual, bool relu, float* output, int64_t channels, int64_t first, int64_t last);
  // Of the gradient that relu lets through: Σ g and Σ g·(x − mean), per channel. `output` is null without relu.
  void (*gradient_sums)(const float* input, const float* output, const float* grad, const float* mean, int64_t channels, int64_t first, int64_t last, double* sum, double* products);
  // scale·g + slope·x + offset into the input's gradient; g itself into the residual's, where there is one.
  void (*propagate)(const float* input, const float* output, const float* grad, const float* scale, const float* slope, const float* offset, float* grad_input, float* grad_residual,
                    int64_t channels, int64_t first, int64_t last);
};

} // namespace tt
