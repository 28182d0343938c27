// Vectors of KERNEL_LANES floats, for the files that are compiled once per instruction set. They are GCC's vector types: + - *
// and comparisons work lane by lane, a comparison gives −1 or 0, and `mask ? a : b` selects.
#pragma once
#include <cstdint>

namespace {

constexpr int64_t lanes = KERNEL_LANES;

typedef float vec __attribute__((vector_size(4 * KERNEL_LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * KERNEL_LANES)));
typedef float loose_vec __attribute__((vector_size(4 * KERNEL_LANES), aligned(4), may_alias));

inline vec load(const float* p) { return *reinterpret_cast<const loose_vec*>(p); }
inline void store(float* p, vec v) { *reinterpret_cast<loose_vec*>(p) = v; }
inline vec all(float x) { return x - vec{}; }

} // namespace
