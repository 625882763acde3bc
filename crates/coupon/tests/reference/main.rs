//! The core against a naive reference: a log replayed one record at a time with a plain set and a counter. Random
//! batches, cuts, redeliveries, duplicates, clocks out of order and holders found late must all end where the
//! reference ends, and a ticket's outcome must be its result at every later head.
//!
//! `PROPTEST_CASES` raises the number of cases; a failure prints its seed and proptest keeps it beside this file.

#[cfg(test)]
mod model;
#[cfg(test)]
mod world;

#[cfg(test)]
mod tests {
    use coupon::{Verdict, WINNERS_MAX, decide};
    use proptest::prelude::*;

    use crate::{
        model,
        world::{Case, World, case},
    };

    /// In CI too: 100,000 cases take about half a minute.
    fn cases() -> ProptestConfig {
        let cases = ProptestConfig::default().cases.max(100_000);
        ProptestConfig { cases, ..ProptestConfig::default() }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_delivery_of_a_log_ends_where_the_reference_ends(case in case()) {
            let expected = model::replay(&case);
            let mut world = World::new(&case);
            for delivery in &case.deliveries {
                world.deliver(delivery, &expected);
            }
            world.deliver_the_rest(&expected);
            world.check_the_end(&expected);
        }
    }

    #[test]
    fn a_full_chunk_takes_the_losers_behind_its_last_winner_along() {
        let case = Case::rush(150, 120);
        let head = World::new(&case).head().clone();
        let decision = decide(&head, &case.entries(), |_user| false);
        let sizes: Vec<(usize, i64)> =
            decision.chunks.iter().map(|chunk| (chunk.winners.len(), chunk.head.applied.unwrap().get())).collect();
        // 120 coupons, 150 people, offsets from 0: winners 0..=98 fill the first chunk; 99..=119 and the 30 losers
        // behind them are the second.
        assert_eq!(sizes, [(WINNERS_MAX, 98), (21, 149)]);
        assert_eq!(decision.chunks[1].head.version.get(), 2);
    }

    #[test]
    fn the_worked_example_of_a_holder_found_late() {
        // Total 4, bob holds rank 1, applied 10; records 11 ann, 12 bob, 13 ann, 14 cho, 15 dan.
        let (head, entries) = World::worked_example();
        let shown = |holds: &dyn Fn(&str) -> bool| {
            let decision = decide(&head, &entries, |user| holds(user.as_str()));
            let ranks: Vec<Option<u64>> = decision.decided.iter().map(|one| model::rank_of(&one.verdict)).collect();
            (ranks, decision.chunks.last().unwrap().head.clone())
        };
        let (ranks, first) = shown(&|_| false);
        assert_eq!(ranks, [Some(2), Some(3), None, Some(4), None]);
        assert_eq!(first.epochs.len(), 1);
        let (ranks, second) = shown(&|user| user == "bob");
        assert_eq!(ranks, [Some(2), None, None, Some(3), Some(4)]);
        assert_eq!((second.remaining, second.issued, second.epochs.len()), (0, 4, 0));
        assert_eq!(second.applied.unwrap().get(), 15);
    }

    #[test]
    fn a_batch_of_redelivered_records_commits_nothing() {
        let (head, entries) = World::worked_example();
        let after = decide(&head, &entries, |_user| false).chunks.pop().unwrap().head;
        let again = decide(&after, &entries, |_user| false);
        assert!(again.chunks.is_empty());
        assert!(again.decided.iter().all(|one| one.verdict == Verdict::Redelivered));
    }
}
