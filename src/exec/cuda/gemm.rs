//! Sums of products as tiled matrix products, without a matrix being made: convolutions of any stride, dilation and
//! grouping, their gradients, linear layers, attention.
//!
//! In `out = sum a * b`, loops on which only `a` and the result depend number the rows, those on which only `b` and the
//! result depend the columns; those of the sum are the depth, and on what is left (groups, heads) everything depends:
//! one product each. Guards belong to the operand whose loops they test, where a term that they drop is read as 0. (So an
//! infinite weight meets a 0 at the border of an image. The other executors leave the term out.)
//!
//! A block computes a tile of rows × columns; tiles of the operands go through shared memory by asynchronous copies, one
//! ahead of the one that is multiplied. Where there are too few tiles for the GPU, several blocks share the depth, and
//! their partial sums are added in order.

use std::fmt::Write;

use super::kernel::{BLOCK, Entry, Kernel, Options, Precision, head, parameters, var};
use super::text::Text;
use crate::exec::cpu::nest::{Expr, Fold, Nest, Use, dependence};
use crate::graph::{Atom, BinaryOp, Guard, Index, ReduceOp};

/// Parameters of a kernel, apart from what it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Rows, columns and depth in shared memory at a time.
    pub size: (usize, usize, usize),
    /// Warps along the rows and along the columns.
    pub warps: (usize, usize),
    /// Results of a thread along both, without tensor cores.
    pub each: (usize, usize),
    /// Blocks that share the depth.
    pub splits: usize,
}

impl Tile {
    fn threads(&self) -> usize {
        self.warps.0 * self.warps.1 * 32
    }
}

/// The tiles that are considered, without splits.
pub const TILES: [Tile; 5] = [
    Tile { size: (16, 128, 16), warps: (1, 4), each: (4, 4), splits: 1 },
    Tile { size: (32, 128, 16), warps: (1, 4), each: (4, 8), splits: 1 },
    Tile { size: (64, 64, 16), warps: (2, 2), each: (4, 8), splits: 1 },
    Tile { size: (64, 128, 16), warps: (2, 4), each: (4, 8), splits: 1 },
    Tile { size: (128, 128, 16), warps: (2, 4), each: (8, 8), splits: 1 },
];

/// A factor and where its elements are.
struct Operand<'a> {
    /// `a` or `b` in the text.
    name: char,
    /// Index into the nest's accesses.
    access: usize,
    /// The loops of its rows or columns.
    free: Vec<usize>,
    guards: Vec<&'a Guard>,
    /// Whether neighbours in memory are neighbours of the depth.
    deep: bool,
    /// Elements of one copy.
    vector: usize,
}

/// A nest as a product of matrices.
struct Product<'a> {
    nest: &'a Nest,
    /// Loops on which everything depends.
    apart: Vec<usize>,
    depth: Vec<usize>,
    a: Operand<'a>,
    b: Operand<'a>,
}

fn uses(i: &Index, v: usize) -> bool {
    dependence(i, v) != Use::None
}

impl<'a> Product<'a> {
    fn recognize(nest: &'a Nest) -> Option<Self> {
        let [Expr::Read(first), Expr::Read(second), Expr::Binary(BinaryOp::Mul, x, y)] = nest.body.as_slice() else {
            return None;
        };
        let all = nest.accesses.iter().map(|a| &a.offset).chain(nest.guards.iter().map(Guard::index));
        let simple = all.clone().all(|i| !i.has_load())
            && nest.accesses.iter().all(|a| a.clamp.is_none() && !nest.slots[a.slot].int);
        if nest.fold != Fold::Reduce(ReduceOp::Sum) || x == y || !simple {
            return None;
        }
        let offset = |a: usize| &nest.accesses[a].offset;
        // Columns are what lies side by side in the result.
        let last = nest.outputs.checked_sub(1)?;
        let (a, b) = if uses(offset(*second), last) { (*first, *second) } else { (*second, *first) };
        let (mut rows, mut columns, mut apart) = (Vec::new(), Vec::new(), Vec::new());
        for v in 0..nest.outputs {
            match (uses(offset(a), v), uses(offset(b), v)) {
                (true, false) => rows.push(v),
                (false, _) => columns.push(v),
                (true, true) => apart.push(v),
            }
        }
        let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
        for g in &nest.guards {
            let tests = |list: &[usize]| list.iter().any(|&v| uses(g.index(), v));
            match (tests(&rows), tests(&columns)) {
                (true, true) => return None,
                (true, false) => of_a.push(g),
                (false, _) => of_b.push(g),
            }
        }
        let depth: Vec<usize> = (nest.outputs..nest.extents.len()).collect();
        let operand = |name, access, free: Vec<usize>, guards| {
            let mut o = Operand { name, access, free, guards, deep: false, vector: 1 };
            let next = |list: &[usize]| list.last().is_some_and(|&v| dependence(offset(access), v) == Use::Linear(1));
            o.deep = !next(&o.free) && next(&depth);
            o.vector = o.width(nest, &depth);
            o
        };
        let a = operand('a', a, rows, of_a);
        let b = operand('b', b, columns, of_b);
        let p = Self { nest, apart, depth, a, b };
        // With one row or column the operands are read once, and there is nothing to share; with little depth the work
        // is the writing of the result.
        let (m, n, k) = (p.count(&p.a.free), p.count(&p.b.free), p.count(&p.depth));
        (m >= 4 && n >= 4 && k >= 4).then_some(p)
    }

