//! Examples in memory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::fault::{Fault, count};
use crate::base::hash::{hash64, hash128};
use crate::diag::codes;

/// Values of all examples, example after example, each row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Bytes, such as pixels.
    U8(Vec<u8>),
    /// Integers that stand for something, such as tokens; never normalized.
    I32(Vec<i32>),
    /// Measurements.
    F32(Vec<f32>),
}

impl Values {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Values::U8(v) => v.len(),
            Values::I32(v) => v.len(),
            Values::F32(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers as their source has them, for messages: `u8`, `i32` or `f32`.
    pub fn kind(&self) -> &'static str {
        match self {
            Values::U8(_) => "u8",
            Values::I32(_) => "i32",
            Values::F32(_) => "f32",
        }
    }

    fn hash(&self, out: &mut Vec<u8>) {
        const CHUNK: usize = 1 << 18;
        let mut add = |bytes: &[u8]| out.extend(hash128(bytes).to_le_bytes());
        match self {
            Values::U8(v) => add(v),
            Values::I32(v) => {
                for c in v.chunks(CHUNK) {
                    add(&c.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>());
                }
            }
            Values::F32(v) => {
                for c in v.chunks(CHUNK) {
                    add(&c.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>());
                }
            }
        }
    }
}

/// One input of the network, or a numeric target.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// `image`, `features`, or the column's name.
    pub name: String,
    /// The shape of one example: `[C, H, W]`, `[F]`, `[T]`, or nothing for a single number.
    pub shape: Vec<usize>,
    /// The numbers of all examples.
    pub values: Values,
}

impl Field {
    /// Numbers in one example.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What is to be predicted.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// One class for each example.
    Classes {
        /// Indices into `names`.
        labels: Vec<i32>,
        /// The classes.
        names: Vec<String>,
    },
    /// Numbers for each example, as they are in the source (always `f32`).
    Numbers(Field),
}

/// What a source delivers.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// A short name: `digits`, or the last part of the path.
    pub name: String,
    /// The network's inputs, at least one.
    pub inputs: Vec<Field>,
    /// What is to be predicted.
    pub target: Target,
    /// Examples from this one on are the source's own test part, if it has one.
    pub test_from: Option<usize>,
}

/// Examples with their targets; cheap to clone. Checked: at least one example, all fields of one length, labels inside
/// the classes, no NaN or infinity.
#[derive(Clone, Debug)]
pub struct Dataset(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    contents: Contents,
    examples: usize,
    hash: OnceLock<u128>,
}

impl Deref for Dataset {
    type Target = Contents;
    fn deref(&self) -> &Contents {
        &self.0.contents
    }
}

impl Dataset {
    /// Checks what a source delivers.
    pub fn new(contents: Contents) -> Result<Self, Fault> {
        let name = &contents.name;
        let Some(first) = contents.inputs.first() else {
            return Err(Fault::new(&codes::DATA_EMPTY, format!("`{name}` has no inputs")));
        };
        if let Some(f) = contents.inputs.iter().find(|f| f.size() == 0) {
            return Err(Fault::new(
                &codes::DATA_EMPTY,
                format!("each example of `{name}` is empty: `{}` has shape {:?}", f.name, f.shape),
            ));
        }
        let examples = first.values.len() / first.size();
        if examples == 0 {
            return Err(Fault::new(&codes::DATA_EMPTY, format!("`{name}` has no examples")));
        }
        if examples > u32::MAX as usize {
            return Err(Fault::new(&codes::DATA_CORRUPT, format!("`{name}` has more than 2^32 examples")));
        }
        let numbers = match &contents.target {
            Target::Numbers(f) => Some(f),
            Target::Classes { .. } => None,
        };
        for f in contents.inputs.iter().chain(numbers) {
            if f.size() * examples != f.values.len() {
                return Err(Fault::new(
                    &codes::DATA_COUNTS,
                    format!(
                        "`{name}` has {} but `{}` has {} of them",
                        count(examples, "example"),
                        f.name,
                        f.values.len() / f.size().max(1)
                    ),
                ));
            }
            if let Values::F32(v) = &f.values
                && let Some(i) = v.iter().position(|x| !x.is_finite())
            {
                return Err(Fault::new(
                    &codes::DATA_VALUE,
                    format!("example {} of `{name}` (counted from 0) has {} in `{}`", i / f.size(), v[i], f.name),
                )
                .help("fill in or drop missing values first"));
            }
        }
        if let Target::Classes { labels, names } = &contents.target {
            if labels.len() != examples {
                return Err(Fault::new(
                    &codes::DATA_COUNTS,
                    format!("`{name}` has {} but {}", count(examples, "example"), count(labels.len(), "label")),
                ));
            }
            if let Some(i) = labels.iter().position(|&l| l < 0 || l as usize >= names.len()) {
                return Err(Fault::new(
                    &codes::DATA_LABEL,
                    format!(
                        "example {i} of `{name}` (counted from 0) has label {}, but there are {}",
                        labels[i],
                        count(names.len(), "class")
                    ),
                ));
            }
        }
        if let Some(from) = contents.test_from
            && (from == 0 || from >= examples)
        {
            let part = if from == 0 { "training" } else { "test" };
            return Err(Fault::new(&codes::DATA_EMPTY, format!("the {part} part of `{name}` has no examples")));
        }
        Ok(Self(Arc::new(Inner { contents, examples, hash: OnceLock::new() })))
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.0.examples
    }

