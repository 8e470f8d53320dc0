//! Data sources as functions of the language: their signatures, and opening one.

use std::path::PathBuf;

use super::dataset::Dataset;
use super::fault::Fault;
use super::{cifar, csv, idx, images, npy, npz};
use crate::base::Span;
use crate::diag::{Diagnostic, codes, did_you_mean};

/// A call such as `mnist("data/mnist")`, its arguments evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct DataCall {
    /// The function.
    pub name: String,
    /// Positional arguments first.
    pub args: Vec<Arg>,
    /// The whole call.
    pub span: Span,
    /// The folder of the `.nas` file, which paths are relative to.
    pub base: PathBuf,
}

/// One argument of a [`DataCall`].
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The parameter, where it is named.
    pub name: Option<String>,
    /// The value.
    pub value: Value,
    /// The place.
    pub span: Span,
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Any number.
    Float(f64),
    /// True or false.
    Bool(bool),
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// A file or folder, as text.
    Path,
    /// Text.
    Text,
    /// A whole number, 0 or more.
    Int,
    /// True or false.
    Bool,
    /// A column by its name, or by its number counted from 0, or from the end by a negative one.
    Column,
}

impl ParamType {
    /// In the user's words, with an article.
    pub fn words(self) -> &'static str {
        match self {
            ParamType::Path => "a path as text",
            ParamType::Text => "text",
            ParamType::Int => "a whole number",
            ParamType::Bool => "`true` or `false`",
            ParamType::Column => "a column's name or number",
        }
    }

    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (ParamType::Path | ParamType::Text | ParamType::Column, Value::Text(_))
            | (ParamType::Column, Value::Int(_))
            | (ParamType::Bool, Value::Bool(_)) => true,
            (ParamType::Int, Value::Int(n)) => *n >= 0,
            _ => false,
        }
    }
}

/// A parameter of a source.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// The name.
    pub name: &'static str,
    /// What it takes.
    pub ty: ParamType,
    /// As it would be written; `None` where the argument is required.
    pub default: Option<&'static str>,
    /// What it is for.
    pub doc: &'static str,
}

/// A source as a function.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The name.
    pub name: &'static str,
    /// In the order of positional arguments.
    pub params: &'static [Param],
    /// What it reads.
    pub doc: &'static str,
}

impl Signature {
    /// As in the reference: `csv(path, target = -1)`.
    pub fn show(&self) -> String {
        let params: Vec<String> = self
            .params
            .iter()
            .map(|p| p.default.map_or_else(|| p.name.to_string(), |d| format!("{} = {d}", p.name)))
            .collect();
        format!("{}({})", self.name, params.join(", "))
    }
}

const fn need(name: &'static str, ty: ParamType, doc: &'static str) -> Param {
    Param { name, ty, default: None, doc }
}
const fn may(name: &'static str, ty: ParamType, default: &'static str, doc: &'static str) -> Param {
    Param { name, ty, default: Some(default), doc }
}

const DIR: Param = need("dir", ParamType::Path, "the folder");

