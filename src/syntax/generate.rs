//! Random trees for property tests: every form that the parser can produce, without positions.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::ast::*;
use crate::base::{FileId, Span};

fn ident() -> impl Strategy<Value = Ident> + Clone {
    let names =
        ["a", "b", "x", "y1", "conv", "state", "param", "edge", "sum", "max", "training", "C", "long_name_here"];
    proptest::sample::select(names.to_vec()).prop_map(|n| Ident { name: n.to_owned(), span: Span::default() })
}

/// A name of a field: keywords may stand there.
fn word() -> impl Strategy<Value = Ident> + Clone {
    let names = ["a", "space", "in", "none", "choose", "data", "setup"];
    proptest::sample::select(names.to_vec()).prop_map(|n| Ident { name: n.to_owned(), span: Span::default() })
}

fn ex(kind: ExprKind) -> Expr {
    Expr { span: Span::default(), kind }
}

fn number() -> BoxedStrategy<Expr> {
    let units = super::parse::UNITS.to_vec();
    prop_oneof![
        (0..i64::MAX).prop_map(|n| ex(ExprKind::Int(n))),
        (0..100i64).prop_map(|n| ex(ExprKind::Int(n))),
        (0.0..1e300f64).prop_map(|v| ex(ExprKind::Float(v))),
        (0..2000u32, -9..9i32).prop_map(|(a, e)| ex(ExprKind::Float(f64::from(a) * 10f64.powi(e)))),
        (0..100_000u32, proptest::sample::select(units)).prop_map(|(n, (_, factor, unit))| ex(ExprKind::Quantity(
            super::parse::in_base(f64::from(n) / 16.0, factor),
            unit
        ))),
    ]
    .boxed()
}

fn pattern() -> BoxedStrategy<Pattern> {
    let leaf = prop_oneof![ident().prop_map(Pattern::Name), Just(Pattern::Skip(Span::default()))];
    leaf.prop_recursive(2, 6, 3, |p| vec(p, 0..3).prop_map(|ps| Pattern::Tuple(ps, Span::default()))).boxed()
}

fn ty() -> BoxedStrategy<Type> {
    let t = |kind| Type { span: Span::default(), kind };
    let leaf = ident().prop_map(move |n| t(TypeKind::Named(n, Vec::new())));
    leaf.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            (ident(), vec(inner.clone(), 1..3)).prop_map(move |(n, ts)| t(TypeKind::Named(n, ts))),
            vec(inner.clone(), 0..3).prop_map(move |ts| t(TypeKind::Tuple(ts))),
            vec((word(), inner.clone()), 0..3).prop_map(move |fs| t(TypeKind::Record(fs))),
            (vec(inner.clone(), 0..3), inner.clone()).prop_map(move |(ts, r)| t(TypeKind::Fn(ts, Box::new(r)))),
            inner
                .prop_filter("a `?` after a function type belongs to its result", |i| !matches!(
                    i.kind,
                    TypeKind::Fn(..)
                ))
                .prop_map(move |i| t(TypeKind::Optional(Box::new(i)))),
        ]
    })
    .boxed()
}

fn dim(e: BoxedStrategy<Expr>) -> impl Strategy<Value = Dim> {
    prop_oneof![Just(Dim::Rest(Span::default())), e.prop_map(Dim::Expr)]
}

fn index_decls(e: BoxedStrategy<Expr>) -> impl Strategy<Value = Vec<IndexDecl>> {
    vec(
        prop_oneof![
            Just(IndexDecl::Rest(Span::default())),
            (ident(), option::of(e)).prop_map(|(n, e)| IndexDecl::Index(n, e))
        ],
        1..3,
    )
}

fn body(stmts: BoxedStrategy<Vec<Stmt>>, e: BoxedStrategy<Expr>) -> BoxedStrategy<Body> {
    (stmts, option::of(e))
        .prop_map(|(mut stmts, value)| {
            let last = |s: &Stmt| matches!(s.kind, StmtKind::Expr(_) | StmtKind::Return(None));
            if value.is_none() {
                // A last expression would be the value.
                while stmts.last().is_some_and(|s| matches!(s.kind, StmtKind::Expr(_))) {
                    stmts.pop();
                }
            }
            // What follows a bare `return` would be its value.
            let n = stmts.len();
            let mut i = 0;
            stmts.retain(|s| {
                i += 1;
                !(last(s) && matches!(s.kind, StmtKind::Return(None)) && (i < n || value.is_some()))
            });
            if value.is_none() {
                while stmts.last().is_some_and(|s| matches!(s.kind, StmtKind::Expr(_))) {
                    stmts.pop();
                }
            }
            Body { span: Span::default(), stmts, value: value.map(Box::new) }
        })
        .boxed()
}

