// 3×3 convolution with padding 1, stride 1 and no bias, in float32 on the CPU, by Winograd's minimal filtering. Images are
// N, H, W, C.
#pragma once
#include <cstdint>

namespace tt {

struct conv_shape {
  int64_t height, width, in_channels, out_channels;
};

// Input and output channels come in multiples of the lanes.
struct conv_kernels {
  // Weights [out][3][3][in] in Winograd's domain: [16][in][out]; those of the output channels from `first` up to `last`.
  void (*transform)(const conv_shape&, const float* weights, float* transformed, int64_t first, int64_t last);
  // The images from `first` up to `last`.
  void (*forward)(const conv_shape&, const float* input, const float* transformed, float* output, int64_t first, int64_t last);
  // Adds the weights' gradient in Winograd's domain to `sums`, [16][in][out]; and turns such sums to [out][3][3][in].
  void (*backward)(const conv_shape&, const float* input, const float* grad, float* sums, int64_t first, int64_t last);
  void (*collect)(const conv_shape&, const float* sums, float* grad_weights);
};

} // namespace tt
