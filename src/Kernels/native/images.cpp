#include "guard.h"
#include "threads.h"
#include "transpose.h"
#include "vectorized.h"

namespace {

VECTORIZED void normalize(const uint8_t* __restrict bytes, int64_t count, float mean, float deviation, float* __restrict output) {
  for (int64_t i = 0; i < count; i++) output[i] = (static_cast<float>(bytes[i]) - mean) / deviation;
}

} // namespace

int64_t tk_gather_images(int64_t count, int64_t available, int64_t size, const uint8_t* images, const int64_t* indices, float mean, float deviation, float* output) {
  for (int64_t i = 0; i < count; i++)
    if (indices[i] < 0 || indices[i] >= available) return i;
  temper::for_ranges(count, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) normalize(images + indices[i] * size, size, mean, deviation, output + i * size);
  });
  return -1;
}

tk_status tk_transpose(int64_t count, int64_t rows, int64_t columns, const float* from, float* to) {
  return temper::guarded([&] {
    const int64_t size = rows * columns;
    temper::for_ranges(count, [&](int64_t, int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) temper::transpose(from + i * size, rows, columns, to + i * size);
    });
  });
}
