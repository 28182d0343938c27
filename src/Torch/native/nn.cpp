#include "guard.h"

using tt::deref;
using tt::give;

status tt_linear(tensor input, tensor weight, tensor bias, tensor* out) {
  return give(out, [&] { return at::linear(deref(input), deref(weight), tt::optional(bias)); });
}
status tt_relu(tensor input, tensor* out) {
  return give(out, [&] { return at::relu(deref(input)); });
}
status tt_max_pool2d(tensor input, int64_t kernel_size, int64_t stride, int64_t padding, int64_t dilation, int32_t ceil_mode, tensor* out) {
  return give(out, [&] {
    return at::max_pool2d(deref(input), {kernel_size, kernel_size}, {stride, stride}, {padding, padding}, {dilation, dilation}, ceil_mode != 0);
  });
}
status tt_adaptive_avg_pool2d(tensor input, int64_t height, int64_t width, tensor* out) {
  return give(out, [&] { return at::adaptive_avg_pool2d(deref(input), {height, width}); });
}
status tt_pad(tensor input, const int64_t* pad, int64_t count, double value, tensor* out) {
  return give(out, [&] { return at::constant_pad_nd(deref(input), tt::sizes(pad, count), value); });
}
