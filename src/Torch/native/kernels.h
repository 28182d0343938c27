// The CPU kernels of this library, which are compiled once per instruction set, and the choice between them at run time.
// Included by those files too, so it includes nothing of libtorch: an inline function compiled there for AVX-512 could
// become everybody's.
#pragma once
#include "batch_norm_kernels.h"
#include "conv_kernels.h"
#include "conv_pool_kernels.h"

namespace tt {

// Of registers of so many floats: 8 for AVX2, 16 for AVX-512.
template <int Lanes>
struct kernels {
  static const conv_kernels conv;
  static const conv_pool_kernels conv_pool;
  static const batch_norm_kernels batch_norm;
};
template <> const conv_kernels kernels<8>::conv;
template <> const conv_kernels kernels<16>::conv;
template <> const conv_pool_kernels kernels<8>::conv_pool;
template <> const conv_pool_kernels kernels<16>::conv_pool;
template <> const batch_norm_kernels kernels<8>::batch_norm;
template <> const batch_norm_kernels kernels<16>::batch_norm;

// Floats in the widest register that this CPU has and tt_limit_vector_lanes allows; 0 where there are no kernels.
int64_t lanes();

// What `table` takes from the widest kernels that this CPU has and whose lanes divide `channels`; null where there are none.
template <class Table>
auto widest(int64_t channels, Table&& table) -> decltype(table(kernels<8>())) {
#if defined(__x86_64__)
  const auto most = lanes();
  if (most == 16 && channels % 16 == 0) return table(kernels<16>());
  if (most >= 8 && channels % 8 == 0) return table(kernels<8>());
#endif
  return nullptr;
}

} // namespace tt
