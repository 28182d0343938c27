// Compiled once per instruction set, with TT_LANES floats in a register.
#include "kernels.h"
#include "simd.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <immintrin.h>
#include <memory>
#include <new>

using tt::conv_pool_shape;
using tt::DEAD;

namespace {

constexpr int taps = 9;      // of a 3×3 filter
constexpr int winograd = 16; // values of a 4×4 tile

typedef uint8_t bytes __attribute__((vector_size(TT_LANES)));
typedef uint8_t loose_bytes __attribute__((vector_size(TT_LANES), aligned(1), may_alias));

inline ivec load_indices(const uint8_t* p) { return __builtin_convertvector(bytes(*reinterpret_cast<const loose_bytes*>(p)), ivec); }
inline void store_indices(uint8_t* p, ivec v) { *reinterpret_cast<loose_bytes*>(p) = __builtin_convertvector(v, bytes); }

// A thread's own memory, kept from call to call so that a training step allocates nothing.
float* scratch(int64_t floats) {
  struct free_memory { void operator()(float* p) const { std::free(p); } };
  thread_local std::unique_ptr<float, free_memory> memory;
  thread_local int64_t size = 0;
  if (size < floats) {
    memory.reset(static_cast<float*>(std::aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64)));
    if (!memory) throw std::bad_alloc();
    size = floats;
  }
  return memory.get();
}

constexpr int64_t aligned(int64_t floats) { return (floats + 15) / 16 * 16; }

// A block of `lanes` channels of one image between zeros: [H+2][W+2][lanes].
struct padded_block {
  int64_t height, width, row;
  explicit padded_block(const conv_pool_shape& s, int64_t depth = lanes) : height(s.height), width(s.width), row((s.width + 2) * depth), depth(depth) {}

