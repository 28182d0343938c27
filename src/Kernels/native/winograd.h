// Convolution 3×3 with padding 1 by Winograd's minimal filtering F(2×2, 3×3). It transforms tiles of 4×4 pixels and the filters,
// multiplies them as 16 matrices, and transforms the products back to tiles of 2×2. It takes 16 multiplications per tile and
// filter, the definition takes 36; both give equal results in real arithmetic. Lavin & Gray 2016, arXiv:1509.09308. This header
// is for the files that are compiled once per instruction set.
#pragma once
#include "conv_kernels.h"
#include "scratch.h"
#include "simd.h"

#include <algorithm>
#include <cstring>

namespace {

constexpr int taps = 9;      // values of a 3×3 filter
constexpr int winograd = 16; // values of a 4×4 tile

// One image's block of `depth` channels with a border of zeros: [H+3][W+3][depth]. It has a third extra row and column, because
// for an odd size the last tile reaches beyond the border.
struct padded_block {
  int64_t height, width, depth, row;
  explicit padded_block(const temper::conv_shape& s, int64_t depth = lanes) : height(s.height), width(s.width), depth(depth), row((s.width + 3) * depth) {}

  int64_t size() const { return aligned((height + 3) * row); }
  void clear(float* block) const { std::memset(block, 0, size() * sizeof(float)); }

