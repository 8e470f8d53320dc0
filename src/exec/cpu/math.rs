//! Elementary functions in generated code, on one f32 or four, by the same polynomials, so that a value does not
//! depend on whether its element fell into a vector.
//!
//! Errors against the true value, over all floats that were tried: `exp` 2, `log` 2, `tanh` 3, `sigmoid` 4, `erf` 3
//! units in the last place. Subnormal results are 0 and subnormal operands are taken as 0, as everywhere during a
//! run. `sin`, `cos` and `pow` call the host for each lane.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlagsData, Signature, Type, Value, types};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;

/// Emits arithmetic on values of type `ty`, `F32` or `F32X4`.
pub struct Math<'a, 'f> {
    /// Where to.
    pub b: &'a mut FunctionBuilder<'f>,
    /// `F32` or `F32X4`
    pub ty: Type,
    /// Whether the machine multiplies and adds in one instruction.
    pub fma: bool,
    /// How the host's functions are called.
    pub convention: CallConv,
}

impl Math<'_, '_> {
    fn int(&self) -> Type {
        if self.ty.is_vector() { types::I32X4 } else { types::I32 }
    }

    /// A constant in all lanes.
    pub fn num(&mut self, x: f32) -> Value {
        let c = self.b.ins().f32const(x);
        if self.ty.is_vector() { self.b.ins().splat(self.ty, c) } else { c }
    }

    fn whole(&mut self, x: i32) -> Value {
        let c = self.b.ins().iconst(types::I32, i64::from(x));
        if self.ty.is_vector() { self.b.ins().splat(types::I32X4, c) } else { c }
    }

    fn bits(&mut self, x: Value) -> Value {
        let to = self.int();
        self.b.ins().bitcast(to, MemFlagsData::new(), x)
    }

    fn float(&mut self, x: Value) -> Value {
        let to = self.ty;
        self.b.ins().bitcast(to, MemFlagsData::new(), x)
    }

    /// `a * b + c`
    pub fn mul_add(&mut self, a: Value, b: Value, c: Value) -> Value {
        if self.fma {
            self.b.ins().fma(a, b, c)
        } else {
            let p = self.b.ins().fmul(a, b);
            self.b.ins().fadd(p, c)
        }
    }

    /// The first coefficient belongs to the highest power.
    fn polynomial(&mut self, x: Value, coefficients: &[f32]) -> Value {
        let mut p = self.num(coefficients[0]);
        for &c in &coefficients[1..] {
            let c = self.num(c);
            p = self.mul_add(p, x, c);
        }
        p
    }

    /// A comparison as the type's kind of `Bool`.
    pub fn compare(&mut self, cc: FloatCC, a: Value, b: Value) -> Value {
        self.b.ins().fcmp(cc, a, b)
    }

    /// `c ? a : b` in each lane.
    pub fn select(&mut self, c: Value, a: Value, b: Value) -> Value {
        if self.ty.is_vector() {
            let ty = self.b.func.dfg.value_type(a);
            let c = if ty == types::I32X4 { c } else { self.float(c) };
            self.b.ins().bitselect(c, a, b)
        } else {
            self.b.ins().select(c, a, b)
        }
    }

    /// The greater one; NaN if one is.
    pub fn max(&mut self, a: Value, b: Value) -> Value {
        let less = self.compare(FloatCC::LessThan, a, b);
        self.take(less, a, b)
    }

    /// The lesser one; NaN if one is.
    pub fn min(&mut self, a: Value, b: Value) -> Value {
        let more = self.compare(FloatCC::GreaterThan, a, b);
        self.take(more, a, b)
    }

    /// `b` if the condition holds or `b` is NaN, else `a`.
    fn take(&mut self, cond: Value, a: Value, b: Value) -> Value {
        let nan = self.compare(FloatCC::NotEqual, b, b);
        let cond = self.b.ins().bor(cond, nan);
        self.select(cond, b, a)
    }

    /// The magnitude of `a` with the sign of `b`; `a` must not be negative.
    fn copy_sign(&mut self, a: Value, b: Value) -> Value {
        let (a, b, sign) = (self.bits(a), self.bits(b), self.whole(i32::MIN));
        let sign = self.b.ins().band(b, sign);
        let y = self.b.ins().bor(a, sign);
        self.float(y)
    }

