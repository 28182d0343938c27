#include "guard.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <climits>
#include <malloc.h>
#include <string>
#include <torch/cuda.h>
#if __has_include(<torch/headeronly/version.h>) // 2.9 and later
#include <torch/headeronly/version.h>
#elif __has_include(<torch/version.h>) // up to 2.8, through torch/csrc/api/include
#include <torch/version.h>
#endif

namespace {
thread_local std::string last_error;
}

status tt::fail(status code, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return code;
}

const char* tt_last_error() { return last_error.c_str(); }
const char* tt_torch_version() { return TORCH_VERSION; }
int64_t tt_live_tensors() { return tt::live_tensors.load(std::memory_order_relaxed); }

status tt_set_num_threads(int32_t threads) {
  return tt::guarded([&] { at::set_num_threads(threads); });
}
int32_t tt_get_num_threads() { return at::get_num_threads(); }

// glibc gives each activation tensor its own mmap and returns it to the kernel on free, so every step faults the same
// pages in again. Keeping freed memory in the heap makes a CPU training step about 1.6 times as fast.
status tt_tune_malloc() {
  return tt::guarded([] {
    if (!mallopt(M_MMAP_THRESHOLD, 1 << 30) || !mallopt(M_TRIM_THRESHOLD, INT_MAX) || !mallopt(M_TOP_PAD, 64 << 20))
      throw std::runtime_error("mallopt refused the thresholds");
  });
}

void tt_release_memory() { malloc_trim(0); }

status tt_use_deterministic_algorithms(int32_t on) {
  return tt::guarded([&] {
    auto& context = at::globalContext();
    context.setDeterministicAlgorithms(on != 0, /*warn_only=*/true);
    context.setDeterministicCuDNN(on != 0);
    context.setBenchmarkCuDNN(false);
  });
}

status tt_manual_seed(int64_t seed) {
  return tt::guarded([&] { at::manual_seed(static_cast<uint64_t>(seed)); });
}

int32_t tt_grad_enabled() { return c10::GradMode::is_enabled(); }
void tt_set_grad_enabled(int32_t on) { c10::GradMode::set_enabled(on != 0); }

// "No CUDA" and "CUDA that cannot start" are the same answer here: this process trains on the CPU.
int32_t tt_cuda_is_available() {
  try {
    return torch::cuda::is_available();
  } catch (...) {
    return 0;
  }
}
int32_t tt_cuda_device_count() {
  try {
    return static_cast<int32_t>(torch::cuda::device_count());
  } catch (...) {
    return 0;
  }
}
