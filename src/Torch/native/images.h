// The images that our CPU operations take: N, H, W, C in memory, float32.
#pragma once
#include <ATen/ATen.h>

namespace tt {

constexpr auto channels_last = at::MemoryFormat::ChannelsLast;

inline bool dense(const at::Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.dim() == 4 && t.is_contiguous(channels_last) && t.numel() > 0; }

} // namespace tt
