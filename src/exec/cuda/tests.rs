//! The conformance suite on the stand-in driver and compiler of `tests/cuda`, which run the generated text on the host
//! through the unmodified executor: results are emulated. Each test starts this test binary again, so that the loader
//! finds the stand-ins (and the sanitizers' runtime) before anything else.
//!
//! `NASC_REQUIRE_GPU=1` runs the suite on the machine's GPU as well, and fails without one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use super::gemm::TILES;
use super::*;
use crate::base::hash::{hash128, hex};
use crate::exec::conformance::{Case, differs, suite};
use crate::exec::{Feed, Tensor};
use crate::graph::testing::{axes, param};
use crate::graph::{DType, Index, Kind, ReduceOp, Role};

// ---- the stand-ins ----

#[derive(Clone, Copy, PartialEq, Eq)]
enum Build {
    Plain,
    /// With the address and the undefined-behaviour sanitizer, kernels included.
    Sanitized,
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda")
}

fn gpp() -> bool {
    Command::new("g++").arg("--version").output().is_ok_and(|o| o.status.success())
}

/// The folder with the stand-in libraries, built if they are not there.
fn stand_ins(build: Build) -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let _guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let flags = match build {
        Build::Plain => "",
        Build::Sanitized => "-fsanitize=address,undefined -fno-sanitize-recover=all",
    };
    let mut text = flags.to_owned();
    for f in ["cuda.cpp", "nvrtc.cpp", "device.h", "emulator.h", "compile.h"] {
        text += &std::fs::read_to_string(home().join(f)).expect("readable");
    }
    let target = std::env::current_exe().expect("known").ancestors().nth(3).expect("target").to_path_buf();
    let folder = target.join(format!("cuda-emulated/{}", &hex(hash128(text.as_bytes()))[..16]));
    if folder.join("done").exists() {
        return folder;
    }
    std::fs::create_dir_all(folder.join("kernels")).expect("writable");
    for (source, library, links) in
        [("cuda.cpp", "libcuda.so.1", "libcuda.so"), ("nvrtc.cpp", "libnvrtc.so.12", "libnvrtc.so")]
    {
        let mut c = Command::new("g++");
        c.args(["-std=c++17", "-O1", "-fPIC", "-shared"]).args(flags.split_whitespace());
        c.arg(format!("-DEMULATED_FLAGS=\"{flags}\"")).arg(format!("-DEMULATED_HOME=\"{}\"", home().display()));
        c.arg(home().join(source)).arg("-o").arg(folder.join(library)).arg("-ldl");
        let out = c.output().expect("g++ runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        std::fs::copy(folder.join(library), folder.join(links)).expect("writable");
    }
    std::fs::write(folder.join("done"), "").expect("writable");
    folder
}

/// Runs one of the `inside` tests on the stand-ins.
fn emulated(build: Build, test: &str, env: &[(&str, &str)]) -> Output {
    let folder = stand_ins(build);
    let mut c = Command::new(std::env::current_exe().expect("known"));
    c.args(["--exact", &format!("exec::cuda::tests::inside::{test}"), "--ignored", "--nocapture", "--test-threads=1"]);
    c.env("LD_LIBRARY_PATH", &folder).env("NASC_EMULATED_CACHE", folder.join("kernels"));
    c.env_remove("NASC_REQUIRE_GPU");
    if build == Build::Sanitized {
        let find = Command::new("g++").arg("-print-file-name=libasan.so").output().expect("g++ runs");
        c.env("LD_PRELOAD", String::from_utf8_lossy(&find.stdout).trim());
        c.env("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=0");
    }
    c.envs(env.iter().copied());
    c.output().expect("the test binary runs")
}

fn passes(build: Build, test: &str, env: &[(&str, &str)]) {
    let out = emulated(build, test, env);
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{test} under {env:?}:\n{text}");
    assert!(text.contains("1 passed"), "{test} was not run:\n{text}");
}

/// A planted fault must be found: the test fails, and says this.
fn finds(build: Build, test: &str, env: &[(&str, &str)], says: &str) {
    let out = emulated(build, test, env);
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(!out.status.success(), "the fault {env:?} was not found by {test}");
    assert!(text.contains(says), "{test} under {env:?} does not say `{says}`:\n{text}");
}

