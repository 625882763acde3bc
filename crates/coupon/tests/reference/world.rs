//! A log, a table and a worker small enough to check completely: how a delivered batch is decided and committed chunk
//! by chunk, with holders found late, workers that stop half way, and every earlier ticket asked again after each
//! commit.

use std::collections::{BTreeMap, BTreeSet};

use coupon::{
    Chunk, CouponId, CouponName, Entry, Head, IssuedCoupon, NewCoupon, Offset, Partition, Rank, Ticket, Timestamp,
    Total, UserId, Verdict, Window, decide_in_chunks, outcome,
};
use proptest::{collection::vec, option, prelude::*};

use crate::model::{Ending, ending_of};

/// One record of the log: a person's number and the broker's clock.
#[derive(Debug, Clone)]
pub(crate) struct Requested {
    pub(crate) user: u8,
    pub(crate) timestamp_ms: i64,
}

/// One delivery: a range of the log, how it is cut, and what goes wrong.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// Where it starts, as a share of what is decided so far: below 256/256 is a redelivery.
    pub(crate) from: u8,
    /// How many records.
    pub(crate) records: usize,
    /// Winners to a chunk.
    pub(crate) winners_max: usize,
    /// Which users this environment remembers as holders, as a bit mask over `user % 8`.
    pub(crate) remembers: u8,
    /// After how many commits the worker dies.
    pub(crate) commits_max: usize,
}

/// A coupon, its log, and how the log is delivered.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) total: u64,
    pub(crate) opens_at_ms: Option<i64>,
    pub(crate) closes_at_ms: Option<i64>,
    pub(crate) log: Vec<Requested>,
    /// Offsets have gaps of this much: other coupons share the partition.
    pub(crate) gap: i64,
    pub(crate) deliveries: Vec<Delivery>,
}

prop_compose! {
    fn requested()(user in 0_u8..12, timestamp_ms in -5_i64..100) -> Requested {
        Requested { user, timestamp_ms }
    }
}

prop_compose! {
    fn delivery()(
        from in any::<u8>(), records in 1_usize..12, winners_max in 1_usize..4, remembers in any::<u8>(),
        commits_max in 0_usize..4,
    ) -> Delivery {
        Delivery { from, records, winners_max, remembers, commits_max }
    }
}

prop_compose! {
    /// Timestamps rise and fall around a window that may open and close in mid log.
    pub(crate) fn case()(
        total in 1_u64..10, opens in option::of(0_i64..60), closes_after in option::of(1_i64..60),
        log in vec(requested(), 0..30), gap in 1_i64..4, deliveries in vec(delivery(), 0..8),
    ) -> Case {
        let closes_at_ms = closes_after.map(|after| opens.unwrap_or(0) + after);
        Case { total, opens_at_ms: opens, closes_at_ms, log, gap, deliveries }
    }
}

impl Case {
    /// Everybody once, all at the same moment.
    pub(crate) fn rush(people: u8, total: u64) -> Self {
        let log = (0..people).map(|user| Requested { user, timestamp_ms: 7 }).collect();
        Self { total, opens_at_ms: None, closes_at_ms: None, log, gap: 1, deliveries: Vec::new() }
    }

    /// The log as the core takes it.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let offsets = (0_i64..).map(|place| place * self.gap);
        self.log
            .iter()
            .zip(offsets)
            .map(|(record, offset)| Entry {
                offset: Offset::new(offset).unwrap(),
                timestamp: Timestamp::from_millis_clamped(record.timestamp_ms),
                user_id: user_id(record.user),
            })
            .collect()
    }
}

fn user_id(user: u8) -> UserId {
    UserId::parse(&format!("user-{user}")).unwrap()
}

fn number_of(user: &UserId) -> u32 {
    user.as_str().trim_start_matches("user-").parse().unwrap()
}

/// The table, and what has been promised so far.
pub(crate) struct World {
    entries: Vec<Entry>,
    head: Head,
    items: BTreeMap<UserId, IssuedCoupon>,
    /// How many entries are decided.
    decided: usize,
}

