//! The rush against an API whose misbehaviour is scripted: stalls, 503s and ends that a sandbox cannot be asked for at
//! will. Against the real one it runs in the end-to-end tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::header::HeaderValue;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::api::Api;
use super::rush::{Pace, Person, Rush};
use super::written::Written;
use crate::audit::read_tickets;
use crate::audit::tickets::Told;

/// What the API does: an answer for each ask in turn, the last one for ever after; and how long the first ask stalls
/// everybody.
#[derive(Default)]
struct Script {
    answers: Vec<(StatusCode, Value)>,
    stall: Duration,
    asked: AtomicUsize,
    busy: Mutex<()>,
}

type Shared = State<Arc<Script>>;

async fn ask(State(script): Shared) -> Response {
    let turn = script.asked.fetch_add(1, Ordering::Relaxed);
    let _one_at_a_time = script.busy.lock().await;
    if turn == 0 {
        tokio::time::sleep(script.stall).await;
    }
    let last = script.answers.len().saturating_sub(1);
    let (status, body) = script.answers[turn.min(last)].clone();
    (status, [(RETRY_AFTER, "0")], Json(body)).into_response()
}

async fn status(Path((_coupon, ticket)): Path<(String, String)>) -> Response {
    match ticket.as_str() {
        "0-0" => Json(json!({"status": "ISSUED", "rank": 1})).into_response(),
        _ => Json(json!({"status": "REJECTED", "reason": "SOLD_OUT"})).into_response(),
    }
}

async fn serve(script: Script) -> Api {
    let routes = Router::new()
        .route("/coupons/{coupon}/issues", post(ask))
        .route("/coupons/{coupon}/issues/{ticket}", get(status))
        .with_state(Arc::new(script));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Api::new(&url).unwrap()
}

fn crowd(count: usize) -> Vec<Person> {
    let token = HeaderValue::from_static("Bearer x");
    (0..count).map(|number| Person { user_id: format!("user-{number}"), token: token.clone() }).collect()
}

fn accepted(ticket: &str) -> (StatusCode, Value) {
    (StatusCode::ACCEPTED, json!({"requestId": ticket}))
}

#[tokio::test]
async fn a_stall_shows_in_every_request_that_it_delayed() {
    let script = Script { answers: vec![accepted("0-0")], stall: Duration::from_millis(400), ..Script::default() };
    let rush = Rush::new(serve(script).await, "c".into(), crowd(20), Written::default()).unwrap();
    rush.run(Pace::Rate(100.0)).await.unwrap();
    let figures = rush.figures();
    // The last one was due 190 ms after the first, and nobody was answered before 400 ms.
    let fastest = figures.accept_ms.percentile_ms(1.0);
    assert!(fastest >= 200.0, "{fastest}");
    assert_eq!((figures.accepted, figures.issued), (20, 20));
}

#[tokio::test]
async fn who_meets_a_503_asks_again_and_is_counted_once() {
    let unavailable = (StatusCode::SERVICE_UNAVAILABLE, json!({"code": "QUEUE_UNAVAILABLE"}));
    let limited = (StatusCode::TOO_MANY_REQUESTS, json!({"message": "Too Many Requests"}));
    let script = Script { answers: vec![unavailable, limited, accepted("0-1")], ..Script::default() };
    let rush = Rush::new(serve(script).await, "c".into(), crowd(1), Written::default()).unwrap();
    rush.run(Pace::Clients(4)).await.unwrap();
    let figures = rush.figures();
    assert_eq!((figures.users, figures.accepted, figures.repeated, figures.failed()), (1, 1, 2, 0));
    assert_eq!(figures.rejected["SOLD_OUT"], 1);
}

#[tokio::test]
async fn who_is_given_the_coupon_at_once_has_it() {
    let issued = (StatusCode::CREATED, json!({"status": "ISSUED", "rank": 7}));
    let script = Script { answers: vec![issued], ..Script::default() };
    let rush = Rush::new(serve(script).await, "c".into(), crowd(1), Written::default()).unwrap();
    rush.run(Pace::Clients(1)).await.unwrap();
    let figures = rush.figures();
    assert_eq!((figures.accepted, figures.issued, figures.ended, figures.failed()), (1, 1, 1, 0));
    assert_eq!((figures.winners[0].rank, figures.accept_ms.count()), (7, 1));
}

#[tokio::test]
async fn who_gets_no_answer_at_all_is_an_error() {
    let script = Script { answers: vec![(StatusCode::INTERNAL_SERVER_ERROR, json!({}))], ..Script::default() };
    let rush = Rush::new(serve(script).await, "c".into(), crowd(3), Written::default()).unwrap();
    rush.run(Pace::AtOnce).await.unwrap();
    assert_eq!(rush.figures().failed(), 3);
}

#[tokio::test]
async fn tickets_and_answers_are_written_down() {
    let holds = json!({"code": "ALREADY_ISSUED", "coupon": {"requestId": "0-0", "rank": 1}});
    let script =
        Script { answers: vec![accepted("0-0"), accepted("0-1"), (StatusCode::CONFLICT, holds)], ..Script::default() };
    let file = tempfile::NamedTempFile::new().unwrap();
    let written = Written::to(file.path()).unwrap();
    let rush = Rush::new(serve(script).await, "c".into(), crowd(3), written).unwrap();
    rush.run(Pace::Clients(1)).await.unwrap();
    let figures = rush.figures();
    assert_eq!((figures.refused["ALREADY_ISSUED"], figures.winners[0].rank), (1, 1));
    let lines = read_tickets(file.path()).unwrap();
    let mut seen: Vec<_> =
        lines.iter().map(|line| (line.user_id.as_str().to_owned(), line.request_id.to_string(), line.status)).collect();
    seen.sort();
    let line = |user: &str, ticket: &str, told| (user.to_owned(), ticket.to_owned(), told);
    let expected = [
        line("user-0", "0-0", None),
        line("user-0", "0-0", Some(Told::Issued)),
        line("user-1", "0-1", None),
        line("user-1", "0-1", Some(Told::Rejected)),
        line("user-2", "0-0", Some(Told::Issued)),
    ];
    assert_eq!(seen, expected);
}
