// The fused block as one differentiable operation. What the kernels do not take goes by libtorch's own operations.
#include "guard.h"
#include "images.h"
#include "kernels.h"
#include "parallel.h"

#include <torch/csrc/autograd/custom_function.h>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using tt::conv_pool_kernels;
using tt::conv_pool_shape;
using tt::channels_last;
using tt::dense;
using tt::deref;

namespace {

// Whatever the channels: each kernel has its own wishes of them.
const conv_pool_kernels* kernels() {
  return tt::widest(0, [](auto set) { return &decltype(set)::conv_pool; });
}

// Null where libtorch's own operations have to do.
const conv_pool_kernels* kernels_for(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  const auto* k = kernels();
  if (!k || !dense(input) || !dense(weight) || !bias.defined() || !bias.device().is_cpu() || !bias.is_contiguous() || bias.scalar_type() != at::kFloat) return nullptr;
  const int64_t in = weight.size(1), out = weight.size(0);
  if (weight.size(2) != 3 || weight.size(3) != 3 || input.size(1) != in || bias.numel() != out || input.size(2) < 2 || input.size(3) < 2) return nullptr;
  if (in == 1) return out % 16 == 0 && !(input.requires_grad() && at::GradMode::is_enabled()) ? k : nullptr;
  return in % k->lanes == 0 && out % 32 == 0 ? k : nullptr;
}

conv_pool_shape shape_of(const at::Tensor& input, const at::Tensor& weight) { return {input.size(2), input.size(3), weight.size(1), weight.size(0)}; }

at::Tensor forward(const conv_pool_kernels& k, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, at::Tensor* argmax) {
  const auto shape = shape_of(input, weight);
  const int64_t images = input.size(0);
  auto output = at::empty({images, shape.out_channels, shape.pooled_height(), shape.pooled_width()}, input.options(), channels_last);
  if (argmax) *argmax = at::empty({images, shape.windows(), shape.out_channels}, input.options().dtype(at::kByte));
  const float *x = input.data_ptr<float>(), *w = weight.data_ptr<float>(), *b = bias.data_ptr<float>();
  float* y = output.data_ptr<float>();
  uint8_t* a = argmax ? argmax->data_ptr<uint8_t>() : nullptr;

  if (shape.in_channels == 1) {
    const auto turned = weight.reshape({shape.out_channels, 9}).t().contiguous();
    const float* by_tap = turned.data_ptr<float>();
    tt::by_thread(images, tt::parts_of(images), [&](int64_t, int64_t first, int64_t last) { k.forward_one(shape, x, by_tap, b, y, a, first, last); });
  } else {
    const auto transformed = at::empty({16, shape.in_channels, shape.out_channels}, weight.options().requires_grad(false));
    float* u = transformed.data_ptr<float>();
    tt::by_thread(shape.out_channels, tt::parts_of(shape.out_channels), [&](int64_t, int64_t first, int64_t last) { k.transform(shape, w, u, first, last); });
    tt::by_thread(images, tt::parts_of(images), [&](int64_t, int64_t first, int64_t last) { k.forward(shape, x, u, b, y, a, first, last); });
  }
  return output;
}

// Adds up what the threads have found for the output channels from `first` up to `last`, and lays it out as the weights are:
// [out][3][3][in].
void collect(const conv_pool_shape& s, int64_t lanes, int64_t parts, const float* sums, float* grad, int64_t first, int64_t last) {
  const int64_t in = s.in_channels, all = s.out_channels * in * 9, block = in == 1 ? 1 : lanes;
  for (int64_t o = first; o < last; o++)
    for (int64_t b = 0; b < in / block; b++)
      for (int64_t t = 0; t < 9; t++) {
        const float* from = sums + (in == 1 ? t * s.out_channels + o : ((o * (in / block) + b) * 9 + t) * block);
        float* to = grad + (o * 9 + t) * in + b * block;
        for (int64_t i = 0; i < block; i++) to[i] = from[i];
        for (int64_t part = 1; part < parts; part++)
          for (int64_t i = 0; i < block; i++) to[i] += from[part * all + i];
      }
}

struct ConvPool : torch::autograd::Function<ConvPool> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
    const auto* k = kernels();
    at::Tensor argmax;
    auto output = ::forward(*k, input, weight, bias, &argmax);
    context->save_for_backward({input, weight, argmax});
    context->saved_data["kernels"] = reinterpret_cast<int64_t>(k);
    return output;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &input = saved[0], &weight = saved[1], &argmax = saved[2];
    const auto& k = *reinterpret_cast<const conv_pool_kernels*>(context->saved_data["kernels"].toInt());
    const auto shape = shape_of(input, weight);
    const auto grad = gradients[0].contiguous(channels_last);
    const int64_t images = input.size(0), parts = tt::parts_of(images), weights = shape.out_channels * shape.in_channels * 9;

    const auto weight_sums = at::empty({parts, weights}, grad.options()), bias_sums = at::empty({parts, shape.out_channels}, grad.options());
    auto grad_weight = at::empty(weight.sizes(), weight.options().requires_grad(false), channels_last);
    at::Tensor grad_input;
    if (context->needs_input_grad(0)) grad_input = at::empty(input.sizes(), input.options().requires_grad(false), channels_last);
    const float *x = input.data_ptr<float>(), *g = grad.data_ptr<float>(), *w = weight.data_ptr<float>();
    const uint8_t* a = argmax.data_ptr<uint8_t>();
    float *gw = weight_sums.data_ptr<float>(), *gb = bias_sums.data_ptr<float>(), *gx = grad_input.defined() ? grad_input.data_ptr<float>() : nullptr;

    tt::by_thread(images, parts, [&](int64_t part, int64_t first, int64_t last) {
      float *own_weights = gw + part * weights, *own_bias = gb + part * shape.out_channels;
      std::fill_n(own_weights, weights, 0.f);
      std::fill_n(own_bias, shape.out_channels, 0.f);
      if (shape.in_channels == 1) k.backward_one(shape, x, g, a, own_weights, own_bias, first, last);
      else k.backward(shape, x, g, a, w, own_weights, own_bias, gx, first, last);
    });
    float* sum = grad_weight.data_ptr<float>();
    tt::by_thread(shape.out_channels, tt::parts_of(shape.out_channels), [&](int64_t, int64_t first, int64_t last) { collect(shape, k.lanes, parts, gw, sum, first, last); });
    return {grad_input, grad_weight, parts == 1 ? bias_sums[0] : bias_sums.sum(0)};
  }
};

} // namespace

status tt_conv2d_relu_max_pool2d(tensor input, tensor weight, tensor bias, tensor* out) {
  return tt::give(out, [&] {
    const auto &x = deref(input), &w = deref(weight);
    const auto b = tt::optional(bias);
    const auto* k = kernels_for(x, w, b);
    if (!k) return at::relu(at::max_pool2d(at::conv2d(x, w, b, {1, 1}, {1, 1}), {2, 2}));
    const bool differentiable = at::GradMode::is_enabled() && (x.requires_grad() || w.requires_grad() || b.requires_grad());
    return differentiable ? ConvPool::apply(x, w, b) : forward(*k, x, w, b, nullptr);
  });
}