static SOURCES: &[Signature] = &[
    Signature { name: "digits", params: &[], doc: "1,797 handwritten digits of 8×8, part of the compiler" },
    Signature { name: "mnist", params: &[DIR], doc: "the four files of MNIST, plain or gzipped" },
    Signature { name: "fashion_mnist", params: &[DIR], doc: "the four files of Fashion-MNIST, plain or gzipped" },
    Signature {
        name: "idx",
        params: &[
            need("path", ParamType::Path, "a folder of files named as those of MNIST, or a file of examples"),
            may("labels", ParamType::Path, "\"\"", "the file of labels that goes with a file of examples"),
        ],
        doc: "IDX files, plain or gzipped",
    },
    Signature {
        name: "cifar10",
        params: &[need("path", ParamType::Path, "the folder of batches, or one batch")],
        doc: "CIFAR-10 in its binary version, plain or gzipped",
    },
    Signature {
        name: "cifar100",
        params: &[
            need("path", ParamType::Path, "the folder with `train.bin` and `test.bin`, or one of them"),
            may("labels", ParamType::Text, "\"fine\"", "`fine` for 100 classes, `coarse` for 20"),
        ],
        doc: "CIFAR-100 in its binary version, plain or gzipped",
    },
    Signature {
        name: "npy",
        params: &[
            need("inputs", ParamType::Path, "an array of examples"),
            need("targets", ParamType::Path, "an array of integer labels or of numbers"),
        ],
        doc: "two arrays saved by numpy.save",
    },
    Signature {
        name: "npz",
        params: &[
            need("path", ParamType::Path, "the archive"),
            may("inputs", ParamType::Text, "\"\"", "the array of examples; else `x_train`, or `x`"),
            may("targets", ParamType::Text, "\"\"", "the array of targets; else `y_train`, or `y`"),
        ],
        doc: "arrays saved by numpy.savez; `x_test` and `y_test` are the test part where they are there",
    },
    Signature {
        name: "csv",
        params: &[
            need("path", ParamType::Path, "the table"),
            may("target", ParamType::Column, "-1", "the column to predict; all others are features"),
            may(
                "kind",
                ParamType::Text,
                "\"auto\"",
                "`classes`, `numbers`, or `auto`: text and at most 100 different integers are classes",
            ),
            may("test", ParamType::Path, "\"\"", "a second table, the test part"),
        ],
        doc: "a table, plain or gzipped, separated by comma, semicolon or tab, with or without a header",
    },
    Signature {
        name: "images",
        params: &[
            DIR,
            may(
                "size",
                ParamType::Int,
                "0",
                "resize to this many pixels square; 0 leaves them, and they must be of one size",
            ),
            may("gray", ParamType::Bool, "false", "one channel; else three where any image has colour"),
        ],
        doc: "PNG and JPEG files in a folder for each class, or in such folders under `train` and `test`",
    },
];

/// All sources, for checking, completion and the reference.
pub fn known() -> &'static [Signature] {
    SOURCES
}

/// Checks the arguments and reads the data.
pub fn open(call: &DataCall) -> Result<Dataset, Diagnostic> {
    let Some(signature) = SOURCES.iter().find(|s| s.name == call.name) else {
        let d = Diagnostic::new(&codes::DATA_UNKNOWN, call.span, format!("there is no data source `{}`", call.name));
        let names: Vec<&str> = SOURCES.iter().map(|s| s.name).collect();
        return Err(match did_you_mean(&call.name, names.iter().copied()) {
            Some(name) => d.help(format!("did you mean `{name}`?")),
            None => d.help(format!("there are {}", names.join(", "))),
        });
    };
    let bound = bind(call, signature)?;
    bound.read().map_err(|fault| {
        let place = fault.param.and_then(|p| bound.arg(p)).map_or(call.span, |a| a.span);
        fault.at(place)
    })
}

/// A call whose arguments have their parameters.
struct Bound<'a> {
    call: &'a DataCall,
    args: Vec<(&'static str, &'a Arg)>,
}

fn bind<'a>(call: &'a DataCall, signature: &Signature) -> Result<Bound<'a>, Diagnostic> {
    let usage = format!("it is `{}`", signature.show());
    let mut args: Vec<(&'static str, &Arg)> = Vec::new();
    for (i, arg) in call.args.iter().enumerate() {
        let param = match &arg.name {
            None => signature.params.get(i),
            Some(name) => signature.params.iter().find(|p| p.name == name),
        };
        let Some(param) = param else {
            let what = match &arg.name {
                Some(name) => format!("`{}` has no parameter `{name}`", call.name),
                None => format!(
                    "`{}` takes {}, not {}",
                    call.name,
                    super::fault::count(signature.params.len(), "argument"),
                    call.args.len()
                ),
            };
            let near = arg.name.as_deref().and_then(|n| did_you_mean(n, signature.params.iter().map(|p| p.name)));
            let d = Diagnostic::new(&codes::DATA_ARGUMENT, arg.span, what);
            return Err(d.help(near.map_or(usage, |n| format!("did you mean `{n}`?"))));
        };
        if let Some((_, other)) = args.iter().find(|a| a.0 == param.name) {
            return Err(Diagnostic::new(&codes::DATA_ARGUMENT, arg.span, format!("`{}` is given twice", param.name))
                .label(other.span, "first here"));
        }
        if !param.ty.takes(&arg.value) {
            return Err(Diagnostic::new(
                &codes::DATA_ARGUMENT,
                arg.span,
                format!("`{}` of `{}` is {}", param.name, call.name, param.ty.words()),
            )
            .here(format!("it is {}", param.doc))
            .help(usage));
        }
        args.push((param.name, arg));
    }
    if let Some(p) = signature.params.iter().find(|p| p.default.is_none() && args.iter().all(|a| a.0 != p.name)) {
        return Err(Diagnostic::new(
            &codes::DATA_ARGUMENT,
            call.span,
            format!("`{}` needs `{}`: {}", call.name, p.name, p.doc),
        )
        .help(usage));
    }
    Ok(Bound { call, args })
}

