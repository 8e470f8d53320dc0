//! Spaces in which no decision depends on another, such as NAS-Bench-201's cell: their candidates are completed and read
//! without elaborating anything, which is what most of a search over a table of results would otherwise spend its time on.

use crate::base::rng::Stream;
use crate::sema::sym::Num;
use crate::syntax::ast::ItemKind;

use super::decision::{Candidate, Choice, Decision};
use super::sample::draw;
use super::{Checked, Space, has_choice};

impl Space {
    /// Whether every candidate has all decisions, each with all options, in the order in which the check met them: nothing
    /// is forbidden, no decision stands under another, and none in an owner that stamps motifs, since the first stamp that a
    /// candidate reaches would decide the order.
    pub(super) fn is_flat(&self, checked: &Checked) -> bool {
        let in_search = self.search.is_some_and(|s| match &self.program.item(s).kind {
            ItemKind::Search(s) => s.fields.iter().any(|f| has_choice(&f.1)),
            _ => true,
        });
        !in_search
            && checked.forbidden.is_empty()
            && checked.repeats.iter().all(|r| r.count.is_none())
            && checked.decisions.iter().all(|d| {
                d.decision.level == 1
                    && d.decision.given.is_empty()
                    && d.presence == Num::Bool(true)
                    && d.available.iter().all(|&a| a == Num::Bool(true))
            })
    }

    /// The decisions of a complete candidate, if the space is flat.
    pub(super) fn flat_decisions(&self, c: &Candidate) -> Option<Vec<(Decision, Choice)>> {
        if !self.checked.flat {
            return None;
        }
        let legal = self.decisions().iter().map(|d| {
            let v = c.values.get(&d.decision.name).filter(|v| d.decision.domain.contains(v))?;
            Some((d.decision.clone(), v.clone()))
        });
        legal.collect()
    }

    /// The candidate with its legal values, and the others drawn in order, if the space is flat.
    pub(super) fn flat_fill(&self, partial: &Candidate, rng: &mut Stream) -> Option<Candidate> {
        let values = self.checked.flat.then(|| self.decisions())?.iter().map(|d| {
            let fixed = partial.values.get(&d.decision.name).filter(|v| d.decision.domain.contains(v));
            (d.decision.name.clone(), fixed.cloned().unwrap_or_else(|| draw(&d.decision.domain, &[], rng)))
        });
        Some(Candidate { values: values.collect(), ..partial.clone() })
    }

    /// Whether the space is flat and the values that there are are legal.
    pub(super) fn is_flat_for(&self, c: &Candidate) -> bool {
        let legal = |d: &Decision| c.values.get(&d.name).is_none_or(|v| d.domain.contains(v));
        self.checked.flat && self.decisions().iter().all(|d| legal(&d.decision))
    }

    /// The first decision without a value, where [`Space::is_flat_for`] holds.
    pub(super) fn flat_open(&self, c: &Candidate) -> Option<&Decision> {
        self.decisions().iter().map(|d| &d.decision).find(|d| !c.values.contains_key(&d.name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HEAD, NASBENCH201, good};
    use super::*;
    use crate::space::{BuildError, Want};

    #[test]
    fn completing_without_elaboration_is_the_same() {
        let mut s = good(&format!("{HEAD}{NASBENCH201}"));
        assert!(s.checked.flat);
        let mut partial = Candidate::default();
        partial.values.insert("cell.edge(1,2).op".into(), Choice::Text("none".into()));
        partial.values.insert("cell.edge(0,3).op".into(), Choice::Text("no such operation".into()));
        partial.values.insert("gone".into(), Choice::Int(1));
        let both: Vec<(Vec<Candidate>, Vec<Candidate>)> = [true, false]
            .into_iter()
            .map(|flat| {
                s.checked.flat = flat;
                let mut rng = Stream::new(7, "flat");
                let cs: Vec<Candidate> =
                    (0..20).map(|_| s.fill(&partial, &mut rng).map_err(BuildError::diagnostic).unwrap()).collect();
                let mut open = cs[0].clone();
                open.values.remove("cell.edge(0,2).op");
                open.values.remove("cell.edge(2,3).op");
                let all = s.completions(&open, 100).map_err(BuildError::diagnostic).unwrap().unwrap();
                (cs, all)
            })
            .collect();
        assert_eq!(both[0], both[1]);
        assert_eq!(both[0].1.len(), 25);
        s.checked.flat = true;
        let c = &both[0].0[3];
        assert_eq!(s.decisions_of(c).unwrap(), s.build(c, Want::Decisions).unwrap().decided);
    }

    #[test]
    fn what_depends_is_not_flat() {
        for (body, flat) in [
            ("let k = choose k from [1, 3]\n image >> conv(4, k)", true),
            ("let k = choose k from [1, 3]\n forbid k == 3\n image >> conv(4, k)", false),
            ("image >> choose op { plain: conv(4, 1) | large: conv(4, choose k from [3, 5]) }", false),
            ("let n = choose n in 1..=2\n image >> conv(4, 1) >> repeat n as layer { conv(4, 3) }", false),
            ("motif m(c: int) = conv(c, choose k from [1, 3])\n image >> m(4) >> m(8)", true),
            ("motif m(c: int) = conv(c, choose k from [1, 3])\n image >> choose op { m(4) | conv(4, 5) }", false),
        ] {
            let s = good(&format!(
                "{HEAD}space s(image[N, C, H, W], classes: int) {{ {body} >> global_avg_pool >> linear(classes) }}"
            ));
            assert_eq!(s.checked.flat, flat, "{body}");
        }
    }
}
