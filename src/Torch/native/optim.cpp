// Optimizer steps as sequences of _foreach_ operations: one multi-tensor kernel each on CUDA, a loop on the CPU.
#include "guard.h"

#include <c10/core/GradMode.h>
#include <cmath>
#include <vector>

using tt::deref;
using tt::guarded;

status tt_zero_grad(const tensor* parameters, int32_t count) {
  return guarded([&] {
    for (int32_t i = 0; i < count; i++) deref(parameters[i]).mutable_grad().reset();
  });
}

// Kingma & Ba 2015, algorithm 1, in PyTorch's arrangement: eps joins the bias-corrected denominator.
status tt_adam_step(const tensor* parameters, const tensor* exp_avg, const tensor* exp_avg_sq, int32_t count, int64_t step,
                    double lr, double beta1, double beta2, double eps, double weight_decay) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    std::vector<at::Tensor> weights, gradients, means, squares;
    for (int32_t i = 0; i < count; i++) {
      auto& weight = deref(parameters[i]);
      if (!weight.grad().defined()) continue;
      weights.push_back(weight);
      gradients.push_back(weight.grad());
      means.push_back(deref(exp_avg[i]));
      squares.push_back(deref(exp_avg_sq[i]));
    }
    if (weights.empty()) return;

    if (weight_decay != 0) gradients = at::_foreach_add(gradients, weights, weight_decay);
    at::_foreach_mul_(means, beta1);
    at::_foreach_add_(means, gradients, 1 - beta1);
    at::_foreach_mul_(squares, beta2);
    at::_foreach_addcmul_(squares, gradients, gradients, 1 - beta2);

    auto correction1 = 1 - std::pow(beta1, static_cast<double>(step));
    auto correction2 = 1 - std::pow(beta2, static_cast<double>(step));
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
    std::vector<at::Tensor> weights, gradients, buffers;
    for (int32_t i = 0; i < count; i++) {
      auto& weight = deref(parameters[i]);
      if (!weight.grad().defined()) continue;
      weights.push_back(weight);
      gradients.push_back(weight.grad());
      buffers.push_back(deref(momentum_buffer[i]));
    }
    if (weights.empty()) return;

    if (weight_decay != 0) gradients = at::_foreach_add(gradients, weights, weight_decay);
    at::_foreach_mul_(buffers, momentum);
    at::_foreach_add_(buffers, gradients, 1);
    at::_foreach_add_(weights, nesterov ? at::_foreach_add(gradients, buffers, momentum) : buffers, -lr);
  });
}
