#include "guard.h"

#include <cstring>

using tt::deref;
using tt::give;
using tt::guarded;

namespace {
at::TensorOptions options(int32_t dtype, int32_t device_type, int32_t device_index) {
  return at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)).device(tt::device(device_type, device_index));
}
} // namespace

void tt_free(tensor t) {
  if (!t) return;
  tt::live_tensors.fetch_sub(1, std::memory_order_relaxed);
  guarded([&] { delete t; });
}

status tt_empty(const int64_t* sizes, int64_t dims, int32_t dtype, int32_t device_type, int32_t device_index, tensor* out) {
  return give(out, [&] { return at::empty(tt::sizes(sizes, dims), options(dtype, device_type, device_index)); });
}
status tt_zeros(const int64_t* sizes, int64_t dims, int32_t dtype, int32_t device_type, int32_t device_index, tensor* out) {
  return give(out, [&] { return at::zeros(tt::sizes(sizes, dims), options(dtype, device_type, device_index)); });
}
status tt_zeros_like(tensor t, tensor* out) {
  return give(out, [&] { return at::zeros_like(deref(t)); });
}
status tt_from_data(const void* data, int32_t dtype, const int64_t* sizes, int64_t dims, tensor* out) {
  return give(out, [&] {
    auto t = at::empty(tt::sizes(sizes, dims), options(dtype, 0, -1));
    if (t.nbytes() > 0) std::memcpy(t.data_ptr(), data, t.nbytes());
    return t;
  });
}

int64_t tt_dim(tensor t) { return t->dim(); }
int64_t tt_numel(tensor t) { return t->numel(); }
int32_t tt_dtype(tensor t) { return static_cast<int32_t>(t->scalar_type()); }
status tt_sizes(tensor t, int64_t* out) {
  return guarded([&] {
    auto sizes = deref(t).sizes();
    std::copy(sizes.begin(), sizes.end(), out);
  });
}
status tt_device(tensor t, int32_t* type, int32_t* index) {
  return guarded([&] {
    auto device = deref(t).device();
    *type = static_cast<int32_t>(device.type());
    *index = device.index();
  });
}
status tt_item(tensor t, double* out) {
  return guarded([&] { *out = deref(t).item().toDouble(); });
}
status tt_copy_to_host(tensor t, void* out, int64_t bytes) {
  return guarded([&] {
    auto host = deref(t).detach().to(at::kCPU).contiguous();
    TORCH_CHECK(static_cast<int64_t>(host.nbytes()) == bytes, "the tensor has ", host.nbytes(), " bytes, the buffer ", bytes);
    if (bytes > 0) std::memcpy(out, host.data_ptr(), host.nbytes());
  });
}

status tt_set_requires_grad(tensor t, int32_t on) {
  return guarded([&] { deref(t).set_requires_grad(on != 0); });
}
status tt_requires_grad(tensor t, int32_t* out) {
  return guarded([&] { *out = deref(t).requires_grad(); });
}
status tt_backward(tensor t) {
  return guarded([&] { deref(t).backward(); });
}
status tt_grad(tensor t, tensor* out) {
  return give(out, [&] { return at::Tensor(deref(t).grad()); });
}
status tt_detach(tensor t, tensor* out) {
  return give(out, [&] { return deref(t).detach(); });
}

status tt_to(tensor t, int32_t dtype, int32_t device_type, int32_t device_index, tensor* out) {
  return give(out, [&] {
    auto& source = deref(t);
    auto to_device = device_type < 0 ? source.device() : tt::device(device_type, device_index);
    auto to_dtype = dtype < 0 ? source.scalar_type() : static_cast<at::ScalarType>(dtype);
    return source.to(to_device, to_dtype);
  });
}
status tt_contiguous(tensor t, tensor* out) {
  return give(out, [&] { return deref(t).contiguous(); });
}
// contiguous(ChannelsLast) leaves a tensor of one channel as it is, because its strides fit both layouts, and the
// convolution then takes the slower NCHW path. A clone gets strides that say channels last without doubt.
status tt_channels_last(tensor t, tensor* out) {
  return give(out, [&] {
    auto& source = deref(t);
    return source.suggest_memory_format() == at::MemoryFormat::ChannelsLast ? source : source.clone(at::MemoryFormat::ChannelsLast);
  });
}
status tt_set_data(tensor t, tensor data) {
  return guarded([&] { deref(t).set_data(deref(data)); });
}
status tt_narrow(tensor t, int64_t dim, int64_t start, int64_t length, tensor* out) {
  return give(out, [&] { return deref(t).narrow(dim, start, length); });
}
status tt_crop(tensor images, tensor rows, tensor columns, tensor* out) {
  return give(out, [&] {
    const auto x = deref(images).permute({0, 2, 3, 1});
    const auto image = at::arange(x.size(0), deref(rows).options()).view({-1, 1, 1});
    return at::index(x, {image, deref(rows).unsqueeze(2), deref(columns).unsqueeze(1)}).permute({0, 3, 1, 2});
  });
}
status tt_index_select(tensor t, int64_t dim, tensor index, tensor* out) {
  return give(out, [&] { return deref(t).index_select(dim, deref(index)); });
}

status tt_copy_(tensor t, tensor source) {
  return guarded([&] { deref(t).copy_(deref(source)); });
}
status tt_normal_(tensor t, double mean, double std) {
  return guarded([&] { deref(t).normal_(mean, std); });
}
status tt_uniform_(tensor t, double from, double to) {
  return guarded([&] { deref(t).uniform_(from, to); });
}
status tt_add_(tensor t, tensor other) {
  return guarded([&] { deref(t).add_(deref(other)); });
}
status tt_sub_scalar_(tensor t, double value) {
  return guarded([&] { deref(t).sub_(value); });
}
status tt_div_scalar_(tensor t, double value) {
  return guarded([&] { deref(t).div_(value); });
}
status tt_mul(tensor t, tensor other, tensor* out) {
  return give(out, [&] { return deref(t).mul(deref(other)); });
}
status tt_mul_scalar(tensor t, double value, tensor* out) {
  return give(out, [&] { return deref(t).mul(value); });
}
status tt_eq(tensor t, tensor other, tensor* out) {
  return give(out, [&] { return deref(t).eq(deref(other)); });
}
status tt_sum(tensor t, tensor* out) {
  return give(out, [&] { return deref(t).sum(); });
}
status tt_argmax(tensor t, int64_t dim, int32_t keepdim, tensor* out) {
  return give(out, [&] { return deref(t).argmax(dim, keepdim != 0); });
}
