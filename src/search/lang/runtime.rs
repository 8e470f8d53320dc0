//! The runtime of compiled programs: one context a run, one function for all operations. The interpreter and the
//! generated code call the same one, so they differ in control flow and arithmetic only.

use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::builtins::Builtin;
use super::heap::{Heap, Obj};
use super::host::{Host, HostFn, OpRef, Stop, Value};
use super::ir::{Code, Fail, RtOp, Site};
use super::types::Type;
use crate::base::Span;
use crate::diag::{Diagnostic, codes};

/// How deep calls may nest: frames of a kilobyte fit a thread's usual two megabytes twice.
pub const MAX_CALLS: i64 = 1000;

/// One run. Generated code reads the first two fields at their offsets, 0 and 8.
#[repr(C)]
pub struct Ctx<'a> {
    /// The result of the last operation or call.
    pub ret: u64,
    /// Set from outside to end the program.
    pub stop: *const AtomicBool,
    /// The addresses of the functions, for function values; empty in the interpreter.
    pub table: &'a [*const u8],
    /// The program.
    pub code: &'a Code,
    /// Its heap.
    pub heap: Heap,
    /// What serves its calls.
    pub host: &'a mut dyn Host,
    /// Why it ended, once an operation has failed.
    pub ended: Option<Stop>,
}

/// The diagnostic of a failed operation.
pub fn failure(f: Fail, span: Span) -> Stop {
    let (code, message, help) = match f {
        Fail::Overflow => (
            &codes::PROG_OVERFLOW,
            "this whole number does not fit 64 bits",
            "compute with floats where numbers become large",
        ),
        Fail::Zero => (&codes::PROG_ZERO, "division by zero", "check the divisor, or divide floats"),
        Fail::Bounds => (&codes::PROG_BOUNDS, "index out of bounds", "indices run from 0 to `len(xs) - 1`"),
        Fail::Depth => {
            (&codes::PROG_DEPTH, "calls nest too deeply", "let the recursion end earlier, or write it as a loop")
        }
        Fail::Absent => {
            (&codes::PROG_ABSENT, "this is absent (`none`)", "compare with `none` first, or write `or(.., default)`")
        }
        Fail::Empty => (&codes::PROG_EMPTY, "there is nothing to take from an empty list", "check `len(..)` first"),
        Fail::Convert => {
            (&codes::PROG_CONVERT, "this value does not convert to the number that is needed", "check what it is first")
        }
    };
    Stop::Failed(Box::new(Diagnostic::new(code, span, message).help(help)))
}

fn bounds(i: i64, n: usize, span: Span) -> Stop {
    let d = Diagnostic::new(&codes::PROG_BOUNDS, span, format!("index {i} of a list of {n}")).here("out of bounds");
    Stop::Failed(Box::new(d.help("indices run from 0 to `len(xs) - 1`")))
}

