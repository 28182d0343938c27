// Compiled once per instruction set, with KERNEL_LANES floats in a register.
#include "instruction_sets.h"
#include "winograd.h"

#include <immintrin.h>

using temper::conv_pool_shape;
using temper::STOPPED;

namespace {

// These use intrinsics, because GCC 12 converts bytes one by one.
inline ivec load_positions(const uint8_t* p) {
#if KERNEL_LANES == 16
  return ivec(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
  return ivec(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#endif
}
inline void store_positions(uint8_t* p, ivec v) {
#if KERNEL_LANES == 16
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(__m512i(v)));
#else
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(__m256i(v)), _mm256_extracti128_si256(__m256i(v), 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
#endif
}
inline ivec same(int32_t x) { return x - ivec{}; }

// Returns relu of a window's maximum, and stores its position. As in PyTorch, a NaN is the maximum, and relu passes it.
inline vec pool(const vec (&window)[4], vec bias, uint8_t* positions) {
  vec best = window[0];
  ivec position = {};
#pragma GCC unroll 3
  for (int i = 1; i < 4; i++) {
    const ivec larger = (window[i] > best) | (window[i] != window[i]);
    best = larger ? window[i] : best;
    position = larger ? same(i) : position;
  }
  best += bias;
  const ivec stopped = best <= vec{};
  if (positions) store_positions(positions, stopped ? same(STOPPED) : position);
  return stopped ? vec{} : best;
}

// Calls body(window's index, its pixels in the padded block) for every window of one image.
template <class Body>
inline void for_windows(const conv_pool_shape& s, float* padded, int64_t row, int64_t depth, const Body& body) {
  int64_t window = 0;
  for (int64_t h = 0; h < s.pooled_height(); h++)
    for (int64_t w = 0; w < s.pooled_width(); w++) body(window++, padded + 2 * h * row + 2 * w * depth);
}

// ---- one input channel: everything in one pass, with the filters of some output channels in registers

void forward_one(const conv_pool_shape& s, const float* input, const float* filters, const float* bias, float* output, uint8_t* positions, int64_t first, int64_t last) {
  const padded_block padding(s, 1);
  float* padded = scratch<0>(padding.size());
  padding.clear(padded);
  for (int64_t n = first; n < last; n++) {
    padding.fill(padded, input + n * s.height * s.width, 1, 0);
    for (int64_t c = 0; c < s.out_channels; c += lanes) {
      vec filter[taps];
#pragma GCC unroll 9
      for (int t = 0; t < taps; t++) filter[t] = load(filters + t * s.out_channels + c);
      const vec offset = load(bias + c);
      for_windows(s, padded, padding.row, 1, [&](int64_t window, const float* pixels) {
        vec y[4] = {};
#pragma GCC unroll 4
        for (int h = 0; h < 4; h++)
#pragma GCC unroll 4
          for (int w = 0; w < 4; w++) {
            const vec pixel = all(pixels[h * padding.row + w]);
#pragma GCC unroll 4
            for (int p = 0; p < 4; p++)
              if (const int kh = h - p / 2, kw = w - p % 2; kh >= 0 && kh < 3 && kw >= 0 && kw < 3) y[p] += pixel * filter[kh * 3 + kw];
          }
        const int64_t at = (n * s.windows() + window) * s.out_channels + c;
        store(output + at, pool(y, offset, positions ? positions + at : nullptr));
      });
    }
  }
}

void backward_one(const conv_pool_shape& s, const float* input, const uint8_t* positions, const float* output_grad, float* filter_sums, float* bias_sums, int64_t first, int64_t last) {
  const padded_block padding(s, 1);
  float* padded = scratch<0>(padding.size());
  padding.clear(padded);
  for (int64_t n = first; n < last; n++) {
    padding.fill(padded, input + n * s.height * s.width, 1, 0);
    for (int64_t c = 0; c < s.out_channels; c += lanes) {
      vec sum[taps], bias = load(bias_sums + c);
#pragma GCC unroll 9
      for (int t = 0; t < taps; t++) sum[t] = load(filter_sums + t * s.out_channels + c);
      for_windows(s, padded, padding.row, 1, [&](int64_t window, const float* pixels) {
        const int64_t at = (n * s.windows() + window) * s.out_channels + c;
        const vec g = load(output_grad + at);
        const ivec position = load_positions(positions + at);
        vec entering[4];
#pragma GCC unroll 4
        for (int p = 0; p < 4; p++) entering[p] = position == same(p) ? g : vec{};
        bias += (entering[0] + entering[1]) + (entering[2] + entering[3]); // at most one of them is not 0
#pragma GCC unroll 4
        for (int h = 0; h < 4; h++)
#pragma GCC unroll 4
          for (int w = 0; w < 4; w++) {
            const vec pixel = all(pixels[h * padding.row + w]);
#pragma GCC unroll 4
            for (int p = 0; p < 4; p++)
              if (const int kh = h - p / 2, kw = w - p % 2; kh >= 0 && kh < 3 && kw >= 0 && kw < 3) sum[kh * 3 + kw] += entering[p] * pixel;
          }
      });
#pragma GCC unroll 9
      for (int t = 0; t < taps; t++) store(filter_sums + t * s.out_channels + c, sum[t]);
      store(bias_sums + c, bias);
    }
  }
}

// ---- many input channels, forward: a window is a tile of the convolution

void forward(const conv_pool_shape& s, const float* input, const float* transformed, const float* bias, float* output, uint8_t* positions, int64_t first, int64_t last) {
  convolve(s, s.pooled_height(), s.pooled_width(), input, transformed, first, last, [&](const tile_group& group, const float* products, int64_t apart) {
    const int64_t start = (group.image * s.windows() + group.top * group.columns) * s.out_channels;
    for (int64_t t = 0; t < group.tiles(); t++)
      for (int64_t c = 0; c < s.out_channels; c += lanes) {
        const int64_t at = t * s.out_channels + c;
        vec y[4];
        transform_output(products + at, apart, y);
        store(output + start + at, pool(y, load(bias + c), positions ? positions + start + at : nullptr));
      }
  });
}

// ---- many input channels, backward

// The gradients that reach one image's convolution, listed for each output channel. An entry is the gradient's value and the
// offset of its 3×3 patch in a padded block.
struct channel_lists {
  float* values;    // [out][windows]
  int32_t* patches; // [out][windows]
  int32_t* counts;  // [out]

  void gather(const conv_pool_shape& s, const uint8_t* positions, const float* output_grad, const int32_t* corners, int64_t row) {
    const int64_t windows = s.windows();
    const int32_t begin[4] = {0, static_cast<int32_t>(lanes), static_cast<int32_t>(row), static_cast<int32_t>(row + lanes)};
    for (int64_t c = 0; c < s.out_channels; c++) {
      float* value = values + c * windows;
      int32_t* patch = patches + c * windows;
      int64_t count = 0;
      for (int64_t window = 0; window < windows; window++) {
        // Write always and count only what is kept, because a branch would be mispredicted.
        const uint8_t position = positions[window * s.out_channels + c];
        value[count] = output_grad[window * s.out_channels + c];
        patch[count] = corners[window] + begin[position & 3];
        count += position != STOPPED;
      }
      counts[c] = static_cast<int32_t>(count);
    }
  }
};

// The gradient of the filters from one block of input channels: for each output channel the sum of its listed patches.
void add_filter_gradient(const conv_pool_shape& s, const channel_lists& lists, const float* padded, int64_t row, float* filter_sums) {
  for (int64_t c = 0; c < s.out_channels; c++) {
    float* to = filter_sums + c * taps * lanes;
    vec sum[taps];
#pragma GCC unroll 9
    for (int t = 0; t < taps; t++) sum[t] = load(to + t * lanes);
    const float* values = lists.values + c * s.windows();
    const int32_t* patches = lists.patches + c * s.windows();
    for (int32_t i = 0; i < lists.counts[c]; i++) {
      const vec g = all(values[i]);
      const float* patch = padded + patches[i];
#pragma GCC unroll 3
      for (int kh = 0; kh < 3; kh++)
#pragma GCC unroll 3
        for (int kw = 0; kw < 3; kw++) sum[kh * 3 + kw] += g * load(patch + kh * row + kw * lanes);
    }
#pragma GCC unroll 9
    for (int t = 0; t < taps; t++) store(to + t * lanes, sum[t]);
  }
}

// Bit c tells whether the window's maximum in channel c is at the position, for 32 channels.
inline uint32_t channels_at(const uint8_t* positions, int position) {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(positions));
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, _mm256_set1_epi8(static_cast<char>(position)))));
}

