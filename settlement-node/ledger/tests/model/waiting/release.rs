//! The end of a block in the naive model: each release that the ledger reports is judged by the rules, then believed.

use std::collections::BTreeMap;

use ledger::{Answer, Cause, Progress};

use super::{Model, ModelWaiting, net};

impl Model {
    /// The end of a block: what the ledger says became of queued transfers is checked line by line against the rules
    /// and then believed. In the end nothing may be left that could settle alone.
    pub(crate) fn release(&mut self, said: &[Progress]) {
        let mut rest = said;
        while let [first, ..] = rest {
            let together = |one: &&Progress| {
                one.cause == first.cause && matches!(one.cause, Cause::Together(_))
            };
            let count = rest.iter().take_while(together).count().max(1);
            let (group, others) = rest.split_at(count);
            rest = others;
            let members: Vec<ModelWaiting> = group
                .iter()
                .map(|one| self.waiting[self.place_of(&one.id).unwrap()].clone())
                .collect();
            match first.cause {
                Cause::Cover => self.released_alone(first, &members[0]),
                Cause::Together(_) => self.released_together(group, &members),
                other => panic!("{other:?} at the end of a block"),
            }
            for (one, member) in group.iter().zip(&members) {
                let at = self.place_of(&one.id).unwrap();
                self.end(at, one.answer);
                if one.answer.is_settled() {
                    self.move_money(&member.transfer);
                }
            }
        }
        let left = self.waiting.iter().find(|one| self.could_settle(one));
        assert!(left.is_none(), "could settle: {left:?}");
    }

    fn released_alone(&self, said: &Progress, one: &ModelWaiting) {
        assert!(one.ready(), "{said:?}");
        match said.answer {
            Answer::Settled => {
                assert!(self.could_settle(one), "{said:?} of {one:?}");
                let before = |other: &&ModelWaiting| {
                    let shared = other.debits().iter().any(|at| one.debits().contains(at));
                    shared && (other.priority, other.order) < (one.priority, one.order)
                };
                let by_passed = self.waiting.iter().filter(before).find(|at| self.could_settle(at));
                assert!(by_passed.is_none(), "{one:?} by-passed {by_passed:?}");
            }
            other => {
                let allowed = self.payment_limit(&one.transfer, |_| true);
                let reason = self.legs(&one.transfer).and(allowed).unwrap_err();
                assert_eq!(other, Answer::Refused(reason), "{said:?}");
            }
        }
    }

    fn released_together(&self, said: &[Progress], group: &[ModelWaiting]) {
        let all: Vec<_> = group.iter().map(|one| (&one.transfer, one.priority)).collect();
        let objection = self.objection(&all, |_| true);
        assert_eq!(objection, None, "{said:?}");
        let mut sums: BTreeMap<u32, i128> = BTreeMap::new();
        for (one, member) in said.iter().zip(group) {
            assert_eq!(one.answer, Answer::Settled);
            assert!(member.ready() && self.legs(&member.transfer).is_ok(), "{member:?}");
            assert_eq!(self.payment_limit(&member.transfer, |_| true), Ok(()), "{member:?}");
            for (account, change) in net(&member.transfer) {
                *sums.entry(account).or_default() += change;
            }
            // Whatever has a higher priority on the same account comes along.
            for other in self.waiting.iter().filter(|other| other.ready()) {
                let shared = other.debits().iter().any(|at| member.debits().contains(at));
                let along = group.iter().any(|among| among.transfer.id == other.transfer.id);
                assert!(!shared || along || other.priority >= member.priority, "{other:?}");
            }
        }
        for (account, sum) in sums {
            assert!(sum >= 0 || self.available(account) + sum >= 0, "{account} pays {sum}");
        }
    }
}
