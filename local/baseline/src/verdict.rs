//! Judges what a system left behind by what people were told, the same for all three. Pure: plain data in, findings out.
//!
//! Order is judged by what one observer saw: whoever had their answer before somebody else asked came first. Requests
//! that were under way at the same moment may come in either order.
//!
//! ```text
//! total 1   ann asks at 0, told ISSUED at 5       bob asks at 3, told SOLD_OUT at 6     nothing to find
//!           ann asks at 0, told SOLD_OUT at 5     bob asks at 7, told ISSUED at 9       bob was let past ann
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::state::FinalState;

/// What an answer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// It is yours: 201, or a status `ISSUED`.
    Issued,
    /// Your request is taken, the outcome comes later: 202.
    Accepted,
    /// None is left: 410, or a status `REJECTED` with this reason.
    SoldOut,
    /// You have one: 409.
    AlreadyIssued,
    /// No answer, or a 5xx: the request may have counted or not.
    Nothing,
}

/// One request and its answer, as the one who asked saw it; moments on one clock of any origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who asked.
    pub user_id: String,
    /// When the request went out, in microseconds.
    pub sent_us: u64,
    /// When its answer was there; when it was given up where there was none.
    pub answered_us: u64,
    /// What the answer said.
    pub told: Told,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// More coupons are issued than there were.
    Oversold {
        /// How many people hold one.
        issued: usize,
        /// How many there were.
        total: u64,
    },
    /// Coupons are left although people were refused.
    LeftOver {
        /// How many nobody got.
        left: u64,
        /// How many people were told that none is left.
        refused: usize,
    },
    /// The stock in the store does not say what is issued.
    StockWrong {
        /// What it says.
        remaining: u64,
        /// Total less issued.
        expected: i128,
    },
    /// Stock is still to be taken for coupons that are issued.
    OutboxLeft {
        /// Events not tried yet.
        pending: usize,
        /// Events tried in vain.
        failed: usize,
    },
    /// People who were told that they have one, and have none.
    ToldInVain {
        /// Who.
        users: BTreeSet<String>,
    },
    /// People whose request was taken, who got nothing, although coupons are left.
    Forgotten {
        /// Who.
        users: BTreeSet<String>,
    },
    /// People who were told twice that they got one.
    ToldTwice {
        /// Who.
        users: BTreeSet<String>,
    },
    /// Ranks that several people have, or nobody between 1 and the number of issued coupons.
    Ranks {
        /// Given more than once.
        repeated: BTreeSet<u64>,
        /// Given to nobody.
        missing: BTreeSet<u64>,
    },
    /// People who asked only after others had their answer, and came before them.
    Overtook {
        /// How many.
        count: usize,
        /// The first who did.
        user: String,
        /// Whom they overtook.
        overtaken: String,
    },
}

/// Everything that costs somebody a coupon, or a promise, or the shop its stock, in what a system has of a coupon once it
/// has come to rest. Whether ranks are what they say is another question, see [`judge_ranks`].
#[must_use]
pub fn judge(state: &FinalState, asked: &[Asked]) -> Vec<Finding> {
    let ranks: BTreeMap<&str, u64> = state.issued.iter().map(|one| (one.user_id.as_str(), one.rank)).collect();
    let mut findings = Vec::new();
    findings.extend(stock(state, asked));
    findings.extend(answers(state, asked, &ranks));
    findings.extend(overtaking(asked, &ranks));
    findings
}

fn left(state: &FinalState) -> u64 {
    state.stock.total.saturating_sub(u64::try_from(state.issued.len()).unwrap_or(u64::MAX))
}

fn users<'a>(asked: impl Iterator<Item = &'a Asked>) -> BTreeSet<String> {
    asked.map(|one| one.user_id.clone()).collect()
}

fn stock(state: &FinalState, asked: &[Asked]) -> Vec<Finding> {
    let (issued, total, remaining) = (state.issued.len(), state.stock.total, state.stock.remaining);
    let mut findings = Vec::new();
    if u64::try_from(issued).is_ok_and(|issued| issued > total) {
        findings.push(Finding::Oversold { issued, total });
    }
    let refused = users(asked.iter().filter(|one| one.told == Told::SoldOut)).len();
    if left(state) > 0 && refused > 0 {
        findings.push(Finding::LeftOver { left: left(state), refused });
    }
    let expected = i128::from(total).saturating_sub(i128::try_from(issued).unwrap_or(i128::MAX));
    if i128::from(remaining) != expected {
        findings.push(Finding::StockWrong { remaining, expected });
    }
    let outbox = state.outbox;
    if outbox.pending > 0 || outbox.failed > 0 {
        findings.push(Finding::OutboxLeft { pending: outbox.pending, failed: outbox.failed });
    }
    findings
}

