// The images that our CPU operations take: N, H, W, C in memory, float32.
#pragma once
#include <ATen/ATen.h>
#include <stdexcept>

namespace tt {

constexpr auto channels_last = at::MemoryFormat::ChannelsLast;

inline bool dense(const at::Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.dim() == 4 && t.is_contiguous(channels_last) && t.numel() > 0; }

// For a backward pass, whose forward pass found its kernels.
template <class Table>
const Table& still_there(const Table* table) {
  if (!table) throw std::runtime_error("The vector lanes were limited between a forward pass and its backward pass.");
  return *table;
}

} // namespace tt
