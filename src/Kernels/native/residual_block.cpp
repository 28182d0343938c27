// A residual block in as few passes over memory as its two normalizations allow. Each normalization needs statistics of the whole
// batch before the next step can begin. Within a step, results between operations stay in the cache, because each thread
// processes a few images at a time.
#include "channel_statistics.h"
#include "guard.h"
#include "instruction_sets.h"
#include "scratch.h"
#include "threads.h"

#include <algorithm>
#include <cmath>

using temper::batch_norm_kernels;
using temper::channel_sums;
using temper::conv_kernels;
using temper::conv_shape;
using temper::for_ranges;
using temper::statistics;

namespace {

constexpr int64_t taps = 9, winograd = 16;

struct block {
  const conv_kernels& conv;
  const batch_norm_kernels& norm;
  conv_shape shape;
  int64_t images, channels, pixels, size, rows; // pixels of an image, its floats, and pixels of the batch
  int64_t lanes, filters;                       // floats of a convolution's filters in Winograd's domain

  explicit block(const tk_block& b)
      : conv(*temper::kernels_of(b.lanes, [](auto set) { return &decltype(set)::conv; })), norm(*temper::kernels_of(b.lanes, [](auto set) { return &decltype(set)::batch_norm; })),
        shape{b.height, b.width, b.channels, b.channels}, images(b.images), channels(b.channels), pixels(b.height * b.width), size(pixels * channels), rows(images * pixels), lanes(b.lanes),
        filters(winograd * channels * channels) {}

  // Number of images to process at once. Their results between two operations fit the second-level cache.
  int64_t chunk() const { return std::max<int64_t>(1, 16384 / size); }

  void transform(const float* weight, bool rotated, float* transformed) const {
    const int64_t blocks = channels / lanes, out_step = rotated ? taps : channels * taps, in_step = rotated ? channels * taps : taps;
    for_ranges(blocks, [&](int64_t, int64_t first, int64_t last) { conv.transform(shape, {weight, out_step, in_step, rotated}, transformed, first * lanes, last * lanes); });
  }
  void collect(const float* sums, int64_t parts, float* weight_grad) const {
    for_ranges(channels / lanes, [&](int64_t, int64_t first, int64_t last) { conv.collect(shape, sums, parts, weight_grad, first * lanes, last * lanes); });
  }
};

// Calls body(part, first image, images) for a few images at a time.
template <class Body>
void for_images(const block& b, int64_t parts, const Body& body) {
  for_ranges(b.images, parts, [&](int64_t part, int64_t first, int64_t last) {
    for (int64_t n = first; n < last; n += b.chunk()) body(part, n, std::min(b.chunk(), last - n));
  });
}

} // namespace

int64_t tk_block_lanes(int64_t channels) { return temper::lanes_for(channels); }

tk_status tk_block_train(const tk_block* sizes, const float* input, const float* residual, const float* conv1_weight, const tk_norm* norm1, const float* conv2_weight, const tk_norm* norm2,
                         float* convolved1, float* convolved2, float* output) {
  return temper::guarded([&] {
    const block b(*sizes);
    const int64_t parts = temper::parts_with_sums(b.images, 2 * b.channels);
    float *filters = scratch<1>(b.filters), *shift = scratch<2>(b.channels);
    const channel_sums sums{reinterpret_cast<double*>(scratch<3>(2 * channel_sums::size(parts, b.channels))), parts, b.channels};
    // After some steps the running mean is near the batch's. Sums of differences from it lose less precision than sums of the
    // values.
    const auto begin_sums = [&](const tk_norm& norm) {
      for (int64_t c = 0; c < b.channels; c++) shift[c] = std::isfinite(norm.running_mean[c]) ? norm.running_mean[c] : 0;
      sums.clear();
    };

    if (conv1_weight) b.transform(conv1_weight, false, filters);
    begin_sums(*norm1);
    for_images(b, parts, [&](int64_t part, int64_t n, int64_t images) {
      if (conv1_weight) b.conv.forward(b.shape, input, filters, convolved1, n, n + images);
      b.norm.moments(conv1_weight ? convolved1 : input, shift, b.channels, n * b.pixels, (n + images) * b.pixels, sums.one(part), sums.other(part));
    });
    finish_statistics(sums, shift, b.rows, *norm1);

    const statistics s1(norm1->statistics, b.channels), s2(norm2->statistics, b.channels);
    const float* first = conv1_weight ? convolved1 : input;
    b.transform(conv2_weight, false, filters);
    begin_sums(*norm2);
    for_images(b, parts, [&](int64_t part, int64_t n, int64_t images) {
      float* active = scratch<5>(images * b.size);
      b.norm.normalize(first + n * b.size, s1.scale, s1.offset, nullptr, true, active, b.channels, 0, images * b.pixels);
      b.conv.forward(b.shape, active, filters, convolved2 + n * b.size, 0, images);
      b.norm.moments(convolved2, shift, b.channels, n * b.pixels, (n + images) * b.pixels, sums.one(part), sums.other(part));
    });
    finish_statistics(sums, shift, b.rows, *norm2);

    for_ranges(b.rows, [&](int64_t, int64_t from, int64_t to) { b.norm.normalize(convolved2, s2.scale, s2.offset, residual ? residual : input, true, output, b.channels, from, to); });
  });
}

