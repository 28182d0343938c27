// N, H, W, C images as rows of C·H·W in the order C, H, W, which linear layers expect. libtorch copies element by element
// through its general iterator, which takes several times as long as the memory does.
#include "guard.h"
#include "images.h"
#include "kernels.h"
#include "parallel.h"

#include <torch/csrc/autograd/custom_function.h>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// to[c][r] = from[r][c], element by element, but for what lies in the first done_rows and done_columns alike.
void turn_rest(const float* from, int64_t rows, int64_t columns, int64_t done_rows, int64_t done_columns, float* to) {
  for (int64_t c = 0; c < columns; c++)
    for (int64_t r = c < done_columns ? done_rows : 0; r < rows; r++) to[c * rows + r] = from[r * columns + c];
}

void turn(const float* from, int64_t rows, int64_t columns, float* to) { turn_rest(from, rows, columns, 0, 0, to); }

#if defined(__x86_64__)
typedef float eight __attribute__((vector_size(32)));
typedef float loose_eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t places __attribute__((vector_size(32)));

// Tiles of 8×8 in registers: pairs, then fours, then halves change places.
__attribute__((target("avx2"))) void turn_avx2(const float* from, int64_t rows, int64_t columns, float* to) {
  const int64_t whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
  for (int64_t c = 0; c < whole_columns; c += 8)
    for (int64_t r = 0; r < whole_rows; r += 8) {
      eight x[8], pairs[8], fours[8];
      for (int k = 0; k < 8; k++) x[k] = *reinterpret_cast<const loose_eight*>(from + (r + k) * columns + c);
      for (int k = 0; k < 8; k += 2) {
        pairs[k] = __builtin_shuffle(x[k], x[k + 1], places{0, 8, 1, 9, 4, 12, 5, 13});
        pairs[k + 1] = __builtin_shuffle(x[k], x[k + 1], places{2, 10, 3, 11, 6, 14, 7, 15});
      }
      for (int k = 0; k < 8; k += 4)
        for (int i = 0; i < 2; i++) {
          fours[k + 2 * i] = __builtin_shuffle(pairs[k + i], pairs[k + i + 2], places{0, 1, 8, 9, 4, 5, 12, 13});
          fours[k + 2 * i + 1] = __builtin_shuffle(pairs[k + i], pairs[k + i + 2], places{2, 3, 10, 11, 6, 7, 14, 15});
        }
      for (int k = 0; k < 4; k++) {
        *reinterpret_cast<loose_eight*>(to + (c + k) * rows + r) = __builtin_shuffle(fours[k], fours[k + 4], places{0, 1, 2, 3, 8, 9, 10, 11});
        *reinterpret_cast<loose_eight*>(to + (c + k + 4) * rows + r) = __builtin_shuffle(fours[k], fours[k + 4], places{4, 5, 6, 7, 12, 13, 14, 15});
      }
    }
  turn_rest(from, rows, columns, whole_rows, whole_columns, to);
}
#endif

// Each image's rows and columns change places.
at::Tensor& turned(const at::Tensor& from, int64_t rows, int64_t columns, at::Tensor& to) {
  auto turn_one = turn;
#if defined(__x86_64__)
  if (tt::lanes() >= 8) turn_one = turn_avx2;
#endif
  const int64_t images = from.size(0), size = rows * columns;
  const float* x = from.data_ptr<float>();
  float* y = to.data_ptr<float>();
  tt::by_thread(images, tt::parts_of(images), [&](int64_t, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) turn_one(x + i * size, rows, columns, y + i * size);
  });
  return to;
}

at::Tensor rows_of(const at::Tensor& images) {
  auto rows = at::empty({images.size(0), images[0].numel()}, images.options().requires_grad(false));
  return turned(images, images.size(2) * images.size(3), images.size(1), rows);
}

struct Flatten : torch::autograd::Function<Flatten> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& images) {
    context->saved_data["sizes"] = images.sizes().vec();
    return rows_of(images);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto sizes = context->saved_data["sizes"].toIntVector();
    const auto grad = gradients[0].contiguous();
    auto images = at::empty(sizes, grad.options(), tt::channels_last);
    return {turned(grad, sizes[1], sizes[2] * sizes[3], images)};
  }
};

} // namespace

status tt_flatten(tensor t, int64_t start_dim, int64_t end_dim, tensor* out) {
  return tt::give(out, [&] {
    const auto& x = tt::deref(t);
    if (start_dim != 1 || end_dim != -1 || !tt::dense(x) || x.is_contiguous()) return x.flatten(start_dim, end_dim);
    return at::GradMode::is_enabled() && x.requires_grad() ? Flatten::apply(x) : rows_of(x);
  });
}
