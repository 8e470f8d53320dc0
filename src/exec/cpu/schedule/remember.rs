//! Steps whose likes were lowered before: children of one space are made of few, so most of a new one is only looked up.

use std::cell::RefCell;
use std::hash::Hash;
use std::rc::Rc;

use super::{Launch, Scheduler, slot};
use crate::base::hash::Mixer;
use crate::base::memo::Memo;
use crate::exec::ExecError;
use crate::graph::NodeId;
use crate::graph::template::{number, structure};

thread_local! {
    /// The launches of steps that were met before, their buffers by number, by what [`Scheduler::remember`] says.
    static KNOWN: RefCell<Memo<Rc<Vec<Launch>>>> = const { RefCell::new(Memo::new(8192)) };
}

impl Scheduler<'_> {
    /// Lowers a step, or finds how one like it was lowered. That depends on the target, the nodes that it computes, on which of them
    /// are stored, and of them and all that they read on types, layouts and which of them share a buffer; on nothing else.
    pub(super) fn remember(
        &self,
        members: &[NodeId],
        stored: &[NodeId],
        launches: &mut Vec<Launch>,
        lower: impl FnOnce(&mut Vec<Launch>) -> Result<(), ExecError>,
    ) -> Result<(), ExecError> {
        let (mut key, mut met, mut buffers) = (Mixer::default(), members.to_vec(), Vec::new());
        let mut plain = true;
        (self.target, stored.len()).hash(&mut key);
        for m in members {
            stored.contains(m).hash(&mut key);
            plain &= structure(self.graph.node(*m), &mut key, &mut |x| number(&mut met, x));
        }
        if !plain {
            return lower(launches);
        }
        for &x in &met {
            let (buffer, layout) = self.place(x);
            (slot(&mut buffers, *buffer), layout, self.graph.node(x).dtype).hash(&mut key);
        }
        let key = key.key();
        let label = &self.graph.node(members[members.len() - 1]).label;
        if let Some(known) = KNOWN.with_borrow(|all| all.get(key)) {
            launches.extend(known.iter().map(|l| Launch {
                work: l.work.clone(),
                key: l.key,
                slots: l.slots.iter().map(|&k| buffers[k]).collect(),
                strides: Vec::new(),
                label: label.clone(),
            }));
            return Ok(());
        }
        let first = launches.len();
        lower(launches)?;
        let numbered = launches[first..].iter().map(|l| {
            let slots = l.slots.iter().map(|b| buffers.iter().position(|x| x == b)).collect::<Option<_>>()?;
            Some(Launch { work: l.work.clone(), key: l.key, slots, strides: Vec::new(), label: String::new() })
        });
        if let Some(numbered) = numbered.collect::<Option<Vec<_>>>() {
            KNOWN.with_borrow_mut(|all| all.put(key, Rc::new(numbered)));
        }
        Ok(())
    }
}
