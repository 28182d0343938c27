// The edge of the C ABI: what a body throws becomes a status.
#pragma once
#include "temper_kernels.h"

#include <new>

namespace temper {

template <class Body>
tk_status guarded(const Body& body) noexcept {
  try {
    body();
    return TK_OK;
  } catch (const std::bad_alloc&) { // the only exception that a kernel can meet
    return TK_OUT_OF_MEMORY;
  }
}

} // namespace temper