impl Ctx<'_> {
    /// Performs the operation of a site on borrowed arguments. 0 if it succeeded, with the result in `ret`; else
    /// `ended` says why.
    pub fn perform(&mut self, site: u32, args: &[u64]) -> u64 {
        let code = self.code;
        let site = &code.sites[site as usize];
        // A panic must not unwind through generated code.
        match catch_unwind(AssertUnwindSafe(|| self.operate(site, args))) {
            Ok(Ok(r)) => {
                self.ret = r;
                0
            }
            Ok(Err(stop)) => {
                self.ended = Some(stop);
                1
            }
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied());
                let d = Diagnostic::new(&codes::PROG_HOST, site.span, "a call of the runtime failed unexpectedly")
                    .note(text.unwrap_or("no message").to_string())
                    .help("please report this with the program that shows it");
                self.ended = Some(Stop::Failed(Box::new(d)));
                1
            }
        }
    }

    /// Ends the program with a failure.
    pub fn fail(&mut self, f: Fail, span: u32) {
        self.ended = Some(failure(f, self.code.spans[span as usize]));
    }

    fn operate(&mut self, site: &Site, a: &[u64]) -> Result<u64, Stop> {
        let h = &mut self.heap;
        let of = |i: usize| match &site.args[i] {
            Type::List(t) => (**t).clone(),
            t => t.clone(),
        };
        Ok(match &site.op {
            RtOp::Str(s) => h.add(Obj::Str(s.clone())),
            RtOp::List => {
                let of = match &site.result {
                    Type::List(t) => (**t).clone(),
                    _ => Type::Int,
                };
                if of.is_ref() {
                    for &x in a {
                        h.retain(x);
                    }
                }
                h.list(a.to_vec(), &of)
            }
            RtOp::Tuple | RtOp::Closure(_) => {
                let refs: Rc<[bool]> = site.args.iter().map(Type::is_ref).collect();
                for (&x, _) in a.iter().zip(refs.iter()).filter(|x| *x.1) {
                    h.retain(x);
                }
                let func = if let RtOp::Closure(f) = site.op { f } else { 0 };
                h.add(Obj::Tuple { items: a.to_vec(), refs, func })
            }
            RtOp::Captured(i) | RtOp::Field(i) => {
                let x = h.items(a[0]).get(*i as usize).copied().unwrap_or(0);
                if site.result.is_ref() {
                    h.retain(x);
                }
                x
            }
            RtOp::Box => h.add(Obj::Boxed(a[0])),
            RtOp::Unbox => match h.items(a[0]).first() {
                Some(&x) => x,
                None => return Err(failure(Fail::Absent, site.span)),
            },
            RtOp::IsPresent => u64::from(a[0] != 0),
            RtOp::Present => {
                if a[0] == 0 {
                    return Err(failure(Fail::Absent, site.span));
                }
                h.retain(a[0]);
                a[0]
            }
            RtOp::ToOption => {
                let v = h.value(a[0], &site.args[0]);
                h.add(Obj::Host(v))
            }
            RtOp::Get => {
                let (i, xs) = (a[1] as i64, h.items(a[0]));
                let Some(&x) = usize::try_from(i).ok().and_then(|i| xs.get(i)) else {
                    return Err(bounds(i, xs.len(), site.span));
                };
                if site.result.is_ref() {
                    h.retain(x);
                }
                x
            }
            RtOp::Unique => h.unique(a[0]),
            RtOp::TakeElement | RtOp::PutElement => {
                let i = a[1] as i64;
                let n = h.items(a[0]).len();
                let Some(Obj::List { items, head, .. }) = h.get_mut(a[0]) else { return Ok(0) };
                let Some(x) = usize::try_from(i).ok().and_then(|i| items.get_mut(*head + i)) else {
                    return Err(bounds(i, n, site.span));
                };
                std::mem::replace(x, a.get(2).copied().unwrap_or(0))
            }
            RtOp::TakeField(i) | RtOp::PutField(i) => {
                let Some(Obj::Tuple { items, .. }) = h.get_mut(a[0]) else { return Ok(0) };
                std::mem::replace(&mut items[*i as usize], a.get(1).copied().unwrap_or(0))
            }
            RtOp::Append => {
                if site.args[1].is_ref() {
                    h.retain(a[1]);
                }
                if let Some(Obj::List { items, .. }) = h.get_mut(a[0]) {
                    items.push(a[1]);
                }
                0
            }
            RtOp::Range => {
                let items = (a[0] as i64..a[1] as i64).map(|i| i as u64).collect();
                h.list(items, &Type::Int)
            }
            RtOp::Slice => {
                let (lo, hi, xs) = (a[1] as i64, a[2] as i64, h.items(a[0]));
                let n = xs.len();
                if lo < 0 || lo > n as i64 {
                    return Err(bounds(lo, n, site.span));
                }
                if hi < lo || hi > n as i64 {
                    return Err(bounds(hi, n, site.span));
                }
                let items = xs[lo as usize..hi as usize].to_vec();
                copied(h, items, &of(0))
            }
            RtOp::Concat => {
                if site.args[0] == Type::Str {
                    let s = format!("{}{}", h.text(a[0]), h.text(a[1]));
                    h.add(Obj::Str(s.into()))
                } else {
                    let items = [h.items(a[0]), h.items(a[1])].concat();
                    copied(h, items, &of(0))
                }
            }
            RtOp::Compare => h.compare(a[0], a[1], &site.args[0]) as i64 as u64,
            RtOp::Builtin(b) => builtin(h, *b, site, a)?,
            RtOp::Host(f) => return self.call_host(*f, site, a),
            RtOp::Next => return self.call_host(HostFn::StreamNext, site, a),
            RtOp::Op(item, scope, names) => {
                let args = names.iter().zip(a).zip(&site.args).map(|((n, &x), t)| (n.clone(), h.value(x, t))).collect();
                h.add(Obj::Host(Value::Op(OpRef { item: item.clone(), scope: *scope, args })))
            }
        })
    }

    fn call_host(&mut self, f: HostFn, site: &Site, a: &[u64]) -> Result<u64, Stop> {
        if let Some(r) = self.host.quick(f, &mut self.heap, a, site.span) {
            return r;
        }
        let args: Vec<Value> = a.iter().zip(&site.args).map(|(&x, t)| self.heap.value(x, t)).collect();
        let v = self.host.call(f, &args, site.span)?;
        if !v.fits(&site.result) {
            let d = Diagnostic::new(
                &codes::PROG_HOST,
                site.span,
                format!("`{}` gave `{v}` where `{}` is due", f.row().name, site.result),
            )
            .help("please report this with the program that shows it");
            return Err(Stop::Failed(Box::new(d)));
        }
        Ok(self.heap.slot(&v, &site.result))
    }
}

