#include "instruction_sets.h"
#include "temper_kernels.h"

#include <atomic>

namespace {
std::atomic<int32_t> limit{16};
}

int64_t temper::lanes() {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  static const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && limit >= 16) return 16;
  if (avx2 && limit >= 8) return 8;
#endif
  return 0;
}

int32_t tk_lanes() { return static_cast<int32_t>(temper::lanes()); }
void tk_limit_lanes(int32_t lanes) { limit = lanes; }
