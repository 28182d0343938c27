// Optimizer steps. On the CPU one pass over each parameter with its gradient and state, which is bound by memory and so
// reads and writes everything once; elsewhere sequences of _foreach_ operations, one multi-tensor kernel each on CUDA.
#include "guard.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <cmath>
#include <vector>

using tt::deref;
using tt::guarded;

#if defined(__x86_64__)
#define TT_VECTORIZED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define TT_VECTORIZED
#endif

namespace {

// Numbers that one thread takes at least: half a megabyte of parameter, gradient and two states.
constexpr int64_t grain = 32768;

// What is written past libtorch must be known to autograd: a graph that still needs the old values then fails instead of using the new.
float* written(const at::Tensor& weight) {
  weight.unsafeGetTensorImpl()->bump_version();
  return weight.data_ptr<float>();
}

// A gradient may be laid out otherwise than its weight, as after a convolution that chose another layout.
at::Tensor gradient_like(const at::Tensor& weight) {
  const auto& grad = weight.grad();
  return grad.strides() == weight.strides() ? grad : at::empty_strided(weight.sizes(), weight.strides(), grad.options()).copy_(grad);
}

bool flat(const at::Tensor& weight, const at::Tensor& grad, const at::Tensor& state) {
  const auto is_float = [](const at::Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat; };
  return is_float(weight) && is_float(grad) && is_float(state) && weight.is_non_overlapping_and_dense() && grad.strides() == weight.strides() && state.strides() == weight.strides();
}

struct adam_rates { float lr, beta1, beta2, complement1, complement2, root2, eps, weight_decay; };

TT_VECTORIZED void adam(float* __restrict weight, const float* __restrict grad, float* __restrict mean, float* __restrict square, int64_t count, adam_rates r) {
  for (int64_t i = 0; i < count; i++) {
    const float g = grad[i] + r.weight_decay * weight[i];
    const float m = mean[i] * r.beta1 + g * r.complement1;
    const float v = square[i] * r.beta2 + g * g * r.complement2;
    mean[i] = m;
    square[i] = v;
    weight[i] -= r.lr * (m / (std::sqrt(v) / r.root2 + r.eps));
  }
}

struct sgd_rates { float lr, momentum, weight_decay; bool nesterov; };

TT_VECTORIZED void sgd(float* __restrict weight, const float* __restrict grad, float* __restrict buffer, int64_t count, sgd_rates r) {
  for (int64_t i = 0; i < count; i++) {
    const float g = grad[i] + r.weight_decay * weight[i];
    const float b = buffer[i] * r.momentum + g;
    buffer[i] = b;
    weight[i] -= r.lr * (r.nesterov ? g + r.momentum * b : b);
  }
}

} // namespace

status tt_zero_grad(const tensor* parameters, int32_t count) {
  return guarded([&] {
    for (int32_t i = 0; i < count; i++) deref(parameters[i]).mutable_grad().reset();
  });
}

// As torch.nn.utils.clip_grad_norm_, but the norm stays on the device: reading it would make the host wait for every step.
status tt_clip_grad_norm(const tensor* parameters, int32_t count, double max_norm) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    std::vector<at::Tensor> gradients, norms;
    for (int32_t i = 0; i < count; i++)
      if (const auto& grad = deref(parameters[i]).grad(); grad.defined()) {
        gradients.push_back(grad);
        norms.push_back(grad.norm());
      }
    if (gradients.empty()) return;
    const auto factor = (max_norm / (at::stack(norms).norm() + 1e-6)).clamp_max(1.0);
    for (auto& grad : gradients) grad.mul_(factor);
  });
}

// Kingma & Ba 2015, algorithm 1, in PyTorch's arrangement: eps joins the bias-corrected denominator.
status tt_adam_step(const tensor* parameters, const tensor* exp_avg, const tensor* exp_avg_sq, int32_t count, int64_t step,
                    double lr, double beta1, double beta2, double eps, double weight_decay) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    const auto correction1 = 1 - std::pow(beta1, static_cast<double>(step));
    const auto correction2 = 1 - std::pow(beta2, static_cast<double>(step));
    const adam_rates rates{float(lr / correction1), float(beta1), float(beta2), float(1 - beta1), float(1 - beta2), float(std::sqrt(correction2)), float(eps), float(weight_decay)};
    std::vector<at::Tensor> weights, gradients, means, squares;
    for (int32_t i = 0; i < count; i++) {
      auto &weight = deref(parameters[i]), &mean = deref(exp_avg[i]), &square = deref(exp_avg_sq[i]);
      if (!weight.grad().defined()) continue;
      const auto grad = gradient_like(weight);
      if (flat(weight, grad, mean) && flat(weight, grad, square)) {
        float *w = written(weight), *m = mean.data_ptr<float>(), *s = square.data_ptr<float>();
        const float* g = grad.data_ptr<float>();
        at::parallel_for(0, weight.numel(), grain, [&](int64_t from, int64_t to) { adam(w + from, g + from, m + from, s + from, to - from, rates); });
      } else {
        weights.push_back(weight);
        gradients.push_back(grad);
        means.push_back(mean);
        squares.push_back(square);
      }
    }
    if (weights.empty()) return;

    if (weight_decay != 0) gradients = at::_foreach_add(gradients, weights, weight_decay);
    at::_foreach_mul_(means, beta1);
    at::_foreach_add_(means, gradients, 1 - beta1);
    at::_foreach_mul_(squares, beta2);
    at::_foreach_addcmul_(squares, gradients, gradients, 1 - beta2);
    auto denominators = at::_foreach_sqrt(squares);
    at::_foreach_div_(denominators, std::sqrt(correction2));
    at::_foreach_add_(denominators, eps);
    at::_foreach_addcdiv_(weights, means, denominators, -lr / correction1);
  });
}

// A momentum buffer starts at zero, which equals PyTorch's "first gradient" start because dampening is 0.
status tt_sgd_step(const tensor* parameters, const tensor* momentum_buffer, int32_t count, double lr, double momentum,
                   double weight_decay, int32_t nesterov) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    const sgd_rates rates{float(lr), float(momentum), float(weight_decay), nesterov != 0};
    std::vector<at::Tensor> weights, gradients, buffers;
    for (int32_t i = 0; i < count; i++) {
      auto &weight = deref(parameters[i]), &buffer = deref(momentum_buffer[i]);
      if (!weight.grad().defined()) continue;
      const auto grad = gradient_like(weight);
      if (flat(weight, grad, buffer)) {
        float *w = written(weight), *b = buffer.data_ptr<float>();
        const float* g = grad.data_ptr<float>();
        at::parallel_for(0, weight.numel(), grain, [&](int64_t from, int64_t to) { sgd(w + from, g + from, b + from, to - from, rates); });
      } else {
        weights.push_back(weight);
        gradients.push_back(grad);
        buffers.push_back(buffer);
      }
    }
    if (weights.empty()) return;

    if (weight_decay != 0) gradients = at::_foreach_add(gradients, weights, weight_decay);
    at::_foreach_mul_(buffers, momentum);
    at::_foreach_add_(buffers, gradients, 1);
    at::_foreach_add_(weights, nesterov ? at::_foreach_add(gradients, buffers, momentum) : buffers, -lr);
  });
}
