// What a block of the emulated GPU and the code that runs in it know of each other. Part of the tests: the stand-in
// driver (cuda.cpp) and the kernels, which include emulator.h, are compiled apart and share this.
#pragma once
#include <cstddef>

struct dim3 {
  unsigned x, y, z;
};

struct Emulator {
  dim3 thread, block, block_dim, grid_dim;
  // Words that the lanes of a warp show each other: [warp][lane][word].
  unsigned (*words)[32][8];
  void (*barrier)();
  void (*warp)();
  void (*copy)(void* to, const void* from, size_t bytes, bool take);
  void (*commit)();
  void (*wait)(int groups);
};