/// Without a host compiler there is nothing to emulate with; CI has one.
macro_rules! needs_gpp {
    () => {
        if !gpp() {
            assert!(std::env::var_os("CI").is_none(), "g++ is missing");
            return;
        }
    };
}

#[test]
fn the_suite_conforms_emulated_and_sanitized() {
    needs_gpp!();
    passes(Build::Sanitized, "conformance", &[("NASC_EMULATED_ORDER", "reverse")]);
}

#[test]
fn the_suite_conforms_emulated_in_several_orders() {
    needs_gpp!();
    for (order, streams) in [("forward", "late"), ("mixed", "copies")] {
        passes(Build::Plain, "conformance", &[("NASC_EMULATED_ORDER", order), ("NASC_EMULATED_STREAMS", streams)]);
    }
}

#[test]
fn tiles_and_tensor_cores_conform_emulated() {
    needs_gpp!();
    passes(Build::Sanitized, "products", &[]);
    passes(Build::Plain, "products", &[("NASC_EMULATED_ORDER", "reverse")]);
}

#[test]
fn data_ahead_is_the_data_that_is_used_emulated() {
    needs_gpp!();
    for streams in ["late", "early", "copies"] {
        passes(Build::Plain, "ahead", &[("NASC_EMULATED_STREAMS", streams)]);
    }
}

#[test]
fn children_at_once_do_not_disturb_each_other_emulated() {
    needs_gpp!();
    passes(Build::Plain, "at_once", &[("NASC_EMULATED_STREAMS", "early")]);
    passes(Build::Plain, "at_once", &[]);
}

#[test]
fn faults_of_the_machine_are_errors_with_a_reason_emulated() {
    needs_gpp!();
    passes(Build::Plain, "out_of_memory", &[("NASC_EMULATED_MEMORY", "2000000")]);
    passes(Build::Plain, "lost", &[("NASC_EMULATED_LOST", "3")]);
    passes(Build::Plain, "old_driver", &[("NASC_EMULATED_NO_CUBIN", "1")]);
    passes(Build::Plain, "too_old_driver", &[("NASC_EMULATED_DRIVER", "11040")]);
    passes(Build::Plain, "corrupt_cache", &[]);
    passes(Build::Plain, "many_processes", &[]);
}

#[test]
fn planted_faults_are_found() {
    needs_gpp!();
    let barrier = ("NASC_EMULATED_PLANT", "__syncthreads();=>");
    // Each barrier is missed in one order at least: here the first warp reads what the others write.
    finds(Build::Plain, "sums", &[barrier, ("NASC_EMULATED_ORDER", "forward")], "differ");
    for order in ["forward", "reverse"] {
        finds(Build::Plain, "product", &[barrier, ("NASC_EMULATED_ORDER", order)], "differ");
    }
    finds(Build::Plain, "product", &[("NASC_EMULATED_PLANT", "copies_wait<1>();=>")], "differ");
    finds(Build::Plain, "sums", &[("NASC_EMULATED_PLANT", "const int part = =>const int part = 1 + 0 * ")], "differ");
    let past = ("NASC_EMULATED_PLANT", "if (t >= =>if (t > ");
    finds(Build::Sanitized, "map", &[past], "heap-buffer-overflow");
    // In the middle of a tile of shared memory, too.
    finds(
        Build::Sanitized,
        "product",
        &[("NASC_EMULATED_PLANT", "as[buffer][row]=>as[buffer][row + 3]")],
        "out of bounds",
    );
    for streams in ["late", "copies"] {
        finds(
            Build::Plain,
            "ahead",
            &[("NASC_EMULATED_NO_WAITS", "1"), ("NASC_EMULATED_STREAMS", streams)],
            "not the data of this step",
        );
    }
}

