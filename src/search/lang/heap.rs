//! The heap of one run: counted objects behind numbers. Number 0 is `none`. All references are indices, so a wrong
//! count could at worst end a program with an error; whatever is left when a run ends goes with the heap.

use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

use super::host::{Opaque, Value, order_floats};
use super::types::{Tag, Type};

/// What lies behind a reference.
#[derive(Clone, Debug)]
pub enum Obj {
    /// An unused place.
    Free,
    /// Text.
    Str(Arc<str>),
    /// A list; `refs` says whether its elements are references.
    List {
        /// Elements; those before `head` are gone.
        items: Vec<u64>,
        /// The oldest element.
        head: usize,
        /// Whether elements are references.
        refs: bool,
    },
    /// A tuple, a record, a boxed scalar, or what a function value captures.
    Tuple {
        /// The parts.
        items: Vec<u64>,
        /// Which of them are references.
        refs: Rc<[bool]>,
        /// The function's number, for function values.
        func: u32,
    },
    /// A scalar that may be absent, and is there.
    Boxed(u64),
    /// A value of the host's, or an option.
    Host(Value),
    /// An object of a host that counts owners itself: it is told by [`Heap::dropped`] when the heap has none any more.
    Handle(Tag, u64),
}

/// What a [`Obj::Handle`] is as a value: the host knows what is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(pub u64);

struct Entry {
    count: u32,
    obj: Obj,
}

/// The objects of one run.
pub struct Heap {
    entries: Vec<Entry>,
    free: Vec<u64>,
    work: Vec<u64>,
    /// Handles that nobody holds any more, for the host to take.
    pub dropped: Vec<(Tag, u64)>,
}

impl Default for Heap {
    /// Takes no memory; only to stand in for one that is in use.
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), work: Vec::new(), dropped: Vec::new() }
    }
}

const NOTHING: Obj = Obj::Free;

impl Heap {
    /// An empty heap.
    pub fn new() -> Self {
        Self { entries: vec![Entry { count: 1, obj: Obj::Free }], ..Self::default() }
    }

    /// How many objects are alive.
    pub fn live(&self) -> usize {
        self.entries.len() - 1 - self.free.len()
    }

    /// A new object with one owner.
    pub fn add(&mut self, obj: Obj) -> u64 {
        if let Some(i) = self.free.pop() {
            self.entries[i as usize] = Entry { count: 1, obj };
            return i;
        }
        self.entries.push(Entry { count: 1, obj });
        self.entries.len() as u64 - 1
    }

    /// The object; `none` and nonsense are [`Obj::Free`].
    pub fn get(&self, r: u64) -> &Obj {
        self.entries.get(r as usize).map_or(&NOTHING, |e| &e.obj)
    }

    /// One more owner.
    pub fn retain(&mut self, r: u64) {
        if r != 0
            && let Some(e) = self.entries.get_mut(r as usize)
        {
            e.count += 1;
        }
    }

    /// One owner less; the last one takes the object along, with all that only it holds.
    pub fn release(&mut self, r: u64) {
        if r == 0 {
            return;
        }
        let Some(e) = self.entries.get_mut(r as usize) else { return };
        if e.count > 1 {
            e.count -= 1;
            return;
        }
        let mut work = std::mem::take(&mut self.work);
        work.push(r);
        while let Some(r) = work.pop() {
            let Some(e) = self.entries.get_mut(r as usize) else { continue };
            if r == 0 || matches!(e.obj, Obj::Free) {
                continue;
            }
            e.count -= 1;
            if e.count > 0 {
                continue;
            }
            match std::mem::replace(&mut e.obj, Obj::Free) {
                Obj::List { items, head, refs: true } => work.extend_from_slice(&items[head..]),
                Obj::Tuple { items, refs, .. } => {
                    work.extend(items.iter().zip(refs.iter()).filter(|x| *x.1).map(|x| *x.0));
                }
                Obj::Handle(tag, id) => self.dropped.push((tag, id)),
                _ => {}
            }
            self.free.push(r);
        }
        self.work = work;
    }

    /// The object alone: itself, or a copy where it has other owners. Takes the reference over.
    pub fn unique(&mut self, r: u64) -> u64 {
        let Some(e) = self.entries.get_mut(r as usize) else { return r };
        if r == 0 || e.count == 1 {
            return r;
        }
        e.count -= 1;
        let obj = match &e.obj {
            Obj::List { items, head, refs } => Obj::List { items: items[*head..].to_vec(), head: 0, refs: *refs },
            o => o.clone(),
        };
        match &obj {
            Obj::List { items, refs: true, .. } => {
                for &x in items {
                    self.retain(x);
                }
            }
            Obj::Tuple { items, refs, .. } => {
                for (&x, _) in items.iter().zip(refs.iter()).filter(|x| *x.1) {
                    self.retain(x);
                }
            }
            _ => {}
        }
        self.add(obj)
    }

    /// The object, to be changed by an only owner.
    pub fn get_mut(&mut self, r: u64) -> Option<&mut Obj> {
        self.entries.get_mut(r as usize).map(|e| &mut e.obj)
    }

    /// The elements of a list, the parts of a tuple.
    pub fn items(&self, r: u64) -> &[u64] {
        match self.get(r) {
            Obj::List { items, head, .. } => &items[*head..],
            Obj::Tuple { items, .. } => items,
            Obj::Boxed(x) => std::slice::from_ref(x),
            _ => &[],
        }
    }

    /// Text.
    pub fn text(&self, r: u64) -> Arc<str> {
        match self.get(r) {
            Obj::Str(s) => s.clone(),
            _ => "".into(),
        }
    }