fn stmts(e: BoxedStrategy<Expr>, inner: BoxedStrategy<Body>) -> BoxedStrategy<Vec<Stmt>> {
    let place = prop_oneof![
        ident().prop_map(name),
        (ident(), e.clone()).prop_map(|(n, i)| ex(ExprKind::Index { base: Box::new(name(n)), indices: vec![i] })),
        (ident(), word()).prop_map(|(n, f)| ex(ExprKind::Field { base: Box::new(name(n)), name: f })),
        vec(ident().prop_map(name), 0..3).prop_map(|ps| ex(ExprKind::Tuple(ps))),
    ];
    let op = proptest::sample::select(vec![BinOp::Add, BinOp::Sub, BinOp::Mul, BinOp::Div, BinOp::Rem, BinOp::Pow]);
    let kind = prop_oneof![
        (any::<bool>(), pattern(), option::of(ty()), e.clone())
            .prop_map(|(mutable, pattern, ty, value)| StmtKind::Let { mutable, pattern, ty, value }),
        (ident(), e.clone()).prop_map(|(name, value)| StmtKind::Share { name, value }),
        (place, option::of(op), e.clone()).prop_map(|(target, op, value)| StmtKind::Assign { target, op, value }),
        e.clone().prop_map(StmtKind::Expr),
        (pattern(), e.clone(), inner.clone()).prop_map(|(pattern, iter, body)| StmtKind::For { pattern, iter, body }),
        (option::of(e.clone()), inner.clone()).prop_map(|(cond, body)| StmtKind::While { cond, body }),
        option::of(e.clone()).prop_map(StmtKind::Return),
        Just(StmtKind::Break),
        Just(StmtKind::Continue),
        e.clone().prop_map(StmtKind::Forbid),
        (ident(), params(e), inner).prop_map(|(name, params, body)| StmtKind::Item(Box::new(item_of(ItemKind::Arch(
            Arch { kind: ArchKind::Motif, name, count: None, params, body }
        ))))),
    ];
    vec(kind.prop_map(|kind| Stmt { span: Span::default(), kind }), 0..4).boxed()
}

fn name(ident: Ident) -> Expr {
    ex(ExprKind::Name(Name { ident, occurrence: 0 }))
}

fn choose(e: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let alternative = (option::of(word()), option::of(number()), e.clone())
        .prop_map(|(label, weight, value)| Alternative { label, weight, value, span: Span::default() });
    let amount = prop_oneof![
        3 => Just(Amount::One),
        1 => e.clone()
            .prop_filter("a range is a bounded subset", |e| !matches!(e.kind, ExprKind::Range { .. }))
            .prop_map(Amount::Exactly),
        1 => (option::of(e.clone()), option::of(e.clone()), any::<bool>())
            .prop_map(|(lo, hi, inclusive)| Amount::Between { lo, hi, inclusive }),
    ];
    let domain = prop_oneof![
        vec(alternative, 1..4).prop_map(Domain::Alternatives),
        e.clone().prop_map(Domain::From),
        (e.clone(), option::of(e.clone()), any::<bool>()).prop_map(|(range, step, log)| Domain::In {
            range,
            step,
            log
        }),
    ];
    (option::of(ident()), amount, domain, option::of(e)).prop_map(|(name, amount, domain, given)| {
        ex(ExprKind::Choose(Box::new(Choose { keyword: Span::default(), name, amount, domain, given })))
    })
}

fn ops() -> impl Strategy<Value = BinOp> {
    use BinOp::{Add, And, Div, Eq, Ge, Gt, Le, Lt, Mul, Ne, Or, Pipe, Pow, Rem, Sub};
    proptest::sample::select(vec![Pipe, Or, And, Eq, Ne, Lt, Le, Gt, Ge, Add, Sub, Mul, Div, Rem, Pow])
}

