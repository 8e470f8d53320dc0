// A stand-in for libcuda: memory is the host's, kernels are shared libraries of the stand-in libnvrtc, a thread of the
// GPU is a fiber. It is as unhelpful as the real one may be: what is queued on a stream happens as late as the rules
// allow, or as early, and warps run one after the other up to a barrier, in the order that is asked for.
//
// NASC_EMULATED_STREAMS   late (default), early, copies (copies early, kernels late)
// NASC_EMULATED_ORDER     forward (default), reverse, mixed: of warps and blocks
// NASC_EMULATED_MEMORY    bytes of the device
// NASC_EMULATED_LOST      after so many kernels the device is lost
// NASC_EMULATED_NO_CUBIN  the driver is too old for any CUBIN
// NASC_EMULATED_NO_WAITS  streams do not wait for events
// NASC_EMULATED_DRIVER    its version, such as 12090
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "compile.h"
#include "device.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define BEFORE_SWITCH(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define AFTER_SWITCH(fake, bottom, size) __sanitizer_finish_switch_fiber(fake, bottom, size)
#else
#define BEFORE_SWITCH(save, bottom, size) (void)0
#define AFTER_SWITCH(fake, bottom, size) (void)0
#endif

namespace {

enum { OK = 0, INVALID = 1, NO_MEMORY = 2, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL = 700, NO_BINARY = 209,
       BAD_IMAGE = 200, CAPTURING = 900 };

[[noreturn]] void give_up(const char* why) {
  fprintf(stderr, "emulated GPU: %s\n", why);
  fflush(stderr);
  abort();
}

bool is(const char* variable, const char* value) {
  const char* v = getenv(variable);
  return v && strcmp(v, value) == 0;
}

// ---- fibers ----

extern "C" void nasc_switch(void** save, void* to);
#if defined(__x86_64__)
asm(R"(
.text
.globl nasc_switch
.hidden nasc_switch
nasc_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl nasc_switch
.hidden nasc_switch
nasc_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)");
#else
#error "the emulated GPU knows x86-64 and AArch64"
#endif

constexpr size_t STACK = 256 << 10;

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
  bool take;
};

enum State { READY, AT_WARP, AT_BARRIER, DONE };

struct Fiber {
  char* stack;
  void* at;
  void* fake;
  State state;
  dim3 index;
  std::deque<std::vector<Copy>> groups;
  std::vector<Copy> open;
};

struct Block {
  std::vector<Fiber> fibers;
  Fiber* now = nullptr;
  void* scheduler = nullptr;
  const void* bottom = nullptr;
  size_t size = 0;
  std::function<void()> body;
  unsigned words[32][32][8];
} block;

Emulator device;

void leave(State s) {
  Fiber* f = block.now;
  f->state = s;
  BEFORE_SWITCH(s == DONE ? nullptr : &f->fake, block.bottom, block.size);
  nasc_switch(&f->at, block.scheduler);
  AFTER_SWITCH(f->fake, &block.bottom, &block.size);
}

void begin() {
  AFTER_SWITCH(nullptr, &block.bottom, &block.size);
  block.body();
  leave(DONE);
  give_up("a thread that had ended went on");
}

void resume(Fiber* f) {
  block.now = f;
  device.thread = f->index;
  void* fake = nullptr;
  (void)fake;
  BEFORE_SWITCH(&fake, f->stack, STACK);
  nasc_switch(&block.scheduler, f->at);
  AFTER_SWITCH(fake, nullptr, nullptr);
}

void prepare(Fiber* f) {
  if (!f->stack) {
    f->stack = (char*)mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f->stack == MAP_FAILED) give_up("no memory for a stack");
  }
  f->groups.clear();
  f->open.clear();
  f->fake = nullptr;
  f->state = READY;
  void** top = (void**)(f->stack + STACK - 64);
#if defined(__x86_64__)
  // The return address, at which the stack is as after a call.
  *--top = nullptr;
  *--top = (void*)begin;
  top -= 6;
#else
  top -= 20;
  top[11] = (void*)begin;
#endif
  f->at = top;
}

