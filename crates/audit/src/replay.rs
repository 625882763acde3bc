//! The replay: the request topic from its start, one record at a time, with a plain set of holders and a counter for
//! each coupon. Naive on purpose, and none of the deciding code of the core or the worker: those are what it judges.
//!
//! What is done with the replay is `check.rs`.

use std::collections::{BTreeMap, BTreeSet};

use coupon::{
    CouponId, DeadLetterReason, IssueResult, IssuedCoupon, Offset, Partition, Phase, Rank, Reason, ResultStatus,
    Ticket, Timestamp, UserId,
};

use crate::judge::{Judged, judge};
use crate::world::{LogRecord, Names, Place, StoredHead, StoredItem, World, phase_text};

/// What the log says happened.
#[derive(Debug, Default)]
pub(crate) struct Replay<'w> {
    /// Every coupon of this log, by id.
    pub(crate) coupons: BTreeMap<&'w str, Coupon<'w>>,
    /// Every request that counts.
    pub(crate) decided: BTreeMap<Place, Decided<'w>>,
    /// Every record that is no request, with the reasons that its dead-letter record may give.
    pub(crate) garbage: BTreeMap<Place, Vec<DeadLetterReason>>,
    /// Requests that came before their coupon was created and were never decided: they lie in the dead-letter topic.
    pub(crate) left_out: BTreeSet<Place>,
    /// Requests from before their coupon whose results say what deciding them at their places comes to. Behind later ones
    /// such a request is told its end without being decided, which may be the same.
    pub(crate) doubtful: Vec<Place>,
}

/// One coupon after the replay.
#[derive(Debug)]
pub(crate) struct Coupon<'w> {
    /// What the table says of it.
    pub(crate) head: &'w StoredHead,
    /// How many are left.
    pub(crate) remaining: i64,
    /// Who holds one, and since which request.
    holders: BTreeSet<UserId>,
    /// In the order of the log; the first has rank 1.
    pub(crate) winners: Vec<Winner>,
    /// Where the phase changed.
    pub(crate) epochs: Vec<(i64, String)>,
    /// The last request, −1 while there is none.
    pub(crate) applied: i64,
    /// The highest timestamp seen, in ms.
    pub(crate) clock: Timestamp,
    /// How many requests counted.
    pub(crate) decided: i64,
}

/// A winner by the replay.
#[derive(Debug, Clone)]
pub(crate) struct Winner {
    pub(crate) place: Place,
    pub(crate) user_id: UserId,
}

/// A request that counts, and what it came to.
#[derive(Debug)]
pub(crate) struct Decided<'w> {
    pub(crate) record: &'w LogRecord,
    pub(crate) head: &'w StoredHead,
    pub(crate) user_id: UserId,
    pub(crate) status: ResultStatus,
    /// The coupon's clock at this request.
    pub(crate) clock: Timestamp,
}

/// Replays the whole request topic of a world. Of the doubtful requests these were not decided.
pub(crate) fn replay_log<'w>(world: &'w World, not_decided: &BTreeSet<Place>) -> Replay<'w> {
    let heads: BTreeMap<&str, &StoredHead> = world.heads.iter().map(|head| (head.coupon_id.as_str(), head)).collect();
    let ours = heads.values().filter(|head| head.log == world.names.requests);
    let mut replay = Replay {
        coupons: ours.map(|head| (head.coupon_id.as_str(), Coupon::new(head))).collect(),
        ..Replay::default()
    };
    let evidence = Evidence::of(world, not_decided);
    let mut requests: Vec<&LogRecord> = world.requests.iter().collect();
    requests.sort_by_key(|record| record.place);
    for record in requests {
        match judge(record, &heads, &world.names.requests) {
            Judged::Garbage { reason, since_creation } => {
                let before = since_creation.then_some(DeadLetterReason::UnknownCoupon);
                replay.garbage.insert(record.place, std::iter::once(reason).chain(before).collect());
            }
            Judged::Request { head, user_id } => replay.request(record, head, user_id, &evidence),
        }
    }
    replay
}

