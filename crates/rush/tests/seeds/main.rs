//! Rushes in numbers: every seed ends in a right world, a seed is a whole rush, and every planted defect is found.
//!
//! Two minutes of CPU at the most. More seeds: `cargo run --bin rush -- --seeds 1000000`.

#[cfg(test)]
mod planted;

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Instant};

    use rush::{Defect, Rush, run};

    /// How many seeds a run of the tests takes.
    const SEEDS: u64 = 3_000;

    /// What has to happen somewhere in so many seeds. A simulation in which it does not shows nothing about it.
    const HAPPENS: [&str; 71] = [
        "api clock off",
        "click 202",
        "click 403",
        "click 409",
        "click 410",
        "click failed",
        "clock",
        "clock of an environment",
        "clock of the broker",
        "commit held",
        "commit stale",
        "commit written",
        "commit written bare",
        "commit written full",
        "conflict",
        "crash",
        "create",
        "duplicate",
        "duplicate in part",
        "early decided",
        "freeze",
        "freeze of a minute",
        "in progress",
        "intruder",
        "invocation died",
        "invocation finished",
        "invocation unfinished",
        "late",
        "late commit",
        "late commit written",
        "late produce",
        "letter invalid",
        "letter key-mismatch",
        "letter undecodable",
        "letter unknown-coupon",
        "letter unknown-type",
        "letter wrong-log",
        "letter wrong-partition",
        "list of pages",
        "log away",
        "log late",
        "log lost answer",
        "log refused",
        "log unanswered",
        "lost answer",
        "no offset",
        "outage",
        "partitions",
        "position lost",
        "produced",
        "queue full",
        "rebalance",
        "refused",
        "result already issued",
        "result closed",
        "result failed",
        "result issued",
        "result not open",
        "result sold out",
        "shown closed",
        "shown open",
        "shown scheduled",
        "shown sold out",
        "store away",
        "ten clicks",
        "throttled",
        "told pending",
        "told the end",
        "unanswered",
        "unheard",
        "zombie",
    ];

    /// What a seed is kept for. One without it has become another rush, and shows nothing about it any more.
    enum Case {
        /// This happens in it.
        Happens(&'static str),
        /// This defect, planted, breaks something in it.
        Finds(Defect),
    }

    /// A request from before its coupon was decided all the same, and its result published by nobody.
    const UNTOLD: Case = Case::Happens("early untold");

    /// Seeds that stay whatever `SEEDS` is, with what was found by them, in the product or in this judge of it. They mean
    /// what they mean as long as nobody draws otherwise.
    const KEPT: [(u64, &str, Case); 13] = [
        (1, "outcomes told before their commit", Case::Finds(Defect::ResultsFirst)),
        (2, "winners remembered as holders before their commit", Case::Finds(Defect::RememberedEarly)),
        (10, "heads cached for minutes", Case::Finds(Defect::HeadsKept)),
        (17, "dead letters while a coupon of the batch was left undecided", Case::Happens("invocation unfinished")),
        (74, "the epochs of before kept when a head is loaded again", Case::Happens("commit stale")),
        (172, "a request from before its coupon, handed over again behind it", Case::Happens("early decided")),
        (19_452, "the same by a late duplicate, whose result nobody published; it won", UNTOLD),
        (28_783, "the same", UNTOLD),
        (89_135, "the same", UNTOLD),
        (97_231, "the same; it lost, and the head alone tells that it was decided", UNTOLD),
        (1_130_532, "the same, behind requests that were told", UNTOLD),
        (
            1_839_945,
            "partitions added to the results while the log is handed over once more",
            Case::Happens("partitions at the end"),
        ),
        (1_971_013, "told its end behind later ones, as if it had been decided", Case::Happens("early told")),
    ];

    #[track_caller]
    fn ends_right(seed: u64) -> Rush {
        let rush = run(seed, None, None).unwrap();
        assert!(
            rush.violations.is_empty(),
            "seed {seed}: {:#?}\nagain, line by line: cargo run --bin rush -- --seeds 1 --from {seed} --show",
            rush.violations
        );
        rush
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "tells how fast it was; no rush sees this clock")]
    fn every_seed_ends_in_a_right_world_and_everything_happens_in_some() {
        let began = Instant::now();
        let mut decided = 0;
        let mut happened = BTreeSet::new();
        for rush in (0..SEEDS).map(ends_right) {
            decided += rush.decided;
            happened.extend(rush.happened.into_keys());
        }
        let millis = began.elapsed().as_millis().max(1);
        let (seeds, per_minute) = (u128::from(SEEDS) * 1_000 / millis, u128::from(decided) * 60_000 / millis);
        println!("{SEEDS} seeds, {decided} requests decided: {seeds} seeds/s, {per_minute} decided/min");
        let never: Vec<&str> = HAPPENS.into_iter().filter(|what| !happened.contains(what)).collect();
        assert_eq!(never, [""; 0], "never happened in {SEEDS} seeds, so nothing is shown about it");
        assert!(decided > 100_000, "only {decided} requests were decided: the rushes have become too small");
    }

    #[test]
    fn seeds_that_found_something_end_right() {
        for (seed, what, case) in KEPT {
            println!("{seed}: {what}");
            let rush = ends_right(seed);
            let is_met = match case {
                Case::Happens(event) => rush.happened.contains_key(event),
                Case::Finds(defect) => !run(seed, Some(defect), None).unwrap().violations.is_empty(),
            };
            assert!(is_met, "seed {seed} has become another rush: find one that has its case, and keep that");
        }
    }

    #[test]
    fn a_seed_does_the_same_twice_and_another_one_does_not() {
        let mut hashes = Vec::new();
        for seed in 0..150 {
            let (first, again) = (run(seed, None, None).unwrap(), run(seed, None, None).unwrap());
            assert_eq!(first, again, "seed {seed}");
            hashes.push(first.trace_hash);
        }
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 150);
    }

    #[test]
    fn a_seed_does_the_same_whatever_ran_before_it_and_on_whichever_thread() {
        let here = run(11, None, None).unwrap();
        let elsewhere = std::thread::spawn(|| {
            run(12, None, None).unwrap();
            run(11, None, None).unwrap()
        });
        assert_eq!(here, elsewhere.join().unwrap());
    }
}