/// An expression.
pub fn expr() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        3 => ident().prop_map(name),
        2 => number(),
        1 => "[a-z\\\\\"\n\u{1}ä{}]{0,6}".prop_map(|s| ex(ExprKind::Str(s))),
        1 => any::<bool>().prop_map(|b| ex(ExprKind::Bool(b))),
        1 => Just(ex(ExprKind::None)),
    ];
    leaf.prop_recursive(4, 40, 4, |e| {
        let e = e.boxed();
        let small = body(Just(Vec::new()).boxed(), e.clone());
        let any_body = body(stmts(e.clone(), small), e.clone());
        let bx = |e: BoxedStrategy<Expr>| e.prop_map(Box::new);
        let reducers = vec![Reducer::Sum, Reducer::Max, Reducer::Min, Reducer::Mean, Reducer::Prod];
        prop_oneof![
            2 => vec(e.clone(), 0..4).prop_map(|xs| ex(ExprKind::List(xs))),
            2 => vec(e.clone(), 0..4).prop_map(|xs| ex(ExprKind::Tuple(xs))),
            1 => vec((word(), e.clone()), 0..3).prop_map(|fs| ex(ExprKind::Record(fs))),
            1 => vec((e.clone(), e.clone()), 1..3).prop_map(|es| ex(ExprKind::Map(es))),
            1 => (bx(e.clone()), vec((pattern(), e.clone(), option::of(e.clone())), 1..3)).prop_map(|(element, cs)| {
                let clauses = cs.into_iter().map(|(pattern, iter, cond)| Clause { pattern, iter, cond }).collect();
                ex(ExprKind::Comprehension { element, clauses })
            }),
            2 => (any::<bool>(), bx(e.clone()))
                .prop_map(|(neg, x)| ex(ExprKind::Unary(if neg { UnOp::Neg } else { UnOp::Not }, x))),
            6 => (ops(), bx(e.clone()), bx(e.clone())).prop_map(|(op, a, b)| ex(ExprKind::Binary(op, a, b))),
            1 => (option::of(bx(e.clone())), option::of(bx(e.clone())), any::<bool>())
                .prop_map(|(lo, hi, inclusive)| ex(ExprKind::Range { lo, hi, inclusive })),
            1 => (bx(e.clone()), any_body.clone(), option::of(any_body.clone())).prop_map(|(cond, then, o)| {
                ex(ExprKind::If { cond, then: Box::new(then), otherwise: o.map(Box::new) })
            }),
            1 => any_body.clone().prop_filter("`{}` is a record", |b| b.value.is_some() || !b.stmts.is_empty())
                .prop_map(|b| ex(ExprKind::Body(Box::new(b)))),
            2 => (bx(e.clone()), vec((option::of(word()), e.clone()), 0..3)).prop_map(|(callee, args)| {
                let args = args.into_iter().map(|(name, value)| Arg { name, value }).collect();
                ex(ExprKind::Call { callee, args })
            }),
            1 => (bx(e.clone()), vec(e.clone(), 1..3)).prop_map(|(base, indices)| ex(ExprKind::Index { base, indices })),
            1 => (bx(e.clone()), word()).prop_map(|(base, name)| ex(ExprKind::Field { base, name })),
            3 => choose(e.clone()),
            1 => (e.clone(), option::of(e.clone()), option::of(e.clone()), option::of(e.clone())).prop_map(
                |(nodes, edge, edges, merge)| {
                    ex(ExprKind::Assemble(Box::new(Assemble { keyword: Span::default(), nodes, edge, edges, merge })))
                }
            ),
            1 => (bx(e.clone()), option::of(ident()), any_body)
                .prop_map(|(count, label, b)| ex(ExprKind::Repeat { count, label, body: Box::new(b) })),
            1 => (vec(pattern(), 0..3), bx(e.clone())).prop_map(|(params, body)| ex(ExprKind::Lambda { params, body })),
            2 => (proptest::sample::select(reducers), index_decls(e.clone()), bx(e)).prop_map(|(op, indices, body)| {
                ex(ExprKind::Reduce { op, keyword: Span::default(), indices, body })
            }),
        ]
    })
    .boxed()
}

fn params(e: BoxedStrategy<Expr>) -> BoxedStrategy<Vec<Param>> {
    let kind = prop_oneof![
        vec(dim(e.clone()), 0..3).prop_map(ParamKind::Tensor),
        ty().prop_map(ParamKind::Typed),
        Just(ParamKind::Untyped)
    ];
    vec((ident(), kind, option::of(e)).prop_map(|(name, kind, default)| Param { name, kind, default }), 0..3).boxed()
}

