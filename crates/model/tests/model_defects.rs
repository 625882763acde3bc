//! The protocol broken in one place each: the checker finds which property goes, and prints the shortest way there
//! (`--nocapture`). Where one finds nothing, the protocol is safe twice, and the test says why.

#[cfg(test)]
mod tests {
    use model::{Action, Bounds, Counterexample, Defect, Visibility, check, counterexample, cycle};

    const SMALL: Bounds = Bounds {
        records: 3,
        users: 3,
        total: 2,
        winners_max: 1,
        batch_max: 3,
        faults: 1,
        window: false,
        dead: false,
        created_late: false,
        visibility: Visibility::Whole,
    };
    const ONE: Bounds = Bounds { users: 2, total: 1, ..SMALL };
    const FAULTLESS: Bounds = Bounds { records: 4, faults: 0, ..SMALL };
    const WITH_DEAD: Bounds = Bounds { dead: true, ..SMALL };
    /// By the reading rule that is deployed, on a store that shows a transaction piece by piece.
    const IN_PIECES: Bounds = Bounds { visibility: Visibility::HeadFirstSnapshot, ..ONE };

    /// The way to the violation; the whole protocol has none in the same bounds.
    fn breaks(bounds: Bounds, defect: Defect, property: &'static str) -> Counterexample {
        assert!(check(bounds, None, 1).unwrap().violated.is_empty());
        let found = counterexample(bounds, Some(defect), property).unwrap();
        let found = found.unwrap_or_else(|| panic!("{defect:?} does not violate {property:?} within {bounds:?}"));
        println!("{defect:?}, {} steps\n{found}\n", found.actions.len());
        found
    }

    /// The properties that nothing within the bounds violates in spite of the defect.
    fn changes_nothing(bounds: Bounds, defect: Defect) {
        let verdict = check(bounds, Some(defect), 1).unwrap();
        println!("{defect:?}: {verdict}");
        assert!(verdict.violated.is_empty(), "{defect:?}: {verdict}");
    }

    #[test]
    fn without_a_version_condition_a_zombie_sets_the_head_back() {
        breaks(ONE, Defect::NoVersionCondition, "I10 nothing is written from an old head");
        breaks(ONE, Defect::NoVersionCondition, "I5 an outcome never changes");
    }

    #[test]
    fn without_any_condition_on_the_head_too_many_are_issued() {
        breaks(ONE, Defect::NoHeadCondition, "I1 no more are issued than there are");
        breaks(ONE, Defect::NoHeadCondition, "I6 remaining and issued are the total");
    }

    #[test]
    fn without_a_condition_on_the_item_a_holder_wins_again() {
        breaks(SMALL, Defect::NoItemCondition, "I2 nobody is issued two");
    }

    #[test]
    fn without_a_transaction_an_item_has_no_place_in_the_head() {
        breaks(ONE, Defect::NoTransaction, "I8 the tables are what the log comes to");
    }

    #[test]
    fn a_result_before_its_commit_is_taken_back() {
        breaks(ONE, Defect::ResultsBeforeCommit, "a result is its ticket's status");
        breaks(SMALL, Defect::ResultsBeforeCommit, "I11 a result is the right one and stays");
    }

    #[test]
    fn a_result_that_is_not_awaited_is_lost() {
        breaks(ONE, Defect::ResultsNotAwaited, "I11 what the mapping has passed has its result");
    }

    #[test]
    fn an_applied_that_stays_leaves_losers_pending_for_ever() {
        breaks(ONE, Defect::AppliedNotMoved, "I4 what the mapping has passed is decided");
    }

    #[test]
    fn a_reader_who_reads_the_item_first_misses_a_coupon() {
        breaks(ONE, Defect::ItemBeforeHead, "a status is pending or right, however old its head");
        breaks(ONE, Defect::ItemBeforeHead, "I5 an outcome never changes");
    }

    #[test]
    fn a_chunk_with_the_head_of_the_batchs_end_takes_the_rests_coupons() {
        breaks(SMALL, Defect::HeadOfBatchEnd, "I3 the winners are the first by offset, ranks without a hole");
    }

    #[test]
    fn an_epoch_forgotten_by_the_second_fold_changes_a_losers_reason() {
        breaks(FAULTLESS, Defect::EpochForgotten, "a result is its ticket's status");
    }

    #[test]
    fn an_epoch_kept_from_the_first_fold_denies_a_coupon() {
        breaks(SMALL, Defect::EpochKept, "a status is pending or right, however old its head");
    }

    #[test]
    fn a_reason_taken_from_the_items_is_another_one_later() {
        breaks(ONE, Defect::ReasonFromItems, "a result is its ticket's status");
    }

