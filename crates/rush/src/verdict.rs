//! The end of a rush: the audit of the world as it is left, with the very code of `cargo local audit`; and what only the
//! simulation can witness, which is two more redeliveries of everything and every answer that was given (`answers.rs`).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    rc::Rc,
};

use audit::{
    Ends, Invariant, LogRecord, Place, StoredHead, StoredItem,
    tickets::{TicketLine, Told as ToldStatus},
};
use bytes::Bytes;
use coupon::{Head, IssueResult, IssuedCoupon, Offset, Partition, Reason, ResultStatus, Ticket};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    people::{call, member},
    world::{Told, Violation, World},
};

/// What dead letters are counted as: the reason behind a word.
const DEAD_LETTERS: [&str; 7] = [
    "letter undecodable",
    "letter unknown-type",
    "letter invalid",
    "letter key-mismatch",
    "letter unknown-coupon",
    "letter wrong-log",
    "letter wrong-partition",
];

/// How far the worker's topics went at a moment: for each partition, the offset behind its last record.
pub(crate) struct Published {
    results: Vec<i64>,
    dead_letters: Vec<i64>,
}

impl Published {
    /// Takes away what came later, and gives it.
    fn split_off_later(&self, world: &mut audit::World) -> audit::World {
        let later = |ends: &[i64], records: &mut Vec<LogRecord>| {
            let is_later = |record: &mut LogRecord| {
                let end = usize::try_from(record.place.partition).ok().and_then(|place| ends.get(place));
                end.is_none_or(|end| record.place.offset >= *end)
            };
            records.extract_if(.., is_later).collect()
        };
        audit::World {
            results: later(&self.results, &mut world.results),
            dead_letters: later(&self.dead_letters, &mut world.dead_letters),
            ..audit::World::default()
        }
    }
}

/// A world as it is left.
pub(crate) struct Left {
    world: audit::World,
    /// The result of each ticket, as its JSON has it.
    by_ticket: BTreeMap<Ticket, Value>,
}

/// What the requests came to, by the worker's topics.
struct Ended {
    /// For each result what it is counted as, and the request's offset.
    results: Vec<(&'static str, i64)>,
    dead_letters: Vec<&'static str>,
    /// The result of each ticket, as its JSON has it.
    by_ticket: BTreeMap<Ticket, Value>,
}

impl Ended {
    fn of(world: &audit::World) -> Self {
        // The same result comes many times, byte for byte.
        let mut decoded: HashMap<&[u8], Option<(Ticket, &'static str)>> = HashMap::new();
        let mut by_ticket = BTreeMap::new();
        let mut results = Vec::new();
        for value in world.results.iter().filter_map(|record| record.value.as_deref()) {
            let one = decoded.entry(value).or_insert_with(|| {
                let result: IssueResult = serde_json::from_slice(value).ok()?;
                by_ticket.insert(result.request_id, serde_json::to_value(result.status).unwrap_or_default());
                Some((result.request_id, counted_as(result.status)))
            });
            results.extend(one.map(|(ticket, what)| (what, ticket.offset.get())));
        }
        let reason = |letter: &LogRecord| {
            let [reason, ..] = audit::dead_letter_texts(letter)?;
            DEAD_LETTERS.iter().find(|what| what.strip_prefix("letter ") == Some(reason)).copied()
        };
        let dead_letters = world.dead_letters.iter().filter_map(reason).collect();
        Self { results, dead_letters, by_ticket }
    }
}

const fn counted_as(status: ResultStatus) -> &'static str {
    match status {
        ResultStatus::Issued { .. } => "result issued",
        ResultStatus::Rejected { reason: Reason::AlreadyIssued } => "result already issued",
        ResultStatus::Rejected { reason: Reason::SoldOut } => "result sold out",
        ResultStatus::Rejected { reason: Reason::NotOpen } => "result not open",
        ResultStatus::Rejected { reason: Reason::Closed } => "result closed",
    }
}

type Content<'r> = (Option<&'r [u8]>, Option<&'r [u8]>, &'r [(String, Option<Bytes>)]);

/// All of a record but its place.
fn content(record: &LogRecord) -> Content<'_> {
    (record.key.as_deref(), record.value.as_deref(), &record.headers)
}

/// The tables at a moment.
pub(crate) type Tables = (Vec<Head>, Vec<IssuedCoupon>);

impl World {
    pub(crate) fn tables_now(&self) -> Tables {
        (self.tables.heads(), self.tables.items())
    }

