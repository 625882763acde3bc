//! Every planted defect is found, and by the invariant that it breaks; and every defect of the model is planted here.

use std::time::Instant;

use audit::Invariant::{self, *};
use clap::ValueEnum as _;
use model::Defect as Modelled;
use rush::{Defect, run};

/// How many seeds a defect may hide for: some seconds of them, where a minute is allowed.
const SEEDS_MAX: u64 = 2_000;

/// What each defect breaks; one of them has to be found. None: the design does not depend on it, and nothing breaks.
fn breaks(defect: Defect) -> &'static [Invariant] {
    match defect {
        Defect::VersionIgnored => &[I5, I8],
        Defect::HeadIgnored => &[I1, I3, I6, I8],
        Defect::HolderIgnored => &[I2, I3, I8],
        Defect::WriteLost | Defect::TransactionTorn | Defect::ItemsThenHead | Defect::HeadOfBatchEnd => &[I8],
        Defect::NoWinnerNoWrite => &[I4, I8],
        Defect::EpochForgotten | Defect::EpochKept | Defect::ClockForgotten => &[I8],
        Defect::DecidedAgain => &[I5, I8],
        Defect::RememberedEarly => &[I3, I8],
        Defect::UnknownTakenForWritten => &[I8, I11],
        Defect::StaleItems | Defect::SnapshotInPieces | Defect::SnapshotItemBeforeHead => &[I5],
        Defect::ResultsFirst => &[I2, I5],
        Defect::ResultsNotAwaited | Defect::ReasonFromItems => &[I11],
        Defect::ResultDropped | Defect::HeadersDropped => &[I11],
        Defect::LetterDropped => &[I12],
        Defect::LetterBlocks => &[I4],
        Defect::StaleHeads | Defect::RequestLost | Defect::TicketOfNext => &[I4],
        Defect::RecordSkipped | Defect::BatchesSwapped => &[I3, I8],
        Defect::ProducersClock => &[I8],
        Defect::ApiRefuses => &[I4],
        Defect::ApiClockFast | Defect::ApiClockSlow | Defect::AlwaysOpen => &[I9],
        Defect::HeadsKept => &[I4, I6],
        Defect::ListEmpty | Defect::ListCut => &[I5],
        Defect::RemainingOff => &[I6],
        // An old head decides nothing, since its version is refused; but none at all makes dead letters of requests.
        Defect::WorkersStaleHead => &[I4],
        // A commit that is repeated is refused by its version; a winner without an item is looked at in a snapshot.
        Defect::TokenIgnored | Defect::SeenInPieces | Defect::ItemBeforeHead => &[],
    }
}

/// Where a defect of the model is planted in the code.
fn in_the_code(modelled: Modelled) -> Option<Defect> {
    Some(match modelled {
        Modelled::NoVersionCondition => Defect::VersionIgnored,
        Modelled::NoItemCondition => Defect::HolderIgnored,
        // The simulated store has no such condition: it breaks nothing in the model, and is therefore always planted.
        Modelled::NoRemainingCondition => return None,
        Modelled::NoHeadCondition => Defect::HeadIgnored,
        Modelled::NoTransaction => Defect::ItemsThenHead,
        Modelled::ResultsBeforeCommit => Defect::ResultsFirst,
        Modelled::ResultsNotAwaited => Defect::ResultsNotAwaited,
        Modelled::AppliedNotMoved => Defect::NoWinnerNoWrite,
        // In the model as it is without snapshots; with them, they have to be as wrong.
        Modelled::ItemBeforeHead => Defect::SnapshotItemBeforeHead,
        Modelled::HeadOfBatchEnd => Defect::HeadOfBatchEnd,
        Modelled::EpochForgotten => Defect::EpochForgotten,
        Modelled::EpochKept => Defect::EpochKept,
        Modelled::ReasonFromItems => Defect::ReasonFromItems,
        Modelled::SkippedRecord => Defect::RecordSkipped,
        Modelled::DecidedAgain => Defect::DecidedAgain,
        Modelled::RememberedEarly => Defect::RememberedEarly,
        Modelled::UnknownTakenForWritten => Defect::UnknownTakenForWritten,
        Modelled::ItemsEventual => Defect::StaleItems,
        Modelled::HeadEventual => Defect::WorkersStaleHead,
        Modelled::ClockForgotten => Defect::ClockForgotten,
        Modelled::DeadLetterDropped => Defect::LetterDropped,
        Modelled::DeadLetterBlocks => Defect::LetterBlocks,
    })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tells how long it took; no rush sees this clock")]
fn every_planted_defect_is_found_by_the_invariant_that_it_breaks() {
    let mut hidden = Vec::new();
    for defect in Defect::ALL.iter().copied().filter(|defect| !breaks(*defect).is_empty()) {
        let began = Instant::now();
        let found = (0..SEEDS_MAX).find_map(|seed| {
            let violations = run(seed, Some(defect), None).unwrap().violations;
            let by = breaks(defect).iter().copied().find(|by| violations.iter().any(|one| one.invariant == *by));
            by.map(|by| (seed + 1, by))
        });
        match found {
            Some((seeds, by)) => println!("{defect:?}, by {by} after {seeds} seeds, {:.1?}", began.elapsed()),
            None => hidden.push(defect),
        }
    }
    assert_eq!(hidden, [], "these were planted and not found in {SEEDS_MAX} seeds each");
}

/// No defect is told by these alone, so that the test above would not miss them.
#[test]
fn a_redelivery_a_window_and_a_zombie_are_judged_as_well() {
    for (invariant, defect) in [(I7, Defect::DecidedAgain), (I9, Defect::ProducersClock), (I10, Defect::VersionIgnored)]
    {
        let seen = |seed: &u64| {
            let violations = run(*seed, Some(defect), None).unwrap().violations;
            violations.iter().any(|one| one.invariant == invariant)
        };
        let seed = (0..SEEDS_MAX).find(seen);
        println!("{invariant} by {defect:?}: seed {seed:?}");
        assert!(seed.is_some(), "{defect:?} never broke {invariant}");
    }
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

#[test]
fn every_defect_of_the_model_is_planted_in_the_code_and_breaks_it() {
    for modelled in Modelled::value_variants().iter().copied() {
        let planted = in_the_code(modelled);
        assert_eq!(planted.is_none(), modelled == Modelled::NoRemainingCondition, "{modelled:?}");
        assert!(planted.is_none_or(|planted| !breaks(planted).is_empty()), "{modelled:?}");
    }
}
