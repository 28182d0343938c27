// The whole C ABI of the shim: what the C# binding calls, and nothing else.
//
// A tensor is one heap-allocated at::Tensor, that is one strong reference; null stands for the undefined tensor. Whoever
// receives one through an out parameter frees it with tt_free. A function that can fail returns a status, 0 for success;
// the message then waits in tt_last_error of the same thread. No exception crosses the boundary.
#pragma once
#include <cstdint>

namespace at { class Tensor; }
using tensor = at::Tensor*;

#define TT_API extern "C" __attribute__((visibility("default")))

enum status : int32_t {
  TT_OK = 0,
  TT_ERROR = 1,           // libtorch refused: wrong shapes, types, devices
  TT_INDEX = 2,           // an index out of range
  TT_NOT_IMPLEMENTED = 3, // no such kernel in this build
  TT_OUT_OF_MEMORY = 4,   // host or device
};

// ---- runtime
TT_API const char* tt_last_error();
TT_API const char* tt_torch_version();
TT_API int64_t tt_live_tensors(); // tensors handed out and not yet freed
TT_API status tt_set_num_threads(int32_t threads);
TT_API int32_t tt_get_num_threads();
TT_API status tt_tune_malloc();
TT_API void tt_release_memory(); // freed heap memory goes back to the system
TT_API status tt_use_deterministic_algorithms(int32_t on);
TT_API status tt_manual_seed(int64_t seed);
TT_API int32_t tt_grad_enabled();
TT_API void tt_set_grad_enabled(int32_t on);
TT_API int32_t tt_cuda_is_available();
TT_API int32_t tt_cuda_device_count();

// ---- tensors: creation, metadata, reading
// dtype is an at::ScalarType; device_type 0 is the CPU, 1 CUDA; a device_index of -1 is the current one.
TT_API void tt_free(tensor t);
TT_API status tt_empty(const int64_t* sizes, int64_t dims, int32_t dtype, int32_t device_type, int32_t device_index, tensor* out);
TT_API status tt_zeros(const int64_t* sizes, int64_t dims, int32_t dtype, int32_t device_type, int32_t device_index, tensor* out);
TT_API status tt_zeros_like(tensor t, tensor* out); // same layout, dtype and device
TT_API status tt_from_data(const void* data, int32_t dtype, const int64_t* sizes, int64_t dims, tensor* out); // copies
TT_API int64_t tt_dim(tensor t);
TT_API status tt_sizes(tensor t, int64_t* out); // tt_dim values
TT_API int64_t tt_numel(tensor t);
TT_API int32_t tt_dtype(tensor t);
TT_API status tt_device(tensor t, int32_t* type, int32_t* index);
TT_API status tt_item(tensor t, double* out);
TT_API status tt_copy_to_host(tensor t, void* out, int64_t bytes); // row-major, whatever the tensor's strides

// ---- tensors: autograd
TT_API status tt_set_requires_grad(tensor t, int32_t on);
TT_API status tt_requires_grad(tensor t, int32_t* out);
TT_API status tt_backward(tensor t);
TT_API status tt_grad(tensor t, tensor* out);
TT_API status tt_detach(tensor t, tensor* out);

// ---- tensors: layout
TT_API status tt_to(tensor t, int32_t dtype, int32_t device_type, int32_t device_index, tensor* out); // -1 keeps
TT_API status tt_contiguous(tensor t, tensor* out);
TT_API status tt_channels_last(tensor t, tensor* out);
TT_API status tt_set_data(tensor t, tensor data); // a leaf takes on another storage or layout
TT_API status tt_flatten(tensor t, int64_t start_dim, int64_t end_dim, tensor* out);
TT_API status tt_narrow(tensor t, int64_t dim, int64_t start, int64_t length, tensor* out);
TT_API status tt_index_select(tensor t, int64_t dim, tensor index, tensor* out);
TT_API status tt_crop(tensor images, tensor rows, tensor columns, tensor* out); // of image n the pixels at rows[n] × columns[n], channels last

// ---- tensors: arithmetic; a name that ends in _ works in place
TT_API status tt_copy_(tensor t, tensor source);
TT_API status tt_uniform_(tensor t, double from, double to);
TT_API status tt_normal_(tensor t, double mean, double std);
TT_API status tt_add_(tensor t, tensor other);
TT_API status tt_sub_scalar_(tensor t, double value);
TT_API status tt_div_scalar_(tensor t, double value);
TT_API status tt_mul(tensor t, tensor other, tensor* out);
TT_API status tt_mul_scalar(tensor t, double value, tensor* out);
TT_API status tt_eq(tensor t, tensor other, tensor* out);
TT_API status tt_sum(tensor t, tensor* out);
TT_API status tt_argmax(tensor t, int64_t dim, int32_t keepdim, tensor* out);

// ---- neural networks
TT_API status tt_conv2d(tensor input, tensor weight, tensor bias, int64_t stride, int64_t padding, int64_t dilation, int64_t groups, tensor* out);
TT_API status tt_linear(tensor input, tensor weight, tensor bias, tensor* out);
TT_API status tt_relu(tensor input, tensor* out);
TT_API status tt_max_pool2d(tensor input, int64_t kernel_size, int64_t stride, int64_t padding, int64_t dilation, int32_t ceil_mode, tensor* out);
// relu(max_pool2d(conv2d(input, weight, bias, padding 1), 2)) of a 3×3 weight; fused where the CPU and the sizes allow.
TT_API status tt_conv2d_relu_max_pool2d(tensor input, tensor weight, tensor bias, tensor* out);
// batch_norm(input), the residual added where there is one, relu where asked for; fused in training, and in inference without a graph.
TT_API status tt_batch_norm(tensor input, tensor weight, tensor bias, tensor running_mean, tensor running_var, tensor residual, int32_t training, double momentum, double eps,
                            int32_t relu, tensor* out);
TT_API const char* tt_fused_kernels();          // the instruction set of the fused kernels; "none" where there are none
TT_API void tt_limit_vector_lanes(int32_t lanes); // fused kernels of at most so many floats a register; below 8 none
TT_API status tt_adaptive_avg_pool2d(tensor input, int64_t height, int64_t width, tensor* out);
TT_API status tt_pad(tensor input, const int64_t* pad, int64_t count, double value, tensor* out); // two numbers per dimension, from the last one on
TT_API status tt_cross_entropy(tensor logits, tensor target, tensor weight, int64_t reduction, int64_t ignore_index, double label_smoothing, tensor* out);

// ---- optimizers: one call for all parameters; a parameter without a gradient is left alone
TT_API status tt_zero_grad(const tensor* parameters, int32_t count);
TT_API status tt_clip_grad_norm(const tensor* parameters, int32_t count, double max_norm); // the 2-norm of all gradients together
TT_API status tt_adam_step(const tensor* parameters, const tensor* exp_avg, const tensor* exp_avg_sq, int32_t count, int64_t step,
                           double lr, double beta1, double beta2, double eps, double weight_decay);
TT_API status tt_sgd_step(const tensor* parameters, const tensor* momentum_buffer, int32_t count, double lr, double momentum,
                          double weight_decay, int32_t nesterov);