    /// The requests whose dead letter names a coupon that was not there, and may be by now.
    pub(crate) fn early_requests(&self) -> BTreeSet<Place> {
        let letters = self.records(&self.names.dead_letters);
        let is_unknown = |letter: &&LogRecord| {
            audit::dead_letter_texts(letter).is_some_and(|[reason, ..]| reason == "unknown-coupon")
        };
        letters.iter().filter(is_unknown).filter_map(|letter| audit::source(letter, &self.names)).collect()
    }

    /// Says where the tables changed although nothing new was in the log.
    pub(crate) fn expect_unchanged(&self, before: &Tables, invariant: Invariant) {
        let after = self.tables_now();
        // A head that is new was created by a call that was frozen until now.
        for head in before.0.iter().filter(|head| !after.0.contains(head)) {
            let now = after.0.iter().find(|other| other.coupon_id == head.coupon_id);
            self.violate(invariant, format!("the head of {} was {head:?}, is {now:?}", head.coupon_id));
        }
        if before.1 != after.1 {
            let counts = (before.1.len(), after.1.len());
            self.violate(invariant, format!("there were {} items, now {}, or other ones", counts.0, counts.1));
        }
    }

    /// Asks for every ticket once more, of an environment that has cached nothing.
    pub(crate) async fn ask_for_every_ticket(self: &Rc<Self>) {
        let given = self.given.borrow().clone();
        let api = self.new_api();
        for given in given {
            let path = format!("/coupons/{}/issues/{}", given.coupon_id, given.ticket);
            let answer = api.handle(&call("GET", &path, given.user_id.as_str(), "")).await;
            let body = answer.body;
            if answer.status != 200 || member(&body, "status") == "PENDING" {
                self.violate(Invariant::I4, format!("{} {path} ends as {body}", given.user_id));
            }
            self.told.borrow_mut().push(Told { given, asked_ms: self.timeline.elapsed_ms(), body });
        }
    }

    /// How far results and dead letters go now.
    pub(crate) fn published(&self) -> Published {
        let ends = |topic: &str| {
            let count = i32::try_from(self.topics.partition_count(topic)).unwrap_or(0);
            (0..count).map(|partition| self.topics.end(topic, partition)).collect()
        };
        Published { results: ends(&self.names.results), dead_letters: ends(&self.names.dead_letters) }
    }

    /// The world as it is left, when all that changes it is over; counts what the requests came to.
    pub(crate) fn left(&self) -> Left {
        let world = self.as_audited();
        let Ended { results, dead_letters, by_ticket } = Ended::of(&world);
        for (what, offset) in &results {
            self.trace.note(what, "", *offset);
        }
        for what in &dead_letters {
            self.trace.note(what, "", 0);
        }
        Left { world, by_ticket }
    }

    /// Judges everything; gives what is broken, and how many requests were decided.
    ///
    /// What the last redelivery published is told apart: it may only repeat, to the byte, what was there before, and must
    /// not stand in for what was never published. What it published of `early` requests, from before their coupon, counts:
    /// it may have decided them.
    pub(crate) fn judge(&self, left: Left, published: &Published, early: &BTreeSet<Place>) -> (Vec<Violation>, usize) {
        let Left { mut world, by_ticket } = left;
        let mut later = published.split_off_later(&mut world);
        let is_early = |place: Option<Place>| place.is_some_and(|place| early.contains(&place));
        let decided = |result: &LogRecord| Some(audit::place_of(audit::result_of(result)?.request_id));
        world.results.extend(later.results.extract_if(.., |result| is_early(decided(result))));
        let early_letter = |letter: &mut LogRecord| is_early(audit::source(letter, &self.names));
        world.dead_letters.extend(later.dead_letters.extract_if(.., early_letter));
        // Partitions may be added while the last redelivery is under way.
        let counts = published.results.len()..=self.topics.partition_count(&self.names.results);
        if counts.start() < counts.end() {
            self.trace.count("partitions at the end");
        }
        let is_home = |record: &LogRecord| {
            let key = record.key.as_deref().unwrap_or_default();
            let at = |count: usize| record_log::partition_of(key, i32::try_from(count).unwrap_or(0));
            counts.clone().any(|count| at(count) == record.place.partition)
        };
        self.expect_repetitions(&world.results, &later.results, is_home);
        // A dead letter has its record's key or none, and a topic of one partition.
        self.expect_repetitions(&world.dead_letters, &later.dead_letters, |_| true);
        let decided = self.audit(&world);
        self.judge_answers(&by_ticket);
        (self.violations.take(), decided)
    }

