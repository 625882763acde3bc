//! Ctrl-C and SIGTERM in the middle of a command that has a sandbox of its own: it ends with the shell's code for that
//! signal, and leaves no process and no data.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::lives::{END_MAX, children_of_process, data_of, until_gone};

/// Starts a command, waits for lines on its stderr that say so, one after the other, signals it; its exit code.
async fn signalled(arguments: &[&str], said: &[&str], signal: Signal) -> Option<i32> {
    ended(started(arguments, said).await, signal).await
}

async fn started(arguments: &[&str], said: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for said in said {
        while !lines.next_line().await.unwrap().expect("it ended before").contains(said) {}
    }
    // Nobody may be kept from ending by a full pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    child
}

async fn ended(mut child: Child, signal: Signal) -> Option<i32> {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    // A benchmark's parts are its child's.
    let mut children = children_of_process(pid);
    let grandchildren: Vec<i32> = children.iter().flat_map(|child| children_of_process(*child)).collect();
    children.extend(grandchildren);
    let data = data_of(&children).expect("its broker is told a directory");
    assert!(children.len() >= 3 && std::path::Path::new(&data).is_dir(), "{children:?} {data}");
    kill(Pid::from_raw(pid), signal).unwrap();
    let status = tokio::time::timeout(END_MAX, child.wait()).await.expect("it ends").unwrap();
    until_gone(&children).await;
    let sandbox = std::path::Path::new(&data).parent().unwrap();
    assert!(!sandbox.exists(), "{} is left", sandbox.display());
    status.code()
}

#[tokio::test]
async fn a_demo_that_is_interrupted_cleans_up() {
    let demo = ["demo", "--users", "50000", "--stock", "20000"];
    assert_eq!(signalled(&demo, &["press the button"], Signal::SIGINT).await, Some(130));
}

#[tokio::test]
async fn a_load_that_is_told_to_end_cleans_up() {
    let load = ["load", "--users", "50000", "--stock", "20000", "--rate", "50"];
    assert_eq!(signalled(&load, &["ask for"], Signal::SIGTERM).await, Some(143));
}

#[tokio::test]
async fn a_measurement_that_is_interrupted_cleans_up() {
    assert_eq!(signalled(&["measure"], &["Measuring the door"], Signal::SIGINT).await, Some(130));
}

#[tokio::test]
async fn a_benchmark_that_is_told_to_end_cleans_up_and_has_written_what_was_through() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().to_str().unwrap();
    let bench = ["bench", "--quick", "--systems", "ours", "--profiles", "bots,seeds", "--out", path];
    let written = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(out.path().join("bench.json")).unwrap()).unwrap()
    };
    let child = started(&bench, &["Round 1 of 1", "bots"]).await;
    let meanwhile = written();
    assert_eq!(meanwhile["interrupted"], true, "what a kill would leave is not through: {meanwhile}");
    assert_eq!(ended(child, Signal::SIGTERM).await, Some(143));
    let benchmark = written();
    assert_eq!(benchmark["interrupted"], true, "{benchmark}");
    let runs = benchmark["runs"].as_array().unwrap();
    assert!(
        !runs.is_empty() && runs.iter().all(|run| run["metered"] == true),
        "the units were counted before: {runs:?}"
    );
}
