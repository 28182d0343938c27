// Converts an exception of a body to a status, for the functions of the C ABI.
#pragma once
#include "temper_kernels.h"

#include <new>

namespace temper {

template <class Body>
tk_status guarded(const Body& body) noexcept {
  try {
    body();
    return TK_OK;
  } catch (const std::bad_alloc&) { // the only exception that a kernel can throw
    return TK_OUT_OF_MEMORY;
  }
}

} // namespace temper
