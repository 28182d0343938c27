// Convolution 3×3 with padding 1, stride 1 and no bias, by Winograd's minimal filtering. Images lie N, H, W, C.
#pragma once
#include <cstdint>

namespace temper {

struct conv_shape {
  int64_t height, width, in_channels, out_channels;
};

// Where the 3×3 filters lie: tap t of the filter from input channel i to output channel o is weights[o·out_step + i·in_step + t],
// or + 8 − t when the filters are rotated by 180°. The input's gradient is the output's gradient convolved with rotated filters.
struct filters {
  const float* weights;
  int64_t out_step, in_step;
  bool rotated;
};

// Each kernel works on the range from `first` up to `last` of images or of output channels. Channels come in multiples of the lanes.
struct conv_kernels {
  // The filters of a range of output channels in Winograd's domain: [16][in][out].
  void (*transform)(const conv_shape&, const filters&, float* transformed, int64_t first, int64_t last);
  void (*forward)(const conv_shape&, const float* input, const float* transformed, float* output, int64_t first, int64_t last);
  // Adds the gradient of the filters in Winograd's domain, [16][in][out], to `sums`.
  void (*backward)(const conv_shape&, const float* input, const float* output_grad, float* sums, int64_t first, int64_t last);
  // The gradient [out][in][3][3] of a range of output channels from `parts` such sums, which lie one after another.
  void (*collect)(const conv_shape&, const float* sums, int64_t parts, float* weight_grad, int64_t first, int64_t last);
};

} // namespace temper
