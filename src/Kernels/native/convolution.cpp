#include "guard.h"
#include "instruction_sets.h"
#include "scratch.h"
#include "threads.h"

#include <algorithm>
#include <numeric>

using temper::conv_kernels;
using temper::conv_shape;
using temper::filters;
using temper::for_ranges;

namespace {

constexpr int64_t taps = 9, winograd = 16;

// Calls body(first, last) for ranges of channels, in multiples of the lanes.
template <class Body>
void for_channels(int64_t channels, int64_t lanes, const Body& body) {
  for_ranges(channels / lanes, [&](int64_t, int64_t first, int64_t last) { body(first * lanes, last * lanes); });
}

struct pass {
  const conv_kernels& kernels;
  int64_t images, lanes;
  explicit pass(const tk_convolution& c) : kernels(*temper::kernels_of(c.lanes, [](auto set) { return &decltype(set)::conv; })), images(c.images), lanes(c.lanes) {}
};

void convolve(const pass& p, const conv_shape& s, const float* input, const filters& f, float* output) {
  float* transformed = scratch<1>(winograd * s.in_channels * s.out_channels);
  for_channels(s.out_channels, p.lanes, [&](int64_t first, int64_t last) { p.kernels.transform(s, f, transformed, first, last); });
  temper::for_chunks(p.images, [&](int64_t first, int64_t last) { p.kernels.forward(s, input, transformed, output, first, last); });
}

void weight_gradient(const pass& p, const conv_shape& s, const float* input, const float* output_grad, float* weight_grad) {
  const int64_t numbers = winograd * s.in_channels * s.out_channels, parts = temper::parts_with_sums(p.images, numbers);
  float* sums = scratch<1>(parts * numbers);
  for_ranges(p.images, parts, [&](int64_t part, int64_t first, int64_t last) {
    std::fill_n(sums + part * numbers, numbers, 0.f);
    p.kernels.backward(s, input, output_grad, sums + part * numbers, first, last);
  });
  for_channels(s.out_channels, p.lanes, [&](int64_t first, int64_t last) { p.kernels.collect(s, sums, parts, weight_grad, first, last); });
}

} // namespace

int64_t tk_conv_lanes(const tk_convolution* c) { return temper::lanes_for(std::gcd(c->in_channels, c->out_channels)); }

tk_status tk_conv_forward(const tk_convolution* c, const float* input, const float* weight, float* output) {
  return temper::guarded([&] {
    const conv_shape s{c->height, c->width, c->in_channels, c->out_channels};
    convolve(pass(*c), s, input, {weight, s.in_channels * taps, taps, false}, output);
  });
}

tk_status tk_conv_backward(const tk_convolution* c, const float* input, const float* weight, const float* output_grad, float* weight_grad, float* input_grad) {
  return temper::guarded([&] {
    const pass p(*c);
    const conv_shape s{c->height, c->width, c->in_channels, c->out_channels};
    if (input_grad) convolve(p, {s.height, s.width, s.out_channels, s.in_channels}, output_grad, {weight, taps, s.in_channels * taps, true}, input_grad);
    if (weight_grad) weight_gradient(p, s, input, output_grad, weight_grad);
  });
}
