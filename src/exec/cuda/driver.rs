//! The CUDA driver and NVRTC, where they are: both are looked for when they are first wanted. cudarc panics where one is
//! missing, so everything begins with [`driver`] or [`nvrtc`].

use std::ffi::c_int;
use std::sync::OnceLock;

use cudarc::driver::{DriverError, result, sys};
use cudarc::nvrtc;

use crate::exec::ExecError;

/// Why no GPU can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No NVIDIA driver.
    Driver,
    /// The driver does not start.
    Fails(String),
    /// The driver is older than CUDA 12.0.
    Old(i32),
    /// The driver knows no GPU of this number.
    Device(usize),
    /// The GPU is older than this compiler's oldest kernels.
    Small(String, u32),
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Missing::Driver => write!(f, "this machine has no NVIDIA driver (libcuda.so.1 is not found)"),
            Missing::Fails(why) => write!(f, "the NVIDIA driver does not start: {why}"),
            Missing::Old(v) => write!(f, "the NVIDIA driver is too old: it knows CUDA {}", version(*v)),
            Missing::Device(n) => write!(f, "the NVIDIA driver finds no GPU number {n}"),
            Missing::Small(name, arch) => {
                write!(f, "{name} has compute capability {}.{}, but 7.0 is needed", arch / 10, arch % 10)
            }
        }
    }
}

impl Missing {
    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            Missing::Driver => "install NVIDIA's driver, 525 or newer, or write `executor = cpu`",
            Missing::Fails(_) => "`nvidia-smi` says more; a reboot helps after an update; or write `executor = cpu`",
            Missing::Old(_) => "install NVIDIA's driver 525 or newer, or write `executor = cpu`",
            Missing::Device(_) => "`nvidia-smi -L` lists the GPUs; CUDA_VISIBLE_DEVICES may hide them",
            Missing::Small(..) => "write `executor = cpu`",
        }
    }
}

/// Without NVRTC new kernels cannot be compiled.
pub const NO_NVRTC: &str = "NVRTC, NVIDIA's run-time compiler, is not found (libnvrtc.so.12): install the CUDA toolkit \
                            12, or `pip install nvidia-cuda-nvrtc-cu12` and add its nvidia/cuda_nvrtc/lib to \
                            LD_LIBRARY_PATH";

/// `12090` as `12.9`.
pub fn version(v: i32) -> String {
    format!("{}.{}", v / 1000, v % 1000 / 10)
}

/// Whether the driver's library is there.
pub fn present() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    // SAFETY: opens a library of the system, which runs its initializers.
    *FOUND.get_or_init(|| unsafe { sys::is_culib_present() })
}

/// The number of GPUs, once the driver has started.
pub fn driver() -> Result<usize, Missing> {
    if !present() {
        return Err(Missing::Driver);
    }
    result::init().map_err(|e| Missing::Fails(name(e)))?;
    let v = driver_version().map_err(|e| Missing::Fails(name(e)))?;
    if v < 12000 {
        return Err(Missing::Old(v));
    }
    let count = result::device::get_count().map_err(|e| Missing::Fails(name(e)))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The version of CUDA that the driver knows, `12090` for 12.9.
pub fn driver_version() -> Result<i32, DriverError> {
    let mut v: c_int = 0;
    // SAFETY: the driver writes one number.
    unsafe { sys::cuDriverGetVersion(&raw mut v).result()? };
    Ok(v)
}

/// The version of NVRTC, if it is there.
pub fn nvrtc() -> Option<(i32, i32)> {
    static FOUND: OnceLock<Option<(i32, i32)>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: opens a library of the system, which runs its initializers.
        if !unsafe { nvrtc::sys::is_culib_present() } {
            return None;
        }
        let (mut major, mut minor) = (0, 0);
        // SAFETY: two numbers are written.
        unsafe { nvrtc::sys::nvrtcVersion(&raw mut major, &raw mut minor) }.result().ok()?;
        Some((major, minor))
    })
}

/// The driver's name of an error: `CUDA_ERROR_OUT_OF_MEMORY`.
pub fn name(e: DriverError) -> String {
    e.error_name().map_or_else(|_| format!("{:?}", e.0), |s| s.to_string_lossy().into_owned())
}

/// A failed call as an error of the executor.
pub fn failed(e: DriverError) -> ExecError {
    use sys::CUresult as R;
    let n = name(e);
    ExecError::Device(match e.0 {
        R::CUDA_ERROR_ILLEGAL_ADDRESS
        | R::CUDA_ERROR_LAUNCH_FAILED
        | R::CUDA_ERROR_ECC_UNCORRECTABLE
        | R::CUDA_ERROR_HARDWARE_STACK_ERROR
        | R::CUDA_ERROR_ILLEGAL_INSTRUCTION
        | R::CUDA_ERROR_LAUNCH_TIMEOUT
        | R::CUDA_ERROR_DEVICE_UNAVAILABLE
        | R::CUDA_ERROR_CONTEXT_IS_DESTROYED => {
            format!("the GPU is lost to this process ({n}): stop the run and go on with `nasc run --resume`")
        }
        R::CUDA_ERROR_OUT_OF_MEMORY => format!("the GPU is out of memory ({n})"),
        _ => format!("the NVIDIA driver failed ({n})"),
    })
}