  // Copies the block of channels that begins at `channel`. It does not write to the border, so a cleared border stays zero.
  void fill(float* block, const float* image, int64_t channels, int64_t channel) const {
    for (int64_t h = 0; h < height; h++) {
      float* to = block + (h + 1) * row + depth;
      const float* from = image + h * width * channels + channel;
      if (depth == channels) std::memcpy(to, from, width * depth * sizeof(float));
      else for (int64_t w = 0; w < width; w++) store(to + w * lanes, load(from + w * channels));
    }
  }
  void read(const float* block, float* image, int64_t channels, int64_t channel) const {
    for (int64_t h = 0; h < height; h++)
      for (int64_t w = 0; w < width; w++) store(image + (h * width + w) * channels + channel, load(block + (h + 1) * row + (w + 1) * lanes));
  }
};

// Computes B'dB of a 4×4 tile. The 16 results are `apart` floats from each other.
inline void transform_input(const float* tile, int64_t row, float* to, int64_t apart) {
  vec d[4][4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    vec x0 = load(tile + i * row), x1 = load(tile + i * row + lanes), x2 = load(tile + i * row + 2 * lanes), x3 = load(tile + i * row + 3 * lanes);
    d[i][0] = x0 - x2, d[i][1] = x1 + x2, d[i][2] = x2 - x1, d[i][3] = x1 - x3;
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    store(to + j * apart, d[0][j] - d[2][j]);
    store(to + (4 + j) * apart, d[1][j] + d[2][j]);
    store(to + (8 + j) * apart, d[2][j] - d[1][j]);
    store(to + (12 + j) * apart, d[1][j] - d[3][j]);
  }
}

// Computes GgG' of the filters of the output channels from `first` up to `last`, both multiples of the lanes.
inline void transform_filters(const temper::conv_shape& s, const temper::filters& f, float* transformed, int64_t first, int64_t last) {
  const int64_t apart = s.in_channels * s.out_channels;
  for (int64_t i = 0; i < s.in_channels; i++)
    for (int64_t o = first; o < last; o += lanes) {
      vec g[taps];
      for (int64_t l = 0; l < lanes; l++)
        for (int t = 0; t < taps; t++) g[t][l] = f.weights[(o + l) * f.out_step + i * f.in_step + (f.rotated ? taps - 1 - t : t)];
      vec rows[4][3];
#pragma GCC unroll 3
      for (int k = 0; k < 3; k++) rows[0][k] = g[k], rows[1][k] = (g[k] + g[3 + k] + g[6 + k]) / 2, rows[2][k] = (g[k] - g[3 + k] + g[6 + k]) / 2, rows[3][k] = g[6 + k];
      float* to = transformed + i * s.out_channels + o;
#pragma GCC unroll 4
      for (int k = 0; k < 4; k++) {
        const vec r0 = rows[k][0], r1 = rows[k][1], r2 = rows[k][2];
        store(to + (4 * k) * apart, r0);
        store(to + (4 * k + 1) * apart, (r0 + r1 + r2) / 2);
        store(to + (4 * k + 2) * apart, (r0 - r1 + r2) / 2);
        store(to + (4 * k + 3) * apart, r2);
      }
    }
}

// product[i][j] = Σ_k left[i][k]·right[k][j] for `Rows` rows and `Columns` registers; the sums stay in registers. If Transposed,
// left has the layout [k][i], and the sums are added to `product`. `apart` is the length of left's rows, `width` that of the
// other rows.
template <int Rows, int Columns, bool Transposed = false>
inline void multiply_tile(const float* left, const float* right, float* product, int64_t depth, int64_t apart, int64_t width) {
  vec sum[Rows][Columns];
#pragma GCC unroll 24
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 8
    for (int j = 0; j < Columns; j++) sum[i][j] = Transposed ? load(product + i * width + j * lanes) : vec{};
  for (int64_t k = 0; k < depth; k++) {
    vec r[Columns];
#pragma GCC unroll 8
    for (int j = 0; j < Columns; j++) r[j] = load(right + k * width + j * lanes);
#pragma GCC unroll 24
    for (int i = 0; i < Rows; i++) {
      const vec l = all(Transposed ? left[k * apart + i] : left[i * apart + k]);
#pragma GCC unroll 8
      for (int j = 0; j < Columns; j++) sum[i][j] += l * r[j];
    }
  }
#pragma GCC unroll 24
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 8
    for (int j = 0; j < Columns; j++) store(product + i * width + j * lanes, sum[i][j]);
}

template <int Rows, int Columns>
void multiply_last(int64_t rows, const float* left, const float* right, float* product, int64_t depth, int64_t width) {
  if (rows == Rows) multiply_tile<Rows, Columns>(left, right, product, depth, depth, width);
  else if constexpr (Rows > 1) multiply_last<Rows - 1, Columns>(rows, left, right, product, depth, width);
}

template <int Rows, int Columns>
void multiply(int64_t rows, const float* left, const float* right, float* product, int64_t depth, int64_t width) {
  for (int64_t j = 0; j < width; j += Columns * lanes) {
    int64_t i = 0;
    for (; i + Rows <= rows; i += Rows) multiply_tile<Rows, Columns>(left + i * depth, right + j, product + i * width + j, depth, depth, width);
    if (i < rows) multiply_last<Rows - 1, Columns>(rows - i, left + i * depth, right + j, product + i * width + j, depth, width);
  }
}

// product[i][j] = Σ_k left[i][k]·right[k][j]. `width` is a multiple of the lanes.
inline void multiply(int64_t rows, const float* left, const float* right, float* product, int64_t depth, int64_t width) {
  // Use as many sums as there are registers, less those for the factors.
  if constexpr (lanes == 16) {
    if (width % 64 == 0) multiply<6, 4>(rows, left, right, product, depth, width);
    else if (width % 32 == 0) multiply<12, 2>(rows, left, right, product, depth, width);
    else multiply<24, 1>(rows, left, right, product, depth, width);
  } else {
    if (width % 16 == 0) multiply<6, 2>(rows, left, right, product, depth, width);
    else multiply<12, 1>(rows, left, right, product, depth, width);
  }
}

template <int Rows, int Columns>
void multiply_add(int64_t depth, const float* left, const float* right, float* product, int64_t height, int64_t width) {
  for (int64_t i = 0; i < height; i += Rows)
    for (int64_t j = 0; j < width; j += Columns * lanes) multiply_tile<Rows, Columns, true>(left + i, right + j, product + i * width + j, depth, height, width);
}

// product[i][j] += Σ_k left[k][i]·right[k][j]. Height and width are multiples of the lanes.
inline void multiply_add(int64_t depth, const float* left, const float* right, float* product, int64_t height, int64_t width) {
  constexpr int rows = lanes / 2;
  if (width % (2 * lanes) == 0) multiply_add<rows, 2>(depth, left, right, product, height, width);
  else multiply_add<2 * rows, 1>(depth, left, right, product, height, width);
}

// Returns blocks of channels of one image with borders of zeros. It keeps them from call to call and clears them for another
// shape.
inline float* padded_blocks(const padded_block& padding, int64_t blocks) {
  thread_local int64_t height = 0, width = 0, cleared = 0;
  thread_local const float* memory = nullptr;
  if (scratch_size<4>() < padding.size() * blocks) memory = nullptr; // new memory may have the address of the old
  float* padded = scratch<4>(padding.size() * blocks);
  if (padded != memory || padding.height != height || padding.width != width || cleared < blocks) {
    std::memset(padded, 0, padding.size() * blocks * sizeof(float));
    memory = padded, height = padding.height, width = padding.width, cleared = blocks;
  }
  return padded;
}

// A group of tiles to process together: rows of tiles of one image, or all tiles of several small images.
struct tile_group {
  int64_t image, images, top, rows, columns;
  int64_t tiles() const { return images * rows * columns; }
};

// Calls body(group, tiles, in_apart, products, out_apart) for all tiles of the images from `first` up to `last`. `tiles` has the
// group's tiles in Winograd's domain, [16][tile][in]; `products` is a buffer for as many tiles of the output's channels.
template <class Body>
void for_tiles(const temper::conv_shape& s, int64_t tile_rows, int64_t tile_columns, const float* input, int64_t first, int64_t last, const Body& body) {
  if (first >= last) return;
  // Tiles per group, so that the factors of a product stay in the second-level cache.
  constexpr int64_t enough = 64;
  const int64_t rows = std::min(tile_rows, std::max<int64_t>(1, enough / std::max<int64_t>(1, tile_columns)));
  const int64_t images = rows == tile_rows ? std::clamp<int64_t>(enough / std::max<int64_t>(1, tile_rows * tile_columns), 1, last - first) : 1;
  const int64_t most = images * rows * tile_columns, blocks = s.in_channels / lanes;
  // Add one cache line: 16 streams at a distance of a power of two would share one set of the first-level cache.
  const int64_t in_apart = aligned(most * s.in_channels) + 16, out_apart = aligned(most * s.out_channels) + 16;
  const padded_block padding(s);
  float* padded = padded_blocks(padding, blocks);
  float* tiles = scratch<0>(winograd * (in_apart + out_apart));

  for (int64_t n = first; n < last; n += images) {
    tile_group group{n, std::min(images, last - n), 0, rows, tile_columns};
    for (int64_t i = 0; i < group.images; i++) {
      for (int64_t b = 0; b < blocks; b++) padding.fill(padded + b * padding.size(), input + (n + i) * s.height * s.width * s.in_channels, s.in_channels, b * lanes);
      for (group.top = 0; group.top < tile_rows; group.top += rows) {
        group.rows = std::min(rows, tile_rows - group.top);
        for (int64_t b = 0; b < blocks; b++)
          for (int64_t h = 0; h < group.rows; h++)
            for (int64_t w = 0; w < tile_columns; w++)
              transform_input(padded + b * padding.size() + 2 * (group.top + h) * padding.row + 2 * w * lanes, padding.row,
                              tiles + ((i * group.rows + h) * tile_columns + w) * s.in_channels + b * lanes, in_apart);
        if (i == group.images - 1) body(group, tiles, in_apart, tiles + winograd * in_apart, out_apart);
      }
    }
  }
}

// Computes the convolution up to the last transformation. It calls finish(group, products, apart) with each group's products.
template <class Finish>
void convolve(const temper::conv_shape& s, int64_t tile_rows, int64_t tile_columns, const float* input, const float* transformed, int64_t first, int64_t last, const Finish& finish) {
  for_tiles(s, tile_rows, tile_columns, input, first, last, [&](const tile_group& group, const float* tiles, int64_t in_apart, float* products, int64_t out_apart) {
    for (int k = 0; k < winograd; k++)
      multiply(group.tiles(), tiles + k * in_apart, transformed + k * s.in_channels * s.out_channels, products + k * out_apart, s.in_channels, s.out_channels);
    finish(group, products, out_apart);
  });
}

// Computes A'mA of 16 values that are `apart` floats from each other: the tile's four pixels, row by row.
inline void transform_output(const float* from, int64_t apart, vec (&y)[4]) {
  vec rows[2][4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    vec m0 = load(from + j * apart), m1 = load(from + (4 + j) * apart), m2 = load(from + (8 + j) * apart), m3 = load(from + (12 + j) * apart);
    rows[0][j] = m0 + m1 + m2, rows[1][j] = m1 - m2 - m3;
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++) y[2 * i] = rows[i][0] + rows[i][1] + rows[i][2], y[2 * i + 1] = rows[i][1] - rows[i][2] - rows[i][3];
}

// Computes AyA' of a tile's four gradients. The 16 results are `apart` floats from each other.
inline void transform_gradient(const vec (&y)[4], float* to, int64_t apart) {
  const vec rows[4][2] = {{y[0], y[1]}, {y[0] + y[2], y[1] + y[3]}, {y[0] - y[2], y[1] - y[3]}, {-y[2], -y[3]}};
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    store(to + 4 * i * apart, rows[i][0]);
    store(to + (4 * i + 1) * apart, rows[i][0] + rows[i][1]);
    store(to + (4 * i + 2) * apart, rows[i][0] - rows[i][1]);
    store(to + (4 * i + 3) * apart, -rows[i][1]);
  }
}