#[test]
fn the_suite_conforms_on_a_gpu() {
    match Cuda::new(Settings::default()) {
        Ok(cuda) => {
            eprintln!("on {}", cuda.device_name());
            inside::run_all(&cuda, 1.0, |_| true);
        }
        Err(e) => assert!(std::env::var_os("NASC_REQUIRE_GPU").is_none(), "NASC_REQUIRE_GPU is set, but {e}"),
    }
}

#[test]
fn what_is_missing_is_said() {
    for m in [
        Missing::Driver,
        Missing::Fails("CUDA_ERROR_NO_DEVICE".to_owned()),
        Missing::Old(11040),
        Missing::Device(3),
        Missing::Small("GTX 1080".to_owned(), 61),
    ] {
        assert!(!m.to_string().is_empty() && !m.help().is_empty());
    }
    assert!(Missing::Old(11040).to_string().contains("11.4"));
}

// ---- what is run inside ----

mod inside {
    use super::*;

    fn open(settings: Settings) -> Cuda {
        match Cuda::new(settings) {
            Ok(c) => {
                assert_eq!(c.device_name(), "emulated GPU");
                c
            }
            Err(e) => panic!("{e}"),
        }
    }

    fn exact() -> Settings {
        Settings { precision: Precision::F32, apart: true, ..Settings::default() }
    }

