//! C57 without a broker: random batches, failures and times, by seeds that are always the same.

use super::*;

/// C57 without a broker: random batches, failures and times; every record is resolved, in order, and committed.
#[test]
fn c57_whatever_fails_every_record_is_resolved_in_order_and_the_end_is_committed() {
    for (seed, pbr, bisect) in (0..40).flat_map(|seed| [(seed, "selective", false), (seed, "resume", true)]) {
        let changes = json!({"Emulator.pbr": pbr, "BisectBatchOnFunctionError": bisect, "BatchSize": 7});
        let mut bench = Bench::new(changes);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ends = [0_i64; 3];
        let mut first: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        let mut rounds = 0;
        while bench.engine.positions() != (0..3).map(|partition| (partition, 50)).collect() {
            rounds += 1;
            assert!(rounds < 20_000, "seed {seed} does not end");
            for (partition, end) in (0..3).zip(&mut ends) {
                let more = random.i64(0..5).min(50 - *end);
                bench.poll(partition, *end..*end + more);
                *end += more;
            }
            for (_, offsets) in bench.step() {
                for (partition, offsets) in offsets {
                    let seen = first.entry(partition).or_default();
                    for offset in offsets {
                        if seen.last().is_none_or(|last| offset > *last) {
                            assert_eq!(
                                offset,
                                seen.last().map_or(0, |last| last + 1),
                                "seed {seed}: no first one is skipped"
                            );
                            seen.push(offset);
                        } else {
                            assert!(seen.contains(&offset), "seed {seed}");
                        }
                    }
                }
            }
            in_flight_is_disjoint(&bench, seed);
            if let Some(task) = random.choice(bench.running.keys().copied().collect::<Vec<_>>()) {
                let exchange = random_exchange(&mut random, &bench.running[&task]);
                bench.end(task, &exchange);
            }
            bench.pass(Duration::from_millis(random.u64(0..3000)));
            bench.committed();
        }
        assert_eq!(bench.metrics().dropped_event_count, 0);
    }
}

fn in_flight_is_disjoint(bench: &Bench, seed: u64) {
    let mut partitions: Vec<i32> = bench.running.values().flat_map(BTreeMap::keys).copied().collect();
    let count = partitions.len();
    partitions.sort_unstable();
    partitions.dedup();
    assert_eq!(partitions.len(), count, "seed {seed}: two invocations for one partition");
}

fn random_exchange(random: &mut fastrand::Rng, offsets: &Offsets) -> Exchange {
    match random.u8(0..6) {
        0 => function_error(),
        1 => Exchange::Broken("reset".into()),
        2 => {
            let all =
                offsets.iter().flat_map(|(partition, offsets)| offsets.iter().map(move |offset| (*partition, *offset)));
            let named: Vec<(String, i64)> =
                all.filter(|_| random.bool()).map(|(partition, offset)| (format!("t-{partition}"), offset)).collect();
            failures(&named.iter().map(|(key, offset)| (key.as_str(), *offset)).collect::<Vec<_>>())
        }
        3 => failures(&[("t-9", 1)]),
        _ => ok(),
    }
}
