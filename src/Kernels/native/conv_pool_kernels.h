// The block convolution 3×3 (padding 1) → relu → max pooling 2×2.
//
// relu and the maximum commute, so the block is relu(max(convolution)). Of a window's four gradients at most one is not zero,
// and none is where the maximum is not above 0: backward multiplies a quarter of the convolution's terms or fewer. In forward a
// window's four values are computed from the 4×4 pixels under it, which is one tile of Winograd's filtering (winograd.h).
#pragma once
#include "conv_kernels.h"

namespace temper {

struct conv_pool_shape : conv_shape {
  int64_t pooled_height() const { return height / 2; }
  int64_t pooled_width() const { return width / 2; }
  int64_t windows() const { return pooled_height() * pooled_width(); }
};

// The position of a window whose maximum was not above 0. Others are 0 to 3, row by row; of equal values the first counts.
constexpr uint8_t STOPPED = 4;

// Each kernel works on the images from `first` up to `last`. `positions` may be null in forward, `input_grad` in backward.
struct conv_pool_kernels {
  // One input channel; output channels in multiples of 16. Filters and their gradients lie [3][3][out].
  void (*forward_one)(const conv_pool_shape&, const float* input, const float* filters, const float* bias, float* output, uint8_t* positions, int64_t first, int64_t last);
  void (*backward_one)(const conv_pool_shape&, const float* input, const uint8_t* positions, const float* output_grad, float* filter_sums, float* bias_sums, int64_t first, int64_t last);

  // Input channels in multiples of the lanes, output channels in multiples of 32. Filters in Winograd's domain, [16][in][out].
  void (*forward)(const conv_pool_shape&, const float* input, const float* transformed, const float* bias, float* output, uint8_t* positions, int64_t first, int64_t last);
  // Filters lie [in / lanes][out][3][3][lanes], as do the sums that their gradients are added to.
  void (*backward)(const conv_pool_shape&, const float* input, const float* filters, const uint8_t* positions, const float* output_grad, float* filter_sums, float* bias_sums, float* input_grad,
                   int64_t first, int64_t last);
};

} // namespace temper
