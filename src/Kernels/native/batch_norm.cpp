#include "channel_statistics.h"
#include "guard.h"
#include "instruction_sets.h"
#include "scratch.h"
#include "threads.h"

using temper::channel_sums;
using temper::for_ranges;
using temper::statistics;

namespace {

const temper::batch_norm_kernels& kernels_of(const tk_rows& r) {
  return *temper::kernels_of(r.lanes, [](auto set) { return &decltype(set)::batch_norm; });
}

// Runs a kernel over all rows and returns its two sums per channel.
template <class Kernel>
channel_sums sum_rows(const tk_rows& r, const Kernel& kernel) {
  const int64_t parts = temper::parts_of(r.rows);
  const channel_sums sums{reinterpret_cast<double*>(scratch<1>(2 * channel_sums::size(parts, r.channels))), parts, r.channels};
  sums.clear();
  for_ranges(r.rows, parts, [&](int64_t part, int64_t first, int64_t last) { kernel(first, last, sums.one(part), sums.other(part)); });
  return sums;
}

} // namespace

int64_t tk_batch_norm_lanes(int64_t channels) { return temper::lanes_for(channels); }

tk_status tk_batch_norm_train(const tk_rows* r, const tk_norm* norm, const float* input, const float* residual, int32_t relu, float* output) {
  return temper::guarded([&] {
    const auto& k = kernels_of(*r);
    // Sums of differences from the first row lose less precision than sums of the values.
    const auto sums = sum_rows(*r, [&](int64_t first, int64_t last, double* sum, double* squares) { k.moments(input, input, r->channels, first, last, sum, squares); });
    finish_statistics(sums, input, r->rows, *norm);
    const statistics s(norm->statistics, r->channels);
    for_ranges(r->rows, [&](int64_t, int64_t first, int64_t last) { k.normalize(input, s.scale, s.offset, residual, relu, output, r->channels, first, last); });
  });
}

tk_status tk_batch_norm_infer(const tk_rows* r, const tk_norm* norm, const float* input, const float* residual, int32_t relu, float* output) {
  return temper::guarded([&] {
    float *scale = scratch<1>(2 * r->channels), *offset = scale + r->channels;
    temper::running_factors(r->channels, *norm, scale, offset);
    for_ranges(r->rows, [&](int64_t, int64_t first, int64_t last) { kernels_of(*r).normalize(input, scale, offset, residual, relu, output, r->channels, first, last); });
  });
}

tk_status tk_batch_norm_backward(const tk_rows* r, const float* input, const float* kept, const float* output, const float* output_grad, float* input_grad, float* weight_grad, float* bias_grad,
                                 float* residual_grad) {
  return temper::guarded([&] {
    const auto& k = kernels_of(*r);
    const statistics s(kept, r->channels);
    const auto sums = sum_rows(*r, [&](int64_t first, int64_t last, double* sum, double* products) { k.gradient_sums(input, output, output_grad, s.mean, r->channels, first, last, sum, products); });
    float *slope = scratch<2>(2 * r->channels), *offset = slope + r->channels;
    finish_gradients(sums, kept, r->rows, weight_grad, bias_grad, slope, offset);
    for_ranges(r->rows, [&](int64_t, int64_t first, int64_t last) { k.propagate(input, output, output_grad, s.scale, slope, offset, input_grad, residual_grad, r->channels, first, last); });
  });
}
