//! A benchmark as short as there is one: that it measures, counts and judges, and what it writes; and that the seeds'
//! systems go through the same harness.

use serde_json::{Value, json};

use crate::sandbox::local;

#[tokio::test]
async fn a_benchmark_of_one_profile_is_judged_right_and_leaves_its_three_files() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().to_str().unwrap();
    let output = local(&["bench", "--quick", "--systems", "ours", "--profiles", "bots", "--out", path]).await;
    assert!(output.status.success(), "{output:?}");
    let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap();
    let benchmark: Value = serde_json::from_str(&read("bench.json")).unwrap();
    assert_eq!(benchmark["remarks"], json!([]), "{output:?}");
    let runs = benchmark["runs"].as_array().unwrap();
    let metered: Vec<_> = runs.iter().map(|run| run["metered"].as_bool().unwrap()).collect();
    assert_eq!(metered, [true, false]);
    for run in runs {
        let checks = run["verdict"]["checks"].as_array().unwrap();
        assert!(checks.len() >= 3 && checks.iter().all(|check| check["held"] == true), "{checks:?}");
        assert_eq!((&run["accepted"], &run["refused"]), (&json!(0), &json!({"SOLD_OUT": 2000})), "{run}");
    }
    // Who is refused costs nothing, by the count of those who counted.
    let counted = &runs[0];
    assert_eq!((&counted["units"]["write"], &counted["log"]["records"]), (&json!(0.0), &json!(0)), "{counted}");
    assert!(counted["processes"].as_array().is_some_and(|processes| !processes.is_empty()), "{counted}");
    assert!(
        read("bench.html").contains("outcome right") && read("bench.md").contains("of 2000 refusals"),
        "{output:?}"
    );
}

/// The one run of a system under a profile, unmetered.
async fn one_run(system: &str, profile: &str) -> Value {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().to_str().unwrap();
    let output = local(&["bench", "--quick", "--systems", system, "--profiles", profile, "--out", path]).await;
    assert!(output.status.success(), "{output:?}");
    let json = std::fs::read_to_string(out.path().join("bench.json")).unwrap();
    let benchmark: Value = serde_json::from_str(&json).unwrap();
    let runs = benchmark["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "{output:?}");
    assert_eq!(benchmark["remarks"], json!([]), "{output:?}");
    runs[0].clone()
}

#[tokio::test]
async fn a_and_b_are_judged_by_the_same_harness() {
    let (a, b) = tokio::join!(one_run("redis", "duplicates"), one_run("hybrid", "duplicates"));
    for run in [&a, &b] {
        let checks = run["verdict"]["checks"].as_array().unwrap();
        assert!(checks.len() >= 2 && checks.iter().all(|check| check["held"] == true), "{run}");
        assert_eq!((&run["asked"], &run["issued"], &run["errors"]), (&json!(450), &json!(225), &json!({})), "{run}");
    }
    // A refuses who comes again, unless they come while their first request is on its way.
    assert!(a["refused"]["ALREADY_ISSUED"].as_u64().is_some_and(|refused| refused > 0), "{a}");
    assert_eq!(a["accepted"].as_u64(), Some(225), "{a}");
    // When the stock of A is right is a matter of its outbox.
    assert!(a["stock"]["behind_ms"]["p50"].as_f64() > b["stock"]["behind_ms"]["p50"].as_f64(), "{a} {b}");
}

/// As deployed: what its functions took is billed, and everybody's ticket has what they were told.
#[tokio::test]
async fn the_emulated_system_is_judged_and_billed_by_the_same_harness() {
    let run = one_run("emulated", "duplicates").await;
    let checks = run["verdict"]["checks"].as_array().unwrap();
    assert!(checks.len() >= 3 && checks.iter().all(|check| check["held"] == true), "{run}");
    assert_eq!((&run["asked"], &run["issued"], &run["errors"]), (&json!(450), &json!(225), &json!({})), "{run}");
}

#[tokio::test]
async fn what_is_named_twice_is_refused_and_what_is_shown_is_drawn_beside_its_file() {
    let output = local(&["bench", "--systems", "ours,ours"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("--systems has ours twice"), "{said}");
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("bench.json");
    let empty = json!({
        "taken_at": "2026-11-29T10:00:00Z", "seconds": 1.0, "command": "cargo local bench", "build": "dev",
        "interrupted": true, "versions": {}, "systems": [], "profiles": [], "runs": [], "remarks": [],
        "machine": {"cpu": "", "cores": 2, "memory_mb": 1, "kernel": "", "load_before": "0"},
    });
    std::fs::write(&file, empty.to_string()).unwrap();
    let output = local(&["bench", "--show", file.to_str().unwrap()]).await;
    assert!(output.status.success(), "{output:?}");
    assert!(out.path().join("bench.html").is_file() && out.path().join("bench.md").is_file());
    assert_eq!(local(&["bench", "--show", file.to_str().unwrap(), "--systems", "ours"]).await.status.code(), Some(2));
}

#[tokio::test]
async fn a_page_that_cannot_take_the_section_is_told_before_anything_is_measured() {
    let out = tempfile::tempdir().unwrap();
    let (path, page) = (out.path().to_str().unwrap(), out.path().join("page.md"));
    std::fs::write(&page, "no marks").unwrap();
    let output = local(&["bench", "--out", path, "--page", page.to_str().unwrap()]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("page.md") && said.contains("bench:begin") && !said.contains("Round"), "{said}");
}