void run_warp(size_t warp, size_t threads) {
  const size_t first = warp * 32, last = std::min(first + 32, threads);
  for (;;) {
    for (size_t i = first; i < last; ++i)
      if (block.fibers[i].state == READY) resume(&block.fibers[i]);
    size_t waiting = 0, others = 0;
    for (size_t i = first; i < last; ++i) (block.fibers[i].state == AT_WARP ? waiting : others)++;
    if (waiting == 0) return;
    if (others) give_up("a warp waits for lanes that are not coming");
    for (size_t i = first; i < last; ++i) block.fibers[i].state = READY;
  }
}

std::vector<size_t> order(size_t n) {
  std::vector<size_t> list(n);
  for (size_t i = 0; i < n; ++i) list[i] = i;
  if (is("NASC_EMULATED_ORDER", "reverse")) std::reverse(list.begin(), list.end());
  if (is("NASC_EMULATED_ORDER", "mixed")) {
    static uint64_t seed = 88172645463325252ull;
    for (size_t i = n; i > 1; --i) {
      seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
      std::swap(list[i - 1], list[seed % i]);
    }
  }
  return list;
}

void run_block(size_t threads) {
  if (block.fibers.size() < threads) block.fibers.resize(threads);
  for (size_t i = 0; i < threads; ++i) {
    block.fibers[i].index = {(unsigned)i, 0, 0};
    prepare(&block.fibers[i]);
  }
  for (;;) {
    for (size_t w : order((threads + 31) / 32)) run_warp(w, threads);
    bool more = false;
    for (size_t i = 0; i < threads; ++i)
      if (block.fibers[i].state == AT_BARRIER) block.fibers[i].state = READY, more = true;
    if (!more) return;
  }
}

void attach() {
  device.words = block.words;
  device.barrier = [] { leave(AT_BARRIER); };
  device.warp = [] { leave(AT_WARP); };
  device.copy = [](void* to, const void* from, size_t bytes, bool take) {
    block.now->open.push_back({to, from, bytes, take});
  };
  device.commit = [] {
    block.now->groups.push_back(std::move(block.now->open));
    block.now->open.clear();
  };
  device.wait = [](int groups) {
    auto& all = block.now->groups;
    while ((int)all.size() > groups) {
      for (const Copy& c : all.front()) {
        if (c.take)
          memcpy(c.to, c.from, c.bytes);
        else
          memset(c.to, 0, c.bytes);
      }
      all.pop_front();
    }
  };
}

// ---- modules ----

struct Function {
  void* code;
  int params;
};
struct Module {
  void* library;
  std::map<std::string, std::unique_ptr<Function>> functions;
};

constexpr int MOST = 64;
template <size_t... I> void call(void* code, void** p, std::index_sequence<I...>) {
  ((void (*)(decltype((void)I, (void*)0)...))code)(p[I]...);
}

// ---- streams ----

using Op = std::function<int()>;
struct Graph {
  std::vector<Op> ops;
};
struct Stream {
  std::deque<Op> queue;
  Graph* capture = nullptr;
};
struct Event {
  Stream* stream = nullptr;
  long recorded = 0, completed = 0;
};

std::recursive_mutex lock;
using Guard = std::lock_guard<std::recursive_mutex>;
std::set<Stream*> streams;
std::map<uintptr_t, size_t> allocated, pinned;
size_t used = 0;
long launched = 0;
bool lost = false;

size_t memory() {
  const char* v = getenv("NASC_EMULATED_MEMORY");
  return v ? strtoull(v, nullptr, 10) : 8ull << 30;
}

bool inside(const std::map<uintptr_t, size_t>& map, const void* p) {
  auto at = map.upper_bound((uintptr_t)p);
  if (at == map.begin()) return false;
  --at;
  return (uintptr_t)p < at->first + at->second;
}

int step(Stream* s) {
  Op op = std::move(s->queue.front());
  s->queue.pop_front();
  return lost ? ILLEGAL : op();
}
int drain(Stream* s) {
  int r = OK;
  while (!s->queue.empty()) r = std::max(r, step(s));
  return lost ? ILLEGAL : r;
}