/// A list of elements that stay with their owners too.
fn copied(h: &mut Heap, items: Vec<u64>, of: &Type) -> u64 {
    if of.is_ref() {
        for &x in &items {
            h.retain(x);
        }
    }
    h.list(items, of)
}

fn builtin(h: &mut Heap, b: Builtin, site: &Site, a: &[u64]) -> Result<u64, Stop> {
    let of = match &site.args[0] {
        Type::List(t) => (**t).clone(),
        t => t.clone(),
    };
    let fail = |f: Fail| Err(failure(f, site.span));
    Ok(match b {
        Builtin::Len => match h.get(a[0]) {
            Obj::Str(s) => s.chars().count() as u64,
            _ => h.items(a[0]).len() as u64,
        },
        Builtin::Push => {
            if of.is_ref() {
                h.retain(a[1]);
            }
            if let Some(Obj::List { items, .. }) = h.get_mut(a[0]) {
                items.push(a[1]);
            }
            0
        }
        Builtin::Pop | Builtin::PopOldest => {
            let Some(Obj::List { items, head, .. }) = h.get_mut(a[0]) else { return fail(Fail::Empty) };
            if *head == items.len() {
                return fail(Fail::Empty);
            }
            if b == Builtin::Pop {
                items.pop().unwrap_or(0)
            } else {
                let x = items[*head];
                *head += 1;
                // Moving the rest down now and then keeps memory in proportion, at constant cost per element.
                if *head > 32 && *head * 2 > items.len() {
                    items.drain(..*head);
                    *head = 0;
                }
                x
            }
        }
        Builtin::InsertAt | Builtin::RemoveAt => {
            let i = a[1] as i64;
            let n = h.items(a[0]).len();
            let last = n as i64 - i64::from(b == Builtin::RemoveAt);
            if i < 0 || i > last {
                return Err(bounds(i, n, site.span));
            }
            if b == Builtin::InsertAt && of.is_ref() {
                h.retain(a[2]);
            }
            let Some(Obj::List { items, head, .. }) = h.get_mut(a[0]) else { return Ok(0) };
            let at = *head + i as usize;
            if b == Builtin::InsertAt {
                items.insert(at, a[2]);
                0
            } else {
                items.remove(at)
            }
        }
        Builtin::Clear => {
            let old = h.items(a[0]).to_vec();
            if let Some(Obj::List { items, head, .. }) = h.get_mut(a[0]) {
                items.clear();
                *head = 0;
            }
            if of.is_ref() {
                for x in old {
                    h.release(x);
                }
            }
            0
        }
        Builtin::Contains => u64::from(h.items(a[0]).iter().any(|&x| h.compare(x, a[1], &of) == Ordering::Equal)),
        Builtin::Order => {
            let xs = h.items(a[0]);
            let mut order: Vec<u64> = (0..xs.len() as u64).collect();
            order.sort_by(|&i, &j| h.compare(xs[i as usize], xs[j as usize], &of));
            h.list(order, &Type::Int)
        }
        Builtin::Firsts => {
            let xs = h.items(a[0]);
            let mut order: Vec<u64> = (0..xs.len() as u64).collect();
            order.sort_by(|&i, &j| h.compare(xs[i as usize], xs[j as usize], &of));
            order.dedup_by(|i, j| h.compare(xs[*i as usize], xs[*j as usize], &of) == Ordering::Equal);
            order.sort_unstable();
            h.list(order, &Type::Int)
        }
        Builtin::ArgMax | Builtin::ArgMin | Builtin::Max | Builtin::Min => {
            let xs = h.items(a[0]);
            let better = if matches!(b, Builtin::ArgMax | Builtin::Max) { Ordering::Greater } else { Ordering::Less };
            let mut best = 0;
            for i in 1..xs.len() {
                if h.compare(xs[i], xs[best], &of) == better {
                    best = i;
                }
            }
            let Some(&x) = xs.get(best) else { return fail(Fail::Empty) };
            if matches!(b, Builtin::ArgMax | Builtin::ArgMin) {
                best as u64
            } else {
                if of.is_ref() {
                    h.retain(x);
                }
                x
            }
        }
        Builtin::Present => {
            let Type::Optional(inner) = of else { return Ok(0) };
            let present: Vec<u64> = h.items(a[0]).iter().copied().filter(|&x| x != 0).collect();
            if inner.is_ref() {
                copied(h, present, &inner)
            } else {
                let items = present.iter().map(|&x| h.items(x)[0]).collect();
                h.list(items, &inner)
            }
        }
        Builtin::Sum => {
            let xs = h.items(a[0]);
            if of == Type::Float {
                xs.iter().map(|&x| f64::from_bits(x)).sum::<f64>().to_bits()
            } else {
                match xs.iter().try_fold(0i64, |s, &x| s.checked_add(x as i64)) {
                    Some(s) => s as u64,
                    None => return fail(Fail::Overflow),
                }
            }
        }
        Builtin::Int | Builtin::Float => {
            let v = h.value(a[0], &site.args[0]);
            let v = match &v {
                Value::Str(s) => s
                    .trim()
                    .parse::<i64>()
                    .map(Value::Int)
                    .or_else(|_| s.trim().parse().map(Value::Float))
                    .unwrap_or(Value::None),
                v => v.clone(),
            };
            match (b, v) {
                (Builtin::Int, Value::Int(i)) => i as u64,
                (Builtin::Int, Value::Bool(i)) => u64::from(i),
                (Builtin::Int, Value::Float(x)) if x.fract() == 0.0 && x.abs() < 9e15 => x as i64 as u64,
                (Builtin::Float, v) if v.as_float().is_some() => v.as_float().unwrap_or(0.0).to_bits(),
                (_, _) => {
                    let shown = h.value(a[0], &site.args[0]);
                    let what = if b == Builtin::Int { "an int" } else { "a float" };
                    let d = Diagnostic::new(&codes::PROG_CONVERT, site.span, format!("`{shown}` is not {what}"))
                        .help("check what it is first");
                    return Err(Stop::Failed(Box::new(d)));
                }
            }
        }
        Builtin::String => {
            let s: Arc<str> = h.value(a[0], &site.args[0]).to_string().into();
            h.add(Obj::Str(s))
        }
        Builtin::Or => {
            let inner = &site.result;
            if a[0] == 0 {
                if inner.is_ref() {
                    h.retain(a[1]);
                }
                a[1]
            } else if inner.is_ref() {
                h.retain(a[0]);
                a[0]
            } else {
                h.items(a[0]).first().copied().unwrap_or(a[1])
            }
        }
        Builtin::Join => {
            let parts: Vec<Arc<str>> = h.items(a[0]).iter().map(|&x| h.text(x)).collect();
            let s = parts.join(&*h.text(a[1]));
            h.add(Obj::Str(s.into()))
        }
        // Everything else is an instruction of its own.
        _ => 0,
    })
}