    /// Cody and Waite's reduction by ln 2 and the polynomial of Cephes.
    pub fn exp(&mut self, x: Value) -> Value {
        // Adding 1.5 * 2^23 leaves the nearest integer in the low bits.
        let magic = self.num(12_582_912.0);
        let log2e = self.num(std::f32::consts::LOG2_E);
        let scaled = self.b.ins().fmul(x, log2e);
        let t = self.b.ins().fadd(scaled, magic);
        let n = self.b.ins().fsub(t, magic);
        let (hi, lo) = (self.num(-0.693_359_4), self.num(2.121_944_4e-4));
        let r = self.mul_add(n, hi, x);
        let r = self.mul_add(n, lo, r);
        let p =
            self.polynomial(r, &[1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1]);
        let rr = self.b.ins().fmul(r, r);
        let one = self.num(1.0);
        let s = self.b.ins().fadd(r, one);
        let p = self.mul_add(p, rr, s);
        let t = self.bits(t);
        let shift = self.b.ins().iconst(types::I32, 23);
        let e = self.b.ins().ishl(t, shift);
        let p = self.bits(p);
        let y = self.b.ins().iadd(p, e);
        let y = self.float(y);
        let (low, high) = (self.num(-87.336_54), self.num(88.722_84));
        let (zero, inf) = (self.num(0.0), self.num(f32::INFINITY));
        let under = self.compare(FloatCC::LessThan, x, low);
        let y = self.select(under, zero, y);
        let over = self.compare(FloatCC::GreaterThan, x, high);
        let y = self.select(over, inf, y);
        let nan = self.compare(FloatCC::NotEqual, x, x);
        self.select(nan, x, y)
    }

    /// The mantissa is brought to `[sqrt(1/2), sqrt(2))`, the rest is the polynomial of Cephes.
    pub fn log(&mut self, x: Value) -> Value {
        let bits = self.bits(x);
        let offset = self.whole(0x3f35_04f3);
        let d = self.b.ins().isub(bits, offset);
        let shift = self.b.ins().iconst(types::I32, 23);
        let e = self.b.ins().sshr(d, shift);
        let up = self.b.ins().ishl(e, shift);
        let m = self.b.ins().isub(bits, up);
        let m = self.float(m);
        let ty = self.ty;
        let e = self.b.ins().fcvt_from_sint(ty, e);
        let one = self.num(1.0);
        let f = self.b.ins().fsub(m, one);
        let z = self.b.ins().fmul(f, f);
        let p = self.polynomial(
            f,
            &[
                7.037_683_6e-2,
                -1.151_461e-1,
                1.167_699_9e-1,
                -1.242_014_1e-1,
                1.424_932_3e-1,
                -1.666_805_7e-1,
                2.000_071_5e-1,
                -2.499_999_4e-1,
                3.333_333e-1,
            ],
        );
        let y = self.b.ins().fmul(p, z);
        let y = self.b.ins().fmul(y, f);
        let (lo, hi, half) = (self.num(-2.121_944_4e-4), self.num(0.693_359_4), self.num(-0.5));
        let y = self.mul_add(e, lo, y);
        let y = self.mul_add(z, half, y);
        let y = self.b.ins().fadd(f, y);
        let y = self.mul_add(e, hi, y);
        let zero = self.num(0.0);
        let (inf, minus) = (self.num(f32::INFINITY), self.num(f32::NEG_INFINITY));
        let nan = self.num(f32::NAN);
        let c = self.compare(FloatCC::Equal, x, inf);
        let y = self.select(c, inf, y);
        let c = self.compare(FloatCC::Equal, x, zero);
        let y = self.select(c, minus, y);
        let c = self.compare(FloatCC::UnorderedOrLessThan, x, zero);
        self.select(c, nan, y)
    }

    /// `1 / (1 + exp(-x))`
    pub fn sigmoid(&mut self, x: Value) -> Value {
        let n = self.b.ins().fneg(x);
        let e = self.exp(n);
        let one = self.num(1.0);
        let d = self.b.ins().fadd(e, one);
        self.b.ins().fdiv(one, d)
    }

    /// Near 0 the polynomial of Cephes, elsewhere `1 - 2 / (exp(2|x|) + 1)` with the sign of `x`.
    pub fn tanh(&mut self, x: Value) -> Value {
        let a = self.b.ins().fabs(x);
        let twice = self.b.ins().fadd(a, a);
        let e = self.exp(twice);
        let (one, two) = (self.num(1.0), self.num(2.0));
        let d = self.b.ins().fadd(e, one);
        let q = self.b.ins().fdiv(two, d);
        let far = self.b.ins().fsub(one, q);
        let far = self.copy_sign(far, x);
        let z = self.b.ins().fmul(x, x);
        let p = self.polynomial(z, &[-5.704_988_8e-3, 2.063_909_2e-2, -5.373_971_5e-2, 1.333_144_2e-1, -3.333_328e-1]);
        let p = self.b.ins().fmul(p, z);
        let near = self.mul_add(p, x, x);
        let limit = self.num(0.625);
        let c = self.compare(FloatCC::LessThan, a, limit);
        self.select(c, near, far)
    }

