//! Which vector instructions the machine has.

/// What the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg_attr(target_arch = "aarch64", allow(dead_code, reason = "tests choose it"))]
    Portable,
}

/// What every processor of the kind has.
#[cfg(target_arch = "aarch64")]
const LEAST: Isa = Isa::Neon;
#[cfg(not(target_arch = "aarch64"))]
const LEAST: Isa = Isa::Portable;

#[cfg(test)]
thread_local! {
    /// What tests choose in place of the best.
    static CHOSEN: std::cell::Cell<Option<Isa>> = const { std::cell::Cell::new(None) };
}

/// Calls `f` once with each instruction set that the machine has in force, on this thread.
#[cfg(test)]
pub fn each_instruction_set(mut f: impl FnMut(&str)) {
    let mut all = vec![Isa::Portable];
    if LEAST != Isa::Portable {
        all.push(LEAST);
    }
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            all.push(Isa::Avx2);
        }
        if std::is_x86_feature_detected!("avx512f") {
            all.push(Isa::Avx512);
        }
    }
    for isa in all {
        CHOSEN.set(Some(isa));
        f(&format!("{isa:?}"));
    }
    CHOSEN.set(None);
}

/// The best that the machine has.
pub fn isa() -> Isa {
    #[cfg(test)]
    if let Some(isa) = CHOSEN.get() {
        return isa;
    }
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            return Isa::Avx512;
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            return Isa::Avx2;
        }
    }
    LEAST
}
