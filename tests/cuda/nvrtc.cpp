// A stand-in for libnvrtc: "compiles" for the host. Its CUBIN is a shared library, its PTX the source itself.
#include <cstring>
#include <string>
#include <vector>

#include "compile.h"

namespace {
struct Program {
  std::string source, ptx, cubin, log;
};
Program* of(void* p) { return static_cast<Program*>(p); }
int give(const std::string& s, char* to) {
  memcpy(to, s.data(), s.size());
  return 0;
}
}  // namespace

extern "C" {
const char* nvrtcGetErrorString(int code) {
  return code == 0 ? "NVRTC_SUCCESS" : code == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR";
}
int nvrtcVersion(int* major, int* minor) {
  *major = 12;
  *minor = 9;
  return 0;
}
int nvrtcCreateProgram(void** out, const char* source, const char*, int, const char* const*, const char* const*) {
  // NASC_EMULATED_PLANT="what=>with what": a fault, for the tests of the tests.
  std::string text = source;
  if (const char* plant = getenv("NASC_EMULATED_PLANT")) {
    const std::string p = plant;
    const size_t arrow = p.find("=>");
    const std::string from = p.substr(0, arrow), to = p.substr(arrow + 2);
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
  }
  *out = new Program{text, "", "", ""};
  return 0;
}
int nvrtcDestroyProgram(void** p) {
  delete of(*p);
  *p = nullptr;
  return 0;
}
int nvrtcCompileProgram(void* p, int count, const char* const* options) {
  bool arch = false;
  for (int i = 0; i < count; ++i) arch |= strncmp(options[i], "--gpu-architecture=sm_", 22) == 0;
  if (!arch) {
    of(p)->log = "emulated NVRTC: no architecture is given";
    return 5;
  }
  of(p)->cubin = emulated::compile(of(p)->source, of(p)->log);
  if (of(p)->cubin.empty()) return 6;
  of(p)->ptx = "// emulated PTX\n" + of(p)->source;
  return 0;
}
int nvrtcGetPTXSize(void* p, size_t* n) {
  *n = of(p)->ptx.size() + 1;
  return 0;
}
int nvrtcGetPTX(void* p, char* to) {
  to[of(p)->ptx.size()] = 0;
  return give(of(p)->ptx, to);
}
int nvrtcGetCUBINSize(void* p, size_t* n) {
  *n = of(p)->cubin.size();
  return 0;
}
int nvrtcGetCUBIN(void* p, char* to) { return give(of(p)->cubin, to); }
int nvrtcGetProgramLogSize(void* p, size_t* n) {
  *n = of(p)->log.size() + 1;
  return 0;
}
int nvrtcGetProgramLog(void* p, char* to) {
  to[of(p)->log.size()] = 0;
  return give(of(p)->log, to);
}
}