fn answers(state: &FinalState, asked: &[Asked], ranks: &BTreeMap<&str, u64>) -> Vec<Finding> {
    let has_none = |one: &&Asked| !ranks.contains_key(one.user_id.as_str());
    let is_told = |told: Told| move |one: &&Asked| one.told == told;
    let told_they_have_one = asked.iter().filter(|one| matches!(one.told, Told::Issued | Told::AlreadyIssued));
    let mut findings = Vec::new();
    let in_vain = users(told_they_have_one.filter(has_none));
    if !in_vain.is_empty() {
        findings.push(Finding::ToldInVain { users: in_vain });
    }
    let forgotten = users(asked.iter().filter(is_told(Told::Accepted)).filter(has_none));
    if left(state) > 0 && !forgotten.is_empty() {
        findings.push(Finding::Forgotten { users: forgotten });
    }
    let mut once = BTreeSet::new();
    let twice = users(asked.iter().filter(is_told(Told::Issued)).filter(|one| !once.insert(&one.user_id)));
    if !twice.is_empty() {
        findings.push(Finding::ToldTwice { users: twice });
    }
    findings
}

/// Whether ranks are 1 to n, each once. A system that tells the rank of the moment gives some of them twice, though nobody
/// loses a coupon by it: a flaw to be shown beside a verdict rather than a part of it.
#[must_use]
pub fn judge_ranks(state: &FinalState) -> Option<Finding> {
    let mut given = BTreeSet::new();
    let repeated: BTreeSet<u64> = state.issued.iter().map(|one| one.rank).filter(|rank| !given.insert(*rank)).collect();
    let count = u64::try_from(state.issued.len()).unwrap_or(u64::MAX);
    let missing: BTreeSet<u64> = (1..=count).filter(|rank| !given.contains(rank)).collect();
    (!repeated.is_empty() || !missing.is_empty()).then_some(Finding::Ranks { repeated, missing })
}

