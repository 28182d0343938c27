// The block convolution 3×3 (padding 1) → relu → max pooling 2×2.
//
// relu and the maximum commute, so the block is relu(max(convolution)). At most one of a window's four gradients is nonzero, and
// all are zero if the maximum is not above 0. So the backward pass multiplies at most a quarter of the convolution's terms. The
// forward pass computes a window's four values from the 4×4 pixels under it, which are one tile of Winograd's filtering
// (winograd.h).
#pragma once
#include "conv_kernels.h"

namespace temper {

struct conv_pool_shape : conv_shape {
  int64_t pooled_height() const { return height / 2; }
  int64_t pooled_width() const { return width / 2; }
  int64_t windows() const { return pooled_height() * pooled_width(); }
};

// The position for a window whose maximum is not above 0. Other positions are 0 to 3, row by row; of equal values the first
// counts.
constexpr uint8_t STOPPED = 4;

// Each kernel processes the images from `first` up to `last`. `positions` may be null in forward, `input_grad` in backward.
struct conv_pool_kernels {
  // For one input channel and a multiple of 16 output channels. Filters and their gradients have the layout [3][3][out].
  void (*forward_one)(const conv_pool_shape&, const float* input, const float* filters, const float* bias, float* output, uint8_t* positions, int64_t first, int64_t last);
  void (*backward_one)(const conv_pool_shape&, const float* input, const uint8_t* positions, const float* output_grad, float* filter_sums, float* bias_sums, int64_t first, int64_t last);

  // For a multiple of the lanes as input channels and of 32 as output channels. Filters are in Winograd's domain, [16][in][out].
  void (*forward)(const conv_pool_shape&, const float* input, const float* transformed, const float* bias, float* output, uint8_t* positions, int64_t first, int64_t last);
  // Filters have the layout [in / lanes][out][3][3][lanes], and so do the sums to which it adds their gradients.
  void (*backward)(const conv_pool_shape&, const float* input, const float* filters, const uint8_t* positions, const float* output_grad, float* filter_sums, float* bias_sums, float* input_grad,
                   int64_t first, int64_t last);
};

} // namespace temper
