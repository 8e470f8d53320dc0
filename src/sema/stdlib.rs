//! The standard library, embedded: nothing but `.nas` files.

/// Modules whose items are in scope everywhere.
pub const PRELUDE: &[&str] = &["std.search"];

/// Modules that are always there, though not in scope: where the default loss, evaluation and strategy come from.
pub const LOADED: &[&str] = &["std.ops", "std.evaluations.train", "std.strategies.random_search"];

/// Modules that this version does not have, and what each needs.
pub const LATER: &[(&str, &str)] = &[
    ("std.evaluations.episodes", "environments"),
    ("std.strategies.darts", "weight sharing"),
    ("std.strategies.enas", "weight sharing"),
    ("std.strategies.neat", "topology spaces"),
    ("std.strategies.one_shot", "weight sharing"),
    ("std.strategies.pnas", "predictors"),
    ("std.strategies.ppo", "controllers"),
    ("std.strategies.proxyless", "weight sharing"),
    ("std.strategies.q_learning", "value tables"),
    ("std.strategies.reinforce", "controllers"),
    ("std.strategies.smash", "weight sharing"),
    ("std.strategies.snas", "weight sharing"),
];

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// `(path under stdlib without extension, text)`
        static FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../stdlib/", $name, ".nas")))),*];
    };
}

files! {
    "adapters",
    "evaluations/programs",
    "evaluations/table",
    "evaluations/train",
    "instructions",
    "ops",
    "search",
    "spaces/chain",
    "spaces/darts",
    "spaces/hierarchical",
    "spaces/layerwise",
    "spaces/memory_bank",
    "spaces/nasbench201",
    "spaces/nasnet",
    "spaces/transformer",
    "spaces/tree",
    "strategies/aging_evolution",
    "strategies/grid",
    "strategies/hyperband",
    "strategies/local_search",
    "strategies/nsga2",
    "strategies/random_search",
    "strategies/successive_halving",
    "strategies/tournament",
}

/// The text of `std.strategies.random_search`, if there is such a module.
pub fn text(module: &str) -> Option<&'static str> {
    let path = module.strip_prefix("std.")?.replace('.', "/");
    FILES.iter().find(|(n, _)| *n == path).map(|(_, t)| *t)
}

/// All modules by their dotted names.
pub fn names() -> impl Iterator<Item = String> {
    FILES.iter().map(|(n, _)| format!("std.{}", n.replace('/', ".")))
}

/// The module that declares an item of this name, for "did you forget the `use`".
pub fn module_of(item: &str) -> Option<String> {
    let declares = |text: &str| {
        text.lines().any(|l| {
            ["primitive ", "block ", "motif ", "space ", "fn ", "strategy ", "evaluation "]
                .iter()
                .filter_map(|k| l.strip_prefix(k)?.strip_prefix(item))
                .any(|rest| rest.starts_with(['(', ' ', '[']))
        })
    };
    FILES.iter().find(|(_, t)| declares(t)).map(|(n, _)| format!("std.{}", n.replace('/', ".")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn walk(dir: &Path, root: &Path, out: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).expect("stdlib is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, root, out);
            } else if path.extension().is_some_and(|e| e == "nas") {
                let rel = path.strip_prefix(root).expect("under stdlib").with_extension("");
                out.push(rel.to_string_lossy().replace('\\', "/"));
            }
        }
    }

    #[test]
    fn every_file_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
        let mut on_disk = Vec::new();
        walk(&root, &root, &mut on_disk);
        on_disk.sort();
        let mut embedded: Vec<String> = super::FILES.iter().map(|(n, _)| (*n).to_string()).collect();
        embedded.sort();
        assert_eq!(on_disk, embedded);
    }
}
