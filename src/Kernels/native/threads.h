// Shares the work of a kernel among the threads of the OpenMP runtime that the process already has.
#pragma once
#include <algorithm>
#include <cstdint>

namespace temper {

int64_t thread_count();

// Calls body(data, part) once for each part from 0 to parts - 1, each on any thread.
// Throws std::bad_alloc on the calling thread if a part ran out of memory.
void run_parts(int64_t parts, void (*body)(void* data, int64_t part), void* data);

inline int64_t parts_of(int64_t count) { return std::max<int64_t>(1, std::min(count, thread_count())); }

// Number of parts for work that sums `numbers` values in every part: a few parts for each thread, so that a delayed thread does
// fewer of them. With many values it is one part per thread, because adding up more parts would cost more.
inline int64_t parts_with_sums(int64_t count, int64_t numbers) {
  constexpr int64_t few_numbers = 1 << 15;
  return std::max<int64_t>(1, std::min(count, thread_count() * (numbers <= few_numbers ? 4 : 1)));
}

// Splits `count` items into `parts` contiguous ranges of equal length and calls body(part, first, last) for each.
// The ranges depend only on the number of threads, so sums have the same order in every run.
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

// Calls body(first, last) for ranges of a few items, which the threads take one after another, so that a delayed thread does
// less. Use it for work without sums.
template <class Body>
void for_chunks(int64_t count, const Body& body) {
  constexpr int64_t length = 8;
  for_ranges(count, (count + length - 1) / length, [&](int64_t, int64_t first, int64_t last) { body(first, last); });
}

} // namespace temper
