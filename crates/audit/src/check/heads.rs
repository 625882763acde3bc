//! The heads: sums and limits by themselves (I1, I6), and everything a head counts against the replay (I8).

use super::Audit;
use crate::replay::Coupon;
use crate::report::Invariant;
use crate::world::{Place, StoredHead};

impl Audit<'_> {
    pub(super) fn heads(&mut self) {
        for head in &self.world.heads {
            let StoredHead { total, remaining, issued, .. } = *head;
            if issued > total || remaining < 0 {
                self.offend_head(head, Invariant::I1, format!("issued {issued} of {total}, remaining {remaining}"));
            }
            if remaining.checked_add(issued) != Some(total) {
                self.offend_head(
                    head,
                    Invariant::I6,
                    format!("remaining {remaining} + issued {issued} is not {total}"),
                );
            }
            if let Some(coupon) = self.replay.coupons.get(head.coupon_id.as_str()) {
                self.head_by_replay(head, coupon);
            }
        }
    }

    fn head_by_replay(&mut self, head: &StoredHead, coupon: &Coupon<'_>) {
        let issued = i64::try_from(coupon.winners.len()).unwrap_or(i64::MAX);
        // Requests that came in after the ends were taken may be decided; then the head is ahead of the replay, and
        // what it says of the time before must still be the same.
        let ahead = self.is_beyond(Place { partition: head.partition, offset: head.applied });
        let counts = [
            ("remaining", head.remaining, coupon.remaining, !ahead || head.remaining > coupon.remaining),
            ("issued", head.issued, issued, !ahead || head.issued < issued),
            ("applied", head.applied, coupon.applied, !ahead),
            ("clock", head.clock, coupon.clock.millis(), !ahead || head.clock < coupon.clock.millis()),
        ];
        for (name, stored, replayed, compared) in counts {
            if compared && stored != replayed {
                self.offend_head(head, Invariant::I8, format!("{name} is {stored}, by the log {replayed}"));
            }
        }
        let epochs = if ahead { head.epochs.get(..coupon.epochs.len()) } else { Some(head.epochs.as_slice()) };
        if epochs != Some(coupon.epochs.as_slice()) {
            let (stored, replayed) = (shown(&head.epochs), shown(&coupon.epochs));
            self.offend_head(head, Invariant::I8, format!("epochs are {stored}, by the log {replayed}"));
        }
        // A write decides at least one request, so that there are at most as many writes as requests.
        let written = i64::from(coupon.decided > 0)..=coupon.decided;
        if !ahead && !written.contains(&head.version) {
            let (version, decided) = (head.version, coupon.decided);
            self.offend_head(head, Invariant::I8, format!("version is {version} after {decided} requests"));
        }
    }

    fn offend_head(&mut self, head: &StoredHead, invariant: Invariant, what: String) {
        self.offend(invariant, format!("{} {}", self.world.names.coupons, head.coupon_id), what);
    }
}

fn shown(epochs: &[(i64, String)]) -> String {
    let each: Vec<String> = epochs.iter().map(|(offset, phase)| format!("{{{offset}, {phase}}}")).collect();
    format!("[{}]", each.join(", "))
}
