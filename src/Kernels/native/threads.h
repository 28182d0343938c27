// Shares the work of a kernel among the threads of the OpenMP runtime that the process already has.
#pragma once
#include <algorithm>
#include <cstdint>

namespace temper {

int64_t thread_count();

// Calls body(data, part) once for each part from 0 to parts - 1, each on some thread.
// Throws std::bad_alloc on the calling thread when a part ran out of memory.
void run_parts(int64_t parts, void (*body)(void* data, int64_t part), void* data);

inline int64_t parts_of(int64_t count) { return std::max<int64_t>(1, std::min(count, thread_count())); }

// For work that adds up `numbers` values in every part: a few parts for each thread, so that one that is held up does fewer of them,
// unless there are so many values that adding up the parts would cost more.
inline int64_t parts_with_sums(int64_t count, int64_t numbers) {
  constexpr int64_t few_numbers = 1 << 15;
  return std::max<int64_t>(1, std::min(count, thread_count() * (numbers <= few_numbers ? 4 : 1)));
}

// Splits `count` items into `parts` contiguous ranges of equal length and calls body(part, first, last) for each.
// Ranges depend on the number of threads alone, so sums are made in the same order in every run.
template <class Body>
void for_ranges(int64_t count, int64_t parts, const Body& body) {
  if (count <= 0) return;
  const int64_t length = (count + parts - 1) / parts;
  auto range = [&](int64_t part) { body(part, std::min(count, part * length), std::min(count, (part + 1) * length)); };
  run_parts(parts, [](void* data, int64_t part) { (*static_cast<decltype(range)*>(data))(part); }, &range);
}

template <class Body>
void for_ranges(int64_t count, const Body& body) {
  for_ranges(count, parts_of(count), body);
}

// Calls body(first, last) for ranges of a few items, which the threads take one after another. For work without sums: a thread that
// is held up then does less of it.
template <class Body>
void for_chunks(int64_t count, const Body& body) {
  constexpr int64_t length = 8;
  for_ranges(count, (count + length - 1) / length, [&](int64_t, int64_t first, int64_t last) { body(first, last); });
}

} // namespace temper