    fn count(&self, vars: &[usize]) -> usize {
        vars.iter().map(|&v| self.nest.extents[v]).product()
    }

    /// Rows, columns, depth, and how many products.
    fn sizes(&self) -> (usize, usize, usize, usize) {
        (self.count(&self.a.free), self.count(&self.b.free), self.count(&self.depth), self.count(&self.apart))
    }
}

impl Operand<'_> {
    /// 4 where whole vectors are copied: neighbours are contiguous, aligned, and taken or dropped together.
    fn width(&self, nest: &Nest, depth: &[usize]) -> usize {
        let list = if self.deep { depth } else { &self.free };
        let Some(&last) = list.last() else { return 1 };
        let i = &nest.accesses[self.access].offset;
        let aligned = i.constant % 4 == 0
            && i.terms.iter().all(|(atom, c)| match atom {
                Atom::Var(v) if usize::from(*v) == last => *c == 1,
                _ => c % 4 == 0,
            });
        let contiguous = dependence(i, last) == Use::Linear(1);
        let together = self.guards.iter().all(|g| !uses(g.index(), last));
        if aligned && contiguous && together && nest.extents[last].is_multiple_of(4) { 4 } else { 1 }
    }
}

/// How long a product takes with a tile, in rounds of multiplications: what the choice of a tile minimizes.
fn cost(t: &Tile, (m, n, k, z): (usize, usize, usize, usize), o: &Options) -> f64 {
    let blocks = m.div_ceil(t.size.0) * n.div_ceil(t.size.1) * z * t.splits;
    // Two to four blocks run on a multiprocessor at once and hide each other's waiting.
    let at_once = o.processors * if t.threads() > 128 { 2 } else { 4 };
    let rounds = blocks.div_ceil(at_once) as f64 * at_once as f64 / o.processors as f64;
    let (bm, bn) = (t.size.0 as f64, t.size.1 as f64);
    let depth = k.div_ceil(t.splits).next_multiple_of(t.size.2) as f64;
    // Multiplications of a block, and the loads that feed them; then what splitting costs.
    let work = depth * (bm * bn + 24.0 * (bm + bn));
    let joined = if t.splits > 1 { (m * n * z * t.splits) as f64 * 16.0 / o.processors as f64 } else { 0.0 };
    rounds * (work + 20_000.0) + joined
}

/// The best tile by the model.
fn choose(sizes: (usize, usize, usize, usize), o: &Options) -> Tile {
    let mut best: Option<(f64, Tile)> = None;
    for tile in TILES {
        for splits in [1, 2, 4, 8, 16, 32, 64, 128] {
            if splits > 1 && sizes.2 / splits < 4 * tile.size.2 {
                break;
            }
            let t = Tile { splits, ..tile };
            let c = cost(&t, sizes, o);
            if best.is_none_or(|b| c < b.0) {
                best = Some((c, t));
            }
        }
    }
    best.map_or(TILES[2], |b| b.1)
}

/// The kernel of a nest that is a product of matrices.
pub fn kernel(nest: &Nest, o: &Options) -> Option<Kernel> {
    let p = Product::recognize(nest)?;
    let tile = o.tile.unwrap_or_else(|| choose(p.sizes(), o));
    with_tile(&p, tile, o)
}