impl<'w> Replay<'w> {
    fn request(&mut self, record: &'w LogRecord, head: &'w StoredHead, user_id: UserId, evidence: &Evidence<'_>) {
        let Some(coupon) = self.coupons.get_mut(head.coupon_id.as_str()) else { return };
        let status = coupon.would_be(record, &user_id);
        let counts = match evidence.counts(record.place, &status) {
            Counts::Yes => true,
            Counts::No => false,
            Counts::Perhaps => {
                self.doubtful.push(record.place);
                !evidence.not_decided.contains(&record.place)
            }
        };
        if !counts {
            self.left_out.insert(record.place);
            return;
        }
        coupon.take(record, &user_id, &status);
        let clock = coupon.clock;
        self.decided.insert(record.place, Decided { record, head, user_id, status, clock });
    }
}

impl<'w> Coupon<'w> {
    fn new(head: &'w StoredHead) -> Self {
        Self {
            head,
            remaining: head.total,
            holders: BTreeSet::new(),
            winners: Vec::new(),
            epochs: Vec::new(),
            applied: -1,
            clock: Timestamp::ZERO,
            decided: 0,
        }
    }

    fn clock_at(&self, record: &LogRecord) -> Timestamp {
        self.clock.max(Timestamp::from_millis_clamped(record.timestamp))
    }

    fn phase_by(&self, clock: Timestamp) -> Phase {
        match (self.head.opens_at, self.head.closes_at) {
            (Some(opens), _) if clock < opens => Phase::NotOpen,
            (_, Some(closes)) if clock >= closes => Phase::Closed,
            _ if self.remaining <= 0 => Phase::SoldOut,
            _ => Phase::Open,
        }
    }

    /// What this request comes to if it is the next one.
    fn would_be(&self, record: &LogRecord, user_id: &UserId) -> ResultStatus {
        let clock = self.clock_at(record);
        let rejected = |reason| ResultStatus::Rejected { reason };
        let next_rank = u64::try_from(self.winners.len()).unwrap_or(u64::MAX).saturating_add(1);
        match self.phase_by(clock) {
            Phase::NotOpen => rejected(Reason::NotOpen),
            Phase::Closed => rejected(Reason::Closed),
            Phase::SoldOut => rejected(Reason::SoldOut),
            Phase::Open if self.holders.contains(user_id) => rejected(Reason::AlreadyIssued),
            Phase::Open => match Rank::new(next_rank) {
                Ok(rank) => ResultStatus::Issued { rank, issued_at: clock },
                Err(_zero) => rejected(Reason::SoldOut),
            },
        }
    }

    /// Counts the request, which comes to `status`.
    fn take(&mut self, record: &LogRecord, user_id: &UserId, status: &ResultStatus) {
        let clock = self.clock_at(record);
        let phase = phase_text(self.phase_by(clock));
        if self.epochs.last().map_or("OPEN", |(_, last)| last) != phase {
            self.epochs.push((record.place.offset, phase.to_owned()));
        }
        if matches!(status, ResultStatus::Issued { .. }) {
            self.remaining = self.remaining.saturating_sub(1);
            self.holders.insert(user_id.clone());
            self.winners.push(Winner { place: record.place, user_id: user_id.clone() });
        }
        self.clock = clock;
        self.applied = record.place.offset;
        self.decided = self.decided.saturating_add(1);
    }
}

impl Decided<'_> {
    /// The coupon that was issued, as the table must have it; none for a rejected request.
    pub(crate) fn item(&self) -> Option<StoredItem> {
        match self.status {
            ResultStatus::Issued { rank, issued_at } => Some(StoredItem::from(&IssuedCoupon {
                user_id: self.user_id.clone(),
                coupon_id: CouponId::parse(&self.head.coupon_id).ok()?,
                ticket: ticket(self.record.place)?,
                rank,
                issued_at,
            })),
            ResultStatus::Rejected { .. } => None,
        }
    }

    /// The result record's value, to the byte.
    pub(crate) fn result_value(&self) -> Option<Vec<u8>> {
        let result = IssueResult {
            request_id: ticket(self.record.place)?,
            coupon_id: CouponId::parse(&self.head.coupon_id).ok()?,
            user_id: self.user_id.clone(),
            status: self.status,
        };
        serde_json::to_vec(&result).ok()
    }
}

