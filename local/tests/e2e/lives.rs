//! The lives of a sandbox: how it ends and starts again, what survives it, and what never does. Each test has sandboxes
//! of its own, because it ends them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::home::Home;
use crate::sandbox::{Sandbox, local};

/// What ends at all ends long before, however busy the machine.
pub(crate) const END_MAX: Duration = Duration::from_secs(30);

/// The processes of a sandbox: an environment of each function at least and, unless they are somebody else's, broker and
/// DynamoDB.
fn children_of(sandbox: &Sandbox) -> BTreeSet<i32> {
    let children = children_of_process(sandbox.pid());
    let least = if sandbox.home().is_embedded() { 4 } else { 2 };
    assert!(children.len() >= least, "{children:?}");
    children
}

/// The processes whose parent this is.
pub(crate) fn children_of_process(parent: i32) -> BTreeSet<i32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, found)| found == parent)).collect()
}

/// A process's state and parent; none when it is gone.
fn stat(pid: i32) -> Option<(String, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, blanks too.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// Waits until none of them runs; a zombie has ended and waits for whoever reaps it.
pub(crate) async fn until_gone(pids: &BTreeSet<i32>) {
    let end = Instant::now() + END_MAX;
    loop {
        let left: Vec<_> = pids.iter().filter(|pid| stat(**pid).is_some_and(|(state, _)| state != "Z")).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "these outlived the sandbox: {left:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_killed_sandbox_leaves_no_child_and_starts_again_with_all_it_had() {
    let home = Arc::new(Home::lasting().await);
    let first = Sandbox::start_in(&home, &[]).await;
    let coupon = first.coupon("survivor", 2).await;
    let ticket = first.ticket(&coupon, "ann").await;
    assert_eq!(first.outcome_of(&coupon, &ticket, "ann").await["rank"], 1);
    let children = children_of(&first);
    first.kill().await;
    until_gone(&children).await;

    let second = Sandbox::start_in(&home, &[]).await;
    let told = second.outcome_of(&coupon, &ticket, "ann").await;
    assert_eq!((&told["status"], &told["rank"]), (&json!("ISSUED"), &json!(1)), "{told}");
    assert_eq!(second.asks(&coupon, "bob").await["rank"], 2);
    second.until_state(&coupon, "SOLD_OUT").await;
    assert!(second.audit().await.ok());
}

#[tokio::test]
async fn a_sandbox_that_is_told_to_end_leaves_no_child_and_no_data() {
    let sandbox = Sandbox::start(&[]).await;
    let coupon = sandbox.coupon("ending", 1).await;
    sandbox.asks(&coupon, "ann").await;
    let children = children_of(&sandbox);
    let data = data_of(&children);
    assert_eq!(data.is_some(), sandbox.home().is_embedded(), "an embedded broker is told its directory: {data:?}");
    assert!(data.iter().all(|data| Path::new(data).is_dir()), "{data:?}");

    let status = tokio::time::timeout(END_MAX, sandbox.terminate()).await.expect("it ends");
    assert_eq!(status.code(), Some(0));
    until_gone(&children).await;
    assert!(data.iter().all(|data| !Path::new(data).exists()), "{data:?} is left");
}

/// The directory that one of these processes was started with.
pub(crate) fn data_of(children: &BTreeSet<i32>) -> Option<String> {
    children.iter().find_map(|pid| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let mut arguments = line.split('\0');
        arguments.find(|argument| *argument == "--data")?;
        arguments.next().map(str::to_owned)
    })
}

#[tokio::test]
async fn two_sandboxes_share_nothing_and_a_port_serves_one() {
    let (one, other) = tokio::join!(Sandbox::start(&[]), Sandbox::start(&[]));
    let coupon = json!({"couponId": "same-name", "name": "the same", "total": 1});
    assert_eq!(one.create(&coupon).await.status, 201);
    assert_eq!(other.create(&coupon).await.status, 201);
    assert_eq!(one.asks("same-name", "ann").await["status"], "ISSUED");
    // The other one's stock, offsets and group have not seen her.
    assert_eq!(other.show("same-name").await.json()["remaining"], 1);
    let told = other.asks("same-name", "bob").await;
    assert_eq!((&told["rank"], &told["status"]), (&json!(1), &json!("ISSUED")), "{told}");
    for sandbox in [&one, &other] {
        let report = sandbox.audit().await;
        assert!(report.ok(), "{report:?}");
    }

    let port = one.at.api.rsplit_once(':').unwrap().1;
    let refused = local(&["up", "--port", port]).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("port {port} is taken")) && said.contains("--port 0"), "{said}");
}

