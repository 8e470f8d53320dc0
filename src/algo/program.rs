//! Programs: their form, their simplification, and their text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::live::Live;
use super::machine::Machine;
use super::set::{Instruction, MOST, Rank, Set};

/// The parts of a program, in the order of [`Program::parts`].
pub const PARTS: [&str; 3] = ["setup", "predict", "learn"];

/// The address of the label and of the features.
pub const GIVEN: u16 = 0;

/// The address of the prediction among the scalars.
pub const PREDICTION: u16 = 1;

/// One line of a program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instr {
    /// The number of the instruction in its [`Set`].
    pub op: usize,
    /// The operands' addresses; those beyond the instruction's are 0.
    pub inputs: [u16; MOST],
    /// Where the result goes.
    pub out: u16,
    /// The constants; those beyond the instruction's are 0.
    pub knobs: [f64; MOST],
}

/// A program: what runs once, before each prediction, and after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// `setup`, `predict`, `learn`.
    pub parts: [Vec<Instr>; 3],
}

impl Program {
    /// How many addresses of each type it needs.
    pub fn counts(&self, set: &Set) -> [u16; 3] {
        let mut counts = [2, 1, 0];
        for i in self.parts.iter().flatten() {
            let op = &set.instructions[i.op];
            for (rank, at) in op.operands.iter().zip(i.inputs).chain([(&op.output, i.out)]) {
                counts[*rank as usize] = counts[*rank as usize].max(at + 1);
            }
        }
        counts
    }

    /// The same behaviour with less: what no prediction depends on is left out, and numbers that `setup` computes from
    /// numbers are written down.
    #[must_use]
    pub fn simplified(&self, set: &Set) -> Program {
        self.without_dead(set).folded(set).without_dead(set)
    }

    /// Without instructions whose results never reach a prediction.
    #[must_use]
    pub fn without_dead(&self, set: &Set) -> Program {
        let mut live = Live::default();
        live.find(set, self);
        let part = |k| live.of(self, k).copied().collect();
        Program { parts: [part(0), part(1), part(2)] }
    }

    /// Scalars that `setup` computes from numbers alone become numbers.
    fn folded(&self, set: &Set) -> Program {
        let mut out = self.clone();
        let Some(number) = set.instructions.iter().position(Instruction::is_number) else { return out };
        // Memory is 0 when setup begins.
        let mut known: BTreeMap<u16, Option<f64>> = BTreeMap::new();
        for i in &mut out.parts[0] {
            let op = &set.instructions[i.op];
            if op.output != Rank::Scalar {
                continue;
            }
            let value = |at: &u16| known.get(at).copied().unwrap_or(Some(0.0));
            let scalars = op.operands.iter().all(|r| *r == Rank::Scalar);
            let args: Option<Vec<f64>> = i.inputs[..op.operands.len()].iter().map(value).collect();
            let result = match (args, i.op == number) {
                (_, true) => Some(i.knobs[0]),
                (Some(args), false) if scalars && !op.random && op.old.is_none() => {
                    Some(Machine::<4>::once(set, i, &args)).filter(|x| x.is_finite())
                }
                _ => None,
            };
            if let Some(x) = result {
                *i = Instr { op: number, inputs: [0; MOST], out: i.out, knobs: [x, 0.0, 0.0] };
            }
            known.insert(i.out, result);
        }
        out
    }

    /// As an `algorithm` item. With `explain`, each line says what it does.
    pub fn text(&self, set: &Set, name: &str, explain: bool) -> String {
        let mut out = format!("algorithm {name} {{\n");
        for (part, body) in PARTS.iter().zip(&self.parts) {
            let lines: Vec<(String, &str)> =
                body.iter().map(|i| (line(i, &set.instructions[i.op]), set.instructions[i.op].doc.as_str())).collect();
            // Writing into a string cannot fail.
            if lines.is_empty() {
                let _ = writeln!(out, "  {part} {{}}");
                continue;
            }
            let _ = writeln!(out, "  {part} {{");
            let wide = lines.iter().map(|l| l.0.chars().count()).max().unwrap_or(0);
            for (text, doc) in lines {
                let _ = if explain && !doc.is_empty() {
                    writeln!(out, "    {text:wide$} // {doc}")
                } else {
                    writeln!(out, "    {text}")
                };
            }
            out.push_str("  }\n");
        }
        out.push_str("}\n");
        out
    }
}

/// `s3 = s0 - s1`
pub fn line(i: &Instr, op: &Instruction) -> String {
    let inputs: Vec<String> = op.operands.iter().zip(i.inputs).map(|(r, at)| format!("{}{at}", r.letter())).collect();
    let target = format!("{}{}", op.output.letter(), i.out);
    if op.is_number() {
        return format!("{target} = {}", number(i.knobs[0]));
    }
    if let (Some(sign), [a, b]) = (op.operator(), inputs.as_slice()) {
        return format!("{target} = {a} {sign} {b}");
    }
    let knobs = op.knobs.iter().zip(i.knobs).map(|(k, x)| format!("{} = {}", k.name, number(x)));
    let all: Vec<String> = inputs.into_iter().chain(knobs).collect();
    format!("{target} = {}({})", op.name, all.join(", "))
}

/// A number that reads back as the same bits; programs have finite constants.
fn number(x: f64) -> String {
    format!("{x:?}")
}
