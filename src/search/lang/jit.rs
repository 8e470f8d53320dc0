//! From IR to machine code, by Cranelift.
//!
//! Every function has the C calling convention and the parameters (context, depth of calls, its own), and returns a
//! status: 0, or 1 where the program ended. Its result is left in the context's first field. Truth values are ints.
//! Operations of the runtime go through one entry point with the site's number and a pointer to the arguments in the
//! caller's frame.

use std::mem::ManuallyDrop;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{
    self as clif, AbiParam, InstBuilder, MemFlagsData, Signature, StackSlotData, StackSlotKind, Value, types,
};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module};

use super::arith;
use super::builtins;
use super::heap::Obj;
use super::host::Stop;
use super::ir::{BinOp, Code, Fail, Func, Inst, Term, Ty, UnOp, Var};
use super::runtime::{Ctx, MAX_CALLS};

/// Machine code of a program. Its memory is freed with it.
pub struct Native {
    module: ManuallyDrop<JITModule>,
    table: Vec<*const u8>,
    main: *const u8,
}

// SAFETY: after `Native::new` nothing changes the module; the code itself keeps no state, a run's state is in its `Ctx`.
unsafe impl Send for Native {}
// SAFETY: as above.
unsafe impl Sync for Native {}

impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: a run borrows the program for as long as its code executes, so nothing executes it any more; and
        // the module is not used after this.
        unsafe { ManuallyDrop::take(&mut self.module).free_memory() }
    }
}

/// # Safety
/// `ctx` and `args` come from generated code, which got the context from [`Native::run`].
unsafe extern "C" fn rt_perform(ctx: *mut Ctx<'_>, site: u64, args: *const u64) -> u64 {
    // SAFETY: the context lives while the program runs, and no other reference to it exists during a call.
    let ctx = unsafe { &mut *ctx };
    let n = ctx.code.sites[site as usize].args.len();
    let args = if n == 0 {
        &[]
    } else {
        // SAFETY: the caller stored as many arguments as the site has.
        unsafe { std::slice::from_raw_parts(args, n) }
    };
    ctx.perform(site as u32, args)
}

/// # Safety
/// As [`rt_perform`].
unsafe extern "C" fn rt_retain(ctx: *mut Ctx<'_>, r: u64) {
    // SAFETY: as in `rt_perform`.
    unsafe { &mut *ctx }.heap.retain(r);
}

/// # Safety
/// As [`rt_perform`].
unsafe extern "C" fn rt_release(ctx: *mut Ctx<'_>, r: u64) {
    // SAFETY: as in `rt_perform`.
    unsafe { &mut *ctx }.heap.release(r);
}

/// # Safety
/// As [`rt_perform`].
unsafe extern "C" fn rt_fail(ctx: *mut Ctx<'_>, fail: u64, span: u64) {
    // SAFETY: as in `rt_perform`.
    unsafe { &mut *ctx }.fail(Fail::from_u32(fail as u32), span as u32);
}

/// # Safety
/// As [`rt_perform`].
unsafe extern "C" fn rt_stop(ctx: *mut Ctx<'_>) {
    // SAFETY: as in `rt_perform`.
    unsafe { &mut *ctx }.ended = Some(Stop::Finished);
}

/// The address of a function value's code, or null.
///
/// # Safety
/// As [`rt_perform`].
unsafe extern "C" fn rt_code(ctx: *mut Ctx<'_>, r: u64) -> *const u8 {
    // SAFETY: as in `rt_perform`.
    let ctx = unsafe { &mut *ctx };
    match ctx.heap.get(r) {
        Obj::Tuple { func, .. } => ctx.table.get(*func as usize).copied().unwrap_or(std::ptr::null()),
        _ => std::ptr::null(),
    }
}

/// `a ^ b` into the context; 0, or 1 + the failure.
///
/// # Safety
/// As [`rt_perform`].
unsafe extern "C" fn rt_pow(ctx: *mut Ctx<'_>, a: i64, b: i64) -> u64 {
    match arith::power(a, b) {
        Ok(v) => {
            // SAFETY: as in `rt_perform`.
            unsafe { &mut *ctx }.ret = v as u64;
            0
        }
        Err(f) => 1 + f as u64,
    }
}

extern "C" fn rt_rem(x: f64, y: f64) -> f64 {
    arith::remainder(x, y)
}

