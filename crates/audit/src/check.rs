//! The checks: the replay held against what the tables and topics of a world hold and what people were told. One file
//! for each kind of witness under `check/`; this one runs them and says what was not checked.

mod dead_letters;
mod heads;
mod items;
mod results;
mod told;

use std::collections::BTreeSet;

use crate::replay::{Replay, replay_log};
use crate::report::{Invariant, Looked, Report};
use crate::world::{Place, World};

/// Replays a world's log and judges the rest of the world by it.
#[must_use]
pub fn replay(world: &World) -> Report {
    judge(world).0
}

/// [`replay`] and [`Outstanding::of`] by one replay.
#[must_use]
pub fn judge(world: &World) -> (Report, Outstanding) {
    let results = results::decode(world);
    let judged = |not_decided: &BTreeSet<Place>| {
        let replay = replay_log(world, not_decided);
        let outstanding = Outstanding::by(&replay, &results, world);
        (report(world, &replay, &results), outstanding, replay.doubtful)
    };
    let mut not_decided = BTreeSet::new();
    let (report, outstanding, doubtful) = judged(&not_decided);
    if report.ok() {
        return (report, outstanding);
    }
    // What the others have tells which of the doubtful requests were decided: the last of them most likely were not.
    let mut least = offences(&report);
    for place in doubtful.into_iter().rev() {
        not_decided.insert(place);
        let (otherwise, outstanding, _doubtful) = judged(&not_decided);
        if otherwise.ok() {
            return (otherwise, outstanding);
        }
        if offences(&otherwise) < least {
            least = offences(&otherwise);
        } else {
            not_decided.remove(&place);
        }
    }
    (report, outstanding)
}

fn offences(report: &Report) -> usize {
    report.invariants.values().map(|finding| finding.offending.len()).sum()
}

fn report(world: &World, replay: &Replay<'_>, results: &[results::Decoded<'_>]) -> Report {
    let mut report = Report {
        invariants: Invariant::ALL.iter().map(|invariant| (*invariant, Default::default())).collect(),
        looked: Looked {
            coupons: replay.coupons.len(),
            records: world.requests.len(),
            requests: replay.decided.len().saturating_add(replay.left_out.len()),
            issued: replay.coupons.values().map(|coupon| coupon.winners.len()).sum(),
            tickets: world.tickets.as_ref().map_or(0, Vec::len),
        },
    };
    let mut audit = Audit { world, replay, report: &mut report };
    audit.heads();
    audit.items();
    audit.results(results);
    audit.dead_letters();
    audit.told();
    for invariant in [Invariant::I7, Invariant::I10] {
        audit.lacks(invariant, "the simulation, which redelivers and revives invocations at will");
    }
    let tickets = world.tickets.as_deref().unwrap_or_default();
    if tickets.is_empty() {
        audit.lacks(Invariant::I4, "the tickets that people were given (--tickets FILE, as `load` writes it)");
    }
    if !tickets.iter().any(|line| line.terminal().is_some()) {
        audit.lacks(Invariant::I5, "an outcome that somebody was told (--tickets FILE, as `load` writes it)");
    }
    report
}

/// What a world still owes, so that judging it now would take "not yet" for "never".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outstanding {
    /// The first undecided request of each coupon that has one: the coupon and the place.
    pub undecided: Vec<(String, Place)>,
    /// Decided requests without a result record.
    pub unpublished: usize,
    /// Records that are no request and not in the dead-letter topic.
    pub unlettered: usize,
}

impl Outstanding {
    /// What this world owes. Its items may be missing.
    #[must_use]
    pub fn of(world: &World) -> Self {
        Self::by(&replay_log(world, &BTreeSet::new()), &results::decode(world), world)
    }

    fn by(replay: &Replay<'_>, results: &[results::Decoded<'_>], world: &World) -> Self {
        let mut undecided: Vec<(String, Place)> = Vec::new();
        for (place, decided) in &replay.decided {
            let id = &decided.head.coupon_id;
            if decided.head.applied < place.offset && !undecided.iter().any(|(known, _)| known == id) {
                undecided.push((id.clone(), *place));
            }
        }
        let published = results::places(results);
        let lettered = dead_letters::places(world);
        Self {
            undecided,
            unpublished: replay.decided.keys().filter(|place| !published.contains(place)).count(),
            unlettered: replay.garbage.keys().filter(|place| !lettered.contains(place)).count(),
        }
    }

    /// Whether there is nothing left to wait for.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// One run of the checks.
struct Audit<'a> {
    world: &'a World,
    replay: &'a Replay<'a>,
    report: &'a mut Report,
}

impl Audit<'_> {
    fn offend(&mut self, invariant: Invariant, place: String, what: String) {
        self.report.offend(invariant, place, what);
    }

    fn lacks(&mut self, invariant: Invariant, witness: &'static str) {
        self.report.invariants.entry(invariant).or_default().lacks = Some(witness);
    }

    /// How a record of the request topic is named to people.
    fn request(&self, place: Place) -> String {
        format!("{} {place}", self.world.names.requests)
    }

    /// Whether a place lies behind what is judged: requests kept coming in while the rest was read.
    fn is_beyond(&self, place: Place) -> bool {
        self.world.ends.get(&place.partition).is_some_and(|ends| (ends.judged..ends.latest).contains(&place.offset))
    }
}