    #[test]
    fn a_skipped_record_is_refused_for_nothing() {
        breaks(ONE, Defect::SkippedRecord, "a status is pending or right, however old its head");
        breaks(WITH_DEAD, Defect::SkippedRecord, "I12 what is no request is a dead letter once passed");
    }

    #[test]
    fn a_redelivered_record_that_is_decided_again_loses_its_coupon() {
        breaks(ONE, Defect::DecidedAgain, "I7 nothing is decided twice");
        breaks(ONE, Defect::DecidedAgain, "I11 a result is the right one and stays");
    }

    #[test]
    fn a_winner_remembered_before_the_commit_is_refused_as_a_holder() {
        breaks(ONE, Defect::RememberedEarly, "I3 the winners are the first by offset, ranks without a hole");
    }

    #[test]
    fn a_commit_taken_for_written_is_a_lie() {
        breaks(ONE, Defect::UnknownTakenForWritten, "a result is its ticket's status");
    }

    #[test]
    fn a_worker_that_reads_items_late_publishes_another_result() {
        breaks(ONE, Defect::ItemsEventual, "I11 a result is the right one and stays");
    }

    #[test]
    fn a_clock_that_is_forgotten_issues_outside_the_window() {
        breaks(
            Bounds { records: 2, window: true, ..ONE },
            Defect::ClockForgotten,
            "I9 none is issued outside the window",
        );
    }

    #[test]
    fn a_dead_letter_that_is_dropped_disappears() {
        breaks(WITH_DEAD, Defect::DeadLetterDropped, "I12 what is no request is a dead letter once passed");
    }

    #[test]
    fn a_dead_letter_that_fails_its_batch_blocks_the_partition() {
        let way = cycle(WITH_DEAD, Some(Defect::DeadLetterBlocks)).unwrap();
        println!("{way:?}");
        assert!(matches!(way.as_deref(), Some([.., Action::Finish(_)])), "{way:?}");
    }

    /// A store that shows a transaction's head before its items: nobody who reads plainly may take a missing item for an
    /// answer. What does is broken, though every step of it is as the design says.
    #[test]
    fn a_head_that_is_seen_before_its_items_denies_a_coupon() {
        let bounds = Bounds { visibility: Visibility::HeadFirst, ..ONE };
        for property in [
            "a status is pending or right, however old its head",
            "a result is its ticket's status",
            "I11 a result is the right one and stays",
        ] {
            let found = counterexample(bounds, None, property).unwrap();
            let found = found.unwrap_or_else(|| panic!("{property:?} holds within {bounds:?}"));
            println!("{} steps\n{found}\n", found.actions.len());
        }
    }

    /// A record that was a dead letter because its coupon did not exist, handed over again when a later one is decided:
    /// applied says decided, no item says ALREADY_ISSUED. The API makes no such record; whoever writes to the topic can.
    #[test]
    fn a_record_from_before_its_coupon_gets_a_result_that_nobody_decided() {
        let bounds = Bounds { records: 2, created_late: true, ..ONE };
        let found = counterexample(bounds, None, "I11 only what was decided has a result").unwrap().unwrap();
        println!("{} steps\n{found}", found.actions.len());
    }

    /// What the snapshot mends is a missing item, and nothing else: broken elsewhere, the protocol breaks as without it.
    #[test]
    fn a_snapshot_on_a_missing_item_mends_no_other_defect() {
        breaks(IN_PIECES, Defect::NoVersionCondition, "I10 nothing is written from an old head");
        breaks(IN_PIECES, Defect::ResultsBeforeCommit, "a result is its ticket's status");
        breaks(IN_PIECES, Defect::ResultsNotAwaited, "I11 what the mapping has passed has its result");
        breaks(IN_PIECES, Defect::ItemsEventual, "I11 a result is the right one and stays");
        breaks(IN_PIECES, Defect::ItemBeforeHead, "a status is pending or right, however old its head");
        breaks(IN_PIECES, Defect::UnknownTakenForWritten, "a result is its ticket's status");
    }

    /// The version is unchanged only where what remains is, too: the condition is a second lock for the day on which
    /// somebody edits the table by hand.
    #[test]
    fn the_condition_on_what_remains_is_safe_twice() {
        changes_nothing(SMALL, Defect::NoRemainingCondition);
        changes_nothing(ONE, Defect::NoRemainingCondition);
    }

    /// An old head decides nothing, since its version is refused, and tells nothing wrong, as no cached head does. But the
    /// worker may load the same old head again and again: the strong read is there for the end, not for the safety.
    #[test]
    fn an_old_head_in_the_worker_is_refused_but_may_never_end() {
        changes_nothing(SMALL, Defect::HeadEventual);
        let way = cycle(SMALL, Some(Defect::HeadEventual)).unwrap();
        println!("{way:?}");
        assert!(way.is_some());
    }
}