tk_status tk_block_infer(const tk_block* sizes, const float* input, const float* residual, const float* conv1_weight, const tk_norm* norm1, const float* conv2_weight, const tk_norm* norm2,
                         float* output) {
  return temper::guarded([&] {
    const block b(*sizes);
    float *filters1 = scratch<1>(2 * b.filters), *filters2 = filters1 + b.filters;
    float* factors = scratch<2>(4 * b.channels);
    const statistics f(factors, b.channels); // here it holds scale and offset of norm1, then those of norm2
    temper::running_factors(b.channels, *norm1, f.mean, f.inverse);
    temper::running_factors(b.channels, *norm2, f.scale, f.offset);
    if (conv1_weight) b.transform(conv1_weight, false, filters1);
    b.transform(conv2_weight, false, filters2);
    for_images(b, std::max<int64_t>(1, b.images / b.chunk()), [&](int64_t, int64_t n, int64_t images) {
      float *active = scratch<5>(2 * images * b.size), *convolved = active + images * b.size;
      const float* first = input + n * b.size;
      if (conv1_weight) {
        b.conv.forward(b.shape, first, filters1, convolved, 0, images);
        first = convolved;
      }
      b.norm.normalize(first, f.mean, f.inverse, nullptr, true, active, b.channels, 0, images * b.pixels);
      b.conv.forward(b.shape, active, filters2, convolved, 0, images);
      b.norm.normalize(convolved, f.scale, f.offset, (residual ? residual : input) + n * b.size, true, output + n * b.size, b.channels, 0, images * b.pixels);
    });
  });
}

tk_status tk_block_backward(const tk_block* sizes, const float* input, const float* conv1_weight, const float* statistics1, const float* conv2_weight, const float* statistics2, const float* convolved1,
                            const float* convolved2, const float* output, const float* output_grad, float* active_grad, const tk_block_gradients* gradients) {
  return temper::guarded([&] {
    const block b(*sizes);
    const tk_block_gradients& to = *gradients;
    const statistics s1(statistics1, b.channels), s2(statistics2, b.channels);
    const float* first = conv1_weight ? convolved1 : input;
    const int64_t row_parts = temper::parts_of(b.rows), parts = temper::parts_with_sums(b.images, b.filters), most = std::max(row_parts, parts);
    float *filters = scratch<1>((1 + parts) * b.filters), *filter_sums = filters + b.filters;
    float *slope = scratch<2>(2 * b.channels), *offset = slope + b.channels;
    auto* sums = reinterpret_cast<double*>(scratch<3>(2 * channel_sums::size(most, b.channels)));

    // Compute norm2's sums over the batch.
    const channel_sums sums2{sums, row_parts, b.channels};
    sums2.clear();
    for_ranges(b.rows, row_parts, [&](int64_t part, int64_t from, int64_t last) {
      b.norm.gradient_sums(convolved2, output, output_grad, s2.mean, b.channels, from, last, sums2.one(part), sums2.other(part));
    });
    finish_gradients(sums2, statistics2, b.rows, to.norm2_weight, to.norm2_bias, slope, offset);

    // Propagate through norm2 and conv2, and compute norm1's sums over the batch.
    const channel_sums sums1{sums, parts, b.channels};
    sums1.clear();
    std::fill_n(filter_sums, parts * b.filters, 0.f);
    b.transform(conv2_weight, true, filters);
    for_images(b, parts, [&](int64_t part, int64_t n, int64_t images) {
      const int64_t at = n * b.size, rows = images * b.pixels;
      float *convolved_grad = scratch<5>(2 * images * b.size), *active = convolved_grad + images * b.size;
      b.norm.propagate(convolved2 + at, output + at, output_grad + at, s2.scale, slope, offset, convolved_grad, to.residual ? to.residual + at : nullptr, b.channels, 0, rows);
      b.norm.normalize(first + at, s1.scale, s1.offset, nullptr, true, active, b.channels, 0, rows);
      b.conv.backward(b.shape, active, convolved_grad, filter_sums + part * b.filters, 0, images);
      b.conv.forward(b.shape, convolved_grad, filters, active_grad + at, 0, images);
      b.norm.gradient_sums(first + at, active, active_grad + at, s1.mean, b.channels, 0, rows, sums1.one(part), sums1.other(part));
    });
    b.collect(filter_sums, parts, to.conv2_weight);
    finish_gradients(sums1, statistics1, b.rows, to.norm1_weight, to.norm1_bias, slope, offset);

    // Propagate through norm1 and conv1.
    if (conv1_weight) {
      std::fill_n(filter_sums, parts * b.filters, 0.f);
      b.transform(conv1_weight, true, filters);
    }
    for_images(b, parts, [&](int64_t part, int64_t n, int64_t images) {
      const int64_t at = n * b.size, rows = images * b.pixels;
      float *convolved_grad = scratch<5>(2 * images * b.size), *active = convolved_grad + images * b.size;
      b.norm.normalize(first + at, s1.scale, s1.offset, nullptr, true, active, b.channels, 0, rows);
      if (!conv1_weight) {
        if (to.input) b.norm.propagate(first + at, active, active_grad + at, s1.scale, slope, offset, to.input + at, nullptr, b.channels, 0, rows);
        return;
      }
      b.norm.propagate(first + at, active, active_grad + at, s1.scale, slope, offset, convolved_grad, nullptr, b.channels, 0, rows);
      b.conv.backward(b.shape, input + at, convolved_grad, filter_sums + part * b.filters, 0, images);
      if (!to.input) return;
      b.conv.forward(b.shape, convolved_grad, filters, to.input + at, 0, images);
      b.norm.add_passed(output + at, output_grad + at, to.input + at, b.channels, 0, rows);
    });
    if (conv1_weight) b.collect(filter_sums, parts, to.conv1_weight);
  });
}
