// Marks functions with loops that the compiler vectorizes: it compiles one for each instruction set, and the loader chooses.
#pragma once

#if defined(__x86_64__)
#define VECTORIZED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTORIZED
#endif
