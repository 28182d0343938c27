// Convolution 3×3 with padding 1, stride 1 and no bias, by Winograd's minimal filtering. Images have the memory order N, H, W, C.
#pragma once
#include <cstdint>

namespace temper {

struct conv_shape {
  int64_t height, width, in_channels, out_channels;
};

// 3×3 filters in memory. Tap t of the filter from input channel i to output channel o is weights[o·out_step + i·in_step + t], or
// + 8 − t if the filters are rotated by 180°. The input's gradient is the output's gradient convolved with rotated filters.
struct filters {
  const float* weights;
  int64_t out_step, in_step;
  bool rotated;
};

// Each kernel processes images or output channels from `first` up to `last`. Channels are a multiple of the lanes.
struct conv_kernels {
  // Transforms the filters of a range of output channels to Winograd's domain: [16][in][out].
  void (*transform)(const conv_shape&, const filters&, float* transformed, int64_t first, int64_t last);
  void (*forward)(const conv_shape&, const float* input, const float* transformed, float* output, int64_t first, int64_t last);
  // Adds the gradient of the filters in Winograd's domain, [16][in][out], to `sums`.
  void (*backward)(const conv_shape&, const float* input, const float* output_grad, float* sums, int64_t first, int64_t last);
  // Computes the gradient [out][in][3][3] of a range of output channels from `parts` such sums, stored one after another.
  void (*collect)(const conv_shape&, const float* sums, int64_t parts, float* weight_grad, int64_t first, int64_t last);
};

} // namespace temper
