// Work shared among libtorch's threads in a fixed way.
#pragma once
#include <ATen/Parallel.h>
#include <algorithm>

namespace tt {

inline int64_t parts_of(int64_t count) { return std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), count)); }

// Equal runs of `count` things, one per thread, so that sums are made in the same order whenever there are as many threads.
template <class Body>
void by_thread(int64_t count, int64_t parts, Body&& body) {
  const int64_t each = (count + parts - 1) / parts;
  at::parallel_for(0, parts, 1, [&](int64_t from, int64_t to) {
    for (int64_t part = from; part < to; part++) body(part, std::min(count, part * each), std::min(count, (part + 1) * each));
  });
}

} // namespace tt