fn item_of(kind: ItemKind) -> Item {
    Item { span: Span::default(), doc: String::new(), kind }
}

fn prim_stmts(e: BoxedStrategy<Expr>) -> BoxedStrategy<Vec<PrimStmt>> {
    let span = Span::default();
    let slot = proptest::sample::select(vec![SlotKind::Param, SlotKind::State, SlotKind::Knob]);
    let leaf = prop_oneof![
        (slot, ident(), vec(dim(e.clone()), 0..3), e.clone())
            .prop_map(move |(kind, name, dims, init)| PrimStmt::Slot { kind, name, dims, init, span }),
        (ident(), index_decls(e.clone()), any::<bool>(), e.clone()).prop_map(move |(name, indices, update, value)| {
            PrimStmt::Equation { name, indices, update, value, span }
        }),
        (ident(), e.clone()).prop_map(|(name, value)| PrimStmt::Let { name, value }),
    ];
    vec(
        leaf.prop_recursive(2, 6, 3, move |s| {
            (e.clone(), vec(s.clone(), 0..3), vec(s, 0..3)).prop_map(|(cond, then, otherwise)| PrimStmt::If {
                cond,
                then,
                otherwise,
            })
        }),
        0..4,
    )
    .boxed()
}

fn item() -> BoxedStrategy<Item> {
    let e = expr();
    let b = body(stmts(e.clone(), body(Just(Vec::new()).boxed(), e.clone())), e.clone());
    let arch = proptest::sample::select(vec![ArchKind::Block, ArchKind::Motif, ArchKind::Space]);
    let fun = proptest::sample::select(vec![FunKind::Fn, FunKind::Strategy, FunKind::Evaluation]);
    let what = prop_oneof![Just(UseWhat::Last), Just(UseWhat::All), vec(word(), 0..3).prop_map(UseWhat::Names)];
    let fun = (fun, ident(), params(e.clone()), option::of(ty()), b.clone())
        .prop_map(|(kind, name, params, result, body)| Fun { kind, name, params, result, body });
    let output = (ident(), vec(dim(e.clone()), 0..3)).prop_map(|(name, dims)| Output { name, dims });
    prop_oneof![
        (vec(word(), 1..4), what).prop_map(|(path, what)| ItemKind::Use(Use { path, what })),
        (ident(), params(e.clone()), vec(output, 1..3), prim_stmts(e.clone()))
            .prop_map(|(name, params, outputs, body)| ItemKind::Primitive(Primitive { name, params, outputs, body })),
        (arch, ident(), option::of(e.clone()), params(e.clone()), b.clone())
            .prop_map(|(kind, name, count, params, body)| ItemKind::Arch(Arch { kind, name, count, params, body })),
        fun.clone().prop_map(ItemKind::Fun),
        (ident(), vec((word(), e.clone()), 0..4)).prop_map(|(name, fields)| ItemKind::Search(Search { name, fields })),
        (ident(), e.clone()).prop_map(|(name, value)| ItemKind::SpaceAlias { name, value }),
        (ident(), params(e.clone()), vec((ident(), e.clone()), 0..3), vec(fun, 0..2))
            .prop_map(|(name, params, state, funs)| ItemKind::Environment(Environment { name, params, state, funs })),
        (ident(), proptest::sample::subsequence(vec!["setup", "predict", "learn"], 0..=3), b).prop_map(
            |(name, parts, b)| {
                let mut all = b.stmts;
                all.extend(b.value.map(|e| Stmt { span: Span::default(), kind: StmtKind::Expr(*e) }));
                let part = |p: &str| Ident { name: p.to_owned(), span: Span::default() };
                let parts = parts.into_iter().map(|p| (part(p), all.clone())).collect();
                ItemKind::Algorithm(Algorithm { name, parts })
            }
        ),
    ]
    .prop_map(item_of)
    .boxed()
}

/// A module with its names numbered.
pub fn module() -> BoxedStrategy<Module> {
    vec(item(), 0..3)
        .prop_map(|mut items| {
            items.iter_mut().for_each(super::parse::number_names);
            Module { file: FileId(0), items }
        })
        .boxed()
}
