//! The worker's flow over the two ports in memory: what it decides, what it publishes, and what it does when the store
//! or the log fail it. Time stands still until somebody waits.

#[cfg(test)]
mod bounded;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod units;
#[cfg(test)]
mod world;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use coupon_store::StoreError;
    use issue_worker::clock::work_deadline;

    use crate::{
        faults::{Fault, Trouble},
        world::{GAP, Sent, World},
    };

    #[tokio::test(start_paused = true)]
    async fn the_first_in_the_log_win_and_everybody_learns_their_outcome() {
        let world = World::with_coupon("spring", 2).await;
        let batch = world.requests("spring", &["ann", "bob", "ann", "cho"]);
        world.deliver(&batch).await.unwrap();
        assert_eq!(
            world.results(),
            [
                "ann 3-0 ISSUED 1",
                "bob 3-1 ISSUED 2",
                // Sold out comes before who holds: it is the head's phase.
                "ann 3-2 REJECTED SOLD_OUT",
                "cho 3-3 REJECTED SOLD_OUT",
            ]
        );
        assert_eq!(world.items(), ["ann spring 3-0 1", "bob spring 3-1 2"]);
        assert!(world.dead_letters().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_redelivered_batch_changes_nothing_and_publishes_the_same_bytes() {
        let world = World::with_coupon("spring", 2).await;
        let batch = world.requests("spring", &["ann", "ann", "bob", "cho"]);
        world.deliver(&batch).await.unwrap();
        let (items, first) = (world.items(), world.result_records());
        // In another environment, which remembers nobody.
        world.restart_worker();
        world.deliver(&batch).await.unwrap();
        let both = world.result_records();
        assert_eq!(both[..first.len()], first);
        assert_eq!(both[first.len()..], first);
        assert_eq!(world.items(), items);
        assert_eq!((world.store_calls("issued_among"), world.store_calls("snapshot")), (1, 0), "a lookup is enough");
    }

    #[tokio::test(start_paused = true)]
    async fn a_redelivery_beside_a_transaction_under_way_waits_for_its_items() {
        let world = World::in_pieces("spring", 9).await;
        let batch = world.requests("spring", &["ann", "bob", "ann"]);
        // The worker is gone while its transaction is seen in pieces, and nobody was told anything.
        tokio::time::timeout(GAP / 2, world.deliver(&batch)).await.unwrap_err();
        assert_eq!((world.items().len(), world.results().len()), (2, 0));
        world.restart_worker();
        world.deliver(&batch).await.unwrap();
        assert_eq!(world.results(), ["ann 3-0 ISSUED 1", "bob 3-1 ISSUED 2", "ann 3-2 REJECTED ALREADY_ISSUED"]);
        assert!(world.store_calls("snapshot") > 1, "the first one met the transaction");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_from_before_their_coupon_hold_nobody_up() {
        let world = World::with_coupon("spring", 1_000).await;
        let users: Vec<String> = (0..150).map(|number| format!("user-{number}")).collect();
        let names: Vec<&str> = users.iter().map(String::as_str).collect();
        // As if they had been handed over before the coupon was there: dead letters, and nobody decided them.
        let early = world.requests("spring", &names);
        world.deliver(&world.requests("spring", &["ann"])).await.unwrap();
        world.deliver(&early).await.unwrap();
        let results = world.results();
        assert!(results[1..].iter().all(|result| result.ends_with("REJECTED ALREADY_ISSUED")), "{results:?}");
        assert_eq!((results.len(), world.items().len()), (151, 1));
        assert_eq!(world.store_calls("snapshot"), 2, "of 99 people and of 51");
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_whom_the_environment_does_not_know_is_found_by_the_store() {
        let world = World::with_coupon("spring", 4).await;
        world.deliver(&world.requests("spring", &["bob"])).await.unwrap();
        world.restart_worker();
        world.deliver(&world.requests("spring", &["ann", "bob", "ann", "cho", "dan"])).await.unwrap();
        assert_eq!(
            world.results()[1..],
            [
                "ann 3-1 ISSUED 2",
                "bob 3-2 REJECTED ALREADY_ISSUED",
                "ann 3-3 REJECTED ALREADY_ISSUED",
                "cho 3-4 ISSUED 3",
                "dan 3-5 ISSUED 4",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_round_of_reads_finds_all_holders_after_the_first_cancellation() {
        let world = World::with_coupon("spring", 1_000).await;
        let users: Vec<String> = (0..400).map(|number| format!("user-{number}")).collect();
        let names: Vec<&str> = users.iter().map(String::as_str).collect();
        world.deliver(&world.requests("spring", &names[..250])).await.unwrap();
        world.restart_worker();
        let commits = world.store_calls("commit");
        // 250 holders and 150 strangers, the holders first: one cancelled transaction, then reads, then two chunks.
        world.deliver(&world.requests("spring", &names)).await.unwrap();
        assert_eq!(world.items().len(), 400);
        assert_eq!(world.store_calls("commit") - commits, 1 + 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_request_becomes_a_dead_letter_and_its_neighbours_are_decided() {
        let world = World::with_coupon("spring", 10).await;
        world.create_coupon("elsewhere", 10, "another-topic", 3).await;
        world.create_coupon("next-door", 10, "requests", 4).await;
        let mut batch = world.requests("spring", &["ann"]);
        let good = |coupon: &str, user: &str| World::value(coupon, user);
        for (sent, _reason) in [
            (Sent::raw("spring", "not json"), "undecodable"),
            (Sent::raw("spring", r#"["issue","spring","zoe","2026-11-20T03:00:00.000Z"]"#), "undecodable"),
            (Sent::raw("spring", r#"{"type":"issue","couponId":"spring"}"#), "undecodable"),
            (Sent::raw("spring", &good("spring", "zoe").replace("issue", "grant")), "unknown-type"),
            (Sent::raw("spring", &good("spring", "z o e")), "invalid"),
            (Sent::raw("summer", &good("spring", "zoe")), "key-mismatch"),
            (Sent::raw("winter", &good("winter", "zoe")), "unknown-coupon"),
            (Sent::raw("elsewhere", &good("elsewhere", "zoe")), "wrong-log"),
            (Sent::raw("next-door", &good("next-door", "zoe")), "wrong-partition"),
        ] {
            batch.push(world.append(sent));
        }
        batch.extend(world.requests("spring", &["bob"]));
        world.deliver(&batch).await.unwrap();
        assert_eq!(world.results(), ["ann 3-0 ISSUED 1", "bob 3-10 ISSUED 2"]);
        let mut letters = world.dead_letters();
        letters.sort();
        assert_eq!(
            letters,
            [
                "requests 3 1 undecodable",
                "requests 3 2 undecodable",
                "requests 3 3 undecodable",
                "requests 3 4 unknown-type",
                "requests 3 5 invalid",
                "requests 3 6 key-mismatch",
                "requests 3 7 unknown-coupon",
                "requests 3 8 wrong-log",
                "requests 3 9 wrong-partition",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_letter_keeps_key_value_and_headers_and_a_result_its_traceparent() {
        let world = World::with_coupon("spring", 10).await;
        let traced = Sent::raw("spring", &World::value("spring", "ann")).with_header("traceparent", b"00-ab-cd-01");
        let garbage = Sent::raw("spring", "garbage").with_header("x", b"\xff").with_header("x", b"again");
        let batch = [world.append(traced), world.append(garbage)];
        world.deliver(&batch).await.unwrap();
        let result = &world.result_records()[0];
        assert_eq!(World::header_names(result), ["content-type", "traceparent"]);
        let letter = &world.dead_letter_records()[0];
        assert_eq!(letter.value.as_deref(), Some(b"garbage".as_slice()));
        assert_eq!(letter.key.as_deref(), Some(b"spring".as_slice()));
        assert_eq!(World::header_names(letter), ["x", "x", "dlq-reason", "dlq-topic", "dlq-partition", "dlq-offset"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_whose_answer_was_lost_is_repeated_with_its_token_and_counts_once() {
        let world = World::with_coupon("spring", 2).await;
        world.fault("commit", Fault::LoseAnswer);
        world.deliver(&world.requests("spring", &["ann", "bob"])).await.unwrap();
        assert_eq!(world.results(), ["ann 3-0 ISSUED 1", "bob 3-1 ISSUED 2"]);
        assert_eq!(world.head("spring").version.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_that_another_invocation_overtook_is_folded_again() {
        let world = World::with_coupon("spring", 2).await;
        let batch = world.requests("spring", &["ann", "bob", "cho"]);
        // The zombie decides the first record between our load and our commit.
        world.fault("commit", Fault::OvertakenBy(batch[..1].to_vec()));
        world.deliver(&batch).await.unwrap();
        assert_eq!(
            world.results_of_this_worker(),
            ["bob 3-1 ISSUED 2", "cho 3-2 REJECTED SOLD_OUT", "ann 3-0 ISSUED 1"],
            "what somebody else decided is derived last"
        );
        assert_eq!(world.items().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_is_waited_for_within_the_deadline() {
        let world = World::with_coupon("spring", 2).await;
        for _attempt in 0..5 {
            world.fault("commit", Fault::Fail(StoreError::Throttled("injected".into())));
            world.fault("head", Fault::Fail(StoreError::Unknown("injected".into())));
        }
        world.deliver(&world.requests("spring", &["ann"])).await.unwrap();
        assert_eq!(world.results(), ["ann 3-0 ISSUED 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_cannot_be_finished_fails_whole_and_says_what_was_left() {
        let world = World::with_coupon("spring", 2).await;
        world.create_coupon("autumn", 2, "requests", 3).await;
        let mut batch = world.requests("spring", &["ann", "bob"]);
        batch.extend(world.requests("autumn", &["cho"]));
        batch.push(world.append(Sent::raw("spring", "garbage")));
        world.fail_always("spring", StoreError::Throttled("injected".into()));
        let unfinished = world.deliver(&batch).await.unwrap_err().to_string();
        assert!(unfinished.contains("2 records of 1 coupons undecided: spring (2 records)"), "{unfinished}");
        assert!(unfinished.contains("throttles"), "{unfinished}");
        // The neighbour was decided and told; nothing is a dead letter before everything else is safe.
        assert_eq!(world.results(), ["cho 3-2 ISSUED 1"]);
        assert!(world.dead_letters().is_empty());
        world.heal();
        world.deliver(&batch).await.unwrap();
        assert_eq!(world.items(), ["ann spring 3-0 1", "bob spring 3-1 2", "cho autumn 3-2 1"]);
        assert_eq!(world.dead_letters(), ["requests 3 3 undecodable"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_that_cannot_be_published_fails_the_batch_and_comes_with_the_next_delivery() {
        let world = World::with_coupon("spring", 2).await;
        let batch = world.requests("spring", &["ann"]);
        world.break_log(Trouble::Refuses);
        let unfinished = world.deliver(&batch).await.unwrap_err().to_string();
        assert!(unfinished.contains("not all results of what is decided are published"), "{unfinished}");
        world.heal();
        world.deliver(&batch).await.unwrap();
        assert_eq!(world.results(), ["ann 3-0 ISSUED 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_never_answers_fails_the_batch_before_the_invocation_ends() {
        // An invocation of a minute, as a host tells it that means a duration and not a moment: no clock is read.
        const INVOCATION: Duration = Duration::from_secs(60);
        let world = World::with_coupon("spring", 2).await;
        let request = world.requests("spring", &["ann"]);
        let garbage = [world.append(Sent::raw("spring", "garbage"))];
        world.break_log(Trouble::Hangs);
        for (batch, left) in [
            (&request[..], "not all results of what is decided are published"),
            (&garbage, "1 dead letters, not all published"),
        ] {
            let handled = world.deliver_until(batch, work_deadline(60_000));
            let handled = tokio::time::timeout(INVOCATION, handled).await.expect("it ends by itself");
            let unfinished = handled.unwrap_err().to_string();
            assert!(unfinished.contains(left) && unfinished.contains("the invocation's time is over"), "{unfinished}");
        }
        world.heal();
        world.deliver(&[request, garbage.to_vec()].concat()).await.unwrap();
        assert_eq!(world.results(), ["ann 3-0 ISSUED 1"]);
        assert_eq!(world.dead_letters(), ["requests 3 1 undecodable"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_is_the_logs_clock_whatever_the_workers_is() {
        let world = World::with_window("spring", 5, 1_000, 2_000).await;
        let mut batch = Vec::new();
        for (clock_ms, user) in [(999, "ann"), (1_000, "bob"), (500, "cho"), (2_000, "dan"), (1_500, "eve")] {
            world.set_clock(clock_ms);
            batch.extend(world.requests("spring", &[user]));
        }
        world.deliver(&batch).await.unwrap();
        assert_eq!(
            world.results(),
            [
                "ann 3-0 REJECTED NOT_OPEN",
                "bob 3-1 ISSUED 1",
                "cho 3-2 ISSUED 2",
                "dan 3-3 REJECTED CLOSED",
                "eve 3-4 REJECTED CLOSED",
            ]
        );
        assert_eq!(world.head("spring").clock.millis(), 2_000);
    }
}