impl World {
    pub(crate) fn new(case: &Case) -> Self {
        let at = |millis: Option<i64>| millis.map(Timestamp::from_millis_clamped);
        let coupon = NewCoupon {
            coupon_id: CouponId::parse("spring-sale").unwrap(),
            name: CouponName::parse("봄").unwrap(),
            total: Total::new(case.total).unwrap(),
            window: Window::new(at(case.opens_at_ms), at(case.closes_at_ms)).unwrap(),
        };
        let head = Head::new(coupon, "coupon-issue-request".into(), Partition::new(3).unwrap());
        Self { entries: case.entries(), head, items: BTreeMap::new(), decided: 0 }
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Delivers a range that never skips an undecided record, as the mapping promises.
    pub(crate) fn deliver(&mut self, delivery: &Delivery, expected: &[Ending]) {
        let start = self.decided * usize::from(delivery.from) / 256;
        let end = (start + delivery.records).min(self.entries.len());
        let remembers = |user: &UserId, items: &BTreeMap<UserId, IssuedCoupon>| {
            items.contains_key(user) && delivery.remembers >> (number_of(user) % 8) & 1 == 1
        };
        let mut found: BTreeSet<UserId> = BTreeSet::new();
        let batch = self.entries[start..end].to_vec();
        let mut commits = 0;
        // Each round decides further or learns of a holder.
        'fold: for _round in 0..=batch.len() + self.items.len() {
            let holds = |user: &UserId| found.contains(user) || remembers(user, &self.items);
            let decision = decide_in_chunks(&self.head, &batch, holds, delivery.winners_max);
            for chunk in &decision.chunks {
                if commits == delivery.commits_max {
                    return;
                }
                if let Err(holders) = self.commit(chunk) {
                    found.extend(holders);
                    continue 'fold;
                }
                commits += 1;
                self.decided = self.entries.iter().take_while(|entry| self.head.has_applied(entry.offset)).count();
                self.check_every_ticket(expected);
            }
            for one in &decision.decided {
                if let Verdict::New(outcome) = one.verdict {
                    assert_eq!(ending_of(outcome), self.expected_of(one.entry.offset, expected), "{one:?}");
                }
            }
            return;
        }
        panic!("a batch was folded more often than there are people");
    }

    pub(crate) fn deliver_the_rest(&mut self, expected: &[Ending]) {
        let records = self.entries.len() + 1;
        self.deliver(&Delivery { from: 0, records, winners_max: 2, remembers: 0, commits_max: usize::MAX }, expected);
    }

    /// What the store's transaction does: all or nothing.
    fn commit(&mut self, chunk: &Chunk) -> Result<(), Vec<UserId>> {
        assert_eq!(chunk.head.version, self.head.version.next());
        let held: Vec<UserId> = chunk
            .winners
            .iter()
            .map(|winner| winner.user_id.clone())
            .filter(|user| self.items.contains_key(user))
            .collect();
        if !held.is_empty() {
            return Err(held);
        }
        self.items.extend(chunk.winners.iter().map(|winner| (winner.user_id.clone(), winner.clone())));
        self.head = chunk.head.clone();
        Ok(())
    }

    /// At this head, every decided ticket has its result and every other one is pending.
    fn check_every_ticket(&self, expected: &[Ending]) {
        for (place, entry) in self.entries.iter().enumerate() {
            let ticket = Ticket { partition: self.head.partition, offset: entry.offset };
            let told = outcome(&self.head, self.items.get(&entry.user_id), ticket).map(ending_of);
            let due = if place < self.decided { Some(expected[place]) } else { None };
            assert_eq!(told, due, "record {place} at {:?}", self.head);
        }
    }

    fn expected_of(&self, offset: Offset, expected: &[Ending]) -> Ending {
        let place = self.entries.iter().position(|entry| entry.offset == offset).unwrap();
        expected[place]
    }

    pub(crate) fn check_the_end(&self, expected: &[Ending]) {
        let issued =
            u64::try_from(expected.iter().filter(|ending| matches!(ending, Ending::Issued(..))).count()).unwrap();
        assert_eq!(self.decided, self.entries.len());
        assert_eq!((self.head.issued, self.head.remaining + self.head.issued), (issued, self.head.total.get()));
        assert_eq!(u64::try_from(self.items.len()).unwrap(), issued);
        assert!(self.head.epochs.len() <= 4, "more epochs than phases: {:?}", self.head.epochs);
    }

    /// A worked example, before its first fold.
    pub(crate) fn worked_example() -> (Head, Vec<Entry>) {
        let mut case = Case::rush(0, 4);
        let mut head = World::new(&case).head;
        (head.issued, head.remaining, head.applied) = (1, 3, Some(Offset::new(10).unwrap()));
        case.log = Vec::new();
        let entries = [(11, "ann"), (12, "bob"), (13, "ann"), (14, "cho"), (15, "dan")];
        let entry = |(offset, user): (i64, &str)| Entry {
            offset: Offset::new(offset).unwrap(),
            timestamp: Timestamp::from_millis_clamped(9),
            user_id: UserId::parse(user).unwrap(),
        };
        assert_eq!(Rank::new(2).unwrap().get(), head.issued + 1);
        (head, entries.into_iter().map(entry).collect())
    }
}
