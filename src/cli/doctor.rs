//! `nasc doctor`: what this machine has, and how to get what is missing.

use super::term::Terminal;
use super::{OK, build, gpu};
use crate::exec::cuda::{Missing, driver, gpus};

/// `nasc doctor`
pub fn command(term: &Terminal) -> u8 {
    let bold = term.style().bold();
    let line = |name: &str, text: String| term.out(&format!("{:<11} {text}\n", bold.apply_to(name)));
    let advice = |text: &str| term.out(&format!("{:<11} {text}\n", ""));
    line("nasc", env!("CARGO_PKG_VERSION").to_owned());
    line("processor", format!("{} cores, {}", build::cores(), vectors()));
    match driver::driver() {
        Ok(_) => line(
            "driver",
            format!("NVIDIA, CUDA {}", driver::driver_version().map_or_else(|_| "?".into(), driver::version)),
        ),
        Err(m) => {
            line("driver", m.to_string());
            advice(m.help());
        }
    }
    if let Ok(all) = gpus() {
        if all.is_empty() {
            line("GPU", Missing::Device(0).to_string());
            advice(Missing::Device(0).help());
        }
        for (i, g) in all.into_iter().enumerate() {
            match g {
                Ok(g) => line(
                    "GPU",
                    format!(
                        "{i}: {}, compute capability {}.{}, {} multiprocessors, {:.1} of {:.1} GB free",
                        g.name,
                        g.arch / 10,
                        g.arch % 10,
                        g.processors,
                        g.memory.0 as f64 / 1e9,
                        g.memory.1 as f64 / 1e9
                    ),
                ),
                Err(m) => {
                    line("GPU", format!("{i}: {m}"));
                    advice(m.help());
                }
            }
        }
    }
    match driver::nvrtc() {
        Some((major, minor)) => line("NVRTC", format!("{major}.{minor}")),
        None => {
            line("NVRTC", "not found (libnvrtc.so.12)".to_owned());
            advice("install the CUDA toolkit 12, or `pip install nvidia-cuda-nvrtc-cu12`");
            advice("and add its nvidia/cuda_nvrtc/lib to LD_LIBRARY_PATH");
        }
    }
    match gpu::cache() {
        Some(disk) => {
            let (programs, bytes) = disk.size();
            line("cache", format!("{}: {programs} programs, {:.1} MB", disk.folder().display(), bytes as f64 / 1e6));
        }
        None => line("cache", "none: neither NASC_CACHE nor HOME is set".to_owned()),
    }
    OK
}

/// The widest vectors of the processor that kernels use.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            return "AVX-512";
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            return "AVX2 with FMA";
        }
    }
    "no wide vectors that kernels use"
}