  int64_t size() const { return aligned((height + 2) * row); }
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

// relu of the maximum of a window, and where it was. A NaN is the maximum, as in PyTorch, and no relu stops it.
inline vec pool(vec a, vec b, vec c, vec d, vec bias, uint8_t* argmax) {
  vec best = a;
  ivec place = {};
  auto compare = [&](vec value, int position) {
    ivec larger = (value > best) | (value != value);
    best = larger ? value : best;
    place = larger ? position - ivec{} : place;
  };
  compare(b, 1);
  compare(c, 2);
  compare(d, 3);
  best += bias;
  ivec dead = best <= vec{};
  if (argmax) store_indices(argmax, dead ? int(DEAD) - ivec{} : place);
  return dead ? vec{} : best;
}

// ---- one input channel: everything in one pass, the weights of a block of output channels in registers

void forward_one(const conv_pool_shape& s, const float* input, const float* weights, const float* bias, float* output, uint8_t* argmax, int64_t first, int64_t last) {
  const padded_block padding(s, 1);
  float* padded = scratch(padding.size());
  padding.clear(padded);
  for (int64_t n = first; n < last; n++) {
    padding.fill(padded, input + n * s.height * s.width, 1, 0);
    for (int64_t c = 0; c < s.out_channels; c += lanes) {
      vec weight[taps];
      for (int t = 0; t < taps; t++) weight[t] = load(weights + t * s.out_channels + c);
      const vec offset = load(bias + c);
      for (int64_t h = 0; h < s.pooled_height(); h++)
        for (int64_t w = 0; w < s.pooled_width(); w++) {
          const float* x = padded + 2 * h * padding.row + 2 * w;
          vec y[4] = {};
#pragma GCC unroll 3
          for (int kh = 0; kh < 3; kh++)
#pragma GCC unroll 3
            for (int kw = 0; kw < 3; kw++)
#pragma GCC unroll 4
              for (int p = 0; p < 4; p++) y[p] += all(x[(kh + p / 2) * padding.row + kw + p % 2]) * weight[kh * 3 + kw];
          const int64_t at = ((n * s.pooled_height() + h) * s.pooled_width() + w) * s.out_channels + c;
          store(output + at, pool(y[0], y[1], y[2], y[3], offset, argmax ? argmax + at : nullptr));
        }
    }
  }
}

void backward_one(const conv_pool_shape& s, const float* input, const float* grad, const uint8_t* argmax, float* grad_weights, float* grad_bias, int64_t first, int64_t last) {
  const padded_block padding(s, 1);
  float* padded = scratch(padding.size());
  padding.clear(padded);
  for (int64_t n = first; n < last; n++) {
    padding.fill(padded, input + n * s.height * s.width, 1, 0);
    for (int64_t c = 0; c < s.out_channels; c += lanes) {
      vec sum[taps], bias = load(grad_bias + c);
      for (int t = 0; t < taps; t++) sum[t] = load(grad_weights + t * s.out_channels + c);
      for (int64_t h = 0; h < s.pooled_height(); h++)
        for (int64_t w = 0; w < s.pooled_width(); w++) {
          const int64_t at = ((n * s.pooled_height() + h) * s.pooled_width() + w) * s.out_channels + c;
          const vec g = load(grad + at);
          const ivec place = load_indices(argmax + at);
          const float* x = padded + 2 * h * padding.row + 2 * w;
          bias += place != int(DEAD) - ivec{} ? g : vec{};
#pragma GCC unroll 4
          for (int p = 0; p < 4; p++) {
            const vec entering = place == p - ivec{} ? g : vec{};
#pragma GCC unroll 3
            for (int kh = 0; kh < 3; kh++)
#pragma GCC unroll 3
              for (int kw = 0; kw < 3; kw++) sum[kh * 3 + kw] += entering * all(x[(kh + p / 2) * padding.row + kw + p % 2]);
          }
        }
      for (int t = 0; t < taps; t++) store(grad_weights + t * s.out_channels + c, sum[t]);
      store(grad_bias + c, bias);
    }
  }
}

// ---- many input channels, forward: input tiles and weights to Winograd's domain, 16 matrix products there, and back

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

// A'mA of the 16 values that lie `apart`: the window's four positions, pooled.
inline vec transform_output(const float* from, int64_t apart, vec bias, uint8_t* argmax) {
  vec rows[2][4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    vec m0 = load(from + j * apart), m1 = load(from + (4 + j) * apart), m2 = load(from + (8 + j) * apart), m3 = load(from + (12 + j) * apart);
    rows[0][j] = m0 + m1 + m2, rows[1][j] = m1 - m2 - m3;
  }
  return pool(
      rows[0][0] + rows[0][1] + rows[0][2], rows[0][1] - rows[0][2] - rows[0][3],
      rows[1][0] + rows[1][1] + rows[1][2], rows[1][1] - rows[1][2] - rows[1][3], bias, argmax);
}

// GgG' of every filter.
void transform(const conv_pool_shape& s, const float* weights, float* transformed) {
  const int64_t filters = s.in_channels * s.out_channels;
  for (int64_t o = 0; o < s.out_channels; o++)
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

// product[Rows][Columns·lanes] = left[Rows][depth] · right[depth][...], all of it in registers.
template <int Rows, int Columns>
inline void multiply_tile(const float* left, const float* right, float* product, int64_t depth, int64_t width) {
  vec sum[Rows][Columns] = {};
  for (int64_t k = 0; k < depth; k++) {
    vec r[Columns];
#pragma GCC unroll 8
    for (int j = 0; j < Columns; j++) r[j] = load(right + k * width + j * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++) {
      const vec l = all(left[i * depth + k]);
#pragma GCC unroll 8
      for (int j = 0; j < Columns; j++) sum[i][j] += l * r[j];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 8
    for (int j = 0; j < Columns; j++) store(product + i * width + j * lanes, sum[i][j]);
}

template <int Rows, int Columns>
void multiply_last(int64_t rows, const float* left, const float* right, float* product, int64_t depth, int64_t width) {
  if (rows == Rows) multiply_tile<Rows, Columns>(left, right, product, depth, width);
  else if constexpr (Rows > 1) multiply_last<Rows - 1, Columns>(rows, left, right, product, depth, width);
}

template <int Rows, int Columns>
void multiply(int64_t rows, const float* left, const float* right, float* product, int64_t depth, int64_t width) {
  for (int64_t j = 0; j < width; j += Columns * lanes) {
    int64_t i = 0;
    for (; i + Rows <= rows; i += Rows) multiply_tile<Rows, Columns>(left + i * depth, right + j, product + i * width + j, depth, width);
    if (i < rows) multiply_last<Rows - 1, Columns>(rows - i, left + i * depth, right + j, product + i * width + j, depth, width);
  }
}

void forward(const conv_pool_shape& s, const float* input, const float* transformed, const float* bias, float* output, uint8_t* argmax, int64_t first, int64_t last) {
  // Rows of windows that go together: their tiles stay in the second-level cache.
  const int64_t width = s.pooled_width(), group = std::min(s.pooled_height(), std::max<int64_t>(1, 56 / std::max<int64_t>(1, width)));
  const int64_t most = group * width, in_apart = aligned(most * s.in_channels), out_apart = aligned(most * s.out_channels);
  const padded_block padding(s);
  float* padded = scratch(padding.size() * (s.in_channels / lanes) + winograd * (in_apart + out_apart));
  float* tiles = padded + padding.size() * (s.in_channels / lanes);
  float* products = tiles + winograd * in_apart;
  std::memset(padded, 0, padding.size() * (s.in_channels / lanes) * sizeof(float));

  for (int64_t n = first; n < last; n++) {
    const float* image = input + n * s.height * s.width * s.in_channels;
    for (int64_t c = 0; c < s.in_channels; c += lanes) padding.fill(padded + c / lanes * padding.size(), image, s.in_channels, c);
    for (int64_t top = 0; top < s.pooled_height(); top += group) {
      const int64_t rows = std::min(group, s.pooled_height() - top), count = rows * width;
      for (int64_t c = 0; c < s.in_channels; c += lanes)
        for (int64_t t = 0; t < count; t++)
          transform_input(padded + c / lanes * padding.size() + 2 * (top + t / width) * padding.row + 2 * (t % width) * lanes, padding.row, tiles + t * s.in_channels + c, in_apart);

      for (int k = 0; k < winograd; k++) {
        const float *left = tiles + k * in_apart, *right = transformed + k * s.in_channels * s.out_channels;
        float* product = products + k * out_apart;
#if TT_LANES == 16
        if (s.out_channels % 64 == 0) multiply<6, 4>(count, left, right, product, s.in_channels, s.out_channels);
        else multiply<12, 2>(count, left, right, product, s.in_channels, s.out_channels);
#else
        multiply<6, 2>(count, left, right, product, s.in_channels, s.out_channels);
#endif
      }

      const int64_t start = (n * s.windows() + top * width) * s.out_channels;
      for (int64_t t = 0; t < count; t++)
        for (int64_t c = 0; c < s.out_channels; c += lanes) {
          const int64_t at = t * s.out_channels + c;
          store(output + start + at, transform_output(products + at, out_apart, load(bias + c), argmax ? argmax + start + at : nullptr));
        }
    }
  }
}

// ---- many input channels, backward

// What reaches each output channel of one image: gradients, and where in a padded block their 3×3 patch begins.
struct entries {
  float* values;    // [out][windows]
  int32_t* offsets; // [out][windows]
  int32_t* counts;  // [out]

  void gather(const conv_pool_shape& s, const float* grad, const uint8_t* argmax, int64_t row) {
    const int64_t windows = s.windows();
    std::memset(counts, 0, s.out_channels * sizeof(int32_t));
    for (int64_t p = 0; p < windows; p++) {
      const auto corner = static_cast<int32_t>(2 * (p / s.pooled_width()) * row + 2 * (p % s.pooled_width()) * lanes);
      const int32_t begin[4] = {corner, static_cast<int32_t>(corner + lanes), static_cast<int32_t>(corner + row), static_cast<int32_t>(corner + row + lanes)};
      for (int64_t c = 0; c < s.out_channels; c++) {
        // Written always, kept only where it counts: no branch to mispredict.
        const uint8_t place = argmax[p * s.out_channels + c];
        const int32_t count = counts[c];
        values[c * windows + count] = grad[p * s.out_channels + c];
        offsets[c * windows + count] = begin[place & 3];
        counts[c] = count + (place != DEAD);
      }
    }
  }
};

// One block of input channels of the weights' gradient: for each output channel the patches under its entries.
void add_weight_gradient(const conv_pool_shape& s, const entries& entering, const float* padded, int64_t row, float* grad_weights, int64_t block) {
  for (int64_t c = 0; c < s.out_channels; c++) {
    float* to = grad_weights + (c * (s.in_channels / lanes) + block) * taps * lanes;
    vec sum[taps];
#pragma GCC unroll 9
    for (int t = 0; t < taps; t++) sum[t] = load(to + t * lanes);
    const float* values = entering.values + c * s.windows();
    const int32_t* offsets = entering.offsets + c * s.windows();
    for (int32_t e = 0; e < entering.counts[c]; e++) {
      const vec g = all(values[e]);
      const float* patch = padded + offsets[e];
#pragma GCC unroll 3
      for (int kh = 0; kh < 3; kh++)
#pragma GCC unroll 3
        for (int kw = 0; kw < 3; kw++) sum[kh * 3 + kw] += g * load(patch + kh * row + kw * lanes);
    }
#pragma GCC unroll 9
    for (int t = 0; t < taps; t++) store(to + t * lanes, sum[t]);
  }
}

// Bit c: the window's maximum of channel c was at the place, for 32 channels.
inline uint32_t channels_at(const uint8_t* argmax, int place) {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(argmax));
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, _mm256_set1_epi8(static_cast<char>(place)))));
}

