// The arithmetic of the fused block conv 3×3 (padding 1) → relu → max pooling 2×2 on the CPU, in float32.
//
// relu and maximum commute, so a block gives relu(max(conv)). Of each 2×2 window at most one position reaches the output,
// and none where the maximum is not above 0: backward multiplies only what that leaves, a quarter of the convolution's
// gradient or less. Forward computes the four positions of a window from the 4×4 pixels under it by Winograd's minimal
// filtering F(2×2, 3×3) (Lavin & Gray 2016, arXiv:1509.09308): 16 products where the definition has 36. Both are equal to
// the definition in real arithmetic; in float32 the sums are rounded in another order.
//
// conv_pool_kernels.cpp is compiled once per instruction set. Images are N, H, W, C.
#pragma once
#include "conv_kernels.h"

namespace tt {

struct conv_pool_shape : conv_shape {
  int64_t pooled_height() const { return height / 2; } // an odd last row or column reaches no window
  int64_t pooled_width() const { return width / 2; }
  int64_t windows() const { return pooled_height() * pooled_width(); }
};

// Where a window's maximum was: 0 to 3, row by row, the first of equals; DEAD where it was not above 0.
constexpr uint8_t DEAD = 4;

// One instruction set's kernels. Each works on the images from `first` up to `last`, and may run on several threads for
// disjoint images. Weights are [out][3][3][in]. Backward adds to its sums: weights as [out][in / lanes][3][3][lanes] (for
// one input channel [3][3][out]), biases as [out]. `argmax` may be null in forward, `grad_input` in backward.
struct conv_pool_kernels {
  int64_t lanes; // floats in a register; input channels come in multiples of it

  // For one input channel, whose weights are turned to [3][3][out]; output channels in multiples of 16.
  void (*forward_one)(const conv_pool_shape&, const float* input, const float* weights, const float* bias, float* output, uint8_t* argmax, int64_t first, int64_t last);
  void (*backward_one)(const conv_pool_shape&, const float* input, const float* grad, const uint8_t* argmax, float* grad_weights, float* grad_bias, int64_t first, int64_t last);

  // Weights in Winograd's domain, [16][in][out]: those of the output channels from `first` up to `last`.
  void (*transform)(const conv_shape&, const float* weights, float* transformed, int64_t first, int64_t last);
  // Output channels in multiples of 32.
  void (*forward)(const conv_pool_shape&, const float* input, const float* transformed, const float* bias, float* output, uint8_t* argmax, int64_t first, int64_t last);
  void (*backward)(const conv_pool_shape&, const float* input, const float* grad, const uint8_t* argmax, const float* weights, float* grad_weights, float* grad_bias, float* grad_input,
                   int64_t first, int64_t last);
};

} // namespace tt
