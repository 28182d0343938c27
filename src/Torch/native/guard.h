// The boundary itself: every entry point's body runs inside guarded(), which turns whatever it throws into a status.
#pragma once
#include "temper_torch.h"

#include <ATen/ATen.h>
#include <atomic>
#include <exception>
#include <new>
#include <stdexcept>

namespace tt {

status fail(status code, const char* message) noexcept;

inline std::atomic<int64_t> live_tensors{0};

inline at::Tensor& deref(tensor t) {
  if (!t) throw std::invalid_argument("a null tensor was passed");
  return *t;
}

// A null handle is the undefined tensor, which libtorch reads as "absent".
inline at::Tensor optional(tensor t) { return t ? *t : at::Tensor(); }

inline tensor hand_out(at::Tensor&& t) {
  if (!t.defined()) return nullptr;
  auto handle = new at::Tensor(std::move(t));
  live_tensors.fetch_add(1, std::memory_order_relaxed);
  return handle;
}

inline at::IntArrayRef sizes(const int64_t* values, int64_t count) { return {values, static_cast<size_t>(count)}; }

inline at::Device device(int32_t type, int32_t index) {
  return {static_cast<at::DeviceType>(type), static_cast<at::DeviceIndex>(type == 0 ? -1 : index)};
}

template <class Body>
status guarded(Body&& body) noexcept {
  try {
    body();
    return TT_OK;
  } catch (const c10::IndexError& e) {
    return fail(TT_INDEX, e.what_without_backtrace());
  } catch (const c10::NotImplementedError& e) {
    return fail(TT_NOT_IMPLEMENTED, e.what_without_backtrace());
  } catch (const c10::OutOfMemoryError& e) {
    return fail(TT_OUT_OF_MEMORY, e.what_without_backtrace());
  } catch (const c10::Error& e) {
    return fail(TT_ERROR, e.what_without_backtrace());
  } catch (const std::bad_alloc& e) {
    return fail(TT_OUT_OF_MEMORY, e.what());
  } catch (const std::exception& e) {
    return fail(TT_ERROR, e.what());
  } catch (...) {
    return fail(TT_ERROR, "an unknown native exception");
  }
}

// For the many functions that give one tensor.
template <class Body>
status give(tensor* out, Body&& body) noexcept {
  *out = nullptr;
  return guarded([&] { *out = hand_out(body()); });
}

} // namespace tt