/// The ticket of the request at a place; none for a place that no log has.
pub(crate) fn ticket(place: Place) -> Option<Ticket> {
    Some(Ticket { partition: Partition::new(place.partition).ok()?, offset: Offset::new(place.offset).ok()? })
}

/// The place that a ticket names.
#[must_use]
pub const fn place_of(ticket: Ticket) -> Place {
    Place { partition: ticket.partition.get(), offset: ticket.offset.get() }
}

/// What there is to tell whether a request in the dead-letter topic was decided all the same.
///
/// A request for a coupon that does not exist yet goes there and does not count. Redelivered after the creation, it
/// does count, unless later requests are decided already: then it is answered `ALREADY_ISSUED` without having been
/// decided. So it counts when it won, and may count when a result says what deciding it at its place comes to.
struct Evidence<'e> {
    /// What is taken for not decided, if it is doubtful.
    not_decided: &'e BTreeSet<Place>,
    dead: BTreeSet<Place>,
    won: BTreeSet<Place>,
    results: BTreeMap<Place, Vec<ResultStatus>>,
}

impl<'e> Evidence<'e> {
    fn of(world: &World, not_decided: &'e BTreeSet<Place>) -> Self {
        let dead: BTreeSet<Place> =
            world.dead_letters.iter().filter_map(|record| source(record, &world.names)).collect();
        let tickets = world.items.iter().filter_map(|item| Ticket::parse(item.text("requestId")?).ok());
        let mut results: BTreeMap<Place, Vec<ResultStatus>> = BTreeMap::new();
        // Only what may matter is kept: a result topic is as long as the request topic.
        if !dead.is_empty() {
            let decoded = world.results.iter().filter_map(result_of);
            for result in decoded.filter(|result| dead.contains(&place_of(result.request_id))) {
                results.entry(place_of(result.request_id)).or_default().push(result.status);
            }
        }
        Self { not_decided, won: tickets.map(place_of).filter(|place| dead.contains(place)).collect(), results, dead }
    }

    fn counts(&self, place: Place, status: &ResultStatus) -> Counts {
        let issued = |seen: &ResultStatus| matches!(seen, ResultStatus::Issued { .. });
        let results = self.results.get(&place).map(Vec::as_slice).unwrap_or_default();
        if !self.dead.contains(&place) || self.won.contains(&place) || results.iter().any(issued) {
            return Counts::Yes;
        }
        if results.contains(status) { Counts::Perhaps } else { Counts::No }
    }
}

/// Whether a request was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Yes,
    No,
    /// As far as its results tell.
    Perhaps,
}

/// The result that a record of the result topic spells; none for a record that spells none.
#[must_use]
pub fn result_of(record: &LogRecord) -> Option<IssueResult> {
    serde_json::from_slice(record.value.as_deref()?).ok()
}

/// The headers that a dead-letter record has behind those of the record it is about, in this order.
pub(crate) const DEAD_LETTER_HEADERS: [&str; 4] = ["dlq-reason", "dlq-topic", "dlq-partition", "dlq-offset"];

/// The texts of the last four headers, reason, topic, partition and offset, if those are the dead-letter topic's own.
#[must_use]
pub fn dead_letter_texts(record: &LogRecord) -> Option<[&str; 4]> {
    let (_, own) = record.headers.split_last_chunk::<4>()?;
    let mut texts = [""; 4];
    for ((text, name), (header, value)) in texts.iter_mut().zip(DEAD_LETTER_HEADERS).zip(own) {
        if header != name {
            return None;
        }
        *text = std::str::from_utf8(value.as_deref()?).ok()?;
    }
    Some(texts)
}

/// The place in the request topic that a dead-letter record is about; none for one that is about another topic, or
/// about nothing.
#[must_use]
pub fn source(record: &LogRecord, names: &Names) -> Option<Place> {
    let [_, topic, partition, offset] = dead_letter_texts(record)?;
    if topic != names.requests {
        return None;
    }
    Some(place_of(Ticket::parse(&format!("{partition}-{offset}")).ok()?))
}