    /// Two polynomials, beyond about 0.93 under an exponential (after N. Juffa).
    pub fn erf(&mut self, x: Value) -> Value {
        let t = self.b.ins().fabs(x);
        let s = self.b.ins().fmul(x, x);
        let r = self.polynomial(t, &[-1.728_534_7e-5, 3.831_979_7e-4]);
        let u = self.polynomial(t, &[-3.883_964_4e-3, 2.425_462_2e-2]);
        let r = self.mul_add(r, s, u);
        let c = self.num(-1.067_778_8e-1);
        let r = self.mul_add(r, t, c);
        let c = self.num(-6.348_468_7e-1);
        let r = self.mul_add(r, t, c);
        let c = self.num(-1.287_175_1e-1);
        let r = self.mul_add(r, t, c);
        let minus = self.b.ins().fneg(t);
        let r = self.mul_add(r, t, minus);
        let e = self.exp(r);
        let one = self.num(1.0);
        let far = self.b.ins().fsub(one, e);
        // The polynomial turns back for large arguments, where erf is 1 to the last bit.
        let four = self.num(4.0);
        let c = self.compare(FloatCC::GreaterThan, t, four);
        let far = self.select(c, one, far);
        let far = self.copy_sign(far, x);
        let p = self.polynomial(
            s,
            &[-5.967_617e-4, 4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_25e-1, -3.761_253_4e-1, 1.283_791_7e-1],
        );
        let near = self.mul_add(p, x, x);
        let limit = self.num(0.927_734_4);
        let c = self.compare(FloatCC::GreaterThan, t, limit);
        let y = self.select(c, far, near);
        let nan = self.compare(FloatCC::NotEqual, x, x);
        self.select(nan, x, y)
    }

    /// Calls a function of the host for each lane.
    pub fn call(&mut self, address: usize, args: &[Value]) -> Value {
        let mut sig = Signature::new(self.convention);
        sig.params.extend(args.iter().map(|_| AbiParam::new(types::F32)));
        sig.returns.push(AbiParam::new(types::F32));
        let sig = self.b.import_signature(sig);
        let f = self.b.ins().iconst(types::I64, address as i64);
        if !self.ty.is_vector() {
            let call = self.b.ins().call_indirect(sig, f, args);
            return self.b.inst_results(call)[0];
        }
        let mut out = None;
        for lane in 0..4u8 {
            let lanes: Vec<Value> = args.iter().map(|&a| self.b.ins().extractlane(a, lane)).collect();
            let call = self.b.ins().call_indirect(sig, f, &lanes);
            let y = self.b.inst_results(call)[0];
            out = Some(match out {
                None => self.b.ins().splat(types::F32X4, y),
                Some(v) => self.b.ins().insertlane(v, y, lane),
            });
        }
        out.expect("four lanes")
    }

    /// `x` to a whole power, by squaring.
    pub fn power(&mut self, x: Value, n: u32) -> Value {
        let mut result = None;
        let (mut base, mut n) = (x, n);
        while n > 0 {
            if n & 1 == 1 {
                result = Some(match result {
                    None => base,
                    Some(r) => self.b.ins().fmul(r, base),
                });
            }
            n >>= 1;
            if n > 0 {
                base = self.b.ins().fmul(base, base);
            }
        }
        match result {
            Some(r) => r,
            None => self.num(1.0),
        }
    }

    /// An all-ones mask from a scalar `Bool`, in each lane.
    pub fn mask(&mut self, b: Value) -> Value {
        let wide = self.b.ins().uextend(types::I32, b);
        let wide = self.b.ins().ineg(wide);
        self.b.ins().splat(types::I32X4, wide)
    }
}

/// The host's `sin`.
pub extern "C" fn sin(x: f32) -> f32 {
    x.sin()
}

/// The host's `cos`.
pub extern "C" fn cos(x: f32) -> f32 {
    x.cos()
}

/// The host's `tan`.
pub extern "C" fn tan(x: f32) -> f32 {
    x.tan()
}

/// The host's `asin`.
pub extern "C" fn asin(x: f32) -> f32 {
    x.asin()
}

/// The host's `acos`.
pub extern "C" fn acos(x: f32) -> f32 {
    x.acos()
}

/// The host's `atan`.
pub extern "C" fn atan(x: f32) -> f32 {
    x.atan()
}

/// The host's `pow`.
pub extern "C" fn pow(x: f32, y: f32) -> f32 {
    x.powf(y)
}
