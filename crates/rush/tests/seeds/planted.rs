//! Every planted defect is found, and by the invariant that it breaks.

use audit::Invariant::{self, *};
use rush::{Defect, run};

/// How many seeds a defect may hide for. A minute has some thousands.
const SEEDS_MAX: u64 = 2_000;

/// What each defect breaks; one of them has to be found. None: the design does not depend on it, and nothing breaks.
fn breaks(defect: Defect) -> &'static [Invariant] {
    match defect {
        Defect::VersionIgnored => &[I1, I3, I6, I8],
        Defect::HolderIgnored => &[I2, I3, I8],
        Defect::WriteLost | Defect::TransactionTorn | Defect::HeadOfBatchEnd => &[I8],
        Defect::NoWinnerNoWrite => &[I4, I8],
        Defect::EpochForgotten => &[I8],
        Defect::StaleItems | Defect::SnapshotInPieces => &[I5],
        Defect::ResultsFirst => &[I2, I5],
        Defect::ResultDropped | Defect::HeadersDropped => &[I11],
        Defect::LetterDropped => &[I12],
        Defect::StaleHeads | Defect::RequestLost | Defect::TicketOfNext => &[I4],
        Defect::RecordSkipped | Defect::BatchesSwapped => &[I3, I8],
        Defect::ProducersClock => &[I8],
        // The last two: a winner without an item is looked at again, in a snapshot.
        Defect::TokenIgnored | Defect::SeenInPieces | Defect::ItemBeforeHead => &[],
    }
}

#[test]
fn every_planted_defect_is_found_by_the_invariant_that_it_breaks() {
    let mut hidden = Vec::new();
    for defect in Defect::ALL.iter().copied().filter(|defect| !breaks(*defect).is_empty()) {
        let found = (0..SEEDS_MAX).find_map(|seed| {
            let violations = run(seed, Some(defect), None).unwrap().violations;
            let by = breaks(defect).iter().copied().find(|by| violations.iter().any(|one| one.invariant == *by));
            by.map(|by| (seed, by))
        });
        match found {
            Some((seed, by)) => println!("{defect:?}, found by {by} after {} seeds: {}", seed + 1, defect.says()),
            None => hidden.push(defect),
        }
    }
    assert_eq!(hidden, [], "these were planted and not found in {SEEDS_MAX} seeds each");
}

#[test]
fn what_the_design_does_not_depend_on_breaks_nothing() {
    for defect in Defect::ALL.iter().copied().filter(|defect| breaks(*defect).is_empty()) {
        for seed in 0..500 {
            let violations = run(seed, Some(defect), None).unwrap().violations;
            assert_eq!(violations, [], "{defect:?}, seed {seed}");
        }
    }
}
