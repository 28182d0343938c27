// The C ABI of the CPU kernels. Neither their build nor their use needs libtorch.
//
// The caller owns all memory. Every pointer is to float32 values, unless its type says otherwise. Images have the memory order
// N, H, W, C, which PyTorch calls channels last. Convolution weights have PyTorch's contiguous layout: [out][in][3][3].
// The caller must check shapes and layouts; the functions do not. No function throws.
#pragma once
#include <cstdint>

#define TK_API extern "C" __attribute__((visibility("default")))

enum tk_status : int32_t { TK_OK = 0, TK_OUT_OF_MEMORY = 1 };

// ---- threads and instruction sets

// GOMP_parallel of an OpenMP runtime. The caller passes that of libtorch's runtime, so that both share one thread pool.
typedef void (*tk_parallel)(void (*body)(void* data), void* data, unsigned threads, unsigned flags);

// Call it before any kernel. If `parallel` is null, everything runs on the calling thread.
TK_API void tk_set_threads(tk_parallel parallel, int32_t threads);
// Floats per vector register of the kernels on this processor: 16 (AVX-512), 8 (AVX2), or 0 if there are no kernels for it.
TK_API int32_t tk_lanes();
// Caps tk_lanes, for tests and measurements. 0 turns the kernels off.
TK_API void tk_limit_lanes(int32_t lanes);

// Before a forward pass the caller asks a *_lanes function which kernels fit. It returns their lanes, or 0 if none fit. The
// caller passes these lanes to both the forward and the backward pass.

// ---- convolution 3×3 with padding 1

struct tk_convolution {
  int64_t images, height, width; // of the input
  int64_t in_channels, out_channels;
  int64_t lanes;
};

// relu(max_pool2d(conv2d(input, weight, bias), 2)) with stride 1. No window covers an odd last row or column.
// positions: for each output value the pixel of its window that it came from, 0 to 3, or 4 if relu set it to 0, in the order
// N, H, W, C. May be null in forward.
// flat: if not 0, the output and its gradient are rows of C·H·W values in the order C, H, W, as linear layers expect.
TK_API int64_t tk_conv_pool_lanes(const tk_convolution*);
TK_API tk_status tk_conv_pool_forward(const tk_convolution*, const float* input, const float* weight, const float* bias, int32_t flat, float* output, uint8_t* positions);
// input_grad may be null. With one input channel it must be null.
TK_API tk_status tk_conv_pool_backward(const tk_convolution*, const float* input, const float* weight, const uint8_t* positions, int32_t flat, const float* output_grad, float* weight_grad, float* bias_grad,
                                       float* input_grad);

// conv2d(input, weight) with stride 1 and no bias.
TK_API int64_t tk_conv_lanes(const tk_convolution*);
TK_API tk_status tk_conv_forward(const tk_convolution*, const float* input, const float* weight, float* output);
// weight_grad and input_grad may be null.
TK_API tk_status tk_conv_backward(const tk_convolution*, const float* input, const float* weight, const float* output_grad, float* weight_grad, float* input_grad);

// ---- batch normalization over rows of C channels, then the addition of a residual (may be null), then relu

struct tk_rows {
  int64_t rows, channels;
  int64_t lanes;
};

struct tk_norm {
  const float *weight, *bias;
  float *running_mean, *running_var;
  float* statistics; // buffer of 4·C floats for the values that the backward pass needs. Not used in inference.
  double eps, momentum;
};

TK_API int64_t tk_batch_norm_lanes(int64_t channels);
// Normalizes by the batch's statistics and updates the running ones.
TK_API tk_status tk_batch_norm_train(const tk_rows*, const tk_norm*, const float* input, const float* residual, int32_t relu, float* output);
// Normalizes by the running statistics.
TK_API tk_status tk_batch_norm_infer(const tk_rows*, const tk_norm*, const float* input, const float* residual, int32_t relu, float* output);
// output: the output of tk_batch_norm_train; null if there was no relu.
// residual_grad: null if there was no residual, or no relu: without relu it equals output_grad.
TK_API tk_status tk_batch_norm_backward(const tk_rows*, const float* input, const float* statistics, const float* output, const float* output_grad, float* input_grad, float* weight_grad,
                                        float* bias_grad, float* residual_grad);

