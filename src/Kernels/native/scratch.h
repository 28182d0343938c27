// Memory of the calling thread that is kept from call to call, so that a training step allocates nothing.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace {

constexpr int64_t aligned(int64_t floats) { return (floats + 15) / 16 * 16; }

// The floats that a slot of this thread holds.
template <int Slot>
int64_t& scratch_size() {
  thread_local int64_t size = 0;
  return size;
}

// Aligned to a cache line. Slot tells apart what one thread needs at the same time: 0 belongs to the kernels.
template <int Slot>
float* scratch(int64_t floats) {
  struct release { void operator()(float* p) const { std::free(p); } };
  thread_local std::unique_ptr<float, release> memory;
  int64_t& size = scratch_size<Slot>();
  if (size < floats) {
    size = 0;
    memory.reset(static_cast<float*>(std::aligned_alloc(64, aligned(floats) * sizeof(float))));
    if (!memory) throw std::bad_alloc();
    size = floats;
  }
  return memory.get();
}

} // namespace
