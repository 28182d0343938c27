// 3×3 convolution with padding 1 by Winograd's minimal filtering F(2×2, 3×3): input tiles and weights are transformed,
// multiplied as 16 matrices, and transformed back. For the files that are compiled once per instruction set.
// Lavin & Gray 2016, arXiv:1509.09308.
#pragma once
#include "conv_kernels.h"
#include "simd.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace {

constexpr int taps = 9;      // of a 3×3 filter
constexpr int winograd = 16; // values of a 4×4 tile

// A thread's own memory, kept from call to call so that a training step allocates nothing.
inline float* scratch(int64_t floats) {
  struct free_memory { void operator()(float* p) const { std::free(p); } };
  thread_local std::unique_ptr<float, free_memory> memory;
  thread_local int64_t size = 0;
  if (size < floats) {
    size = 0;
    memory.reset(static_cast<float*>(std::aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64)));
    if (!memory) throw std::bad_alloc();
    size = floats;
  }
  return memory.get();
}

constexpr int64_t aligned(int64_t floats) { return (floats + 15) / 16 * 16; }

// A block of `lanes` channels of one image between zeros: [H+3][W+3][lanes], since an odd image's last tile ends beyond its
// border.
struct padded_block {
  int64_t height, width, row;
  explicit padded_block(const tt::conv_shape& s, int64_t depth = lanes) : height(s.height), width(s.width), row((s.width + 3) * depth), depth(depth) {}

  int64_t size() const { return aligned((height + 3) * row); }
  void clear(float* block) const { std::memset(block, 0, size() * sizeof(float)); }

  // The border stays as it is: zero, once cleared.
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

private:
  int64_t depth;
};

// B'dB of a 4×4 tile; the 16 results lie `apart`.
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

// GgG' of the filters of the output channels from `first` up to `last`.
inline void transform_weights(const tt::conv_shape& s, const float* weights, float* transformed, int64_t first, int64_t last) {
  const int64_t filters = s.in_channels * s.out_channels;
  for (int64_t o = first; o < last; o++)
    for (int64_t i = 0; i < s.in_channels; i++) {
      const float* g = weights + o * taps * s.in_channels + i;
      float rows[4][3];
      for (int k = 0; k < 3; k++) {
        float g0 = g[k * s.in_channels], g1 = g[(3 + k) * s.in_channels], g2 = g[(6 + k) * s.in_channels];
        rows[0][k] = g0, rows[1][k] = (g0 + g1 + g2) / 2, rows[2][k] = (g0 - g1 + g2) / 2, rows[3][k] = g2;
      }
      float* to = transformed + i * s.out_channels + o;
      for (int k = 0; k < 4; k++) {
        float r0 = rows[k][0], r1 = rows[k][1], r2 = rows[k][2];
        to[(4 * k) * filters] = r0, to[(4 * k + 1) * filters] = (r0 + r1 + r2) / 2, to[(4 * k + 2) * filters] = (r0 - r1 + r2) / 2, to[(4 * k + 3) * filters] = r2;
      }
    }
}

// product[i][j] = Σ_k left[i][k] · right[k][j], for `Rows` rows and `Columns` registers of it, whose sums stay in registers; or of
// a left that lies transposed, left[k][i], added to what is there. `apart` is the length of left's rows, `width` of the others'.
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