// ---- residual block: relu(norm2(conv2(relu(norm1(conv1(input))))) + input), with 3×3 convolutions of equal channels
//
// If conv1 has a stride or changes the channels, the block does not include it: conv1_weight is null, the input is conv1's
// output, and the caller passes the residual. Otherwise the residual is null.

struct tk_block {
  int64_t images, height, width, channels;
  int64_t lanes;
};

struct tk_block_gradients {
  float *input, *residual; // input may be null. residual is null if the block has conv1.
  float *conv1_weight, *conv2_weight;
  float *norm1_weight, *norm1_bias, *norm2_weight, *norm2_bias;
};

TK_API int64_t tk_block_lanes(int64_t channels);
// convolved1, convolved2: buffers for the convolutions' outputs, which the backward pass needs. Without conv1 convolved1 is not
// used.
TK_API tk_status tk_block_train(const tk_block*, const float* input, const float* residual, const float* conv1_weight, const tk_norm* norm1, const float* conv2_weight, const tk_norm* norm2,
                                float* convolved1, float* convolved2, float* output);
TK_API tk_status tk_block_infer(const tk_block*, const float* input, const float* residual, const float* conv1_weight, const tk_norm* norm1, const float* conv2_weight, const tk_norm* norm2,
                                float* output);
// active_grad: buffer for the gradient of conv2's input.
TK_API tk_status tk_block_backward(const tk_block*, const float* input, const float* conv1_weight, const float* statistics1, const float* conv2_weight, const float* statistics2,
                                   const float* convolved1, const float* convolved2, const float* output, const float* output_grad, float* active_grad,
                                   const tk_block_gradients*);

// ---- linear layer: input·weightᵀ + bias, then relu if asked for

struct tk_linear {
  int64_t rows, inputs, outputs;
  int64_t lanes;
};

TK_API int64_t tk_linear_lanes();
// weight: [outputs][inputs]. bias may be null.
TK_API tk_status tk_linear_forward(const tk_linear*, const float* input, const float* weight, const float* bias, int32_t relu, float* output);
// output: the output of forward; null if there was no relu. Each gradient may be null.
TK_API tk_status tk_linear_backward(const tk_linear*, const float* input, const float* weight, const float* output, const float* output_grad, float* weight_grad, float* bias_grad, float* input_grad);

// ---- images and layout

// Writes the images at `count` indices of an array of `available` images of `size` bytes each, as (byte − mean) / deviation.
// Returns −1, or the position of the first index that is out of range; then it writes nothing.
TK_API int64_t tk_gather_images(int64_t count, int64_t available, int64_t size, const uint8_t* images, const int64_t* indices, float mean, float deviation, float* output);

// Transposes each of `count` matrices of rows × columns.
TK_API tk_status tk_transpose(int64_t count, int64_t rows, int64_t columns, const float* from, float* to);

// ---- cross-entropy with label smoothing, averaged over the rows

// Writes the loss, and softmax(logits) unless `probabilities` is null. Returns -1, or the first row whose label is not a class.
TK_API int64_t tk_cross_entropy_forward(int64_t rows, int64_t classes, const float* logits, const int64_t* labels, double smoothing, float* loss, float* probabilities);
// Number of rows whose label is the class of the largest logit; of equal logits the first counts.
TK_API int64_t tk_count_hits(int64_t rows, int64_t classes, const float* logits, const int64_t* labels);
// scale: the gradient of the loss.
TK_API tk_status tk_cross_entropy_backward(int64_t rows, int64_t classes, const float* probabilities, const int64_t* labels, double smoothing, float scale, float* logits_grad);

// ---- optimizer steps over `count` parameters of sizes[i] values each

// Kingma & Ba 2015, algorithm 1, in PyTorch's form: it adds eps to the bias-corrected denominator. step counts from 1.
TK_API tk_status tk_adam_step(int32_t count, float* const* weights, const float* const* gradients, float* const* means, float* const* squares, const int64_t* sizes, int64_t step,
                              double learning_rate, double beta1, double beta2, double eps, double weight_decay);
// b = momentum·b + g; a step along b, or along g + momentum·b (Nesterov).
TK_API tk_status tk_sgd_step(int32_t count, float* const* weights, const float* const* gradients, float* const* buffers, const int64_t* sizes, double learning_rate, double momentum,
                             double weight_decay, int32_t nesterov);
