// Convolution: by our kernels where they fit, else by libtorch's.
#include "guard.h"
#include "images.h"
#include "kernels.h"
#include "parallel.h"

#include <numeric>
#include <torch/csrc/autograd/custom_function.h>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using tt::conv_kernels;
using tt::conv_shape;
using tt::channels_last;
using tt::dense;
using tt::deref;

namespace {

const conv_kernels* kernels(int64_t in, int64_t out) {
  return tt::widest(std::gcd(in, out), [](auto set) { return &decltype(set)::conv; });
}

conv_shape shape_of(const at::Tensor& input, const at::Tensor& weight) { return {input.size(2), input.size(3), weight.size(1), weight.size(0)}; }

at::Tensor convolve(const at::Tensor& input, const at::Tensor& weight) {
  const auto shape = shape_of(input, weight);
  const auto& k = tt::still_there(kernels(shape.in_channels, shape.out_channels));
  const auto transformed = at::empty({16, shape.in_channels, shape.out_channels}, weight.options().requires_grad(false));
  auto output = at::empty({input.size(0), shape.out_channels, shape.height, shape.width}, input.options().requires_grad(false), channels_last);
  const float *x = input.data_ptr<float>(), *w = weight.data_ptr<float>();
  float *u = transformed.data_ptr<float>(), *y = output.data_ptr<float>();
  tt::by_thread(shape.out_channels, tt::parts_of(shape.out_channels), [&](int64_t, int64_t first, int64_t last) { k.transform(shape, w, u, first, last); });
  tt::by_thread(input.size(0), tt::parts_of(input.size(0)), [&](int64_t, int64_t first, int64_t last) { k.forward(shape, x, u, y, first, last); });
  return output;
}

at::Tensor weight_gradient(const at::Tensor& input, const at::Tensor& grad, const at::Tensor& weight) {
  const auto shape = shape_of(input, weight);
  const auto& k = tt::still_there(kernels(shape.in_channels, shape.out_channels));
  const int64_t parts = tt::parts_of(input.size(0)), numbers = 16 * shape.in_channels * shape.out_channels;
  const auto sums = at::zeros({parts, numbers}, weight.options().requires_grad(false));
  const float *x = input.data_ptr<float>(), *g = grad.data_ptr<float>();
  float* s = sums.data_ptr<float>();
  tt::by_thread(input.size(0), parts, [&](int64_t part, int64_t first, int64_t last) { k.backward(shape, x, g, s + part * numbers, first, last); });
  const auto sum = parts == 1 ? sums : sums.sum(0);
  auto result = at::empty(weight.sizes(), weight.options().requires_grad(false), channels_last);
  k.collect(shape, sum.data_ptr<float>(), result.data_ptr<float>());
  return result;
}

struct Conv3x3 : torch::autograd::Function<Conv3x3> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight) {
    context->save_for_backward({input, weight});
    return convolve(input, weight);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &input = saved[0], &weight = saved[1];
    const auto grad = gradients[0].contiguous(channels_last);
    at::Tensor grad_input, grad_weight;
    // The input's gradient is the gradient convolved with the filters turned round, inputs and outputs exchanged.
    if (context->needs_input_grad(0)) grad_input = convolve(grad, weight.flip({2, 3}).transpose(0, 1).contiguous(channels_last));
    if (context->needs_input_grad(1)) grad_weight = weight_gradient(input, grad, weight);
    return {grad_input, grad_weight};
  }
};

bool fits(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, int64_t stride, int64_t padding, int64_t dilation, int64_t groups) {
  return !bias.defined() && stride == 1 && padding == 1 && dilation == 1 && groups == 1 && dense(input) && dense(weight) && weight.size(2) == 3 && weight.size(3) == 3 &&
         input.size(1) == weight.size(1) && kernels(weight.size(1), weight.size(0));
}

} // namespace

status tt_conv2d(tensor input, tensor weight, tensor bias, int64_t stride, int64_t padding, int64_t dilation, int64_t groups, tensor* out) {
  return tt::give(out, [&] {
    const auto &x = deref(input), &w = deref(weight);
    const auto b = tt::optional(bias);
    if (!fits(x, w, b, stride, padding, dilation, groups)) return at::conv2d(x, w, b, {stride, stride}, {padding, padding}, {dilation, dilation}, groups);
    return at::GradMode::is_enabled() && (x.requires_grad() || w.requires_grad()) ? Conv3x3::apply(x, w) : convolve(x, w);
  });
}