    /// The handle behind a reference.
    pub fn handle(&self, r: u64) -> Option<u64> {
        if let Obj::Handle(_, id) = self.get(r) { Some(*id) } else { None }
    }

    /// A list that takes its elements over.
    pub fn list(&mut self, items: Vec<u64>, of: &Type) -> u64 {
        self.add(Obj::List { items, head: 0, refs: of.is_ref() })
    }

    /// A tuple that takes its parts over.
    pub fn tuple(&mut self, items: Vec<u64>, refs: Rc<[bool]>) -> u64 {
        self.add(Obj::Tuple { items, refs, func: 0 })
    }

    /// The slot as a value.
    pub fn value(&self, slot: u64, t: &Type) -> Value {
        match t {
            Type::Int => Value::Int(slot as i64),
            Type::Float => Value::Float(f64::from_bits(slot)),
            Type::Bool => Value::Bool(slot != 0),
            Type::Str => Value::Str(self.text(slot)),
            Type::List(t) => Value::list(self.items(slot).iter().map(|&x| self.value(x, t))),
            Type::Tuple(ts) => {
                Value::Tuple(Arc::new(self.items(slot).iter().zip(ts).map(|(&x, t)| self.value(x, t)).collect()))
            }
            Type::Record(ts) => Value::Record(Arc::new(
                self.items(slot).iter().zip(ts).map(|(&x, t)| (t.0.clone(), self.value(x, &t.1))).collect(),
            )),
            Type::Optional(_) if slot == 0 => Value::None,
            Type::Optional(t) if t.is_ref() => self.value(slot, t),
            Type::Optional(t) => self.items(slot).first().map_or(Value::None, |&x| self.value(x, t)),
            Type::Option | Type::Selector | Type::Op | Type::Opaque(_) | Type::Stream(_) => match self.get(slot) {
                Obj::Host(v) => v.clone(),
                Obj::Handle(tag, id) => Value::Opaque(Opaque::new(*tag, id.to_string(), Handle(*id))),
                _ => Value::None,
            },
            Type::Unit | Type::Fn(..) | Type::Param(_) | Type::Var(_) | Type::Never | Type::Error => Value::None,
        }
    }

    /// The value as an owned slot; the value fits the type.
    pub fn slot(&mut self, v: &Value, t: &Type) -> u64 {
        match (v, t) {
            (Value::Int(i), Type::Float) => (*i as f64).to_bits(),
            (Value::Int(i), Type::Int) => *i as u64,
            (Value::Float(x), Type::Float) => x.to_bits(),
            (Value::Bool(b), Type::Bool) => u64::from(*b),
            (Value::None, Type::Optional(_) | Type::Unit) => 0,
            (v, Type::Optional(t)) => {
                let x = self.slot(v, t);
                if t.is_ref() { x } else { self.add(Obj::Boxed(x)) }
            }
            (Value::Str(s), Type::Str) => self.add(Obj::Str(s.clone())),
            (Value::List(xs), Type::List(t)) => {
                let items = xs.iter().map(|x| self.slot(x, t)).collect();
                self.list(items, t)
            }
            (Value::Tuple(xs), Type::Tuple(ts)) => {
                let items = xs.iter().zip(ts).map(|(x, t)| self.slot(x, t)).collect();
                self.tuple(items, ts.iter().map(Type::is_ref).collect())
            }
            (Value::Record(xs), Type::Record(ts)) => {
                let items = xs.iter().zip(ts).map(|(x, t)| self.slot(&x.1, &t.1)).collect();
                self.tuple(items, ts.iter().map(|t| t.1.is_ref()).collect())
            }
            (v, t) if t.is_ref() => self.add(Obj::Host(v.clone())),
            _ => 0,
        }
    }

    /// The order of two values of one type; `none` is least.
    pub fn compare(&self, a: u64, b: u64, t: &Type) -> Ordering {
        match t {
            Type::Int | Type::Bool => (a as i64).cmp(&(b as i64)),
            Type::Float => order_floats(f64::from_bits(a), f64::from_bits(b)),
            Type::Optional(t) if a != 0 && b != 0 => {
                if t.is_ref() {
                    self.compare(a, b, t)
                } else {
                    let part = |r| self.items(r).first().copied().unwrap_or(0);
                    self.compare(part(a), part(b), t)
                }
            }
            Type::Optional(_) => (a != 0).cmp(&(b != 0)),
            Type::Str => match (self.get(a), self.get(b)) {
                (Obj::Str(a), Obj::Str(b)) => a.cmp(b),
                _ => Ordering::Equal,
            },
            Type::List(t) => {
                let (xs, ys) = (self.items(a), self.items(b));
                let first = xs.iter().zip(ys).map(|(&x, &y)| self.compare(x, y, t)).find(|o| *o != Ordering::Equal);
                first.unwrap_or_else(|| xs.len().cmp(&ys.len()))
            }
            Type::Tuple(ts) => self.compare_parts(a, b, ts.iter()),
            Type::Record(ts) => self.compare_parts(a, b, ts.iter().map(|t| &t.1)),
            _ => match (self.get(a), self.get(b)) {
                (Obj::Host(a), Obj::Host(b)) => a.cmp(b),
                (Obj::Handle(_, a), Obj::Handle(_, b)) => a.cmp(b),
                _ => Ordering::Equal,
            },
        }
    }

    fn compare_parts<'t>(&self, a: u64, b: u64, ts: impl Iterator<Item = &'t Type>) -> Ordering {
        let parts = self.items(a).iter().zip(self.items(b)).zip(ts);
        parts.map(|((&x, &y), t)| self.compare(x, y, t)).find(|o| *o != Ordering::Equal).unwrap_or(Ordering::Equal)
    }
}