enum Kind { COPY, KERNEL, OTHER };
int enqueue(Stream* s, Kind kind, Op op) {
  if (lost) return ILLEGAL;
  if (s->capture) {
    s->capture->ops.push_back(std::move(op));
    return OK;
  }
  s->queue.push_back(std::move(op));
  if (is("NASC_EMULATED_STREAMS", "early")) return drain(s);
  if (is("NASC_EMULATED_STREAMS", "copies") && kind != KERNEL && s->queue.size() == 1) return drain(s);
  return OK;
}

Stream* of(void* s) {
  static Stream null;
  return s ? (Stream*)s : &null;
}

}  // namespace

#define API extern "C" int

API cuInit(unsigned) { return is("NASC_EMULATED_DEVICES", "0") ? 100 : OK; }
API cuDriverGetVersion(int* v) {
  const char* given = getenv("NASC_EMULATED_DRIVER");
  *v = given ? atoi(given) : 12090;
  return OK;
}
API cuGetErrorName(int code, const char** s) {
  *s = code == OK          ? "CUDA_SUCCESS"
       : code == NO_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
       : code == ILLEGAL   ? "CUDA_ERROR_ILLEGAL_ADDRESS"
       : code == NO_BINARY ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
       : code == BAD_IMAGE ? "CUDA_ERROR_INVALID_IMAGE"
       : code == CAPTURING ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
       : code == 100       ? "CUDA_ERROR_NO_DEVICE"
                           : "CUDA_ERROR_INVALID_VALUE";
  return OK;
}
API cuGetErrorString(int code, const char** s) { return cuGetErrorName(code, s); }
API cuDeviceGetCount(int* n) {
  *n = 1;
  return OK;
}
API cuDeviceGet(int* d, int i) {
  *d = i;
  return i == 0 ? OK : 101;
}
API cuDeviceGetName(char* s, int n, int) {
  snprintf(s, n, "emulated GPU");
  return OK;
}
API cuDeviceTotalMem_v2(size_t* n, int) {
  *n = memory();
  return OK;
}
API cuDeviceGetAttribute(int* v, int what, int) {
  *v = what == 75 ? 8 : what == 76 ? 0 : what == 16 ? 4 : 1;
  return OK;
}
API cuDevicePrimaryCtxRetain(void** c, int) {
  *c = (void*)&device;
  return OK;
}
API cuDevicePrimaryCtxRelease_v2(int) { return OK; }
API cuCtxSetCurrent(void*) { return OK; }
API cuCtxGetCurrent(void** c) {
  *c = (void*)&device;
  return OK;
}
API cuCtxSynchronize() {
  Guard g(lock);
  int r = OK;
  for (Stream* s : streams) r = std::max(r, drain(s));
  return r;
}