#[derive(Clone, Copy)]
struct Helpers {
    perform: FuncId,
    retain: FuncId,
    release: FuncId,
    fail: FuncId,
    stop: FuncId,
    code: FuncId,
    pow: FuncId,
    rem: FuncId,
}

fn clif_ty(t: Ty) -> clif::Type {
    match t {
        Ty::Float => types::F64,
        Ty::Int | Ty::Ref => types::I64,
    }
}

impl Native {
    /// Compiles verified code.
    pub fn new(code: &Code) -> Result<Native, String> {
        let mut flags = settings::builder();
        for (k, v) in [("opt_level", "speed"), ("is_pic", "false"), ("use_colocated_libcalls", "false")] {
            flags.set(k, v).map_err(|e| e.to_string())?;
        }
        let isa = cranelift_native::builder()?.finish(settings::Flags::new(flags)).map_err(|e| e.to_string())?;
        let mut builder = JITBuilder::with_isa(isa, cranelift_module::default_libcall_names());
        builder.symbol("rt_perform", rt_perform as *const u8);
        builder.symbol("rt_retain", rt_retain as *const u8);
        builder.symbol("rt_release", rt_release as *const u8);
        builder.symbol("rt_fail", rt_fail as *const u8);
        builder.symbol("rt_stop", rt_stop as *const u8);
        builder.symbol("rt_code", rt_code as *const u8);
        builder.symbol("rt_pow", rt_pow as *const u8);
        builder.symbol("rt_rem", rt_rem as *const u8);
        for sig in builtins::all() {
            if let Some(f) = sig.op.math() {
                builder.symbol(format!("math_{}", sig.name), f as *const u8);
            }
        }
        let module = ManuallyDrop::new(JITModule::new(builder));
        // From here on a failure frees the module.
        let mut native = Native { module, table: Vec::new(), main: std::ptr::null() };
        native.compile(code)?;
        Ok(native)
    }

    fn compile(&mut self, code: &Code) -> Result<(), String> {
        let m = &mut *self.module;
        let (i, f) = (types::I64, types::F64);
        let mut import = |name: &str, params: &[clif::Type], ret: Option<clif::Type>| {
            let mut s = m.make_signature();
            s.params.extend(params.iter().map(|&t| AbiParam::new(t)));
            s.returns.extend(ret.map(AbiParam::new));
            m.declare_function(name, Linkage::Import, &s).map_err(|e| e.to_string())
        };
        let helpers = Helpers {
            perform: import("rt_perform", &[i, i, i], Some(i))?,
            retain: import("rt_retain", &[i, i], None)?,
            release: import("rt_release", &[i, i], None)?,
            fail: import("rt_fail", &[i, i, i], None)?,
            stop: import("rt_stop", &[i], None)?,
            code: import("rt_code", &[i, i], Some(i))?,
            pow: import("rt_pow", &[i, i, i], Some(i))?,
            rem: import("rt_rem", &[f, f], Some(f))?,
        };
        let mut ids = Vec::new();
        for (n, func) in code.funcs.iter().enumerate() {
            let sig = signature(m, &func.params.iter().map(|p| func.vars[p.0 as usize]).collect::<Vec<_>>());
            ids.push(m.declare_function(&format!("f{n}"), Linkage::Local, &sig).map_err(|e| e.to_string())?);
        }
        let mut ctx = m.make_context();
        let mut fctx = FunctionBuilderContext::new();
        for (func, id) in code.funcs.iter().zip(&ids) {
            ctx.func.signature = m.declarations().get_function_decl(*id).signature.clone();
            let mut emit = Emit::new(m, &mut ctx.func, &mut fctx, func, helpers, &ids);
            emit.function();
            let config = emit.module.target_config();
            emit.b.finalize(config);
            m.define_function(*id, &mut ctx).map_err(|e| format!("{}: {e:?}", func.name))?;
            m.clear_context(&mut ctx);
        }
        // The entry takes its arguments from an array.
        let mut sig = m.make_signature();
        sig.params.extend([AbiParam::new(i), AbiParam::new(i)]);
        sig.returns.push(AbiParam::new(i));
        let main = m.declare_function("main", Linkage::Local, &sig).map_err(|e| e.to_string())?;
        ctx.func.signature = sig;
        {
            let mut b = FunctionBuilder::new(&mut ctx.func, &mut fctx);
            let block = b.create_block();
            b.append_block_params_for_function_params(block);
            b.switch_to_block(block);
            let (c, args) = (b.block_params(block)[0], b.block_params(block)[1]);
            let zero = b.ins().iconst(i, 0);
            let mut all = vec![c, zero];
            for (n, p) in code.funcs[0].params.iter().enumerate() {
                let ty = clif_ty(code.funcs[0].vars[p.0 as usize]);
                all.push(b.ins().load(ty, MemFlagsData::trusted(), args, Offset32::new(n as i32 * 8)));
            }
            let callee = m.declare_func_in_func(ids[0], b.func);
            let call = b.ins().call(callee, &all);
            let r = b.inst_results(call)[0];
            b.ins().return_(&[r]);
            b.seal_all_blocks();
            b.finalize(m.target_config());
        }
        m.define_function(main, &mut ctx).map_err(|e| format!("main: {e:?}"))?;
        m.finalize_definitions().map_err(|e| e.to_string())?;
        self.table = ids.iter().map(|id| m.get_finalized_function(*id)).collect();
        self.main = m.get_finalized_function(main);
        Ok(())
    }

