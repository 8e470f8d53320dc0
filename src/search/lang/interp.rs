//! The reference interpreter of the IR: slow, and obviously right.

use std::sync::atomic::Ordering;

use super::arith;
use super::heap::Obj;
use super::host::Stop;
use super::ir::{Fail, Inst, Term, Var};
use super::runtime::{Ctx, MAX_CALLS};

/// Calls a function; false if the program ended, and `ctx.ended` says why.
pub fn call(ctx: &mut Ctx<'_>, func: u32, args: &[u64], depth: i64) -> bool {
    let code = ctx.code;
    let f = &code.funcs[func as usize];
    if depth > MAX_CALLS {
        ctx.fail(Fail::Depth, f.span);
        return false;
    }
    let mut vars = vec![0u64; f.vars.len()];
    for (p, a) in f.params.iter().zip(args) {
        vars[p.0 as usize] = *a;
    }
    let get = |vars: &[u64], v: &Var| vars[v.0 as usize];
    let mut at = 0;
    loop {
        let (insts, term) = &f.blocks[at];
        for i in insts {
            match i {
                Inst::Const(d, bits) => vars[d.0 as usize] = *bits,
                Inst::Move(d, a) => vars[d.0 as usize] = get(&vars, a),
                Inst::Un(d, op, a, span) => match arith::un(*op, get(&vars, a)) {
                    Ok(v) => vars[d.0 as usize] = v,
                    Err(e) => {
                        ctx.fail(e, *span);
                        return false;
                    }
                },
                Inst::Bin(d, op, a, b, span) => match arith::bin(*op, get(&vars, a), get(&vars, b)) {
                    Ok(v) => vars[d.0 as usize] = v,
                    Err(e) => {
                        ctx.fail(e, *span);
                        return false;
                    }
                },
                Inst::Math(d, op, a, b) => {
                    let (x, y) = (f64::from_bits(get(&vars, a)), f64::from_bits(get(&vars, b)));
                    vars[d.0 as usize] = op.math().map_or(x, |f| f(x, y)).to_bits();
                }
                Inst::Rt(d, site, args) => {
                    let args: Vec<u64> = args.iter().map(|v| get(&vars, v)).collect();
                    if ctx.perform(*site, &args) != 0 {
                        return false;
                    }
                    if let Some(d) = d {
                        vars[d.0 as usize] = ctx.ret;
                    }
                }
                Inst::Call(d, callee, args) => {
                    let args: Vec<u64> = args.iter().map(|v| get(&vars, v)).collect();
                    if !call(ctx, *callee, &args, depth + 1) {
                        return false;
                    }
                    if let Some(d) = d {
                        vars[d.0 as usize] = ctx.ret;
                    }
                }
                Inst::CallValue(d, v, args) => {
                    let this = get(&vars, v);
                    let Obj::Tuple { func, .. } = ctx.heap.get(this) else {
                        ctx.fail(Fail::Absent, f.span);
                        return false;
                    };
                    let func = *func;
                    let mut all = vec![this];
                    all.extend(args.iter().map(|v| get(&vars, v)));
                    if !call(ctx, func, &all, depth + 1) {
                        return false;
                    }
                    if let Some(d) = d {
                        vars[d.0 as usize] = ctx.ret;
                    }
                }
                Inst::Retain(v) => ctx.heap.retain(get(&vars, v)),
                Inst::Release(v) => ctx.heap.release(get(&vars, v)),
                Inst::Poll => {
                    // SAFETY: the flag outlives the run; `Program::run` borrows it for as long.
                    if unsafe { &*ctx.stop }.load(Ordering::Relaxed) {
                        ctx.ended = Some(Stop::Finished);
                        return false;
                    }
                }
            }
        }
        match term {
            Term::Jump(b) => at = b.0 as usize,
            Term::Branch(v, a, b) => at = if get(&vars, v) != 0 { a.0 } else { b.0 } as usize,
            Term::Return(v) => {
                ctx.ret = v.map_or(0, |v| get(&vars, &v));
                return true;
            }
            Term::Fail(e, span) => {
                ctx.fail(*e, *span);
                return false;
            }
        }
    }
}
