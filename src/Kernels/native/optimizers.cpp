// An optimizer's step in one pass over each parameter with its gradient and state. Memory bandwidth limits its speed, so it reads
// and writes each value once.
#include "guard.h"
#include "threads.h"
#include "vectorized.h"

#include <algorithm>
#include <cmath>

namespace {

// Least number of values for another thread: half a megabyte of weight, gradient and two states.
constexpr int64_t grain = 32768;

struct adam_rates { float learning_rate, beta1, beta2, complement1, complement2, root2, eps, weight_decay; };

VECTORIZED void adam(float* __restrict weight, const float* __restrict gradient, float* __restrict mean, float* __restrict square, int64_t count, adam_rates r) {
  for (int64_t i = 0; i < count; i++) {
    const float g = gradient[i] + r.weight_decay * weight[i];
    const float m = mean[i] * r.beta1 + g * r.complement1;
    const float v = square[i] * r.beta2 + g * g * r.complement2;
    mean[i] = m;
    square[i] = v;
    weight[i] -= r.learning_rate * (m / (std::sqrt(v) / r.root2 + r.eps));
  }
}

struct sgd_rates { float learning_rate, momentum, weight_decay; bool nesterov; };

VECTORIZED void sgd(float* __restrict weight, const float* __restrict gradient, float* __restrict buffer, int64_t count, sgd_rates r) {
  for (int64_t i = 0; i < count; i++) {
    const float g = gradient[i] + r.weight_decay * weight[i];
    const float b = buffer[i] * r.momentum + g;
    buffer[i] = b;
    weight[i] -= r.learning_rate * (r.nesterov ? g + r.momentum * b : b);
  }
}

// Calls body(parameter, from, to) for all values of all parameters.
template <class Body>
void for_values(int32_t count, const int64_t* sizes, const Body& body) {
  for (int32_t i = 0; i < count; i++)
    temper::for_ranges(sizes[i], temper::parts_of(std::max<int64_t>(1, sizes[i] / grain)), [&](int64_t, int64_t from, int64_t to) { body(i, from, to); });
}

} // namespace

tk_status tk_adam_step(int32_t count, float* const* weights, const float* const* gradients, float* const* means, float* const* squares, const int64_t* sizes, int64_t step, double learning_rate,
                       double beta1, double beta2, double eps, double weight_decay) {
  return temper::guarded([&] {
    const double correction1 = 1 - std::pow(beta1, double(step)), correction2 = 1 - std::pow(beta2, double(step));
    const adam_rates rates{float(learning_rate / correction1), float(beta1), float(beta2), float(1 - beta1), float(1 - beta2), float(std::sqrt(correction2)), float(eps), float(weight_decay)};
    for_values(count, sizes, [&](int32_t i, int64_t from, int64_t to) { adam(weights[i] + from, gradients[i] + from, means[i] + from, squares[i] + from, to - from, rates); });
  });
}

tk_status tk_sgd_step(int32_t count, float* const* weights, const float* const* gradients, float* const* buffers, const int64_t* sizes, double learning_rate, double momentum, double weight_decay,
                      int32_t nesterov) {
  return temper::guarded([&] {
    const sgd_rates rates{float(learning_rate), float(momentum), float(weight_decay), nesterov != 0};
    for_values(count, sizes, [&](int32_t i, int64_t from, int64_t to) { sgd(weights[i] + from, gradients[i] + from, buffers[i] + from, to - from, rates); });
  });
}
