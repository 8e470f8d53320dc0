// Included before generated CUDA C when it is compiled for the host: one thread of the GPU is one fiber, blocks run one
// after the other. Twins of what only a GPU has.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "device.h"

#define NASC_EMULATED 1
#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

static Emulator* nasc_emulator;
extern "C" void nasc_attach(Emulator* e) { nasc_emulator = e; }

#define threadIdx (nasc_emulator->thread)
#define blockIdx (nasc_emulator->block)
#define blockDim (nasc_emulator->block_dim)
#define gridDim (nasc_emulator->grid_dim)

inline void __syncthreads() { nasc_emulator->barrier(); }
inline void __syncwarp() { nasc_emulator->warp(); }

inline float __uint_as_float(unsigned u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}
inline unsigned __float_as_uint(float f) {
  unsigned u;
  memcpy(&u, &f, 4);
  return u;
}
inline int __float2int_rz(float x) {
  if (x != x) return 0;
  if (x >= 2147483648.0f) return 2147483647;
  if (x < -2147483648.0f) return -2147483647 - 1;
  return (int)x;
}
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }

inline unsigned* nasc_words(unsigned lane) {
  return nasc_emulator->words[threadIdx.x / 32][lane];
}

template <class T> T __shfl_down_sync(unsigned, T value, unsigned by) {
  const unsigned lane = threadIdx.x % 32;
  memcpy(nasc_words(lane), &value, sizeof(T));
  __syncwarp();
  if (lane + by < 32) memcpy(&value, nasc_words(lane + by), sizeof(T));
  __syncwarp();
  return value;
}

inline void nasc_aligned(const void* p, size_t n) {
  if ((uintptr_t)p % n) __builtin_trap();
}
inline void copy4(float* to, const float* from, bool take) { nasc_emulator->copy(to, from, 4, take); }
inline void copy16(float* to, const float* from, bool take) {
  nasc_aligned(to, 16);
  if (take) nasc_aligned(from, 16);
  nasc_emulator->copy(to, from, 16, take);
}
inline void copies_commit() { nasc_emulator->commit(); }
template <int N> void copies_wait() { nasc_emulator->wait(N); }

// Rounding to nearest: ties away from zero for TF32, to even for BF16, as the conversions of the GPU do.
inline unsigned to_tf32(float x) {
  unsigned u = __float_as_uint(x);
  if ((u & 0x7f800000u) == 0x7f800000u) return u;
  return (u + 0x1000u) & 0xffffe000u;
}
inline unsigned nasc_bf16(float x) {
  unsigned u = __float_as_uint(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
  return (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
}
inline unsigned to_bf16x2(float low, float high) { return nasc_bf16(low) | nasc_bf16(high) << 16; }

// d (16 x 8) += a (16 x depth) * b (depth x 8), each lane with its parts as the PTX manual draws them. `word(k)` says
// which register of which group member holds depth k.
inline void nasc_mma(float* d, const unsigned* a, const unsigned* b, int depth) {
  const unsigned lane = threadIdx.x % 32;
  memcpy(nasc_words(lane), a, 16);
  memcpy(nasc_words(lane) + 4, b, 8);
  __syncwarp();
  const unsigned g = lane / 4, q = lane % 4;
  for (int r = 0; r < 4; ++r) {
    const unsigned row = g + r / 2 * 8, column = 2 * q + r % 2;
    float sum = d[r];
    for (int k = 0; k < depth; ++k) {
      const int half = k / (depth / 2), within = k % (depth / 2);
      const int member = depth == 8 ? within : within / 2;
      const unsigned* wa = nasc_words(row % 8 * 4 + member);
      const unsigned* wb = nasc_words(column * 4 + member);
      unsigned x = wa[row / 8 + 2 * half], y = wb[4 + half];
      if (depth == 16) {
        x = within % 2 ? x & 0xffff0000u : x << 16;
        y = within % 2 ? y & 0xffff0000u : y << 16;
      } else {
        // The lower bits are not looked at: operands must have been rounded.
        x &= 0xffffe000u;
        y &= 0xffffe000u;
      }
      sum += __uint_as_float(x) * __uint_as_float(y);
    }
    d[r] = sum;
  }
  __syncwarp();
}
inline void mma_tf32(float* d, const unsigned* a, const unsigned* b) { nasc_mma(d, a, b, 8); }
inline void mma_bf16(float* d, const unsigned* a, const unsigned* b) { nasc_mma(d, a, b, 16); }