API cuMemGetInfo_v2(size_t* free, size_t* total) {
  Guard g(lock);
  *total = memory();
  *free = *total - std::min(*total, used);
  return OK;
}
API cuMemAlloc_v2(uintptr_t* p, size_t n) {
  Guard g(lock);
  if (lost) return ILLEGAL;
  if (used + n > memory()) return NO_MEMORY;
  void* at = nullptr;
  if (posix_memalign(&at, 256, n)) return NO_MEMORY;
  // Not a number, so that what is read before it is written shows.
  memset(at, 0xff, n);
  *p = (uintptr_t)at;
  allocated[*p] = n;
  used += n;
  return OK;
}
API cuMemFree_v2(uintptr_t p) {
  Guard g(lock);
  auto at = allocated.find(p);
  if (at == allocated.end()) return INVALID;
  for (Stream* s : streams) drain(s);
  used -= at->second;
  allocated.erase(at);
  free((void*)p);
  return OK;
}
API cuMemHostAlloc(void** p, size_t n, unsigned) {
  Guard g(lock);
  if (posix_memalign(p, 256, n)) return NO_MEMORY;
  pinned[(uintptr_t)*p] = n;
  return OK;
}
API cuMemFreeHost(void* p) {
  Guard g(lock);
  pinned.erase((uintptr_t)p);
  free(p);
  return OK;
}
API cuMemcpyHtoD_v2(uintptr_t to, const void* from, size_t n) {
  Guard g(lock);
  if (lost) return ILLEGAL;
  memcpy((void*)to, from, n);
  return OK;
}
API cuMemcpyDtoH_v2(void* to, uintptr_t from, size_t n) {
  Guard g(lock);
  if (lost) return ILLEGAL;
  memcpy(to, (void*)from, n);
  return OK;
}
API cuMemcpyHtoDAsync_v2(uintptr_t to, const void* from, size_t n, void* stream) {
  Guard g(lock);
  Stream* s = of(stream);
  if (inside(pinned, from)) return enqueue(s, COPY, [=] { return memcpy((void*)to, from, n), OK; });
  if (s->capture) return CAPTURING;
  // Pageable memory is read at once.
  auto copy = std::make_shared<std::vector<char>>((const char*)from, (const char*)from + n);
  return enqueue(s, COPY, [=] { return memcpy((void*)to, copy->data(), n), OK; });
}
API cuMemcpyDtoHAsync_v2(void* to, uintptr_t from, size_t n, void* stream) {
  Guard g(lock);
  Stream* s = of(stream);
  Op op = [=] { return memcpy(to, (void*)from, n), OK; };
  if (inside(pinned, to)) return enqueue(s, COPY, op);
  if (s->capture) return CAPTURING;
  const int r = enqueue(s, COPY, op);
  return r ? r : drain(s);
}
API cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t n, void* stream) {
  Guard g(lock);
  return enqueue(of(stream), KERNEL, [=] { return memmove((void*)to, (void*)from, n), OK; });
}
API cuMemsetD8Async(uintptr_t to, unsigned char value, size_t n, void* stream) {
  Guard g(lock);
  return enqueue(of(stream), KERNEL, [=] { return memset((void*)to, value, n), OK; });
}

API cuModuleLoadData(void** out, const void* image) {
  Guard g(lock);
  if (lost) return ILLEGAL;
  std::string bytes;
  if (memcmp(image, ELFMAG, SELFMAG) == 0) {
    if (getenv("NASC_EMULATED_NO_CUBIN")) return NO_BINARY;
    const Elf64_Ehdr* h = (const Elf64_Ehdr*)image;
    bytes.assign((const char*)image, h->e_shoff + (size_t)h->e_shnum * h->e_shentsize);
  } else if (strncmp((const char*)image, "// emulated PTX\n", 16) == 0) {
    std::string log;
    bytes = emulated::compile((const char*)image + 16, log);
  }
  if (bytes.empty()) return BAD_IMAGE;
  char path[] = "/tmp/nasc_emulated_XXXXXX";
  const int file = mkstemp(path);
  if (file < 0 || write(file, bytes.data(), bytes.size()) != (ssize_t)bytes.size()) return BAD_IMAGE;
  close(file);
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) fprintf(stderr, "emulated GPU: %s\n", dlerror());
  unlink(path);
  if (!library) return BAD_IMAGE;
  ((void (*)(Emulator*))dlsym(library, "nasc_attach"))(&device);
  *out = new Module{library, {}};
  return OK;
}
API cuModuleUnload(void* m) {
  Guard g(lock);
  for (Stream* s : streams) drain(s);
  dlclose(((Module*)m)->library);
  delete (Module*)m;
  return OK;
}
API cuModuleGetFunction(void** out, void* module, const char* name) {
  Guard g(lock);
  Module* m = (Module*)module;
  void* code = dlsym(m->library, name);
  const int* params = (const int*)dlsym(m->library, (std::string(name) + "_params").c_str());
  if (!code || !params) return NOT_FOUND;
  auto& f = m->functions[name];
  f.reset(new Function{code, *params});
  *out = f.get();
  return OK;
}
API cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned,
                   void* stream, void** params, void**) {
  Guard g(lock);
  Function* f = (Function*)function;
  if (gx == 0 || gy != 1 || gz != 1 || bx == 0 || bx > 1024 || by != 1 || bz != 1 || f->params > MOST) return INVALID;
  std::vector<void*> values(MOST, nullptr);
  for (int i = 0; i < f->params; ++i) values[i] = *(void**)params[i];
  return enqueue(of(stream), KERNEL, [=]() mutable {
    attach();
    const char* limit = getenv("NASC_EMULATED_LOST");
    if (limit && ++launched > atol(limit)) {
      lost = true;
      return (int)ILLEGAL;
    }
    device.block_dim = {bx, 1, 1};
    device.grid_dim = {gx, 1, 1};
    block.body = [&] { call(f->code, values.data(), std::make_index_sequence<MOST>()); };
    for (size_t b : order(gx)) {
      device.block = {(unsigned)b, 0, 0};
      run_block(bx);
    }
    return (int)OK;
  });
}

