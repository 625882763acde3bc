//! The Lambda host, held to a real function binary: what Lambda promises a caller and a function, and the faults that
//! the sandbox can provoke.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::json;

use crate::hosted::{Hosted, Response, eventually, lives, state};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_reaches_the_function_and_its_answer_the_caller() {
    let hosted = Hosted::start().await;
    let event = json!({ "text": "쿠폰", "number": 1.5, "list": [null, true] });
    let response = hosted.invoke(event.clone()).await;
    assert_eq!(response.answer(), event);
    assert_eq!(response.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!(hosted.invoke_raw("sample", &[], "").await.answer(), json!({}), "no payload is an empty object");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_its_context_and_nothing_of_this_shell() {
    let hosted = Hosted::start_with(|spec| {
        spec.variables.insert("COUPONS_TABLE".into(), "coupons".into());
    })
    .await;
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
    let before = chrono_ms();
    let response = hosted.invoke_raw("sample:$LATEST", &[("x-amzn-trace-id", trace)], r#"{"do":"context"}"#).await;
    let context = response.answer();
    assert_eq!(context["requestId"].as_str(), response.header("x-amzn-requestid"));
    assert_eq!(context["arn"], "arn:aws:lambda:us-east-1:123456789012:function:sample");
    assert_eq!(context["traceId"], trace);
    assert_eq!(response.header("x-amzn-trace-id"), Some(trace));
    let left_ms = context["deadlineMs"].as_u64().unwrap() - before;
    assert!((10_000..20_000).contains(&left_ms), "the function has 10 s, {left_ms} ms");
    let variables = context["variables"].as_object().unwrap();
    assert_eq!(variables["COUPONS_TABLE"], "coupons");
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_NAME"], "sample");
    assert!(variables.keys().all(|name| !name.starts_with("CARGO")), "{variables:?}");
}

fn chrono_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_environment_is_used_again() {
    let hosted = Hosted::start().await;
    let first = hosted.pid().await;
    for _ in 0..20 {
        assert_eq!(hosted.pid().await, first);
    }
    assert_eq!(hosted.pids(), [first], "no other one was started beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_environments_wait_and_none_has_two_at_once() {
    let hosted = Hosted::start_with(|spec| spec.environments = 2).await;
    let requests = (0..10).map(|_| hosted.invoke(json!({ "do": "sleep", "millis": 50 })));
    let mut served: Vec<_> = join_all(requests).await.iter().map(Response::answer).collect();
    served.sort_by_key(|one| (one["pid"].as_u64(), one["from"].as_u64()));
    for pair in served.windows(2) {
        let (one, next) = (&pair[0], &pair[1]);
        assert!(one["pid"] != next["pid"] || one["to"].as_u64() <= next["from"].as_u64(), "{pair:?}");
    }
    assert!(hosted.pids().len() <= 2, "{:?}", hosted.pids());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_is_throttled_and_never_run() {
    let hosted = Hosted::start_with(|spec| {
        spec.environments = 1;
        spec.queue_timeout = Duration::from_millis(300);
    })
    .await;
    let (slow, throttled) = tokio::join!(hosted.invoke(json!({ "do": "sleep", "millis": 6000 })), async {
        hosted.sleeps().await;
        hosted.invoke(json!({ "do": "exit" })).await
    });
    assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS, "{throttled:?}");
    assert_eq!(throttled.header("x-amzn-errortype"), Some("TooManyRequestsException"));
    assert!(throttled.json()["message"].as_str().unwrap().contains("none of the 1 environments"), "{throttled:?}");
    let pid = slow.answer()["pid"].as_i64().unwrap();
    assert_eq!(i64::from(hosted.pid().await), pid, "the request that was given up did not run: it would have exited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_caller_left_the_queue_is_never_run() {
    let hosted = Hosted::start_with(|spec| spec.environments = 1).await;
    let (slow, ()) = tokio::join!(hosted.invoke(json!({ "do": "sleep", "millis": 6000 })), async {
        hosted.sleeps().await;
        let waiting = hosted.invoke(json!({ "do": "exit" }));
        assert!(tokio::time::timeout(Duration::from_millis(200), waiting).await.is_err(), "it waits for the other one");
    });
    assert_eq!(i64::from(hosted.pid().await), slow.answer()["pid"].as_i64().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_functions_own_error_is_handed_on() {
    let hosted = Hosted::start().await;
    let first = hosted.pid().await;
    let failed = hosted.invoke(json!({ "do": "fail" })).await;
    assert_eq!(failed.error(), ("Sample.Failed".into(), "as asked".into()));
    assert!(hosted.invoke(json!({ "do": "panic" })).await.error().1.contains("as asked"));
    assert_eq!(hosted.pid().await, first, "the runtime survives both");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_took_is_told_as_lambda_bills_it() {
    let hosted = Hosted::start_with(|spec| spec.memory_mb = 512).await;
    assert_eq!(hosted.usage().await, json!({"sample": {"invocations": 0, "billedMs": 0, "memoryMb": 512}}));
    hosted.invoke(json!({ "do": "sleep", "millis": 50 })).await.answer();
    let once = hosted.usage().await["sample"].clone();
    let billed_ms = once["billedMs"].as_u64().unwrap();
    assert!(once["invocations"] == 1 && billed_ms > 50, "its sleep, and its init phase: {once}");
    hosted.invoke(json!({ "do": "exit" })).await.error();
    let twice = hosted.usage().await["sample"].clone();
    assert!(
        twice["invocations"] == 2 && twice["billedMs"].as_u64().unwrap() > billed_ms,
        "one that failed too: {twice}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_exits_fails_its_request_and_is_replaced() {
    let hosted = Hosted::start().await;
    let first = hosted.pid().await;
    let (kind, message) = hosted.invoke(json!({ "do": "exit" })).await.error();
    assert_eq!(kind, "Runtime.ExitError");
    assert!(message.ends_with("Error: Runtime exited with error: exit status 5"), "{message}");
    assert_ne!(hosted.pid().await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_ends_its_environment() {
    let hosted = Hosted::start_with(|spec| spec.timeout = Duration::from_millis(500)).await;
    let first = hosted.pid().await;
    let began = Instant::now();
    let (kind, message) = hosted.invoke(json!({ "do": "sleep", "millis": 60_000 })).await.error();
    assert_eq!(kind, "Sandbox.Timedout");
    assert!(message.ends_with("Task timed out after 0.50 seconds"), "{message}");
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    assert!(!lives(first));
    assert_ne!(hosted.pid().await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_fails_twice_is_told_to_the_caller() {
    for (init, kind, message) in [
        ("exit", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("report", "Sample.Broken", "the sample does not start"),
    ] {
        let hosted = Hosted::start_with(|spec| drop(spec.variables.insert("SAMPLE_INIT".into(), init.into()))).await;
        for _ in 0..2 {
            let error = hosted.invoke(json!({})).await.error();
            assert_eq!(error.0, kind);
            assert!(error.1.ends_with(message), "{error:?}");
        }
        eventually("nothing is left of it", || hosted.pids().is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_takes_too_long_has_the_functions_time_for_its_second_try() {
    let hosted = Hosted::start_with(|spec| {
        spec.variables.insert("SAMPLE_INIT".into(), "hang".into());
        spec.init_timeout = Duration::from_millis(300);
        spec.timeout = Duration::from_millis(700);
    })
    .await;
    let began = Instant::now();
    let (kind, message) = hosted.invoke(json!({})).await.error();
    assert_eq!(kind, "Sandbox.Timedout");
    assert!(message.ends_with("Task timed out after 0.70 seconds"), "{message}");
    assert!(began.elapsed() >= SECOND, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_fails_once_is_tried_again_for_the_same_request() {
    let (hosted, _directory, path) = with_init("once").await;
    assert_eq!(hosted.invoke(json!({ "a": 1 })).await.answer(), json!({ "a": 1 }));
    assert!(path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_that_is_not_there_is_an_error_of_the_function() {
    let hosted = Hosted::start_with(|spec| spec.binary = "/no/such/bootstrap".into()).await;
    assert_eq!(hosted.invoke(json!({})).await.error().0, "Runtime.ExitError");
    assert!(hosted.lines().iter().any(|line| line.contains("/no/such/bootstrap")), "{:?}", hosted.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_invoke_api_refuses_is_refused_in_its_words() {
    let hosted = Hosted::start().await;
    let unknown = hosted.invoke_raw("other", &[], "{}").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.header("x-amzn-errortype"), Some("ResourceNotFoundException"));
    assert!(unknown.json()["message"].as_str().unwrap().contains("other; this host has sample"), "{unknown:?}");

    let large = hosted.invoke_raw("sample", &[], vec![b' '; 6_291_457]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(large.header("x-amzn-errortype"), Some("RequestTooLargeException"));

    let odd = hosted.invoke_raw("sample", &[("x-amz-invocation-type", "Sometimes")], "{}").await;
    assert_eq!(
        (odd.status, odd.header("x-amzn-errortype")),
        (StatusCode::BAD_REQUEST, Some("InvalidParameterValueException"))
    );

    let dry = hosted.invoke_raw("sample", &[("x-amz-invocation-type", "DryRun")], "{}").await;
    assert_eq!(dry.status, StatusCode::NO_CONTENT);
    assert!(hosted.pids().is_empty(), "nothing was started for any of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_payload_fits_and_too_large_an_answer_fails_the_request() {
    let hosted = Hosted::start().await;
    let event = r#"{"do":"pid"}"#;
    let filled = format!("{}{event}", " ".repeat(6_291_456 - event.len()));
    assert!(hosted.invoke_raw("sample", &[], filled).await.answer().is_i64());

    let (kind, message) = hosted.invoke(json!({ "do": "large", "bytes": 6_400_000 })).await.error();
    assert_eq!(kind, "Function.ResponseSizeTooLarge");
    assert!(message.contains("6291556 bytes"), "{message}");
    assert!(hosted.invoke(json!({ "do": "large", "bytes": 6_291_000 })).await.answer().is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_accepted_and_runs_by_itself() {
    let hosted = Hosted::start().await;
    let accepted = hosted.invoke_raw("sample", &[("x-amz-invocation-type", "Event")], r#"{"do":"print"}"#).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    eventually("its lines arrive", || {
        let lines = hosted.lines();
        ["a line on stdout", "a line on stderr"].iter().all(|line| lines.iter().any(|found| found == line))
    })
    .await;
}

/// A host whose function does this in its init, with a path of its own, and the path.
async fn with_init(what: &str) -> (Hosted, tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("written");
    let init = format!("{what}:{}", path.display());
    let hosted = Hosted::start_with(|spec| drop(spec.variables.insert("SAMPLE_INIT".into(), init))).await;
    (hosted, directory, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_with_an_extension_is_told_before_it_ends() {
    let (hosted, _directory, path) = with_init("flush").await;
    let pid = hosted.pid().await;
    hosted.host.stop().await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "flushed");
    assert!(!lives(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_without_an_extension_is_not() {
    let (hosted, _directory, path) = with_init("flush-without-extension").await;
    let pid = hosted.pid().await;
    hosted.host.stop().await;
    assert!(!path.exists());
    assert!(!lives(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_is_told_of_an_invocation() {
    let (hosted, _directory, path) = with_init("extension").await;
    let response = hosted.invoke(json!({})).await;
    let event = || serde_json::from_slice(&std::fs::read(&path).ok()?).ok();
    eventually("the extension has its event", || event().is_some()).await;
    let event: serde_json::Value = event().unwrap();
    assert_eq!(event["eventType"], "INVOKE");
    assert_eq!(event["requestId"].as_str(), response.header("x-amzn-requestid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_host_lets_running_requests_finish_and_leaves_no_process() {
    let hosted = Hosted::start().await;
    hosted.pid().await;
    let pids = hosted.pids();
    let address = hosted.address();
    let client = crate::hosted::http_client();
    let running = tokio::spawn(async move {
        let uri = format!("http://{address}/2015-03-31/functions/sample/invocations");
        let body = json!({ "do": "sleep", "millis": 500 }).to_string();
        let request = hyper::Request::post(uri).body(http_body_util::Full::new(body.into())).unwrap();
        crate::hosted::send(&client, request).await
    });
    hosted.sleeps().await;
    hosted.host.stop().await;
    assert!(running.await.unwrap().answer()["pid"].is_i64());
    assert!(pids.iter().all(|pid| !lives(*pid)), "{pids:?}");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_host_leaves_no_process_either() {
    let hosted = Hosted::start().await;
    let pid = hosted.pid().await;
    drop(hosted);
    eventually("the process ends", || !lives(pid)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_ends_running_requests_and_the_next_one_starts_anew() {
    let hosted = Hosted::start().await;
    let first = hosted.pid().await;
    let (running, ()) = tokio::join!(hosted.invoke(json!({ "do": "sleep", "millis": 60_000 })), async {
        hosted.sleeps().await;
        hosted.host.crash("sample").await.unwrap();
    });
    assert!(running.error().1.ends_with("Runtime exited with error: signal: killed"), "{running:?}");
    assert!(!lives(first));
    assert_ne!(hosted.pid().await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_function_goes_on_where_it_was() {
    let hosted = Hosted::start().await;
    let first = hosted.pid().await;
    let began = Instant::now();
    hosted.host.freeze("sample", 3 * SECOND).await.unwrap();
    eventually("it is stopped", || state(first) == Some('T')).await;
    assert_eq!(hosted.pid().await, first, "it was given the request while frozen");
    assert!(began.elapsed() >= 3 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_frozen_no_other_environment_takes_over() {
    let hosted = Hosted::start().await;
    hosted.pid().await;
    let began = Instant::now();
    hosted.host.freeze("sample", SECOND).await.unwrap();
    join_all((0..3).map(|_| hosted.pid())).await;
    assert!(began.elapsed() >= SECOND, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_down_comes_back_by_itself() {
    let hosted = Hosted::start().await;
    let first = hosted.pid().await;
    let began = Instant::now();
    hosted.host.down("sample", SECOND).await.unwrap();
    assert!(hosted.pids().is_empty());
    assert!(!lives(first));
    assert_ne!(hosted.pid().await, first, "the request waited");
    assert!(began.elapsed() >= SECOND, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_for_an_unknown_function_is_refused_by_name() {
    let hosted = Hosted::start().await;
    let error = hosted.host.crash("other").await.unwrap_err().to_string();
    assert_eq!(error, "no function other; this host has sample");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_while_idle_costs_no_request() {
    let hosted = Hosted::start().await;
    for _ in 0..5 {
        let pid = hosted.pid().await;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        eventually("it has ended", || !lives(pid)).await;
        assert_ne!(hosted.pid().await, pid);
    }
}
