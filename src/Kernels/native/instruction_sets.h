// The kernels that are compiled once per instruction set, and the choice between them at run time. The files that are compiled
// for AVX-512 include this header. They must not export inline functions of other libraries: the linker keeps one copy of such a
// function, which could be the one compiled for AVX-512. Optimized builds inline the few of <algorithm> and <memory> that these
// files use, and a test searches the library for others.
#pragma once
#include "batch_norm_kernels.h"
#include "conv_kernels.h"
#include "conv_pool_kernels.h"
#include "matrix_kernels.h"

namespace temper {

// Lanes: floats in a register, 8 for AVX2 and 16 for AVX-512.
template <int Lanes>
struct kernels {
  static const conv_kernels conv;
  static const conv_pool_kernels conv_pool;
  static const batch_norm_kernels batch_norm;
  static const matrix_kernels matrices;
};
template <> const conv_kernels kernels<8>::conv;
template <> const conv_kernels kernels<16>::conv;
template <> const conv_pool_kernels kernels<8>::conv_pool;
template <> const conv_pool_kernels kernels<16>::conv_pool;
template <> const batch_norm_kernels kernels<8>::batch_norm;
template <> const batch_norm_kernels kernels<16>::batch_norm;
template <> const matrix_kernels kernels<8>::matrices;
template <> const matrix_kernels kernels<16>::matrices;

// Floats in the widest register that this processor has and tk_limit_lanes allows; 0 if there are no kernels for it.
int64_t lanes();

// The largest number of lanes, 16 or 8 and at most lanes(), that divides `channels`; 0 if none does.
inline int64_t lanes_for(int64_t channels) {
  const auto most = lanes();
  return most == 16 && channels % 16 == 0 ? 16 : most >= 8 && channels % 8 == 0 ? 8 : 0;
}

// Returns table(kernels<lanes>()). The caller chooses the lanes once, before a forward pass; the backward pass uses the same.
template <class Table>
auto kernels_of(int64_t lanes, const Table& table) -> decltype(table(kernels<8>())) {
#if defined(__x86_64__)
  return lanes == 16 ? table(kernels<16>()) : table(kernels<8>());
#else
  return nullptr;
#endif
}

} // namespace temper