impl Bound<'_> {
    fn arg(&self, param: &str) -> Option<&Arg> {
        self.args.iter().find(|a| a.0 == param).map(|a| a.1)
    }

    fn text(&self, param: &str) -> Option<&str> {
        match &self.arg(param)?.value {
            Value::Text(s) if !s.is_empty() => Some(s),
            _ => None,
        }
    }

    fn path(&self, param: &'static str) -> Result<PathBuf, Fault> {
        self.optional(param)
            .ok_or_else(|| Fault::new(&codes::DATA_ARGUMENT, format!("the path `{param}` is empty")).param(param))
    }

    fn optional(&self, param: &str) -> Option<PathBuf> {
        self.text(param).map(|p| self.call.base.join(p))
    }

    fn int(&self, param: &str) -> usize {
        match self.arg(param).map(|a| &a.value) {
            Some(Value::Int(n)) => usize::try_from(*n).unwrap_or(0),
            _ => 0,
        }
    }

    fn flag(&self, param: &str) -> bool {
        matches!(self.arg(param).map(|a| &a.value), Some(Value::Bool(true)))
    }

    fn read(&self) -> Result<Dataset, Fault> {
        match self.call.name.as_str() {
            "digits" => idx::digits(),
            "mnist" => idx::mnist(&self.path("dir")?).map_err(|f| f.param("dir")),
            "fashion_mnist" => idx::fashion(&self.path("dir")?).map_err(|f| f.param("dir")),
            "idx" => {
                let path = self.path("path")?;
                match self.optional("labels") {
                    Some(labels) => idx::files(&path, &labels),
                    None if path.is_file() => Err(Fault::new(
                        &codes::DATA_ARGUMENT,
                        format!("`{}` is a file of examples, and `labels` is not given", path.display()),
                    )
                    .help("write `idx(\"images\", labels = \"labels\")`, or name the folder")),
                    None => idx::folder(&path, None),
                }
                .map_err(|f| f.param("path"))
            }
            "cifar10" => cifar::cifar10(&self.path("path")?).map_err(|f| f.param("path")),
            "cifar100" => {
                let coarse = match self.text("labels").unwrap_or("fine") {
                    "fine" => false,
                    "coarse" => true,
                    other => {
                        return Err(Fault::new(
                            &codes::DATA_ARGUMENT,
                            format!("`labels` is `fine` or `coarse`, not `{other}`"),
                        )
                        .param("labels"));
                    }
                };
                cifar::cifar100(&self.path("path")?, coarse).map_err(|f| f.param("path"))
            }
            "npy" => npy::open(&self.path("inputs")?, &self.path("targets")?),
            "npz" => {
                npz::open(&self.path("path")?, self.text("inputs"), self.text("targets")).map_err(|f| f.param("path"))
            }
            "csv" => {
                let target = match self.arg("target").map(|a| &a.value) {
                    Some(Value::Text(name)) => csv::Column::Name(name.clone()),
                    Some(Value::Int(n)) => csv::Column::Number(*n),
                    _ => csv::Column::Number(-1),
                };
                let kind = match self.text("kind").unwrap_or("auto") {
                    "auto" => csv::Kind::Auto,
                    "classes" => csv::Kind::Classes,
                    "numbers" => csv::Kind::Numbers,
                    other => {
                        return Err(Fault::new(
                            &codes::DATA_ARGUMENT,
                            format!("`kind` is `auto`, `classes` or `numbers`, not `{other}`"),
                        )
                        .param("kind"));
                    }
                };
                csv::open(&self.path("path")?, self.optional("test").as_deref(), &target, kind)
                    .map_err(|f| f.param("path"))
            }
            "images" => {
                images::open(&self.path("dir")?, self.int("size"), self.flag("gray")).map_err(|f| f.param("dir"))
            }
            other => Err(Fault::new(&codes::DATA_UNKNOWN, format!("there is no data source `{other}`"))),
        }
    }
}
