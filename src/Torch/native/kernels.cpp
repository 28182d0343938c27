#include "kernels.h"
#include "temper_torch.h"

#include <atomic>

namespace {
std::atomic<int32_t> most_lanes{16};
}

int64_t tt::lanes() {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  static const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && most_lanes >= 16) return 16;
  if (avx2 && most_lanes >= 8) return 8;
#endif
  return 0;
}

void tt_limit_vector_lanes(int32_t lanes) { most_lanes = lanes; }

const char* tt_fused_kernels() {
  const auto lanes = tt::lanes();
  return lanes == 16 ? "avx512" : lanes == 8 ? "avx2" : "none";
}
