// Transposes in registers, because libtorch transposes element by element and takes several times as long as the memory access.
#include "transpose.h"
#include "instruction_sets.h"

namespace {

// to[c][r] = from[r][c], except for elements that are both in the first done_rows and in the first done_columns.
void transpose_rest(const float* from, int64_t rows, int64_t columns, int64_t done_rows, int64_t done_columns, float* to) {
  for (int64_t c = 0; c < columns; c++)
    for (int64_t r = c < done_columns ? done_rows : 0; r < rows; r++) to[c * rows + r] = from[r * columns + c];
}

#if defined(__x86_64__)
typedef float eight __attribute__((vector_size(32)));
typedef float loose_eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t places __attribute__((vector_size(32)));

// Transposes tiles of 8×8 in registers, by shuffles of single values, then of pairs, then of halves.
__attribute__((target("avx2"))) void transpose_avx2(const float* from, int64_t rows, int64_t columns, float* to) {
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
  transpose_rest(from, rows, columns, whole_rows, whole_columns, to);
}
#endif

} // namespace

void temper::transpose(const float* from, int64_t rows, int64_t columns, float* to) {
#if defined(__x86_64__)
  if (temper::lanes() >= 8) return transpose_avx2(from, rows, columns, to);
#endif
  transpose_rest(from, rows, columns, 0, 0, to);
}
