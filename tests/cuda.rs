//! Kernels for GPUs ahead: `nasc build --target cuda` on the examples, and with the real NVRTC where `NASC_NVRTC` names
//! its folder, so that all of their kernels are compiled within the budget that is stated here. No GPU is needed.

use std::process::{Command, Output};

use super::ui;

/// Registers of a thread, and bytes that it spills: one block of 256 threads fits a multiprocessor, and nothing spills.
const BUDGET: (u32, u32) = (200, 0);

fn build(file: &std::path::Path, arch: &str, out: &std::path::Path, nvrtc: Option<&std::ffi::OsStr>) -> Output {
    let mut c = Command::new(env!("CARGO_BIN_EXE_nasc"));
    c.args(["build", "--target", "cuda", "--arch", arch, "--exhaustive", "3", "--sample", "2", "--workers", "2"]);
    c.arg("--out").arg(out).arg(file).env("NASC_CACHE", out.join("cache"));
    match nvrtc {
        Some(folder) => c.env("LD_LIBRARY_PATH", folder),
        None => c.env_remove("LD_LIBRARY_PATH"),
    };
    c.output().expect("nasc runs")
}

fn text(o: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr))
}

#[test]
fn kernels_are_emitted_on_any_machine() {
    let folder = tempfile::tempdir().expect("writable");
    let out = build(&ui::root().join("examples/digits.nas"), "sm_90", folder.path(), None);
    let said = text(&out);
    assert!(out.status.success(), "{said}");
    let source = std::fs::read_to_string(folder.path().join("sm_90.cu")).expect("written");
    assert!(source.contains("__global__") && source.contains("mma_tf32"), "{said}");
    assert!(said.contains("by NVRTC") || said.contains("pip install nvidia-cuda-nvrtc-cu12"), "{said}");
    let wrong = build(&ui::root().join("examples/digits.nas"), "sm_12", folder.path(), None);
    assert!(text(&wrong).contains("sm_80"), "{}", text(&wrong));
}

#[test]
fn kernels_of_the_examples_compile_within_the_budget() {
    let Some(nvrtc) = std::env::var_os("NASC_NVRTC") else { return };
    let folder = tempfile::tempdir().expect("writable");
    let mut kernels = 0;
    for (i, file) in ui::files(&ui::root().join("examples"), "nas").iter().enumerate() {
        // Both architectures compile the same text; the suite of the executors goes through both whole.
        let arch = ["sm_80", "sm_90"][i % 2];
        let out = build(file, arch, folder.path(), Some(&nvrtc));
        let said = text(&out);
        if std::fs::read_to_string(file).expect("readable").contains("algorithms(") {
            // Programs are interpreted; there is no kernel.
            continue;
        }
        if said.contains("nasbench201.csv.gz") {
            // A table that is fetched apart, and nothing of it is compiled.
            continue;
        }
        assert!(out.status.success(), "{}: {said}", file.display());
        let number = |before: &str, after: &str| -> Option<u32> {
            let rest = &said[said.find(before)? + before.len()..];
            rest[..rest.find(after)?].trim().parse().ok()
        };
        kernels += number("kernels       ", " in ").unwrap_or(0);
        let registers = number("at most ", " of a thread");
        let spills = number("of a thread, ", " bytes spilled");
        if let (Some(r), Some(s)) = (registers, spills) {
            assert!(r <= BUDGET.0 && s <= BUDGET.1, "{}: {said}", file.display());
        }
    }
    assert!(kernels > 100, "{kernels} kernels");
}

#[test]
fn the_doctor_says_what_is_there_and_what_is_missing() {
    let out = Command::new(env!("CARGO_BIN_EXE_nasc")).arg("doctor").output().expect("nasc runs");
    let said = text(&out);
    assert!(out.status.success(), "{said}");
    for word in ["processor", "driver", "NVRTC", "cache"] {
        assert!(said.contains(word), "{word} is missing in\n{said}");
    }
    if said.contains("has no NVIDIA driver") {
        assert!(said.contains("install NVIDIA's driver"), "{said}");
    }
}

#[test]
fn a_search_that_wants_a_gpu_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("writable");
    let file = folder.path().join("a.nas");
    let example = std::fs::read_to_string(ui::root().join("examples/digits.nas")).expect("readable");
    let at = example.rfind("\nsearch ").expect("a search");
    let brace = at + example[at..].find('{').expect("its fields") + 1;
    let with = |fields: &str| {
        std::fs::write(&file, format!("{}\n  {fields}\n{}", &example[..brace], &example[brace..])).expect("writable");
        let mut c = Command::new(env!("CARGO_BIN_EXE_nasc"));
        c.arg("run").arg(&file).args(["--trials", "1", "--no-test", "--out"]).arg(folder.path().join("r.run"));
        text(&c.env_remove("LD_LIBRARY_PATH").output().expect("nasc runs"))
    };
    let said = with("executor = cuda\n  precision = bf16");
    assert!(said.contains("E1108") || said.contains("compute") || said.contains(" products"), "{said}");
    let said = with("executor = gpu");
    assert!(said.contains("E0803") && said.contains("did you mean `cuda`?"), "{said}");
    let said = with("precision = tf23");
    assert!(said.contains("did you mean `tf32`?"), "{said}");
}