// The same gradients listed for each of a window's four positions: [windows][4].
struct window_lists {
  struct entry {
    float value;
    int32_t filter; // offset of the channel's filter in a block of filters
  };
  entry* entries;
  int32_t* ends; // [windows][4]: the end of each list in `entries`, where the next list begins

  void gather(const conv_pool_shape& s, const uint8_t* positions, const float* output_grad) {
    int32_t count = 0;
    for (int64_t window = 0; window < s.windows(); window++)
      for (int position = 0; position < 4; position++) {
        for (int64_t c = 0; c < s.out_channels; c += 32) {
          const int64_t at = window * s.out_channels + c;
          for (uint32_t channels = channels_at(positions + at, position); channels; channels &= channels - 1) {
            const int channel = __builtin_ctz(channels);
            entries[count++] = {output_grad[at + channel], static_cast<int32_t>((c + channel) * taps * lanes)};
          }
        }
        ends[window * 4 + position] = count;
      }
  }
};

// Adds filters, each times its channel's gradient, to the 3×3 pixels that they cover of the 4×4 under a window.
template <int Position>
inline void add_filters(vec (&pixels)[16], const window_lists::entry* entry, const window_lists::entry* end, const float* filters) {
  for (; entry < end; entry++) {
    const vec g = all(entry->value);
    const float* filter = filters + entry->filter;
#pragma GCC unroll 3
    for (int kh = 0; kh < 3; kh++)
#pragma GCC unroll 3
      for (int kw = 0; kw < 3; kw++) pixels[(Position / 2 + kh) * 4 + Position % 2 + kw] += g * load(filter + (kh * 3 + kw) * lanes);
  }
}

