// main() of fastpath_bench, here because the tests' support library brings GoogleTest's.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