// Adds filters, each times its channel's gradient, to the 4×4 pixels under a window: entering at one of its four places.
template <int Place>
inline void add_filters(vec (&pixels)[16], uint32_t channels, const float* grad, const float* weights, int64_t in_channels) {
  for (; channels; channels &= channels - 1) {
    const int c = __builtin_ctz(channels);
    const vec g = all(grad[c]);
    const float* filter = weights + c * taps * in_channels;
#pragma GCC unroll 3
    for (int kh = 0; kh < 3; kh++)
#pragma GCC unroll 3
      for (int kw = 0; kw < 3; kw++) pixels[(Place / 2 + kh) * 4 + Place % 2 + kw] += g * load(filter + (kh * 3 + kw) * in_channels);
  }
}

// One block of input channels of the input's gradient, by windows; 32 filters at a time, which the first-level cache holds.
void add_input_gradient(const conv_pool_shape& s, const float* grad, const uint8_t* argmax, const float* weights, float* padded, int64_t row) {
  for (int64_t c = 0; c < s.out_channels; c += 32)
    for (int64_t p = 0; p < s.windows(); p++) {
      const int64_t at = p * s.out_channels + c;
      const float *g = grad + at, *filters = weights + c * taps * s.in_channels;
      vec pixels[16] = {};
      add_filters<0>(pixels, channels_at(argmax + at, 0), g, filters, s.in_channels);
      add_filters<1>(pixels, channels_at(argmax + at, 1), g, filters, s.in_channels);
      add_filters<2>(pixels, channels_at(argmax + at, 2), g, filters, s.in_channels);
      add_filters<3>(pixels, channels_at(argmax + at, 3), g, filters, s.in_channels);
      float* to = padded + 2 * (p / s.pooled_width()) * row + 2 * (p % s.pooled_width()) * lanes;
#pragma GCC unroll 4
      for (int h = 0; h < 4; h++)
#pragma GCC unroll 4
        for (int w = 0; w < 4; w++) store(to + h * row + w * lanes, load(to + h * row + w * lanes) + pixels[h * 4 + w]);
    }
}

