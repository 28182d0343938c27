// Compiled once per instruction set, with TT_LANES floats in a register.
#include "kernels.h"
#include "winograd.h"

using tt::conv_shape;

namespace {

void transform(const conv_shape& s, const float* weights, float* transformed) { transform_weights(s, weights, transformed); }

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

} // namespace

template <>
const tt::conv_kernels tt::kernels<TT_LANES>::conv = {TT_LANES, transform, forward};