    /// The functions' addresses, for [`Ctx::table`].
    pub fn table(&self) -> &[*const u8] {
        &self.table
    }

    /// Runs function 0; false if the program ended, and `ctx.ended` says why.
    pub fn run(&self, ctx: &mut Ctx<'_>, args: &[u64]) -> bool {
        // SAFETY: `main` was compiled with this signature, and reads as many arguments as function 0 has, which the
        // caller checked; the code outlives the call, since `self` is borrowed.
        let main: extern "C" fn(*mut Ctx<'_>, *const u64) -> u64 = unsafe { std::mem::transmute(self.main) };
        main(std::ptr::from_mut(ctx), args.as_ptr()) == 0
    }
}

fn signature(m: &JITModule, params: &[Ty]) -> Signature {
    let mut s = m.make_signature();
    s.params.extend([AbiParam::new(types::I64), AbiParam::new(types::I64)]);
    s.params.extend(params.iter().map(|&t| AbiParam::new(clif_ty(t))));
    s.returns.push(AbiParam::new(types::I64));
    s
}

struct Emit<'a> {
    module: &'a mut JITModule,
    b: FunctionBuilder<'a>,
    func: &'a Func,
    helpers: Helpers,
    ids: &'a [FuncId],
    vars: Vec<Variable>,
    ctx: Value,
    depth: Value,
    /// Where every failed operation goes to.
    ended: clif::Block,
    args: Option<clif::StackSlot>,
}