#[tokio::test]
async fn tables_that_have_decided_more_than_their_log_has_are_refused() {
    let home = Arc::new(Home::lasting().await);
    let sandbox = Sandbox::start_in(&home, &[]).await;
    let coupon = sandbox.coupon("stranger", 1).await;
    sandbox.asks(&coupon, "ann").await;
    sandbox.terminate().await;
    let mut home = Arc::into_inner(home).expect("the sandbox has ended");
    home.loses_its_log().await;

    let options = home.options();
    let up: Vec<&str> = ["up", "--port", "0"].into_iter().chain(options.iter().map(String::as_str)).collect();
    let refused = local(&up).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains(&coupon) && said.contains("do not belong together"), "{said}");
}

#[tokio::test]
async fn a_part_that_fails_on_demand_comes_back_with_its_data() {
    let sandbox = Sandbox::start(&["--faults"]).await;
    let coupon = sandbox.coupon("faulty", 10).await;
    assert_eq!(sandbox.asks(&coupon, "user-0").await["rank"], 1);
    let faults = [
        ("broker", "kill"),
        ("broker", "freeze"),
        ("broker", "down"),
        ("dynamodb", "kill"),
        ("dynamodb", "freeze"),
        ("dynamodb", "down"),
        ("issue-api", "kill"),
        ("issue-api", "freeze"),
        ("issue-worker", "freeze"),
    ];
    let met = faults.into_iter().filter(|(target, kind)| sandbox.home().survives(target, kind));
    for (number, (target, kind)) in (1..).zip(met) {
        sandbox.fault(json!({"target": target, "kind": kind, "seconds": 0.5})).await;
        let user = format!("user-{number}");
        let told = sandbox.asks_until_answered(&coupon, &user).await;
        assert_eq!(told["rank"], number + 1, "{target} {kind}: {told}");
    }
    let report = sandbox.audit().await;
    assert!(report.ok(), "{report:?}");
}

#[tokio::test]
async fn a_broker_that_stood_still_longer_than_a_record_lives_takes_records_again() {
    let sandbox = Sandbox::start(&["--faults"]).await;
    let coupon = sandbox.coupon("frozen", 10).await;
    assert_eq!(sandbox.asks(&coupon, "user-0").await["rank"], 1);
    // A record is given up after three seconds. Its producer goes on with a raised epoch, at which tansu's own storage
    // panics.
    sandbox.fault(json!({"target": "broker", "kind": "freeze", "seconds": 5})).await;
    assert_eq!(sandbox.issue(&coupon, "user-1").await.status, 503);
    // Whether or not the record of the 503 is in the log.
    for user in ["user-2", "user-1"] {
        let told = sandbox.asks_until_answered(&coupon, user).await;
        assert!(told["rank"].is_number(), "{told}");
    }
    let report = sandbox.audit().await;
    assert!(report.ok(), "{report:?}");
}

/// An environment's `issue-api` processes.
fn doors_of(sandbox: &Sandbox) -> Vec<i32> {
    let is_door = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "issue-api\n");
    children_of(sandbox).into_iter().filter(is_door).collect()
}

#[tokio::test]
async fn an_environment_that_is_told_to_end_waits_for_what_is_not_acknowledged() {
    let sandbox = Sandbox::start(&["--faults"]).await;
    let coupon = sandbox.coupon("queued", 10).await;
    assert_eq!(sandbox.asks(&coupon, "user-0").await["rank"], 1);
    sandbox.fault(json!({"target": "broker", "kind": "freeze", "seconds": 60})).await;
    // A record is in the queue for three seconds. On a machine that was too busy to hit them an environment is asked
    // again, a new one, which tries the broker for three seconds first.
    for (user, ms) in [("user-1", 1_000), ("user-2", 4_500), ("user-3", 4_500)] {
        let told_to_end = async {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            for door in doors_of(&sandbox) {
                kill(Pid::from_raw(door), Signal::SIGTERM).unwrap();
            }
        };
        let (answer, ()) = tokio::join!(sandbox.issue(&coupon, user), told_to_end);
        assert!(answer.status.is_server_error(), "{answer:?}");
        let lines = sandbox.lines();
        if lines.iter().any(|line| line.starts_with("issue-api[") && line.contains("records were left in the queue")) {
            return;
        }
    }
    panic!("{:#?}", sandbox.lines());
}