// Adds the input's gradient for one block of input channels.
void add_input_gradient(const conv_pool_shape& s, const window_lists& lists, const float* filters, float* padded, int64_t row) {
  const auto* entry = lists.entries;
  for_windows(s, padded, row, lanes, [&](int64_t window, float* to) {
    const int32_t* ends = lists.ends + 4 * window;
    const window_lists::entry *one = lists.entries + ends[0], *two = lists.entries + ends[1], *three = lists.entries + ends[2], *four = lists.entries + ends[3];
    vec pixels[16] = {};
    add_filters<0>(pixels, entry, one, filters);
    add_filters<1>(pixels, one, two, filters);
    add_filters<2>(pixels, two, three, filters);
    add_filters<3>(pixels, three, four, filters);
    entry = four;
#pragma GCC unroll 4
    for (int h = 0; h < 4; h++)
#pragma GCC unroll 4
      for (int w = 0; w < 4; w++) store(to + h * row + w * lanes, load(to + h * row + w * lanes) + pixels[h * 4 + w]);
  });
}

void add_bias_gradient(const conv_pool_shape& s, const uint8_t* positions, const float* output_grad, float* bias_sums) {
  for (int64_t c = 0; c < s.out_channels; c += lanes) {
    vec sum = load(bias_sums + c);
    for (int64_t p = 0; p < s.windows(); p++)
      sum += load_positions(positions + p * s.out_channels + c) != same(STOPPED) ? load(output_grad + p * s.out_channels + c) : vec{};
    store(bias_sums + c, sum);
  }
}

void backward(const conv_pool_shape& s, const float* input, const float* filters, const uint8_t* positions, const float* output_grad, float* filter_sums, float* bias_sums, float* input_grad,
              int64_t first, int64_t last) {
  const padded_block padding(s);
  const int64_t most = aligned(s.windows() * s.out_channels), pixels = s.height * s.width * s.in_channels, pooled = s.windows() * s.out_channels, block = s.out_channels * taps * lanes;
  float* padded = scratch<0>(2 * padding.size() + 4 * most + aligned(s.out_channels) + aligned(4 * s.windows()) + aligned(s.windows()));
  float* padded_grad = padded + padding.size();
  channel_lists by_channel{padded_grad + padding.size(), nullptr, nullptr};
  by_channel.patches = reinterpret_cast<int32_t*>(by_channel.values + most);
  window_lists by_window{reinterpret_cast<window_lists::entry*>(by_channel.values + 2 * most), reinterpret_cast<int32_t*>(by_channel.values + 4 * most)};
  by_channel.counts = by_window.ends + aligned(4 * s.windows());
  int32_t* corners = by_channel.counts + aligned(s.out_channels); // offset of each window's pixels in a padded block
  for_windows(s, padded, padding.row, lanes, [&](int64_t window, const float* begin) { corners[window] = static_cast<int32_t>(begin - padded); });
  padding.clear(padded);

  for (int64_t n = first; n < last; n++) {
    const float* g = output_grad + n * pooled;
    const uint8_t* a = positions + n * pooled;
    add_bias_gradient(s, a, g, bias_sums);
    by_channel.gather(s, a, g, corners, padding.row);
    if (input_grad) by_window.gather(s, a, g);
    for (int64_t c = 0; c < s.in_channels; c += lanes) {
      padding.fill(padded, input + n * pixels, s.in_channels, c);
      add_filter_gradient(s, by_channel, padded, padding.row, filter_sums + c / lanes * block);
      if (!input_grad) continue;
      padding.clear(padded_grad);
      add_input_gradient(s, by_window, filters + c / lanes * block, padded_grad, padding.row);
      padding.read(padded_grad, input_grad + n * pixels, s.in_channels, c);
    }
  }
}

} // namespace

template <>
const temper::conv_pool_kernels temper::kernels<KERNEL_LANES>::conv_pool = {forward_one, backward_one, forward, backward};
