// Compiled once per instruction set, with TT_LANES floats in a register.
#include "kernels.h"
#include "winograd.h"

using tt::conv_shape;

namespace {

void forward(const conv_shape& s, const float* input, const float* transformed, float* output, int64_t first, int64_t last) {
  const int64_t tile_columns = (s.width + 1) / 2, row = s.width * s.out_channels;
  convolve(s, (s.height + 1) / 2, tile_columns, input, transformed, first, last, [&](int64_t n, int64_t top, int64_t rows, const float* products, int64_t apart) {
    for (int64_t t = 0; t < rows * tile_columns; t++) {
      const int64_t h = 2 * (top + t / tile_columns), w = 2 * (t % tile_columns);
      const bool below = h + 1 < s.height, beside = w + 1 < s.width;
      float* to = output + n * s.height * row + h * row + w * s.out_channels;
      for (int64_t c = 0; c < s.out_channels; c += lanes) {
        vec y[4];
        transform_output(products + t * s.out_channels + c, apart, y);
        store(to + c, y[0]);
        if (beside) store(to + s.out_channels + c, y[1]);
        if (below) store(to + row + c, y[2]);
        if (below && beside) store(to + row + s.out_channels + c, y[3]);
      }
    }
  });
}

void backward(const conv_shape& s, const float* input, const float* grad, float* sums, int64_t first, int64_t last) {
  const int64_t tile_columns = (s.width + 1) / 2, row = s.width * s.out_channels;
  for_tiles(s, (s.height + 1) / 2, tile_columns, input, first, last, [&](int64_t n, int64_t top, int64_t rows, const float* tiles, int64_t in_apart, float* gradients, int64_t out_apart) {
    for (int64_t t = 0; t < rows * tile_columns; t++) {
      const int64_t h = 2 * (top + t / tile_columns), w = 2 * (t % tile_columns);
      const bool below = h + 1 < s.height, beside = w + 1 < s.width;
      const float* from = grad + n * s.height * row + h * row + w * s.out_channels;
      for (int64_t c = 0; c < s.out_channels; c += lanes) {
        const vec y[4] = {load(from + c), beside ? load(from + s.out_channels + c) : vec{}, below ? load(from + row + c) : vec{}, below && beside ? load(from + row + s.out_channels + c) : vec{}};
        transform_gradient(y, gradients + t * s.out_channels + c, out_apart);
      }
    }
    for (int k = 0; k < winograd; k++)
      multiply_add(rows * tile_columns, tiles + k * in_apart, gradients + k * out_apart, sums + k * s.in_channels * s.out_channels, s.in_channels, s.out_channels);
  });
}

} // namespace

template <>
const tt::conv_kernels tt::kernels<TT_LANES>::conv = {transform_weights, forward, backward, transform_weight_gradient};