fn with_tile(p: &Product, t: Tile, o: &Options) -> Option<Kernel> {
    let text = Text::new(p.nest);
    let int = text.int();
    let (m, n, k, z) = p.sizes();
    let (bm, bn, bk) = t.size;
    let (mt, nt) = (m.div_ceil(bm), n.div_ceil(bn));
    let blocks = mt * nt * t.splits * z;
    if blocks > i32::MAX as usize || m.max(n).max(k) > 1 << 30 {
        return None;
    }
    let precision = if o.arch < 80 { Precision::F32 } else { o.precision };
    let threads = t.threads();
    let scratch = if t.splits > 1 { t.splits * z * m * n } else { 0 };
    let list = parameters(p.nest, scratch > 0);
    // Whole tiles to each split.
    let share = k.div_ceil(t.splits).next_multiple_of(bk);
    // One block on a multiprocessor is enough for the accumulators of a large tile; more registers mean no spills.
    let mut s = head(0, threads, &list).replace(&format!("({threads})"), &format!("({threads}, 1)"));
    for (x, size) in [(&p.a, bm), (&p.b, bn)] {
        let (rows, row) = if x.deep { (size, bk + 4) } else { (bk, size + 8) };
        let _ = writeln!(s, "  __shared__ __align__(16) float {}s[2][{rows}][{row}];", x.name);
    }
    let _ = writeln!(s, "  const int tid = threadIdx.x;\n  int w = blockIdx.x;");
    let _ =
        writeln!(s, "  const int m0 = w % {mt} * {bm};\n  w /= {mt};\n  const int n0 = w % {nt} * {bn};\n  w /= {nt};");
    let _ = writeln!(s, "  const int part = w % {};\n  const {int} z = w / {};", t.splits, t.splits);
    s += &text.split(&p.apart, "z", &var, "  ");
    let _ = writeln!(s, "  const int kb = part * {share}, ke = kb + {share} < {k} ? kb + {share} : {k};");
    loader(&mut s, &text, p, &p.a, ("m0", m, bm), bk, threads);
    loader(&mut s, &text, p, &p.b, ("n0", n, bn), bk, threads);
    let product = match precision {
        Precision::F32 => simt(p, &t),
        Precision::Tf32 | Precision::Bf16 => tensor(p, &t, precision),
    };
    s += &product.declare;
    let _ = writeln!(s, "  load_a(0, kb);\n  load_b(0, kb);\n  copies_commit();");
    let _ = writeln!(s, "  for (int k0 = kb, at = 0; k0 < ke; k0 += {bk}, at ^= 1) {{");
    let _ = writeln!(
        s,
        "    if (k0 + {bk} < ke) {{\n      load_a(at ^ 1, k0 + {bk});\n      load_b(at ^ 1, k0 + {bk});\n    }}"
    );
    s += "    copies_commit();\n    copies_wait<1>();\n    __syncthreads();\n";
    s += &product.tile;
    s += "    __syncthreads();\n  }\n";
    s += &product.each;
    // Here `m`, `n` and `value` are one result.
    let _ = writeln!(s, "    if (m < {m} && n < {n}) {{");
    let out = &p.nest.accesses[p.nest.stores[0].0];
    if scratch > 0 {
        let _ = writeln!(s, "      scratch[((part * {z} + z) * {m}ll + m) * {n} + n] = value;");
    } else {
        s += &text.split(&p.a.free, "m", &var, "      ");
        s += &text.split(&p.b.free, "n", &var, "      ");
        let _ = writeln!(s, "      p{}[{}] = value;", out.slot, text.offset(out, &var));
    }
    s += "    }\n  }\n}\n";
    let entry =
        |blocks: usize, threads: usize| Entry { name: String::new(), grid: blocks as u32, block: threads as u32 };
    let mut entries = vec![entry(blocks, threads)];
    if scratch > 0 {
        let points = z * m * n;
        s += &head(1, BLOCK, &list);
        let _ = writeln!(s, "  const long long t = (long long)blockIdx.x * {BLOCK} + threadIdx.x;");
        let _ = writeln!(s, "  if (t >= {points}) return;\n  float value = 0.0f;");
        let _ =
            writeln!(s, "  for (int part = 0; part < {}; ++part) value += scratch[part * {points}ll + t];", t.splits);
        let _ = writeln!(s, "  const {int} n = t % {n}, m = t / {n} % {m}, z = t / {};", n * m);
        for (vars, linear) in [(&p.apart, "z"), (&p.a.free, "m"), (&p.b.free, "n")] {
            s += &text.split(vars, linear, &var, "  ");
        }
        let _ = writeln!(s, "  p{}[{}] = value;\n}}", out.slot, text.offset(out, &var));
        entries.push(entry(points.div_ceil(BLOCK), BLOCK));
    }
    let what = format!(
        "product {m} x {n} over {k}{} by {bm} x {bn} tiles{}, {}",
        if z > 1 { format!(", {z} times,") } else { String::new() },
        if t.splits > 1 { format!(" in {} parts", t.splits) } else { String::new() },
        precision.name()
    );
    Some(Kernel { what, source: s, entries, scratch, flops: 2 * (m * n * k * z) as u64 })
}