    /// Never: a data set has at least one example.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// How many classes there are; 0 where numbers are to be predicted.
    pub fn classes(&self) -> usize {
        match &self.target {
            Target::Classes { names, .. } => names.len(),
            Target::Numbers(_) => 0,
        }
    }

    /// The labels, where classes are to be predicted.
    pub fn labels(&self) -> Option<&[i32]> {
        match &self.target {
            Target::Classes { labels, .. } => Some(labels),
            Target::Numbers(_) => None,
        }
    }

    /// Equal exactly where inputs, targets and the source's own division are equal; for keys of caches and runs.
    pub fn hash(&self) -> u128 {
        *self.0.hash.get_or_init(|| {
            let c = &self.0.contents;
            let mut key = format!("{:?} ", c.test_from).into_bytes();
            for f in &c.inputs {
                key.extend(format!("{} {:?} ", f.values.kind(), f.shape).bytes());
                f.values.hash(&mut key);
            }
            match &c.target {
                Target::Classes { labels, names } => {
                    key.extend(format!("{names:?}").bytes());
                    key.extend(labels.iter().flat_map(|l| l.to_le_bytes()));
                }
                Target::Numbers(f) => {
                    key.extend(format!("{:?} ", f.shape).bytes());
                    f.values.hash(&mut key);
                }
            }
            hash128(&key)
        })
    }

    /// A seed for what is drawn over these examples.
    pub(super) fn seed(&self, seed: u64) -> u64 {
        hash64(&self.hash().to_le_bytes(), seed)
    }

    /// One line: examples, shapes, classes.
    pub fn describe(&self) -> String {
        let mut out = format!("{}: {}", self.name, count(self.len(), "example"));
        for (i, f) in self.inputs.iter().enumerate() {
            let sep = if i == 0 { " of" } else { " and" };
            let _ = write!(out, "{sep} {} {:?} ({})", f.name, f.shape, f.values.kind());
        }
        match &self.target {
            Target::Classes { labels, names } => {
                let mut sizes: BTreeMap<i32, usize> = (0..names.len() as i32).map(|c| (c, 0)).collect();
                for &l in labels {
                    *sizes.entry(l).or_default() += 1;
                }
                let least = sizes.values().min().copied().unwrap_or(0);
                let most = sizes.values().max().copied().unwrap_or(0);
                let sizes = if least == most { format!("{least} each") } else { format!("{least} to {most}") };
                let _ = write!(out, ", {} of {sizes}", count(names.len(), "class"));
            }
            Target::Numbers(f) => {
                let _ = write!(out, ", predicting {} {:?}", f.name, f.shape);
            }
        }
        if let Some(from) = self.test_from {
            let _ = write!(out, "; its own test part has {}", super::fault::grouped(self.len() - from));
        }
        out
    }
}
