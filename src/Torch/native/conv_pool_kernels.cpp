// Compiled once per instruction set, with TT_LANES floats in a register.
#include "kernels.h"
#include "winograd.h"

#include <immintrin.h>

using tt::conv_pool_shape;
using tt::DEAD;

namespace {

typedef uint8_t bytes __attribute__((vector_size(TT_LANES)));
typedef uint8_t loose_bytes __attribute__((vector_size(TT_LANES), aligned(1), may_alias));

// GCC 12 widens bytes one by one, and narrows them as it should.
inline ivec load_indices(const uint8_t* p) {
#if TT_LANES == 16
  return ivec(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
  return ivec(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#endif
}
inline void store_indices(uint8_t* p, ivec v) { *reinterpret_cast<loose_bytes*>(p) = __builtin_convertvector(v, bytes); }

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

// ---- many input channels, forward: a window is a tile of the convolution

void forward(const conv_pool_shape& s, const float* input, const float* transformed, const float* bias, float* output, uint8_t* argmax, int64_t first, int64_t last) {
  const int64_t width = s.pooled_width();
  convolve(s, s.pooled_height(), width, input, transformed, first, last, [&](int64_t n, int64_t top, int64_t rows, const float* products, int64_t apart) {
    const int64_t start = (n * s.windows() + top * width) * s.out_channels;
    for (int64_t t = 0; t < rows * width; t++)
      for (int64_t c = 0; c < s.out_channels; c += lanes) {
        const int64_t at = t * s.out_channels + c;
        vec y[4];
        transform_output(products + at, apart, y);
        store(output + start + at, pool(y[0], y[1], y[2], y[3], load(bias + c), argmax ? argmax + start + at : nullptr));
      }
  });
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
const tt::conv_pool_kernels tt::kernels<TT_LANES>::conv_pool = {TT_LANES, forward_one, backward_one, transform_weights, forward, backward};