API cuStreamCreate(void** out, unsigned) {
  Guard g(lock);
  Stream* s = new Stream;
  streams.insert(s);
  *out = s;
  return OK;
}
API cuStreamDestroy_v2(void* s) {
  Guard g(lock);
  drain((Stream*)s);
  streams.erase((Stream*)s);
  delete (Stream*)s;
  return OK;
}
API cuStreamSynchronize(void* s) {
  Guard g(lock);
  return of(s)->capture ? CAPTURING : drain(of(s));
}
API cuEventCreate(void** out, unsigned) {
  *out = new Event;
  return OK;
}
API cuEventDestroy_v2(void* e) {
  Guard g(lock);
  for (Stream* s : streams) drain(s);
  delete (Event*)e;
  return OK;
}
API cuEventRecord(void* event, void* stream) {
  Guard g(lock);
  Event* e = (Event*)event;
  e->stream = of(stream);
  const long number = ++e->recorded;
  return enqueue(e->stream, OTHER, [=] { return e->completed = std::max(e->completed, number), OK; });
}
static int reach(Event* e, long number) {
  while (e->completed < number && !e->stream->queue.empty()) step(e->stream);
  return lost ? ILLEGAL : OK;
}
API cuStreamWaitEvent(void* stream, void* event, unsigned) {
  Guard g(lock);
  Event* e = (Event*)event;
  const long number = e->recorded;
  // A fault, for the tests of the tests.
  if (getenv("NASC_EMULATED_NO_WAITS")) return OK;
  return enqueue(of(stream), KERNEL, [=] { return reach(e, number); });
}
API cuEventSynchronize(void* event) {
  Guard g(lock);
  return reach((Event*)event, ((Event*)event)->recorded);
}
API cuEventQuery(void* event) {
  Guard g(lock);
  return ((Event*)event)->completed < ((Event*)event)->recorded ? NOT_READY : OK;
}
API cuEventElapsedTime(float* ms, void*, void*) {
  *ms = 0;
  return OK;
}
API cuEventElapsedTime_v2(float* ms, void*, void*) {
  *ms = 0;
  return OK;
}

API cuStreamBeginCapture_v2(void* s, int) {
  Guard g(lock);
  of(s)->capture = new Graph;
  return OK;
}
API cuStreamEndCapture(void* s, void** graph) {
  Guard g(lock);
  *graph = of(s)->capture;
  of(s)->capture = nullptr;
  return *graph ? OK : INVALID;
}
API cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) {
  Guard g(lock);
  *exec = new Graph(*(Graph*)graph);
  return OK;
}
API cuGraphUpload(void*, void*) { return OK; }
API cuGraphLaunch(void* exec, void* stream) {
  Guard g(lock);
  Graph* graph = (Graph*)exec;
  return enqueue(of(stream), KERNEL, [=] {
    int r = OK;
    for (Op& op : graph->ops) r = std::max(r, op());
    return r;
  });
}
API cuGraphExecDestroy(void* exec) {
  Guard g(lock);
  for (Stream* s : streams) drain(s);
  delete (Graph*)exec;
  return OK;
}
API cuGraphDestroy(void* graph) {
  delete (Graph*)graph;
  return OK;
}