inline void multiply(int64_t rows, const float* left, const float* right, float* product, int64_t depth, int64_t width) {
  // As many sums as there are registers, less those for the factors.
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

// product[i][j] += Σ_k left[k][i] · right[k][j]; height and width in multiples of `lanes`.
inline void multiply_add(int64_t depth, const float* left, const float* right, float* product, int64_t height, int64_t width) {
  constexpr int rows = lanes / 2;
  if (width % (2 * lanes) == 0) multiply_add<rows, 2>(depth, left, right, product, height, width);
  else multiply_add<2 * rows, 1>(depth, left, right, product, height, width);
}

// The tiles of the images from `first` up to `last` in Winograd's domain, some rows of them at a time:
// body(n, top, rows, tiles, in_apart, products, out_apart) is given those of image n from row `top` on, [16][tile][in], and room
// for as many tiles of the output's channels; their 16 values lie `apart`.
template <class Body>
void for_tiles(const tt::conv_shape& s, int64_t tile_rows, int64_t tile_columns, const float* input, int64_t first, int64_t last, Body&& body) {
  // What goes together stays in the second-level cache.
  const int64_t group = std::min(tile_rows, std::max<int64_t>(1, 64 / std::max<int64_t>(1, tile_columns)));
  const int64_t most = group * tile_columns, blocks = s.in_channels / lanes;
  // A line more than they need: 16 streams that lie a power of two apart would share one set of the first-level cache.
  const int64_t in_apart = aligned(most * s.in_channels) + 16, out_apart = aligned(most * s.out_channels) + 16;
  const padded_block padding(s);
  float* padded = scratch(padding.size() * blocks + winograd * (in_apart + out_apart));
  float* tiles = padded + padding.size() * blocks;
  std::memset(padded, 0, padding.size() * blocks * sizeof(float));

  for (int64_t n = first; n < last; n++) {
    for (int64_t b = 0; b < blocks; b++) padding.fill(padded + b * padding.size(), input + n * s.height * s.width * s.in_channels, s.in_channels, b * lanes);
    for (int64_t top = 0; top < tile_rows; top += group) {
      const int64_t rows = std::min(group, tile_rows - top);
      for (int64_t b = 0; b < blocks; b++)
        for (int64_t h = 0; h < rows; h++)
          for (int64_t w = 0; w < tile_columns; w++)
            transform_input(padded + b * padding.size() + 2 * (top + h) * padding.row + 2 * w * lanes, padding.row, tiles + (h * tile_columns + w) * s.in_channels + b * lanes, in_apart);
      body(n, top, rows, tiles, in_apart, tiles + winograd * in_apart, out_apart);
    }
  }
}

// The convolution, up to the last transformation: finish(n, top, rows, products, apart) is given the products of those tiles.
template <class Finish>
void convolve(const tt::conv_shape& s, int64_t tile_rows, int64_t tile_columns, const float* input, const float* transformed, int64_t first, int64_t last, Finish&& finish) {
  for_tiles(s, tile_rows, tile_columns, input, first, last, [&](int64_t n, int64_t top, int64_t rows, const float* tiles, int64_t in_apart, float* products, int64_t out_apart) {
    for (int k = 0; k < winograd; k++)
      multiply(rows * tile_columns, tiles + k * in_apart, transformed + k * s.in_channels * s.out_channels, products + k * out_apart, s.in_channels, s.out_channels);
    finish(n, top, rows, products, out_apart);
  });
}

// A'mA of the 16 values that lie `apart`: the tile's four positions, row by row.
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

// AyA' of a tile's four gradients; the 16 results lie `apart`.
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

// G'uG of every filter: its gradient from that in Winograd's domain.
inline void transform_weight_gradient(const tt::conv_shape& s, const float* transformed, float* weights) {
  const int64_t filters = s.in_channels * s.out_channels;
  const auto fold = [](float u0, float u1, float u2, float u3, float (&w)[3]) { w[0] = u0 + (u1 + u2) / 2, w[1] = (u1 - u2) / 2, w[2] = (u1 + u2) / 2 + u3; };
  for (int64_t o = 0; o < s.out_channels; o++)
    for (int64_t i = 0; i < s.in_channels; i++) {
      const float* u = transformed + i * s.out_channels + o;
      float columns[4][3];
      for (int k = 0; k < 4; k++) fold(u[k * filters], u[(4 + k) * filters], u[(8 + k) * filters], u[(12 + k) * filters], columns[k]);
      for (int k = 0; k < 3; k++) {
        float row[3];
        fold(columns[0][k], columns[1][k], columns[2][k], columns[3][k], row);
        for (int j = 0; j < 3; j++) weights[(o * taps + 3 * k + j) * s.in_channels + i] = row[j];
      }
    }
}

} // namespace
