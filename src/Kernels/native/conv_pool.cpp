#include "guard.h"
#include "instruction_sets.h"
#include "scratch.h"
#include "threads.h"
#include "transpose.h"

#include <algorithm>

using temper::conv_pool_kernels;
using temper::conv_pool_shape;
using temper::for_ranges;

namespace {

constexpr int64_t taps = 9, winograd = 16;

const conv_pool_kernels& kernels_of(int64_t lanes) {
  return *temper::kernels_of(lanes, [](auto set) { return &decltype(set)::conv_pool; });
}

conv_pool_shape shape_of(const tk_convolution& c) {
  conv_pool_shape s;
  s.height = c.height, s.width = c.width, s.in_channels = c.in_channels, s.out_channels = c.out_channels;
  return s;
}

// Reorders weights from [out][3][3] to [3][3][out].
float* taps_first(const conv_pool_shape& s, const float* weight) {
  float* turned = scratch<1>(taps * s.out_channels);
  for (int64_t o = 0; o < s.out_channels; o++)
    for (int64_t t = 0; t < taps; t++) turned[t * s.out_channels + o] = weight[o * taps + t];
  return turned;
}

// Reorders weights from [out][in][3][3] to [in / lanes][out][3][3][lanes].
float* in_blocks(const conv_pool_shape& s, int64_t lanes, const float* weight) {
  float* turned = scratch<1>(taps * s.in_channels * s.out_channels);
  for_ranges(s.out_channels, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t o = first; o < last; o++)
      for (int64_t i = 0; i < s.in_channels; i++)
        for (int64_t t = 0; t < taps; t++) turned[((i / lanes * s.out_channels + o) * taps + t) * lanes + i % lanes] = weight[(o * s.in_channels + i) * taps + t];
  });
  return turned;
}

// Adds up the parts' gradients of each filter and writes them in the layout of the weights, [out][in][3][3].
void collect(const conv_pool_shape& s, int64_t lanes, int64_t parts, const float* sums, float* weight_grad) {
  const int64_t numbers = taps * s.in_channels * s.out_channels;
  for_ranges(s.out_channels, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t o = first; o < last; o++)
      for (int64_t i = 0; i < s.in_channels; i++)
        for (int64_t t = 0; t < taps; t++) {
          const float* from = sums + (s.in_channels == 1 ? t * s.out_channels + o : ((i / lanes * s.out_channels + o) * taps + t) * lanes + i % lanes);
          float sum = *from;
          for (int64_t part = 1; part < parts; part++) sum += from[part * numbers];
          weight_grad[(o * s.in_channels + i) * taps + t] = sum;
        }
  });
}

} // namespace

int64_t tk_conv_pool_lanes(const tk_convolution* c) {
  if (c->height < 2 || c->width < 2) return 0;
  if (c->in_channels == 1) return c->out_channels % 16 == 0 ? temper::lanes() : 0;
  const int64_t lanes = temper::lanes();
  return lanes > 0 && c->in_channels % lanes == 0 && c->out_channels % 32 == 0 ? lanes : 0;
}

tk_status tk_conv_pool_forward(const tk_convolution* c, const float* input, const float* weight, const float* bias, int32_t flat, float* output, uint8_t* positions) {
  return temper::guarded([&] {
    const auto& k = kernels_of(c->lanes);
    const auto s = shape_of(*c);
    const int64_t pixels = s.height * s.width * s.in_channels, pooled = s.windows() * s.out_channels;
    float* filters;
    if (s.in_channels == 1) {
      filters = taps_first(s, weight);
    } else {
      filters = scratch<1>(winograd * s.in_channels * s.out_channels);
      const auto& conv = *temper::kernels_of(c->lanes, [](auto set) { return &decltype(set)::conv; });
      for_ranges(s.out_channels / c->lanes, [&](int64_t, int64_t first, int64_t last) {
        conv.transform(s, {weight, s.in_channels * taps, taps, false}, filters, first * c->lanes, last * c->lanes);
      });
    }
    const auto forward = s.in_channels == 1 ? k.forward_one : k.forward;
    temper::for_chunks(c->images, [&](int64_t first, int64_t last) {
      float* images = flat ? scratch<3>((last - first) * pooled) : output + first * pooled;
      forward(s, input + first * pixels, filters, bias, images, positions ? positions + first * pooled : nullptr, 0, last - first);
      if (flat)
        for (int64_t n = first; n < last; n++) temper::transpose(images + (n - first) * pooled, s.windows(), s.out_channels, output + n * pooled);
    });
  });
}

tk_status tk_conv_pool_backward(const tk_convolution* c, const float* input, const float* weight, const uint8_t* positions, int32_t flat, const float* output_grad, float* weight_grad,
                                float* bias_grad, float* input_grad) {
  return temper::guarded([&] {
    const auto& k = kernels_of(c->lanes);
    const auto s = shape_of(*c);
    const int64_t numbers = taps * s.in_channels * s.out_channels, parts = temper::parts_with_sums(c->images, numbers), pixels = s.height * s.width * s.in_channels, pooled = s.windows() * s.out_channels;
    const float* filters = s.in_channels == 1 ? nullptr : in_blocks(s, c->lanes, weight);
    float *filter_sums = scratch<2>(parts * (numbers + s.out_channels)), *bias_sums = filter_sums + parts * numbers;
    std::fill_n(filter_sums, parts * (numbers + s.out_channels), 0.f);
    for_ranges(c->images, parts, [&](int64_t part, int64_t first, int64_t last) {
      float *own_filters = filter_sums + part * numbers, *own_bias = bias_sums + part * s.out_channels;
      constexpr int64_t chunk = 8; // images whose gradients stay in the cache between transposition and use
      for (int64_t n = first; n < last; n += chunk) {
        const int64_t images = std::min(chunk, last - n);
        const float* gradients = output_grad + n * pooled;
        if (flat) {
          float* turned = scratch<3>(chunk * pooled);
          for (int64_t i = 0; i < images; i++) temper::transpose(gradients + i * pooled, s.out_channels, s.windows(), turned + i * pooled);
          gradients = turned;
        }
        if (s.in_channels == 1) k.backward_one(s, input + n * pixels, positions + n * pooled, gradients, own_filters, own_bias, 0, images);
        else k.backward(s, input + n * pixels, filters, positions + n * pooled, gradients, own_filters, own_bias, input_grad ? input_grad + n * pixels : nullptr, 0, images);
      }
    });
    collect(s, c->lanes, parts, filter_sums, weight_grad);
    for (int64_t o = 0; o < s.out_channels; o++) {
      float sum = bias_sums[o];
      for (int64_t part = 1; part < parts; part++) sum += bias_sums[part * s.out_channels + o];
      bias_grad[o] = sum;
    }
  });
}
