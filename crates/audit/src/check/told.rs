//! What people were told: every ticket has its one outcome (I4), and no answer contradicts it (I5).

use std::collections::BTreeMap;

use coupon::{ResultStatus, Ticket};

use super::Audit;
use crate::replay::place_of;
use crate::report::Invariant;
use crate::tickets::{TicketLine, Told};

impl Audit<'_> {
    pub(super) fn told(&mut self) {
        let mut answered: BTreeMap<Ticket, Told> = BTreeMap::new();
        for (number, line) in (1_usize..).zip(self.world.tickets.iter().flatten()) {
            if let Err(what) = self.outcome_exists(line) {
                self.offend(Invariant::I4, shown(number, line), what);
            }
            let Some(told) = line.terminal() else { continue };
            let before = *answered.entry(line.request_id).or_insert(told);
            if before != told {
                self.offend(Invariant::I5, shown(number, line), format!("{told:?}, and {before:?} before"));
            }
            let replayed = self.replay.decided.get(&place_of(line.request_id)).map(|decided| decided.status);
            if let Some(right) = replayed.map(told_of).filter(|right| *right != told) {
                self.offend(Invariant::I5, shown(number, line), format!("{told:?}, by the log {right:?}"));
            }
        }
    }

    fn outcome_exists(&self, line: &TicketLine) -> Result<(), String> {
        let place = place_of(line.request_id);
        let Some(decided) = self.replay.decided.get(&place) else {
            return Err(if self.replay.garbage.contains_key(&place) || self.replay.left_out.contains(&place) {
                "the record is in the dead-letter topic and has no outcome".into()
            } else {
                "the log has no such record".into()
            });
        };
        if decided.user_id != line.user_id || decided.head.coupon_id != line.coupon_id.as_str() {
            return Err(format!("the record is {}'s request for {}", decided.user_id, decided.head.coupon_id));
        }
        if decided.head.applied < place.offset {
            return Err(format!("not decided, the head has applied {}", decided.head.applied));
        }
        Ok(())
    }
}

const fn told_of(status: ResultStatus) -> Told {
    match status {
        ResultStatus::Issued { .. } => Told::Issued,
        ResultStatus::Rejected { .. } => Told::Rejected,
    }
}

fn shown(number: usize, line: &TicketLine) -> String {
    format!("ticket {number}: {} of {} for {}", line.request_id, line.user_id, line.coupon_id)
}