/// `load_a(buffer, k0)`: copies a tile of an operand.
fn loader(
    s: &mut String,
    text: &Text,
    p: &Product,
    x: &Operand,
    (start, count, tile): (&str, usize, usize),
    bk: usize,
    threads: usize,
) {
    let name = x.name;
    let access = &p.nest.accesses[x.access];
    // Its own variables: a row's is `a3`, the depth's `k3`.
    let name_of = |v: usize| {
        if p.apart.contains(&v) {
            var(v)
        } else if p.depth.contains(&v) {
            format!("k{v}")
        } else {
            format!("{name}{v}")
        }
    };
    let offset = text.offset(access, &name_of);
    let guards = x.guards.iter().fold(String::new(), |all, g| all + " && " + &text.guard(g, &name_of));
    let (across, along) = if x.deep { (tile, bk) } else { (bk, tile) };
    let columns = along / x.vector;
    let rows = threads / columns;
    let copy = if x.vector == 4 { "copy16" } else { "copy4" };
    let check =
        if across.is_multiple_of(rows) { String::new() } else { format!("      if (row >= {across}) break;\n") };
    let passes = across.div_ceil(rows);
    let _ = writeln!(s, "  const int {name}c = tid % {columns} * {}, {name}r = tid / {columns};", x.vector);
    let loops = format!(
        "#pragma unroll\n    for (int i = 0; i < {passes}; ++i) {{\n      const int row = {name}r + i * {rows};\n{check}"
    );
    let end =
        format!("      {copy}(&{name}s[buffer][row][{name}c], p{} + ({offset}), take);\n    }}\n  }};\n", access.slot);
    if x.deep {
        let _ = writeln!(s, "  auto load_{name} = [&](int buffer, int k0) {{\n    const int k = k0 + {name}c;");
        *s += &text.split(&p.depth, "k", &name_of, "    ");
        *s += &loops;
        let _ = writeln!(s, "      const int f = {start} + row;");
        *s += &text.split(&x.free, "f", &name_of, "      ");
        let _ = writeln!(s, "      const bool take = f < {count} && k < ke{guards};");
    } else {
        let _ = writeln!(s, "  const int {name}f = {start} + {name}c;");
        *s += &text.split(&x.free, &format!("{name}f"), &name_of, "  ");
        let _ = writeln!(s, "  auto load_{name} = [&](int buffer, int k0) {{");
        *s += &loops;
        *s += "      const int k = k0 + row;\n";
        *s += &text.split(&p.depth, "k", &name_of, "      ");
        let _ = writeln!(s, "      const bool take = {name}f < {count} && k < ke{guards};");
    }
    *s += &end;
}

/// The parts of the text that differ with the way of multiplying.
struct Multiply {
    /// Accumulators.
    declare: String,
    /// The tile `at`, in the loop over the depth.
    tile: String,
    /// The head of a loop over all results of the thread, which declares `m`, `n` and `value`.
    each: String,
}

/// An element of a tile: of row or column `f` and depth `k`.
fn shared(x: &Operand, f: &str, k: &str) -> String {
    if x.deep { format!("{}s[at][{f}][{k}]", x.name) } else { format!("{}s[at][{k}][{f}]", x.name) }
}

