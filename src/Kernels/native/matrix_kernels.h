// Products of matrices of float32.
#pragma once
#include <cstdint>

namespace temper {

// A matrix with any strides: element (i, j) is values[i·row + j·column].
struct matrix {
  const float* values;
  int64_t row, column;
};

struct product_shape {
  int64_t rows, columns, depth;
};

// The last operations on each value of the product: adding the column's bias unless `bias` is null, then relu if `relu` is true.
struct epilogue {
  const float* bias;
  bool relu;
};

struct matrix_kernels {
  // Computes the columns of left·right from `first`, a multiple of `panel`, up to `last`. The product has rows of `columns`
  // floats.
  void (*multiply)(const product_shape&, const matrix& left, const matrix& right, const epilogue&, float* product, int64_t first, int64_t last);
  int64_t panel; // number of columns to multiply at once
};

} // namespace temper
