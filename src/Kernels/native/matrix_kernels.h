// Products of matrices of float32.
#pragma once
#include <cstdint>

namespace temper {

// A matrix anywhere in memory: element (i, j) is values[i·row + j·column].
struct matrix {
  const float* values;
  int64_t row, column;
};

struct product_shape {
  int64_t rows, columns, depth;
};

// What happens to each value of the product before it is stored: the column's bias is added unless bias is null, then relu.
struct epilogue {
  const float* bias;
  bool relu;
};

struct matrix_kernels {
  // The columns of left·right from `first`, a multiple of the panel's width, up to `last`. The product's rows lie `columns` apart.
  void (*multiply)(const product_shape&, const matrix& left, const matrix& right, const epilogue&, float* product, int64_t first, int64_t last);
  int64_t panel; // columns that are multiplied at once
};

} // namespace temper