fn simt(p: &Product, t: &Tile) -> Multiply {
    let (bm, bn, bk) = t.size;
    let (tm, tn) = t.each;
    let across = bn / tn;
    debug_assert_eq!(bm / tm * across, t.threads());
    let declare = format!("  const int tx = tid % {across}, ty = tid / {across};\n  float acc[{tm}][{tn}] = {{}};\n");
    let multiply = format!(
        "#pragma unroll
    for (int k = 0; k < {bk}; ++k) {{
      float x[{tm}], y[{tn}];
#pragma unroll
      for (int i = 0; i < {tm}; ++i) x[i] = {};
#pragma unroll
      for (int j = 0; j < {tn}; ++j) y[j] = {};
#pragma unroll
      for (int i = 0; i < {tm}; ++i)
#pragma unroll
        for (int j = 0; j < {tn}; ++j) acc[i][j] += x[i] * y[j];
    }}
",
        shared(&p.a, &format!("ty * {tm} + i"), "k"),
        shared(&p.b, &format!("tx + j * {across}"), "k"),
    );
    let each = format!(
        "#pragma unroll
  for (int i = 0; i < {tm}; ++i)
#pragma unroll
  for (int j = 0; j < {tn}; ++j) {{
    const int m = m0 + ty * {tm} + i, n = n0 + tx + j * {across};
    const float value = acc[i][j];
"
    );
    Multiply { declare, tile: multiply, each }
}

fn tensor(p: &Product, t: &Tile, precision: Precision) -> Multiply {
    let (bm, bn, bk) = t.size;
    let (wm, wn) = (bm / t.warps.0, bn / t.warps.1);
    let (fm, fn_) = (wm / 16, wn / 8);
    let declare = format!(
        "  const int lane = tid % 32, g = lane / 4, q = lane % 4;
  const int wm = tid / 32 / {} * {wm}, wn = tid / 32 % {} * {wn};
  float acc[{fm}][{fn_}][4] = {{}};
",
        t.warps.1, t.warps.1
    );
    let a = |row: &str, k: &str| shared(&p.a, &format!("wm + i * 16 + {row}"), k);
    let b = |k: &str| shared(&p.b, "wn + j * 8 + g", k);
    // The fragments of the PTX manual.
    let (depth, load_a, load_b, mma) = match precision {
        Precision::Tf32 | Precision::F32 => (
            8,
            [("g", "k + q"), ("g + 8", "k + q"), ("g", "k + q + 4"), ("g + 8", "k + q + 4")]
                .map(|(r, k)| format!("to_tf32({})", a(r, k))),
            ["k + q", "k + q + 4"].map(|k| format!("to_tf32({})", b(k))),
            "mma_tf32",
        ),
        Precision::Bf16 => (
            16,
            [("g", "k + 2 * q"), ("g + 8", "k + 2 * q"), ("g", "k + 2 * q + 8"), ("g + 8", "k + 2 * q + 8")]
                .map(|(r, k)| format!("to_bf16x2({}, {})", a(r, k), a(r, &format!("{k} + 1")))),
            ["k + 2 * q", "k + 2 * q + 8"].map(|k| format!("to_bf16x2({}, {})", b(k), b(&format!("{k} + 1")))),
            "mma_bf16",
        ),
    };
    let mut multiply = format!(
        "#pragma unroll
    for (int k = 0; k < {bk}; k += {depth}) {{
      unsigned x[{fm}][4], y[{fn_}][2];
#pragma unroll
      for (int i = 0; i < {fm}; ++i) {{
"
    );
    for (r, text) in load_a.iter().enumerate() {
        let _ = writeln!(multiply, "        x[i][{r}] = {text};");
    }
    let _ = writeln!(multiply, "      }}\n#pragma unroll\n      for (int j = 0; j < {fn_}; ++j) {{");
    for (r, text) in load_b.iter().enumerate() {
        let _ = writeln!(multiply, "        y[j][{r}] = {text};");
    }
    let _ = write!(
        multiply,
        "      }}
#pragma unroll
      for (int i = 0; i < {fm}; ++i)
#pragma unroll
        for (int j = 0; j < {fn_}; ++j) {mma}(acc[i][j], x[i], y[j]);
    }}
"
    );
    let each = format!(
        "#pragma unroll
  for (int i = 0; i < {fm}; ++i)
#pragma unroll
  for (int j = 0; j < {fn_}; ++j)
#pragma unroll
  for (int r = 0; r < 4; ++r) {{
    const int m = m0 + wm + i * 16 + g + r / 2 * 8, n = n0 + wn + j * 8 + 2 * q + r % 2;
    const float value = acc[i][j][r];
"
    );
    Multiply { declare, tile: multiply, each }
}