void add_bias_gradient(const conv_pool_shape& s, const float* grad, const uint8_t* argmax, float* grad_bias) {
  for (int64_t c = 0; c < s.out_channels; c += lanes) {
    vec sum = load(grad_bias + c);
    for (int64_t p = 0; p < s.windows(); p++)
      sum += load_indices(argmax + p * s.out_channels + c) != int(DEAD) - ivec{} ? load(grad + p * s.out_channels + c) : vec{};
    store(grad_bias + c, sum);
  }
}

void backward(const conv_pool_shape& s, const float* input, const float* grad, const uint8_t* argmax, const float* weights, float* grad_weights, float* grad_bias, float* grad_input,
              int64_t first, int64_t last) {
  const padded_block padding(s);
  const int64_t most = aligned(s.windows() * s.out_channels), pixels = s.height * s.width * s.in_channels, pooled = s.windows() * s.out_channels;
  float* padded = scratch(2 * padding.size() + 2 * most + aligned(s.out_channels));
  float* padded_gradient = padded + padding.size();
  entries entering{padded_gradient + padding.size(), nullptr, nullptr};
  entering.offsets = reinterpret_cast<int32_t*>(entering.values + most);
  entering.counts = entering.offsets + most;
  padding.clear(padded);

  for (int64_t n = first; n < last; n++) {
    const float* g = grad + n * pooled;
    const uint8_t* a = argmax + n * pooled;
    add_bias_gradient(s, g, a, grad_bias);
    entering.gather(s, g, a, padding.row);
    for (int64_t c = 0; c < s.in_channels; c += lanes) {
      padding.fill(padded, input + n * pixels, s.in_channels, c);
      add_weight_gradient(s, entering, padded, padding.row, grad_weights, c / lanes);
      if (!grad_input) continue;
      padding.clear(padded_gradient);
      add_input_gradient(s, g, a, weights + c, padded_gradient, padding.row);
      padding.read(padded_gradient, grad_input + n * pixels, s.in_channels, c);
    }
  }
}

} // namespace

template <>
const tt::conv_pool_kernels tt::kernels<TT_LANES>::conv_pool = {TT_LANES, forward_one, backward_one, transform, forward, backward};
