// Compiled once per instruction set, with KERNEL_LANES floats in a register.
#include "instruction_sets.h"
#include "winograd.h"

using temper::conv_shape;

namespace {

// Calls body(tile's index, its first pixel's offset in [image][height][width][channels], whether it has a second row, and a
// second column) for every tile of a group. For an odd size, half of each last tile is outside the image.
template <class Body>
void for_outputs(const conv_shape& s, const tile_group& group, int64_t channels, const Body& body) {
  int64_t tile = 0;
  for (int64_t n = group.image; n < group.image + group.images; n++)
    for (int64_t h = 2 * group.top; h < 2 * (group.top + group.rows); h += 2)
      for (int64_t w = 0; w < 2 * group.columns; w += 2) body(tile++, ((n * s.height + h) * s.width + w) * channels, h + 1 < s.height, w + 1 < s.width);
}

void forward(const conv_shape& s, const float* input, const float* transformed, float* output, int64_t first, int64_t last) {
  const int64_t row = s.width * s.out_channels;
  convolve(s, (s.height + 1) / 2, (s.width + 1) / 2, input, transformed, first, last, [&](const tile_group& group, const float* products, int64_t apart) {
    for_outputs(s, group, s.out_channels, [&](int64_t tile, int64_t at, bool below, bool beside) {
      float* to = output + at;
      for (int64_t c = 0; c < s.out_channels; c += lanes) {
        vec y[4];
        transform_output(products + tile * s.out_channels + c, apart, y);
        store(to + c, y[0]);
        if (beside) store(to + s.out_channels + c, y[1]);
        if (below) store(to + row + c, y[2]);
        if (below && beside) store(to + row + s.out_channels + c, y[3]);
      }
    });
  });
}

void backward(const conv_shape& s, const float* input, const float* output_grad, float* sums, int64_t first, int64_t last) {
  const int64_t row = s.width * s.out_channels;
  for_tiles(s, (s.height + 1) / 2, (s.width + 1) / 2, input, first, last, [&](const tile_group& group, const float* tiles, int64_t in_apart, float* gradients, int64_t out_apart) {
    for_outputs(s, group, s.out_channels, [&](int64_t tile, int64_t at, bool below, bool beside) {
      const float* from = output_grad + at;
      for (int64_t c = 0; c < s.out_channels; c += lanes) {
        const vec y[4] = {load(from + c), beside ? load(from + s.out_channels + c) : vec{}, below ? load(from + row + c) : vec{}, below && beside ? load(from + row + s.out_channels + c) : vec{}};
        transform_gradient(y, gradients + tile * s.out_channels + c, out_apart);
      }
    });
    for (int k = 0; k < winograd; k++)
      multiply_add(group.tiles(), tiles + k * in_apart, gradients + k * out_apart, sums + k * s.in_channels * s.out_channels, s.in_channels, s.out_channels);
  });
}

} // namespace

template <>
const temper::conv_kernels temper::kernels<KERNEL_LANES>::conv = {transform_filters, forward, backward, collect_filter_gradients};
