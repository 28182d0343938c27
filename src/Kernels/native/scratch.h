// Memory of the calling thread that it keeps from call to call, so that a training step allocates nothing.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace {

constexpr int64_t aligned(int64_t floats) { return (floats + 15) / 16 * 16; }

// The size of a slot of this thread, in floats.
template <int Slot>
int64_t& scratch_size() {
  thread_local int64_t size = 0;
  return size;
}

// Returns memory aligned to a cache line. Buffers that one thread uses at the same time have different slots; 0 is the kernels'.
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