// Computes G'uG, the gradient of the filters of the output channels from `first` up to `last`, both multiples of the lanes, from
// the sums of their gradients in Winograd's domain.
inline void collect_filter_gradients(const temper::conv_shape& s, const float* sums, int64_t parts, float* weight_grad, int64_t first, int64_t last) {
  const int64_t apart = s.in_channels * s.out_channels;
  const auto fold = [](vec u0, vec u1, vec u2, vec u3, vec (&w)[3]) { w[0] = u0 + (u1 + u2) / 2, w[1] = (u1 - u2) / 2, w[2] = (u1 + u2) / 2 + u3; };
  for (int64_t i = 0; i < s.in_channels; i++)
    for (int64_t o = first; o < last; o += lanes) {
      vec u[winograd];
      for (int k = 0; k < winograd; k++) {
        const float* from = sums + k * apart + i * s.out_channels + o;
        u[k] = load(from);
        for (int64_t part = 1; part < parts; part++) u[k] += load(from + part * winograd * apart);
      }
      vec columns[4][3], rows[3][3];
#pragma GCC unroll 4
      for (int k = 0; k < 4; k++) fold(u[k], u[4 + k], u[8 + k], u[12 + k], columns[k]);
#pragma GCC unroll 3
      for (int k = 0; k < 3; k++) fold(columns[0][k], columns[1][k], columns[2][k], columns[3][k], rows[k]);
      for (int64_t l = 0; l < lanes; l++)
        for (int t = 0; t < taps; t++) weight_grad[((o + l) * s.in_channels + i) * taps + t] = rows[t / 3][t % 3][l];
    }
}

} // namespace
