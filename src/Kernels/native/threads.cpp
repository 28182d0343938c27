#include "threads.h"
#include "temper_kernels.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>

namespace {

tk_parallel parallel = nullptr;
int64_t threads = 1;

struct parts_under_way {
  void (*body)(void* data, int64_t part);
  void* data;
  int64_t parts;
  std::atomic<int64_t> next{0};
  std::atomic<bool> out_of_memory{false};

  // The runtime may start fewer threads than requested, so each thread takes parts until none is left.
  void work() noexcept {
    for (int64_t part; (part = next.fetch_add(1, std::memory_order_relaxed)) < parts;) {
      try {
        body(data, part);
      } catch (const std::bad_alloc&) {
        out_of_memory.store(true, std::memory_order_relaxed);
      }
    }
  }
};

} // namespace

int64_t temper::thread_count() { return threads; }

void temper::run_parts(int64_t parts, void (*body)(void* data, int64_t part), void* data) {
  parts_under_way work{body, data, parts};
  if (parts == 1 || !parallel) work.work();
  else parallel([](void* work) { static_cast<parts_under_way*>(work)->work(); }, &work, static_cast<unsigned>(std::min(parts, threads)), 0);
  if (work.out_of_memory) throw std::bad_alloc();
}

void tk_set_threads(tk_parallel with, int32_t count) {
  parallel = with;
  threads = with ? count : 1;
}
