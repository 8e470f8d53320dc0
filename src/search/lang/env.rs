//! What programs can name besides the contract and the builtins. Whoever resolves modules fills this in; the
//! compiler only reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sema::modules::{ItemRef, ModuleId, Program, item_name};
use crate::syntax::ast;

/// A function, strategy or evaluation, and the scope in which its body is read.
#[derive(Clone, Debug)]
pub struct FunItem {
    /// What was written.
    pub fun: ast::Fun,
    /// An index into [`Env::scopes`].
    pub scope: usize,
}

/// An architecture item that programs may name: a loss, a metric, an optimizer, a block.
#[derive(Clone, Debug)]
pub struct OpItem {
    /// Its name.
    pub name: String,
    /// Its parameters; tensors are left out in programs.
    pub params: Vec<ast::Param>,
}

/// An item.
#[derive(Clone, Debug)]
pub enum Item {
    /// Programs of one name, told apart by the number of arguments; usually one.
    Fun(Vec<Arc<FunItem>>),
    /// An architecture item.
    Op(Arc<OpItem>),
}

/// The items visible in one module, by the names that they have there.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The items.
    pub names: BTreeMap<String, Item>,
}

/// All scopes of a compilation. Scope 0 is the library, visible everywhere behind the module's own names.
#[derive(Clone, Debug)]
pub struct Env {
    /// The scopes; functions refer to them by index.
    pub scopes: Vec<Scope>,
}

/// The scope of a module in [`Env::of_program`].
pub fn scope_of(module: ModuleId) -> usize {
    module.0 as usize + 1
}

/// The module of a scope of [`Env::of_program`].
pub fn module_of(scope: usize) -> Option<ModuleId> {
    scope.checked_sub(1).map(|m| ModuleId(m as u32))
}

/// The knobs of a primitive with their initial values.
pub fn knobs(p: &ast::Primitive) -> impl Iterator<Item = (&ast::Ident, &ast::Expr)> {
    p.body.iter().filter_map(|s| match s {
        ast::PrimStmt::Slot { kind: ast::SlotKind::Knob, name, init, .. } => Some((name, init)),
        _ => None,
    })
}

fn knob_param(name: &ast::Ident, init: &ast::Expr) -> ast::Param {
    let float = ast::Ident { name: "float".to_string(), span: name.span };
    let ty = ast::Type { span: name.span, kind: ast::TypeKind::Named(float, Vec::new()) };
    ast::Param { name: name.clone(), kind: ast::ParamKind::Typed(ty), default: Some(init.clone()) }
}

/// The index of the library's scope.
pub const LIBRARY: usize = 0;

impl Default for Env {
    fn default() -> Self {
        Self::new()
    }
}

impl Env {
    /// An environment with an empty library.
    pub fn new() -> Self {
        Self { scopes: vec![Scope::default()] }
    }

    /// The environment of a loaded program. The scope of a module is [`scope_of`] it.
    pub fn of_program(program: &Program) -> Self {
        let mut env = Self::new();
        let mut funs: BTreeMap<ItemRef, Arc<FunItem>> = BTreeMap::new();
        for (m, module) in program.modules.iter().enumerate() {
            let id = ModuleId(m as u32);
            env.add_scope();
            for (i, item) in module.ast.items.iter().enumerate() {
                if let ast::ItemKind::Fun(fun) = &item.kind {
                    let fun = FunItem { fun: fun.clone(), scope: scope_of(id) };
                    funs.insert(ItemRef { module: id, item: i as u32 }, Arc::new(fun));
                }
            }
        }
        for (m, module) in program.modules.iter().enumerate() {
            for (name, r) in &module.scope {
                match &program.item(*r).kind {
                    ast::ItemKind::Fun(_) => {
                        // All functions of this name that the declaring module has.
                        let items = program.module(r.module).ast.items.iter().enumerate();
                        let same = items.filter(|(_, i)| item_name(i).is_some_and(|n| n.name == *name));
                        let same = same.filter_map(|(i, _)| funs.get(&ItemRef { module: r.module, item: i as u32 }));
                        env.add(scope_of(ModuleId(m as u32)), name, Item::Fun(same.cloned().collect()));
                    }
                    ast::ItemKind::Primitive(p) => {
                        // Knobs are set at run time, so programs give them like arguments.
                        let mut params = p.params.clone();
                        params.extend(knobs(p).map(|(name, init)| knob_param(name, init)));
                        env.add_op(scope_of(ModuleId(m as u32)), name, &params);
                    }
                    ast::ItemKind::Arch(a) => env.add_op(scope_of(ModuleId(m as u32)), name, &a.params),
                    _ => {}
                }
            }
        }
        env
    }

    /// Adds an empty scope and returns its index.
    pub fn add_scope(&mut self) -> usize {
        self.scopes.push(Scope::default());
        self.scopes.len() - 1
    }

    /// Makes an item visible under `name` in `scope`; functions join those of the same name.
    pub fn add(&mut self, scope: usize, name: &str, item: Item) {
        let names = &mut self.scopes[scope].names;
        match (names.get_mut(name), item) {
            (Some(Item::Fun(old)), Item::Fun(new)) => old.extend(new),
            (_, item) => {
                names.insert(name.to_string(), item);
            }
        }
    }

    /// Adds every program and architecture item that `module` declares to `scope`. Items that it uses from other
    /// modules are the caller's to add.
    pub fn add_module(&mut self, scope: usize, module: &ast::Module) {
        for item in &module.items {
            match &item.kind {
                ast::ItemKind::Fun(fun) => {
                    let item = Item::Fun(vec![Arc::new(FunItem { fun: fun.clone(), scope })]);
                    self.add(scope, &fun.name.name, item);
                }
                ast::ItemKind::Primitive(p) => self.add_op(scope, &p.name.name, &p.params),
                ast::ItemKind::Arch(a) => self.add_op(scope, &a.name.name, &a.params),
                _ => {}
            }
        }
    }

    /// Makes an architecture item visible in `scope`.
    pub fn add_op(&mut self, scope: usize, name: &str, params: &[ast::Param]) {
        let op = OpItem { name: name.to_string(), params: params.to_vec() };
        self.add(scope, name, Item::Op(Arc::new(op)));
    }

    /// The program of this name that `scope` or the library has, if it is one.
    pub fn fun(&self, scope: usize, name: &str) -> Option<&Arc<FunItem>> {
        match self.item(scope, name)? {
            Item::Fun(fs) => fs.first(),
            Item::Op(_) => None,
        }
    }

    /// What `name` stands for in `scope`: its own item, else the library's.
    pub fn item(&self, scope: usize, name: &str) -> Option<&Item> {
        let own = self.scopes.get(scope).and_then(|s| s.names.get(name));
        own.or_else(|| self.scopes[LIBRARY].names.get(name))
    }
}
