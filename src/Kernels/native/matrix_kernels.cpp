// Compiled once per instruction set, with KERNEL_LANES floats in a register.
//
// The kernel copies the right matrix in panels of a few columns, so that their values are contiguous. It reads a panel's rows in
// order, each once for every few rows of the left matrix, whose sums stay in registers. Goto & van de Geijn 2008,
// doi:10.1145/1356052.1356053.
#include "instruction_sets.h"
#include "scratch.h"
#include "simd.h"

#include <algorithm>

using temper::epilogue;
using temper::matrix;
using temper::product_shape;

namespace {

constexpr int tile_rows = lanes == 16 ? 12 : 6; // with two registers per row, the sums leave a few registers for the factors
constexpr int64_t panel_columns = 2 * lanes;
constexpr int64_t block = 256;                // depth of a panel, which fits the first-level cache
constexpr int64_t group_floats = 32 * 1024;   // floats of the panels in use at once, a part of the second-level cache

// Copies `columns` columns of the right matrix to a panel. The panel's other columns become zero.
void pack(const matrix& right, int64_t depth, int64_t columns, float* panel) {
  if (right.column == 1 && columns == panel_columns) {
    for (int64_t k = 0; k < depth; k++)
      for (int64_t j = 0; j < panel_columns; j += lanes) store(panel + k * panel_columns + j, load(right.values + k * right.row + j));
    return;
  }
  for (int64_t k = 0; k < depth; k++)
    for (int64_t j = 0; j < panel_columns; j++) panel[k * panel_columns + j] = j < columns ? right.values[k * right.row + j * right.column] : 0;
}

template <int Rows>
void multiply_tile(const matrix& left, const float* panel, int64_t depth, float* product, int64_t apart, bool add, const epilogue& end) {
  vec sum[Rows][2];
#pragma GCC unroll 12
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) sum[i][j] = add ? load(product + i * apart + j * lanes) : end.bias ? load(end.bias + j * lanes) : vec{};
  for (int64_t k = 0; k < depth; k++) {
    const vec r0 = load(panel + k * panel_columns), r1 = load(panel + k * panel_columns + lanes);
    const float* l = left.values + k * left.column;
#pragma GCC unroll 12
    for (int i = 0; i < Rows; i++) {
      const vec x = all(l[i * left.row]);
      sum[i][0] += x * r0;
      sum[i][1] += x * r1;
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) store(product + i * apart + j * lanes, end.relu ? (sum[i][j] <= vec{} ? vec{} : sum[i][j]) : sum[i][j]);
}

template <int Rows = tile_rows>
void multiply_rows(int64_t rows, const matrix& left, const float* panel, int64_t depth, float* product, int64_t apart, bool add, const epilogue& end) {
  if (rows >= Rows) multiply_tile<Rows>(left, panel, depth, product, apart, add, end);
  else if constexpr (Rows > 1) multiply_rows<Rows - 1>(rows, left, panel, depth, product, apart, add, end);
}

// Multiplies fewer columns than a panel has, with a buffer of whole rows.
void multiply_edge(int64_t rows, int64_t columns, const matrix& left, const float* panel, int64_t depth, float* product, int64_t apart, bool add, const epilogue& end) {
  float buffer[tile_rows * panel_columns] = {}, bias[panel_columns] = {};
  if (end.bias) std::copy_n(end.bias, columns, bias);
  if (add)
    for (int64_t i = 0; i < rows; i++) std::copy_n(product + i * apart, columns, buffer + i * panel_columns);
  multiply_rows(rows, left, panel, depth, buffer, panel_columns, add, {end.bias ? bias : nullptr, end.relu});
  for (int64_t i = 0; i < rows; i++) std::copy_n(buffer + i * panel_columns, columns, product + i * apart);
}

void multiply(const product_shape& s, const matrix& left, const matrix& right, const epilogue& end, float* product, int64_t first, int64_t last) {
  const int64_t most = std::min(block, s.depth), group = std::max<int64_t>(1, group_floats / (most * panel_columns)) * panel_columns;
  float* panels = scratch<0>(std::min(group, last - first + panel_columns) * most);
  for (int64_t from = first; from < last; from += group)
    for (int64_t k = 0; k < s.depth; k += block) {
      const int64_t to = std::min(last, from + group), depth = std::min(block, s.depth - k);
      for (int64_t j = from; j < to; j += panel_columns)
        pack({right.values + k * right.row + j * right.column, right.row, right.column}, depth, std::min(panel_columns, to - j), panels + (j - from) * depth);
      for (int64_t i = 0; i < s.rows; i += tile_rows)
        for (int64_t j = from; j < to; j += panel_columns) {
          const matrix rows{left.values + i * left.row + k * left.column, left.row, left.column};
          const epilogue now{end.bias ? end.bias + j : nullptr, end.relu && k + depth == s.depth};
          const float* panel = panels + (j - from) * depth;
          float* tile = product + i * s.columns + j;
          if (to - j >= panel_columns) multiply_rows(s.rows - i, rows, panel, depth, tile, s.columns, k > 0, now);
          else multiply_edge(std::min<int64_t>(tile_rows, s.rows - i), to - j, rows, panel, depth, tile, s.columns, k > 0, now);
        }
    }
}

} // namespace

template <>
const temper::matrix_kernels temper::kernels<KERNEL_LANES>::matrices = {multiply, panel_columns};