/// Somebody who had their answer before another asked, and by which rank; who got none comes behind everybody.
fn overtaking(asked: &[Asked], ranks: &BTreeMap<&str, u64>) -> Option<Finding> {
    let placed = asked.iter().filter(|one| matches!(one.told, Told::Issued | Told::Accepted | Told::SoldOut));
    let mut earlier: Vec<(u64, u64, &str)> = placed
        .map(|one| {
            let rank = ranks.get(one.user_id.as_str()).copied().unwrap_or(u64::MAX);
            (one.answered_us, rank, one.user_id.as_str())
        })
        .collect();
    earlier.sort_unstable();
    // Who asked several times may have their place by the first.
    let mut first_sent: BTreeMap<&str, u64> = BTreeMap::new();
    for one in asked {
        let sent = first_sent.entry(one.user_id.as_str()).or_insert(one.sent_us);
        *sent = one.sent_us.min(*sent);
    }
    let mut later: Vec<(u64, u64, &str)> =
        first_sent.into_iter().filter_map(|(user, sent)| ranks.get(user).map(|rank| (sent, *rank, user))).collect();
    later.sort_unstable();
    let mut earlier = earlier.into_iter().peekable();
    let mut last: Option<(u64, &str)> = None;
    let mut found: Option<Finding> = None;
    for (sent, rank, user) in later {
        while let Some((_answered, behind, who)) = earlier.next_if(|(answered, _rank, _who)| *answered < sent) {
            last = last.max(Some((behind, who)));
        }
        let Some((_behind, overtaken)) = last.filter(|(behind, _who)| *behind > rank) else { continue };
        match &mut found {
            Some(Finding::Overtook { count, .. }) => *count = count.saturating_add(1),
            _ => {
                let (user, overtaken) = (user.to_owned(), overtaken.to_owned());
                found = Some(Finding::Overtook { count: 1, user, overtaken });
            }
        }
    }
    found
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |users: &BTreeSet<String>| {
            let some: Vec<&str> = users.iter().take(3).map(String::as_str).collect();
            let more = users.len().saturating_sub(some.len());
            if more > 0 { format!("{} and {more} more", some.join(", ")) } else { some.join(", ") }
        };
        match self {
            Self::Oversold { issued, total } => write!(f, "oversold: {issued} issued of {total}"),
            Self::LeftOver { left, refused } => {
                write!(f, "{left} left over although {refused} people were told that it is sold out")
            }
            Self::StockWrong { remaining, expected } => {
                write!(f, "the stock says {remaining}, total less issued is {expected}")
            }
            Self::OutboxLeft { pending, failed } => {
                write!(f, "the outbox has {pending} events pending and {failed} failed")
            }
            Self::ToldInVain { users } => write!(f, "told that they have one, and have none: {}", shown(users)),
            Self::Forgotten { users } => write!(f, "accepted, got nothing, although some is left: {}", shown(users)),
            Self::ToldTwice { users } => write!(f, "told twice that they got one: {}", shown(users)),
            Self::Ranks { repeated, missing } => {
                write!(f, "{} ranks given more than once, {} to nobody", repeated.len(), missing.len())
            }
            Self::Overtook { count, user, overtaken } => write!(
                f,
                "{count} came before people who had their answer before they asked, such as {user} before {overtaken}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{IssuedCoupon, Outbox, Stock};

    fn state(total: u64, holders: &[(&str, u64)]) -> FinalState {
        let issued = |(user, rank): &(&str, u64)| IssuedCoupon {
            user_id: (*user).to_owned(),
            request_id: format!("0-{rank}"),
            rank: *rank,
            issued_at_ms: 0,
        };
        let taken = u64::try_from(holders.len()).unwrap();
        FinalState {
            stock: Stock { total, remaining: total.saturating_sub(taken) },
            issued: holders.iter().map(issued).collect(),
            outbox: Outbox::default(),
        }
    }

    fn asked(user: &str, sent_us: u64, answered_us: u64, told: Told) -> Asked {
        Asked { user_id: user.to_owned(), sent_us, answered_us, told }
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_rush_that_went_well_has_no_finding() {
        let state = state(2, &[("ann", 1), ("bob", 2)]);
        let asked = [
            asked("ann", 0, 5, Told::Issued),
            asked("bob", 3, 9, Told::Accepted),
            asked("cho", 3, 8, Told::SoldOut),
            asked("ann", 10, 12, Told::AlreadyIssued),
            asked("dan", 10, 12, Told::Nothing),
        ];
        assert_eq!(judge(&state, &asked), []);
        assert!(state.is_settled());
    }

    #[test]
    fn too_many_and_too_few_are_found() {
        let over = judge(&state(1, &[("ann", 1), ("bob", 2)]), &[]);
        assert_eq!(
            over,
            [Finding::Oversold { issued: 2, total: 1 }, Finding::StockWrong { remaining: 0, expected: -1 }]
        );
        let under = judge(&state(2, &[("ann", 1)]), &[asked("bob", 0, 1, Told::SoldOut)]);
        assert!(under.contains(&Finding::LeftOver { left: 1, refused: 1 }), "{under:?}");
    }

    #[test]
    fn an_outbox_that_is_left_is_found_with_the_stock_behind_it() {
        let mut state = state(5, &[("ann", 1)]);
        state.stock.remaining = 5;
        state.outbox.pending = 1;
        assert!(!state.is_settled());
        assert_eq!(
            judge(&state, &[]),
            [Finding::StockWrong { remaining: 5, expected: 4 }, Finding::OutboxLeft { pending: 1, failed: 0 }]
        );
    }

    #[test]
    fn a_promise_that_was_not_kept_is_found() {
        let state = state(3, &[("ann", 1)]);
        let asked = [
            asked("bob", 0, 1, Told::Issued),
            asked("cho", 0, 1, Told::Accepted),
            asked("ann", 0, 1, Told::Issued),
            asked("ann", 2, 3, Told::Issued),
        ];
        let found = judge(&state, &asked);
        for finding in [
            Finding::ToldInVain { users: names(&["bob"]) },
            Finding::Forgotten { users: names(&["cho"]) },
            Finding::ToldTwice { users: names(&["ann"]) },
        ] {
            assert!(found.contains(&finding), "{finding:?} in {found:?}");
        }
    }

    #[test]
    fn ranks_are_one_to_n_each_once() {
        let flawed = state(9, &[("ann", 1), ("bob", 1), ("cho", 5)]);
        let expected = Finding::Ranks { repeated: BTreeSet::from([1]), missing: BTreeSet::from([2, 3]) };
        assert_eq!(judge_ranks(&flawed), Some(expected));
        assert_eq!(judge(&flawed, &[]), [], "nobody loses a coupon by it");
        assert_eq!(judge_ranks(&state(9, &[("ann", 1), ("bob", 2)])), None);
    }

    #[test]
    fn who_asked_after_an_answer_comes_after_it() {
        let winners = state(2, &[("bob", 1), ("ann", 2)]);
        let apart = [asked("ann", 0, 5, Told::Issued), asked("bob", 6, 9, Told::Issued)];
        let overtook = Finding::Overtook { count: 1, user: "bob".into(), overtaken: "ann".into() };
        assert_eq!(judge(&winners, &apart), [overtook]);
        let together = [asked("ann", 0, 5, Told::Issued), asked("bob", 4, 9, Told::Issued)];
        assert_eq!(judge(&winners, &together), []);
        // Bob asked before: his place may be that of the request without an answer.
        let again = [asked("bob", 1, 2, Told::Nothing), apart[0].clone(), apart[1].clone()];
        assert_eq!(judge(&winners, &again), []);
    }

    #[test]
    fn nobody_gets_one_after_somebody_was_refused() {
        let refused = [asked("ann", 0, 5, Told::SoldOut), asked("bob", 6, 9, Told::Issued)];
        let found = judge(&state(1, &[("bob", 1)]), &refused);
        assert_eq!(found, [Finding::Overtook { count: 1, user: "bob".into(), overtaken: "ann".into() }]);
    }
}