    pub fn run_all(cuda: &Cuda, slack: f64, wanted: impl Fn(&Case) -> bool) {
        let mut cases: Vec<Case> = suite().into_iter().filter(|c| wanted(c)).collect();
        cuda.prepare(&cases.iter().map(|c| &c.graph).collect::<Vec<_>>()).unwrap_or_else(|e| panic!("{e}"));
        cases.iter_mut().for_each(|c| c.tolerance *= slack);
        let failures: Vec<String> = cases.iter().filter_map(|case| differs(cuda, case)).collect();
        assert!(failures.is_empty(), "{} of {} cases failed\n\n{}", failures.len(), cases.len(), failures.join("\n\n"));
        assert_eq!(cuda.stats().fallbacks, 0);
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn conformance() {
        run_all(&open(exact()), 1.0, |_| true);
    }

    /// `y[z, m, n] = sum[k] a[z, m, k] * b[z, k, n]`, in the layouts that layers and their gradients have.
    fn matrices(z: usize, m: usize, n: usize, k: usize, batch: bool) -> Graph {
        let mut g = Graph::default();
        let a = param(&mut g, "a", &[z, m, k]);
        let shape = if batch { [n, z, k] } else { [z, k, n] };
        let b = g.input("b", Role::Data, DType::Float, &shape, batch.then_some(0));
        let [iz, im, i_n, ik] = [0, 1, 2, 3].map(Index::var);
        let y = g.reduction("y", &[z, m, n], ReduceOp::Sum, &[k], |body| {
            let x = body.read(a, vec![iz.clone(), im.clone(), ik.clone()]);
            let at = if batch {
                vec![i_n.clone(), iz.clone(), ik.clone()]
            } else {
                vec![iz.clone(), ik.clone(), i_n.clone()]
            };
            let w = body.read(b, at);
            body.mul(x, w)
        });
        g.outputs.push(("y".to_owned(), y));
        g
    }

    fn case(name: &str, graph: Graph, tolerance: f64) -> Case {
        let data = graph.inputs().filter(|(_, i)| i.role == Role::Data).map(|(id, i)| {
            let shape = graph.node(id).shape.clone();
            let mut s = crate::base::rng::Stream::new(3, &i.name);
            let len: usize = shape.iter().product();
            (i.name.clone(), Tensor::float(&shape, (0..len).map(|_| s.normal() as f32).collect()))
        });
        let data = data.collect();
        Case { name: name.to_owned(), graph, data, steps: 2, tolerance }
    }

    fn agree(cuda: &Cuda, cases: &[Case]) {
        cuda.prepare(&cases.iter().map(|c| &c.graph).collect::<Vec<_>>()).unwrap_or_else(|e| panic!("{e}"));
        let failures: Vec<String> = cases.iter().filter_map(|case| differs(cuda, case)).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn products() {
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
            // Relative to the size of the sums, the square root of the depth.
            let tolerance = match precision {
                Precision::F32 => 1e-5,
                Precision::Tf32 => 4e-3,
                Precision::Bf16 => 4e-2,
            };
            for (i, tile) in TILES.iter().enumerate() {
                for splits in [1, 3] {
                    let tile = gemm::Tile { splits, ..*tile };
                    let cuda = open(Settings { precision, tile: Some(tile), apart: true, ..Settings::default() });
                    let cases: Vec<Case> = [(1, 37, 53, 75, false), (2, 130, 64, 100, true), (1, 20, 29, 16, true)]
                        .into_iter()
                        .map(|(z, m, n, k, batch)| {
                            let name = format!("{} tile {i} splits {splits}: {z} {m} {n} {k}", precision.name());
                            case(&name, matrices(z, m, n, k, batch), tolerance * (k as f64).sqrt())
                        })
                        .collect();
                    let options = Options { arch: 80, processors: 4, precision, tile: Some(tile) };
                    for c in &cases {
                        let what = &kernels(&c.graph, &options).unwrap().last().unwrap().what.clone();
                        assert!(what.contains("product") && what.contains(precision.name()), "{what}");
                    }
                    agree(&cuda, &cases);
                }
            }
            // Convolutions, grouped and strided ones too, and all their gradients.
            let slack = tolerance / 1e-5;
            let cuda = open(Settings { precision, apart: true, ..Settings::default() });
            let wanted = |c: &Case| c.name.starts_with("convolution") && !c.name.contains("NaN");
            run_all(&cuda, slack.clamp(1.0, 2e3), wanted);
        }
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn product() {
        agree(&open(exact()), &[case("product", matrices(1, 37, 53, 75, false), 1e-4)]);
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn sums() {
        let mut g = Graph::default();
        let x = g.input("x", Role::Data, DType::Float, &[5000], None);
        let y = g.reduction("y", &[], ReduceOp::Sum, &[5000], |b| b.read(x, axes(1)));
        let z = g.reduction("z", &[7], ReduceOp::Max, &[700], |b| {
            b.read(x, vec![Index::var(0).times(700).plus(&Index::var(1), 1)])
        });
        g.outputs.extend([("y".to_owned(), y), ("z".to_owned(), z)]);
        agree(&open(exact()), &[case("sums", g, 1e-4)]);
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn map() {
        let mut g = Graph::default();
        let x = g.input("x", Role::Data, DType::Float, &[7], None);
        // Backwards, so that the result has a buffer of its own.
        let y = g.equation("y", &[7], |b| {
            let x = b.read(x, vec![Index::var(0).times(-1).plus(&Index::constant(6), 1)]);
            b.unary(crate::graph::UnaryOp::Exp, x)
        });
        g.outputs.push(("y".to_owned(), y));
        agree(&open(exact()), &[case("map", g, 1e-5)]);
    }

    /// Each step's data is sent while the step before computes.
    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn ahead() {
        let mut g = Graph::default();
        let x = g.input("x", Role::Data, DType::Float, &[3, 50], Some(0));
        let k = g.input("k", Role::Knob(0.0), DType::Float, &[], None);
        let sum = g.input("sum", Role::State(crate::graph::Init::Constant(0.0)), DType::Float, &[], None);
        let total = g.reduction("total", &[], ReduceOp::Sum, &[3, 50], |b| b.read(x, axes(2)));
        let scaled = g.mul(total, k);
        let next = g.add(sum, scaled);
        g.updates.push((sum, next));
        g.outputs.push(("next".to_owned(), next));
        let cuda = open(exact());
        let mut memory = cuda.memory();
        memory.ensure("sum", &[], &crate::graph::Init::Constant(0.0), 0).unwrap();
        let mut program = cuda.compile(&g).unwrap();
        let data = |i: usize| vec![("x".to_owned(), Tensor::float(&[3, 50], vec![i as f32 + 1.0; 150]))];
        let (mut now, mut wanted) = (data(0), 0.0);
        for i in 0..6 {
            let factor = (i % 3) as f64 + 1.0;
            wanted += (i as f64 + 1.0) * 150.0 * factor;
            let feed = Feed {
                data: now.iter().map(|(n, t)| (n.as_str(), t)).collect(),
                knobs: vec![("k", factor)],
                staged: i > 0,
                ..Feed::default()
            };
            let mut next = || if i < 5 { data(i + 1) } else { Vec::new() };
            let (out, next) = program.run_ahead(&feed, memory.as_mut(), &mut next).unwrap();
            let got = f64::from(out[0].floats()[0]);
            assert!((got - wanted).abs() < 0.5, "{got} is not the data of this step ({wanted})");
            now = next;
        }
    }

    /// A child that trains.
    fn child(n: usize) -> Case {
        let wanted = format!("training steps, batch {n}");
        suite().into_iter().find(|c| c.name == wanted).expect("in the suite")
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn at_once() {
        let cuda = open(Settings { precision: Precision::F32, ..Settings::default() });
        let cases = [child(1), child(3), child(29)];
        cuda.prepare(&cases.iter().map(|c| &c.graph).collect::<Vec<_>>()).unwrap();
        std::thread::scope(|s| {
            for i in 0..6 {
                let (cuda, case) = (&cuda, &cases[i % 3]);
                s.spawn(move || assert_eq!(differs(cuda, case), None));
            }
        });
        let stats = cuda.stats();
        assert!(stats.compiled <= stats.kernels && stats.fallbacks == 0, "{stats:?}");
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn out_of_memory() {
        let cuda = open(Settings { limit: Some(u64::MAX), ..exact() });
        let mut g = Graph::default();
        let x = g.input("x", Role::Data, DType::Float, &[1 << 20], None);
        let y = g.unary(crate::graph::UnaryOp::Exp, x);
        g.outputs.push(("y".to_owned(), y));
        let mut program = cuda.compile(&g).unwrap();
        let data = Tensor::zeros(&[1 << 20], DType::Float);
        let feed = Feed { data: vec![("x", &data)], ..Feed::default() };
        let e = program.run(&feed, cuda.memory().as_mut()).unwrap_err();
        assert!(matches!(e, ExecError::Memory { needed, .. } if needed >= 8 << 20), "{e:?}");
        // Known before anything runs, where the limit is the GPU's.
        let Err(e) = open(exact()).compile(&g) else { panic!("it does not fit") };
        assert!(matches!(e, ExecError::Memory { limit, .. } if limit <= 2_000_000), "{e:?}");
        // What fits is not disturbed.
        agree(&cuda, &[case("fits", matrices(1, 5, 6, 7, false), 1e-4)]);
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn lost() {
        let why = differs(&open(exact()), &child(3)).expect("the device is lost");
        assert!(why.contains("lost") && why.contains("--resume"), "{why}");
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn old_driver() {
        let cuda = open(exact());
        agree(&cuda, &[case("by PTX", matrices(1, 5, 6, 7, false), 1e-4)]);
        assert!(cuda.stats().fallbacks > 0);
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn too_old_driver() {
        assert_eq!(Cuda::new(exact()).err(), Some(Missing::Old(11040)));
    }

    fn cached(folder: &Path, bound: u64) -> Cuda {
        open(Settings { disk: Some(Disk::new(folder.to_path_buf(), bound)), ..exact() })
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn corrupt_cache() {
        let folder = tempfile::tempdir().unwrap();
        let case = [case("cached", matrices(1, 5, 6, 7, false), 1e-4)];
        let first = cached(folder.path(), 1 << 30);
        agree(&first, &case);
        assert!(first.stats().compiled > 0 && first.stats().found == 0);
        let second = cached(folder.path(), 1 << 30);
        agree(&second, &case);
        assert_eq!((second.stats().compiled, second.stats().found), (0, first.stats().compiled));
        for damage in [1usize, 200] {
            for f in std::fs::read_dir(folder.path()).unwrap() {
                let path = f.unwrap().path();
                let mut bytes = std::fs::read(&path).unwrap();
                let at = bytes.len() / 2;
                bytes[at] ^= 0x55;
                bytes.truncate(bytes.len().saturating_sub(damage));
                std::fs::write(&path, bytes).unwrap();
            }
            let third = cached(folder.path(), 1 << 30);
            agree(&third, &case);
            assert_eq!((third.stats().compiled, third.stats().found), (first.stats().compiled, 0));
        }
        // A bound that nothing fits under.
        let small = cached(folder.path(), 100);
        std::fs::remove_dir_all(folder.path()).unwrap();
        agree(&small, &case);
        assert!(Disk::new(folder.path().to_path_buf(), 100).size().1 <= 100);
    }

    #[test]
    #[ignore = "run by another test on the stand-ins"]
    fn many_processes() {
        let folder = tempfile::tempdir().unwrap();
        // Executors of their own, as processes have.
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    let case = [case("cached", matrices(1, 5, 6, 7, false), 1e-4)];
                    for _ in 0..3 {
                        agree(&cached(folder.path(), 1 << 30), &case);
                    }
                });
            }
        });
        assert!(
            std::fs::read_dir(folder.path()).unwrap().all(|f| !f.unwrap().path().to_string_lossy().contains("part"))
        );
    }
}

/// Every kernel of the suite, and those of the larger shapes that real networks have, through the real compiler where
/// `NASC_NVRTC` says its folder: registers and spills within a budget.
#[test]
fn kernels_compile_with_nvrtc_within_the_budget() {
    let Some(folder) = std::env::var_os("NASC_NVRTC") else { return };
    let out = Command::new(std::env::current_exe().expect("known"))
        .args(["--exact", "exec::cuda::tests::real_nvrtc", "--ignored", "--nocapture"])
        .env("LD_LIBRARY_PATH", folder)
        .output()
        .expect("the test binary runs");
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && text.contains("1 passed"), "{text}");
    eprintln!("{text}");
}

#[test]
#[ignore = "run by another test with NVRTC"]
fn real_nvrtc() {
    let graphs: Vec<Graph> = suite().into_iter().map(|c| c.graph).collect();
    for arch in [80, 90] {
        let mut all: BTreeMap<String, Kernel> = BTreeMap::new();
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
            let options = Options::new(arch, precision);
            for (i, g) in graphs.iter().enumerate() {
                // Other precisions change contractions only; both architectures compile the same text.
                if (precision == Precision::F32 && (arch == 80 || i % 3 == 1)) || i % 6 == 0 {
                    let of = kernels(g, &options).unwrap_or_else(|e| panic!("{e}"));
                    all.extend(of.into_iter().map(|k| (k.source.clone(), k)));
                }
            }
            for tile in TILES {
                let options = Options { tile: Some(tile), ..options };
                let nests = graphs.iter().filter(|g| g.nodes.iter().any(|n| matches!(&n.kind, Kind::Equation(_))));
                let of = nests.take(4).flat_map(|g| kernels(g, &options).unwrap_or_default());
                all.extend(of.map(|k| (k.source.clone(), k)));
            }
        }
        let (mut most, mut spilled) = (0, 0);
        let sources: Vec<&str> = all.keys().map(String::as_str).collect();
        let chunks: Vec<&[&str]> = sources.chunks(16).collect();
        let compile = |chunk: &&[&str]| {
            compile::nvrtc(chunk, arch, true).unwrap_or_else(|log| panic!("{log}\n{}", chunk.join("\n")))
        };
        let (first, second) = chunks.split_at(chunks.len() / 2);
        let all = std::thread::scope(|s| {
            let other = s.spawn(|| second.iter().map(compile).collect::<Vec<_>>());
            let mut all: Vec<_> = first.iter().map(compile).collect();
            all.extend(other.join().expect("it compiles"));
            all
        });
        for c in all {
            let (registers, spills) = compile::registers(&c.log);
            (most, spilled) = (most.max(registers), spilled.max(spills));
            assert!(c.cubin.starts_with(b"\x7fELF") && !c.ptx.is_empty());
        }
        println!("sm_{arch}: {} kernels, at most {most} registers, {spilled} bytes spilled", sources.len());
        // The budget: one block of 256 threads with 64 accumulators each, and nothing spilled.
        assert!(most <= 200 && spilled == 0, "sm_{arch}: {most} registers, {spilled} bytes spilled");
    }
}
