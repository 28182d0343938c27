#pragma once
#include <cstdint>

namespace temper {

// to[c][r] = from[r][c].
void transpose(const float* from, int64_t rows, int64_t columns, float* to);

} // namespace temper
