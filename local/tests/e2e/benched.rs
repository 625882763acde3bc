//! A benchmark as short as there is one: that it measures, counts and judges, and what it writes.

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
