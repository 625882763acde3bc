//! The whole protocol within small bounds: no property is violated, everything is met, and every run ends. Each test
//! prints its bounds and counts (`--nocapture`); `docs/correctness.md` has them, and larger ones.

#[cfg(test)]
mod tests {
    use model::{Bounds, Visibility, check, cycle};

    const RUSH: Bounds = Bounds {
        records: 3,
        users: 3,
        total: 2,
        winners_max: 1,
        batch_max: 3,
        faults: 2,
        window: false,
        dead: false,
        created_late: false,
        visibility: Visibility::Whole,
    };

    fn holds(bounds: Bounds) {
        let verdict = check(bounds, None, 1).unwrap();
        println!("{bounds:?}\n  {verdict}");
        assert!(verdict.violated.is_empty() && verdict.unreached.is_empty(), "{bounds:?}: {verdict}");
    }

    #[test]
    fn two_faults_break_nothing() {
        holds(RUSH);
    }

    #[test]
    fn a_longer_log_with_one_fault_breaks_nothing() {
        holds(Bounds { records: 4, faults: 1, ..RUSH });
    }

    #[test]
    fn what_is_no_request_and_chunks_of_two_break_nothing() {
        holds(Bounds { records: 4, users: 2, winners_max: 2, faults: 1, dead: true, ..RUSH });
    }

    #[test]
    fn a_window_and_clocks_out_of_order_break_nothing() {
        holds(Bounds { users: 2, total: 1, faults: 1, window: true, ..RUSH });
    }

    #[test]
    fn a_window_and_people_who_ask_again_break_nothing() {
        holds(Bounds { records: 4, users: 2, faults: 0, window: true, ..RUSH });
    }

    #[test]
    fn a_window_with_people_who_ask_again_and_a_fault_breaks_nothing() {
        holds(Bounds { users: 2, faults: 1, window: true, ..RUSH });
    }

    #[test]
    fn a_transaction_that_is_seen_piece_by_piece_breaks_nothing_when_a_missing_item_is_read_in_a_snapshot() {
        holds(Bounds { visibility: Visibility::HeadFirstSnapshot, ..RUSH });
    }

    #[test]
    fn a_window_on_a_store_that_is_seen_piece_by_piece_breaks_nothing() {
        holds(Bounds {
            users: 2,
            total: 1,
            faults: 1,
            window: true,
            visibility: Visibility::HeadFirstSnapshot,
            ..RUSH
        });
    }

    #[test]
    fn every_run_ends() {
        let bounds = Bounds { faults: 1, dead: true, ..RUSH };
        let late = Bounds { created_late: true, visibility: Visibility::HeadFirstSnapshot, ..bounds };
        for bounds in [bounds, late] {
            let cycle = cycle(bounds, None).unwrap();
            assert!(cycle.is_none(), "{bounds:?}: {cycle:?}");
        }
    }
}