impl<'a> Emit<'a> {
    fn new(
        module: &'a mut JITModule,
        f: &'a mut clif::Function,
        fctx: &'a mut FunctionBuilderContext,
        func: &'a Func,
        helpers: Helpers,
        ids: &'a [FuncId],
    ) -> Self {
        let mut b = FunctionBuilder::new(f, fctx);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let (ctx, depth) = (b.block_params(entry)[0], b.block_params(entry)[1]);
        let vars: Vec<Variable> = func.vars.iter().map(|&t| b.declare_var(clif_ty(t))).collect();
        for (i, p) in func.params.iter().enumerate() {
            let v = b.block_params(entry)[i + 2];
            b.def_var(vars[p.0 as usize], v);
        }
        let ended = b.create_block();
        b.set_cold_block(ended);
        let most = func
            .blocks
            .iter()
            .flat_map(|b| &b.0)
            .filter_map(|i| if let Inst::Rt(_, _, a) = i { Some(a.len()) } else { None })
            .max();
        let args = most
            .filter(|&n| n > 0)
            .map(|n| b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, n as u32 * 8, 3)));
        Self { module, b, func, helpers, ids, vars, ctx, depth, ended, args }
    }

    fn function(&mut self) {
        let blocks: Vec<clif::Block> = self.func.blocks.iter().map(|_| self.b.create_block()).collect();
        let deep = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, self.depth, MAX_CALLS);
        self.fail_if(deep, Fail::Depth, self.func.span);
        self.b.ins().jump(blocks[0], &[]);
        for (n, (insts, term)) in self.func.blocks.iter().enumerate() {
            self.b.switch_to_block(blocks[n]);
            for i in insts {
                self.inst(i);
            }
            match term {
                Term::Jump(t) => {
                    self.b.ins().jump(blocks[t.0 as usize], &[]);
                }
                Term::Branch(v, t, e) => {
                    let v = self.get(*v);
                    self.b.ins().brif(v, blocks[t.0 as usize], &[], blocks[e.0 as usize], &[]);
                }
                Term::Return(v) => {
                    if let Some(v) = v {
                        let v = self.get(*v);
                        self.b.ins().store(MemFlagsData::trusted(), v, self.ctx, Offset32::new(0));
                    }
                    let ok = self.b.ins().iconst(types::I64, 0);
                    self.b.ins().return_(&[ok]);
                }
                Term::Fail(f, span) => {
                    self.fail(*f, *span);
                }
            }
        }
        self.b.switch_to_block(self.ended);
        let one = self.b.ins().iconst(types::I64, 1);
        self.b.ins().return_(&[one]);
        self.b.seal_all_blocks();
    }

    fn get(&mut self, v: Var) -> Value {
        self.b.use_var(self.vars[v.0 as usize])
    }

    fn set(&mut self, v: Var, value: Value) {
        self.b.def_var(self.vars[v.0 as usize], value);
    }

    fn helper(&mut self, f: FuncId, args: &[Value]) -> Option<Value> {
        let f = self.module.declare_func_in_func(f, self.b.func);
        let call = self.b.ins().call(f, args);
        self.b.inst_results(call).first().copied()
    }

    fn iconst(&mut self, i: i64) -> Value {
        self.b.ins().iconst(types::I64, i)
    }

    /// Ends the program here.
    fn fail(&mut self, f: Fail, span: u32) {
        let (f, s) = (self.iconst(f as i64), self.iconst(i64::from(span)));
        self.helper(self.helpers.fail, &[self.ctx, f, s]);
        self.b.ins().jump(self.ended, &[]);
    }

    /// Ends the program where `cond` holds; goes on in a new block.
    fn fail_if(&mut self, cond: Value, f: Fail, span: u32) {
        let (bad, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(bad);
        self.b.ins().brif(cond, bad, &[], on, &[]);
        self.b.switch_to_block(bad);
        self.fail(f, span);
        self.b.switch_to_block(on);
    }

    /// Goes on in a new block where the status is 0.
    fn check(&mut self, status: Value) {
        let on = self.b.create_block();
        self.b.ins().brif(status, self.ended, &[], on, &[]);
        self.b.switch_to_block(on);
    }

    /// The result of a call, out of the context.
    fn result(&mut self, d: Option<Var>) {
        if let Some(d) = d {
            let ty = clif_ty(self.func.vars[d.0 as usize]);
            let v = self.b.ins().load(ty, MemFlagsData::trusted(), self.ctx, Offset32::new(0));
            self.set(d, v);
        }
    }

    fn truth(&mut self, d: Var, v: Value) {
        let v = self.b.ins().uextend(types::I64, v);
        self.set(d, v);
    }

    fn inst(&mut self, i: &Inst) {
        match i {
            Inst::Const(d, bits) => {
                let v = if self.func.vars[d.0 as usize] == Ty::Float {
                    self.b.ins().f64const(f64::from_bits(*bits))
                } else {
                    self.iconst(*bits as i64)
                };
                self.set(*d, v);
            }
            Inst::Move(d, a) => {
                let v = self.get(*a);
                self.set(*d, v);
            }
            Inst::Un(d, op, a, span) => self.un(*d, *op, *a, *span),
            Inst::Bin(d, op, a, b, span) => self.bin(*d, *op, *a, *b, *span),
            Inst::Math(d, op, a, b) => {
                let (x, y) = (self.get(*a), self.get(*b));
                let name = builtins::all().iter().find(|s| s.op == *op).map_or("exp", |s| s.name);
                let mut s = self.module.make_signature();
                s.params.extend([AbiParam::new(types::F64), AbiParam::new(types::F64)]);
                s.returns.push(AbiParam::new(types::F64));
                if let Ok(id) = self.module.declare_function(&format!("math_{name}"), Linkage::Import, &s)
                    && let Some(v) = self.helper(id, &[x, y])
                {
                    self.set(*d, v);
                }
            }
            Inst::Rt(d, site, args) => {
                for (n, a) in args.iter().enumerate() {
                    let v = self.get(*a);
                    if let Some(slot) = self.args {
                        self.b.ins().stack_store(types::I64, v, slot, n as i32 * 8);
                    }
                }
                let at = match self.args {
                    Some(slot) => self.b.ins().stack_addr(types::I64, slot, 0),
                    None => self.iconst(0),
                };
                let site = self.iconst(i64::from(*site));
                if let Some(status) = self.helper(self.helpers.perform, &[self.ctx, site, at]) {
                    self.check(status);
                }
                self.result(*d);
            }
            Inst::Call(d, callee, args) => {
                let deeper = self.b.ins().iadd_imm_s(self.depth, 1);
                let mut all = vec![self.ctx, deeper];
                for a in args {
                    all.push(self.get(*a));
                }
                if let Some(status) = self.helper(self.ids[*callee as usize], &all) {
                    self.check(status);
                }
                self.result(*d);
            }
            Inst::CallValue(d, v, args) => {
                let this = self.get(*v);
                let Some(code) = self.helper(self.helpers.code, &[self.ctx, this]) else { return };
                let none = self.b.ins().icmp_imm_s(IntCC::Equal, code, 0);
                self.fail_if(none, Fail::Absent, self.func.span);
                let mut tys = vec![Ty::Ref];
                tys.extend(args.iter().map(|a| self.func.vars[a.0 as usize]));
                let sig = signature(self.module, &tys);
                let sig = self.b.import_signature(sig);
                let deeper = self.b.ins().iadd_imm_s(self.depth, 1);
                let mut all = vec![self.ctx, deeper, this];
                for a in args {
                    all.push(self.get(*a));
                }
                let call = self.b.ins().call_indirect(sig, code, &all);
                let status = self.b.inst_results(call)[0];
                self.check(status);
                self.result(*d);
            }
            Inst::Retain(v) => {
                let v = self.get(*v);
                self.helper(self.helpers.retain, &[self.ctx, v]);
            }
            Inst::Release(v) => {
                let v = self.get(*v);
                self.helper(self.helpers.release, &[self.ctx, v]);
            }
            Inst::Poll => {
                let flag =
                    self.b.ins().load(types::I64, MemFlagsData::trusted().with_readonly(), self.ctx, Offset32::new(8));
                let set = self.b.ins().load(types::I8, MemFlagsData::new(), flag, Offset32::new(0));
                let (stop, on) = (self.b.create_block(), self.b.create_block());
                self.b.set_cold_block(stop);
                self.b.ins().brif(set, stop, &[], on, &[]);
                self.b.switch_to_block(stop);
                self.helper(self.helpers.stop, &[self.ctx]);
                self.b.ins().jump(self.ended, &[]);
                self.b.switch_to_block(on);
            }
        }
    }

    fn un(&mut self, d: Var, op: UnOp, a: Var, span: u32) {
        let x = self.get(a);
        let v = match op {
            UnOp::Neg | UnOp::Abs => {
                let least = self.b.ins().icmp_imm_s(IntCC::Equal, x, i64::MIN);
                self.fail_if(least, Fail::Overflow, span);
                let neg = self.b.ins().ineg(x);
                if op == UnOp::Neg {
                    neg
                } else {
                    let below = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, x, 0);
                    self.b.ins().select(below, neg, x)
                }
            }
            UnOp::FNeg => self.b.ins().fneg(x),
            UnOp::FAbs => self.b.ins().fabs(x),
            UnOp::Sqrt => self.b.ins().sqrt(x),
            UnOp::Not => {
                let v = self.b.ins().icmp_imm_s(IntCC::Equal, x, 0);
                return self.truth(d, v);
            }
            UnOp::ToFloat => self.b.ins().fcvt_from_sint(types::F64, x),
            UnOp::ToInt => {
                let size = self.b.ins().fabs(x);
                let most = self.b.ins().f64const(9.2e18);
                let fits = self.b.ins().fcmp(FloatCC::LessThan, size, most);
                let bad = self.b.ins().bxor_imm_u(fits, 1);
                self.fail_if(bad, Fail::Convert, span);
                self.b.ins().fcvt_to_sint_sat(types::I64, x)
            }
            UnOp::IsNan => {
                let v = self.b.ins().fcmp(FloatCC::Unordered, x, x);
                return self.truth(d, v);
            }
        };
        self.set(d, v);
    }

    fn bin(&mut self, d: Var, op: BinOp, a: Var, b: Var, span: u32) {
        let (x, y) = (self.get(a), self.get(b));
        let v = match op {
            BinOp::Add | BinOp::Sub | BinOp::Mul => {
                let (v, over) = match op {
                    BinOp::Add => self.b.ins().sadd_overflow(x, y),
                    BinOp::Sub => self.b.ins().ssub_overflow(x, y),
                    _ => self.b.ins().smul_overflow(x, y),
                };
                self.fail_if(over, Fail::Overflow, span);
                v
            }
            BinOp::Div | BinOp::Rem => {
                let zero = self.b.ins().icmp_imm_s(IntCC::Equal, y, 0);
                self.fail_if(zero, Fail::Zero, span);
                // The machine traps on the least int divided by -1: that quotient overflows, and the remainder is 0.
                let minus = self.b.ins().icmp_imm_s(IntCC::Equal, y, -1);
                if op == BinOp::Div {
                    let least = self.b.ins().icmp_imm_s(IntCC::Equal, x, i64::MIN);
                    let both = self.b.ins().band(minus, least);
                    self.fail_if(both, Fail::Overflow, span);
                }
                let one = self.iconst(1);
                let safe = if op == BinOp::Rem { self.b.ins().select(minus, one, y) } else { y };
                let q = self.b.ins().sdiv(x, safe);
                let p = self.b.ins().imul(q, safe);
                let r = self.b.ins().isub(x, p);
                let signs = self.b.ins().bxor(r, safe);
                let apart = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, signs, 0);
                let inexact = self.b.ins().icmp_imm_s(IntCC::NotEqual, r, 0);
                let down = self.b.ins().band(apart, inexact);
                let zero = self.iconst(0);
                if op == BinOp::Div {
                    let down = self.b.ins().uextend(types::I64, down);
                    self.b.ins().isub(q, down)
                } else {
                    let more = self.b.ins().select(down, safe, zero);
                    self.b.ins().iadd(r, more)
                }
            }
            BinOp::Pow => {
                let Some(status) = self.helper(self.helpers.pow, &[self.ctx, x, y]) else { return };
                let convert = self.b.ins().icmp_imm_s(IntCC::Equal, status, 1 + Fail::Convert as i64);
                self.fail_if(convert, Fail::Convert, span);
                self.fail_if(status, Fail::Overflow, span);
                self.result(Some(d));
                return;
            }
            BinOp::FAdd => self.b.ins().fadd(x, y),
            BinOp::FSub => self.b.ins().fsub(x, y),
            BinOp::FMul => self.b.ins().fmul(x, y),
            BinOp::FDiv => self.b.ins().fdiv(x, y),
            BinOp::FRem => match self.helper(self.helpers.rem, &[x, y]) {
                Some(v) => v,
                None => return,
            },
            BinOp::FMin | BinOp::FMax => {
                let cc = if op == BinOp::FMin { FloatCC::LessThan } else { FloatCC::GreaterThan };
                let better = self.b.ins().fcmp(cc, y, x);
                let nan = self.b.ins().fcmp(FloatCC::Unordered, x, x);
                let take = self.b.ins().bor(better, nan);
                self.b.ins().select(take, y, x)
            }
            BinOp::Min => self.b.ins().smin(x, y),
            BinOp::Max => self.b.ins().smax(x, y),
            BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => {
                let cc = match op {
                    BinOp::Eq => IntCC::Equal,
                    BinOp::Ne => IntCC::NotEqual,
                    BinOp::Lt => IntCC::SignedLessThan,
                    BinOp::Le => IntCC::SignedLessThanOrEqual,
                    BinOp::Gt => IntCC::SignedGreaterThan,
                    _ => IntCC::SignedGreaterThanOrEqual,
                };
                let v = self.b.ins().icmp(cc, x, y);
                return self.truth(d, v);
            }
            BinOp::FEq | BinOp::FNe | BinOp::FLt | BinOp::FLe | BinOp::FGt | BinOp::FGe => {
                let cc = match op {
                    BinOp::FEq => FloatCC::Equal,
                    BinOp::FNe => FloatCC::NotEqual,
                    BinOp::FLt => FloatCC::LessThan,
                    BinOp::FLe => FloatCC::LessThanOrEqual,
                    BinOp::FGt => FloatCC::GreaterThan,
                    _ => FloatCC::GreaterThanOrEqual,
                };
                let v = self.b.ins().fcmp(cc, x, y);
                return self.truth(d, v);
            }
        };
        self.set(d, v);
    }
}
