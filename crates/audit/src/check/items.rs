//! The issued coupons: how many (I1), whose (I2), which and in what order (I3), to the byte (I8), and when (I9).

use std::collections::{BTreeMap, BTreeSet};

use coupon::{Ticket, Timestamp};

use super::Audit;
use crate::replay::{Coupon, place_of};
use crate::report::Invariant;
use crate::world::{Place, StoredHead, StoredItem};

impl Audit<'_> {
    pub(super) fn items(&mut self) {
        let mut of_coupon: BTreeMap<&str, Vec<&StoredItem>> = BTreeMap::new();
        for item in self.world.items.iter().filter(|item| self.is_judged(item)) {
            of_coupon.entry(&item.coupon_id).or_default().push(item);
        }
        self.one_a_user();
        for coupon in self.replay.coupons.values() {
            let items = of_coupon.remove(coupon.head.coupon_id.as_str()).unwrap_or_default();
            self.not_too_many(coupon, &items);
            self.in_order(coupon, &items);
            items.iter().for_each(|item| self.in_window(coupon.head, item));
            self.by_the_byte(coupon, &items);
        }
        // What is left belongs to no coupon of this log; another log's are another audit's.
        let other_logs: BTreeSet<&str> = self.world.heads.iter().map(|head| head.coupon_id.as_str()).collect();
        for (coupon_id, items) in of_coupon.into_iter().filter(|(id, _)| !other_logs.contains(id)) {
            for item in items {
                self.offend_item(item, Invariant::I8, format!("there is no coupon {coupon_id}"));
            }
        }
    }

    /// Not behind the ends. An item that names no place, or one that its coupon has not reached, is judged.
    fn is_judged(&self, item: &StoredItem) -> bool {
        let Some(place) = place(item) else { return true };
        let head = self.replay.coupons.get(item.coupon_id.as_str()).map(|coupon| coupon.head);
        !head.is_some_and(|head| {
            head.partition == place.partition && place.offset <= head.applied && self.is_beyond(place)
        })
    }

    fn one_a_user(&mut self) {
        let mut seen = BTreeSet::new();
        for item in &self.world.items {
            if !seen.insert((&item.coupon_id, &item.user_id)) {
                self.offend_item(item, Invariant::I2, "this person holds this coupon twice".into());
            }
        }
    }

    fn not_too_many(&mut self, coupon: &Coupon<'_>, items: &[&StoredItem]) {
        let total = usize::try_from(coupon.head.total).unwrap_or(0);
        if items.len() > total {
            let place = format!("{} {}", self.world.names.coupons, coupon.head.coupon_id);
            self.offend(Invariant::I1, place, format!("{} issued coupons of {total}", items.len()));
        }
    }

    fn in_order(&mut self, coupon: &Coupon<'_>, items: &[&StoredItem]) {
        let mut ranks = BTreeSet::new();
        for item in items {
            let rank = item.number("rank").and_then(|rank| usize::try_from(rank).ok()).filter(|rank| *rank > 0);
            let winner = rank.and_then(|rank| coupon.winners.get(rank.saturating_sub(1)));
            match (rank, winner) {
                (None, _) => self.offend_item(item, Invariant::I3, "no rank".into()),
                (Some(rank), None) => {
                    let won = coupon.winners.len();
                    self.offend_item(item, Invariant::I3, format!("rank {rank}, where the log has {won} winners"));
                }
                (Some(rank), Some(winner)) => {
                    ranks.insert(rank);
                    if place(item) != Some(winner.place) || item.user_id != winner.user_id.as_str() {
                        let (user, place) = (&winner.user_id, winner.place);
                        self.offend_item(
                            item,
                            Invariant::I3,
                            format!("rank {rank} is {user}'s by the log, for {place}"),
                        );
                    }
                }
            }
        }
        for (rank, winner) in (1..).zip(&coupon.winners) {
            if !ranks.contains(&rank) {
                let place = self.request(winner.place);
                self.offend(Invariant::I3, place, format!("rank {rank}, {}'s by the log, is nobody's", winner.user_id));
            }
        }
    }

    fn in_window(&mut self, head: &StoredHead, item: &StoredItem) {
        let outside = |clock: Timestamp| {
            head.opens_at.is_some_and(|opens| clock < opens) || head.closes_at.is_some_and(|closes| clock >= closes)
        };
        let issued_at = item.text("issuedAt").and_then(|text| Timestamp::parse(text).ok());
        // The item may say what it likes: what counts as well is the clock that its request met.
        let met = place(item).and_then(|place| self.replay.decided.get(&place)).map(|decided| decided.clock);
        if let Some(clock) = issued_at.into_iter().chain(met).find(|clock| outside(*clock)) {
            self.offend_item(item, Invariant::I9, format!("issued at {clock}, outside the coupon's window"));
        }
    }

    fn by_the_byte(&mut self, coupon: &Coupon<'_>, items: &[&StoredItem]) {
        let decided = |place: &Place| self.replay.decided.get(place);
        let expected = coupon.winners.iter().filter_map(|winner| decided(&winner.place)?.item());
        let mut expected: BTreeMap<String, StoredItem> = expected.map(|item| (item.user_id.clone(), item)).collect();
        for item in items {
            match expected.remove(&item.user_id) {
                Some(replayed) if replayed == **item => {}
                Some(replayed) => self.offend_item(item, Invariant::I8, difference(item, &replayed)),
                None => self.offend_item(item, Invariant::I8, "the log issued none to this person".into()),
            }
        }
        for item in expected.values() {
            let ticket = item.text("requestId").unwrap_or_default();
            self.offend_item(item, Invariant::I8, format!("missing; the log issued it for {ticket}"));
        }
    }

    fn offend_item(&mut self, item: &StoredItem, invariant: Invariant, what: String) {
        let place = format!("{} {} {}", self.world.names.user_coupons, item.user_id, item.coupon_id);
        self.offend(invariant, place, what);
    }
}

fn place(item: &StoredItem) -> Option<Place> {
    Ticket::parse(item.text("requestId")?).ok().map(place_of)
}

fn difference(stored: &StoredItem, replayed: &StoredItem) -> String {
    let names: BTreeSet<&String> = stored.attributes.keys().chain(replayed.attributes.keys()).collect();
    let differing = names.into_iter().filter_map(|name| {
        let (stored, replayed) = (stored.attributes.get(name), replayed.attributes.get(name));
        let shown = |value: Option<&_>| value.map_or("absent".to_owned(), ToString::to_string);
        (stored != replayed).then(|| format!("{name} is {}, by the log {}", shown(stored), shown(replayed)))
    });
    differing.collect::<Vec<_>>().join("; ")
}