    /// Says which of these records differ from all that were there before, or lie in a partition that is not theirs.
    fn expect_repetitions(&self, before: &[LogRecord], later: &[LogRecord], is_home: impl Fn(&LogRecord) -> bool) {
        let known: HashSet<_> = before.iter().map(content).collect();
        for record in later {
            if !is_home(record) || !known.contains(&content(record)) {
                self.violate(Invariant::I11, format!("a redelivery published what was not there before: {record:?}"));
            }
        }
    }

    /// The audit of this world; gives how many requests were decided.
    pub(crate) fn audit(&self, world: &audit::World) -> usize {
        let (report, outstanding) = audit::judge(world);
        for (invariant, finding) in &report.invariants {
            for offence in &finding.offending {
                self.violate(*invariant, format!("{}: {}", offence.place, offence.what));
            }
        }
        if !outstanding.is_nothing() {
            self.violate(Invariant::I4, format!("the log is drained, and still: {outstanding:?}"));
        }
        report.looked.requests
    }

    pub(crate) fn as_audited(&self) -> audit::World {
        let end = |partition: i32| {
            let end = self.topics.end(&self.names.requests, partition);
            (partition, Ends { judged: end, latest: end })
        };
        let line = |given: &crate::world::Given, status| TicketLine {
            coupon_id: given.coupon_id.clone(),
            user_id: given.user_id.clone(),
            request_id: given.ticket,
            status,
        };
        let given = self.given.borrow().iter().map(|given| line(given, None)).collect::<Vec<_>>();
        let status = |told: &Told| ToldStatus::deserialize(member(&told.body, "status")).ok();
        let told = self.told.borrow().iter().map(|told| line(&told.given, status(told))).collect::<Vec<_>>();
        audit::World {
            names: (*self.names).clone(),
            tickets: Some(given.into_iter().chain(told).collect()),
            ends: self.partitions().into_iter().map(end).collect(),
            requests: self.records(&self.names.requests),
            items: self.tables.items().iter().map(StoredItem::from).collect(),
            heads: self.tables.heads().iter().map(StoredHead::from).collect(),
            results: self.records(&self.names.results),
            result_partitions: i32::try_from(self.topics.partition_count(&self.names.results)).unwrap_or(0),
            dead_letters: self.records(&self.names.dead_letters),
        }
    }

    fn records(&self, topic: &str) -> Vec<LogRecord> {
        let count = i32::try_from(self.topics.partition_count(topic)).unwrap_or(0);
        let of = |partition: i32| {
            self.topics.read(topic, partition, 0).into_iter().map(move |logged| LogRecord {
                place: Place { partition, offset: logged.offset },
                timestamp: logged.timestamp,
                key: logged.record.key,
                value: logged.record.value,
                headers: logged.record.headers.into_iter().map(|header| (header.name, header.value)).collect(),
            })
        };
        (0..count).flat_map(of).collect()
    }

    /// Counts the requests from before their coupon that were decided all the same, and those of them whose result nobody
    /// published.
    pub(crate) fn count_early(&self, early: &BTreeSet<Place>) {
        let told = self.told_places();
        for one in self.decided_of(early) {
            self.trace.count("early decided");
            if !told.contains(&one) {
                self.trace.count("early untold");
            }
        }
    }

    /// Counts the requests from before their coupon that a result tells of though nothing says that they were decided: the
    /// last redelivery may have answered them behind later ones.
    pub(crate) fn count_told_early(&self, early: &BTreeSet<Place>) {
        let (decided, told) = (self.decided_of(early), self.told_places());
        for _one in early.iter().filter(|one| told.contains(one) && !decided.contains(one)) {
            self.trace.count("early told");
        }
    }

    /// Those of the requests from before their coupon that won, or that a head stood at: a chunk's stands at the last record
    /// that the chunk decided.
    fn decided_of(&self, early: &BTreeSet<Place>) -> BTreeSet<Place> {
        let place = |partition: Partition, offset: Offset| audit::place_of(Ticket { partition, offset });
        let moved = self.moved();
        let stood = |head: &Head| {
            let all = moved.get(&head.coupon_id).map(Vec::as_slice).unwrap_or_default();
            all.iter().map(|moved| place(head.partition, moved.applied)).collect::<Vec<_>>()
        };
        let (heads, items) = self.tables_now();
        let known: BTreeSet<Place> =
            items.iter().map(|item| audit::place_of(item.ticket)).chain(heads.iter().flat_map(stood)).collect();
        early.intersection(&known).copied().collect()
    }

    /// The requests that have a result.
    fn told_places(&self) -> BTreeSet<Place> {
        let results = self.records(&self.names.results);
        results.iter().filter_map(|record| Some(audit::place_of(audit::result_of(record)?.request_id))).collect()
    }
}
