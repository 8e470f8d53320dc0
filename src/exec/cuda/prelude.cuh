// What generated kernels call. Compiled by NVRTC; and by a host compiler for tests, which defines NASC_EMULATED and
// brings twins of what only a GPU has.

typedef unsigned long long u64;

__device__ __forceinline__ int floor_div(int a, int n) { return a >= 0 ? a / n : -((n - 1 - a) / n); }
__device__ __forceinline__ long long floor_div(long long a, long long n) { return a >= 0 ? a / n : -((n - 1 - a) / n); }
template <class T> __device__ __forceinline__ T between(T x, T last) { return x < 0 ? 0 : x > last ? last : x; }

// NaN if an operand is.
__device__ __forceinline__ float max2(float a, float b) { return (a > b || a != a) ? a : b; }
__device__ __forceinline__ float min2(float a, float b) { return (a < b || a != a) ? a : b; }
__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

template <int N> __device__ __forceinline__ float power(float x) {
  if (N == 0) return 1.0f;
  const float half = power<N / 2>(x);
  return N % 2 ? half * half * x : half * half;
}
template <> __device__ __forceinline__ float power<0>(float) { return 1.0f; }

// A reduction under way: its value, and how many points it has seen; for ARGMAX and ARGMIN the number of the best.
struct Acc {
  float v;
  int n;
};
enum { SUM, MAX, MIN, PROD, ARGMAX, ARGMIN };

template <int OP> __device__ __forceinline__ Acc start() {
  Acc a = {OP == PROD ? 1.0f : 0.0f, OP >= ARGMAX ? -1 : 0};
  return a;
}

template <int OP> __device__ __forceinline__ bool beyond(float x, float than) {
  return OP == MAX || OP == ARGMAX ? x > than : x < than;
}

template <int OP> __device__ __forceinline__ void take(Acc& a, float x, int at) {
  if (OP == SUM) a.v += x;
  if (OP == PROD) a.v *= x;
  if (OP == MAX || OP == MIN) a.v = a.n == 0 || x != x || beyond<OP>(x, a.v) ? x : a.v;
  if (OP < ARGMAX) {
    a.n += 1;
  } else if (a.n < 0 || (a.v == a.v && (x != x || beyond<OP>(x, a.v)))) {
    a.v = x;
    a.n = at;
  }
}

template <int OP> __device__ __forceinline__ Acc join(Acc a, Acc b) {
  Acc r;
  if (OP >= ARGMAX) {
    if (b.n < 0) return a;
    if (a.n < 0) return b;
    const bool p = a.v != a.v, q = b.v != b.v;
    const bool equal = (p && q) || a.v == b.v;
    return equal ? (a.n < b.n ? a : b) : p ? a : q ? b : beyond<OP>(b.v, a.v) ? b : a;
  }
  r.n = a.n + b.n;
  if (OP == SUM) r.v = a.v + b.v;
  if (OP == PROD) r.v = a.v * b.v;
  if (OP == MAX || OP == MIN)
    r.v = b.n == 0 ? a.v : a.n == 0 ? b.v : (a.v != a.v || beyond<OP>(a.v, b.v)) ? a.v : b.v;
  return r;
}

template <int OP> __device__ __forceinline__ Acc warp_join(Acc a) {
  for (int d = 16; d > 0; d /= 2) {
    Acc b;
    b.v = __shfl_down_sync(0xffffffffu, a.v, d);
    b.n = __shfl_down_sync(0xffffffffu, a.n, d);
    a = join<OP>(a, b);
  }
  return a;
}

// The result is right in thread 0.
template <int OP, int THREADS> __device__ __forceinline__ Acc block_join(Acc a, Acc* shared) {
  a = warp_join<OP>(a);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = a;
  __syncthreads();
  if (threadIdx.x < 32) {
    a = threadIdx.x < THREADS / 32 ? shared[threadIdx.x] : start<OP>();
    a = warp_join<OP>(a);
  }
  return a;
}

// The same arithmetic as `graph::ir::draw`.
__device__ __forceinline__ u64 mix(u64 x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
  return x ^ (x >> 33);
}
__device__ __forceinline__ float draw(u64 key, u64 i) {
  return (float)(mix(key + i * 0x9e3779b97f4a7c15ull) >> 40) * (1.0f / 16777216.0f);
}

// Copies from global to shared memory: begun, gathered in groups, waited for. A false `take` writes zeros.
#ifndef NASC_EMULATED
__device__ __forceinline__ void copy4(float* to, const float* from, bool take) {
#if __CUDA_ARCH__ >= 800
  const unsigned at = (unsigned)__cvta_generic_to_shared(to);
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(from), "r"(take ? 4 : 0));
#else
  *to = take ? *from : 0.0f;
#endif
}
__device__ __forceinline__ void copy16(float* to, const float* from, bool take) {
#if __CUDA_ARCH__ >= 800
  const unsigned at = (unsigned)__cvta_generic_to_shared(to);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(take ? 16 : 0));
#else
  for (int i = 0; i < 4; ++i) to[i] = take ? from[i] : 0.0f;
#endif
}
__device__ __forceinline__ void copies_commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;");
#endif
}
template <int N> __device__ __forceinline__ void copies_wait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(N));
#endif
}

// Products of small matrices on tensor cores: d += a * b, accumulated in float; PTX ISA, "Warp Level Matrix
// Instructions", shapes m16n8k8 for TF32 and m16n8k16 for BF16.
__device__ __forceinline__ unsigned to_tf32(float x) {
  unsigned r;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
  return r;
}
__device__ __forceinline__ unsigned to_bf16x2(float low, float high) {
  unsigned r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}
__device__ __forceinline__ void mma_tf32(float* d, const unsigned* a, const unsigned* b) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_bf16(float* d, const unsigned* a, const unsigned* b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif
