//! The generator against an API that answers as it is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode as Code;
use axum::routing::{get, post};
use hyper::header::HeaderValue;

use super::*;
use crate::latencies::Latencies;
use crate::plan::Asking;

/// Issues two, then it is sold out; a ticket is decided at the third look.
#[derive(Default)]
struct Shop {
    asked: AtomicU64,
    looked: AtomicU64,
    accepts: bool,
    slow: bool,
    /// By which connections people asked.
    peers: Arc<Mutex<BTreeSet<SocketAddr>>>,
}

async fn issue(
    State(shop): State<Arc<Shop>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(_coupon): Path<String>,
) -> (Code, String) {
    shop.peers.lock().unwrap().insert(peer);
    let n = shop.asked.fetch_add(1, Ordering::Relaxed);
    if shop.slow {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    match (shop.accepts, n) {
        (true, n) => (Code::ACCEPTED, format!("{{\"requestId\":\"0-{n}\",\"status\":\"PENDING\"}}")),
        (false, 0 | 1) => (Code::CREATED, format!("{{\"status\":\"ISSUED\",\"rank\":{}}}", n + 1)),
        (false, 2) => (Code::SERVICE_UNAVAILABLE, "{\"code\":\"QUEUE_UNAVAILABLE\"}".to_owned()),
        (false, _) => (Code::GONE, "{\"code\":\"SOLD_OUT\"}".to_owned()),
    }
}

async fn status(State(shop): State<Arc<Shop>>) -> String {
    let looked = shop.looked.fetch_add(1, Ordering::Relaxed);
    format!("{{\"status\":\"{}\"}}", if looked < 2 { "PENDING" } else { "ISSUED" })
}

async fn run(shop: Shop, pace: Pace) -> Driven {
    followed(shop, pace, 50).await
}

async fn followed(shop: Shop, pace: Pace, every: usize) -> Driven {
    let router = Router::new()
        .route("/coupons/{coupon}/issues", post(issue))
        .route("/coupons/{coupon}/issues/{ticket}", get(status))
        .with_state(Arc::new(shop));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Api::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let person = |n| Person { user_id: format!("user-{n}"), token: HeaderValue::from_static("Bearer x") };
    let people: Arc<[Person]> = (0..20).map(person).collect();
    let plan = Plan { asking: Asking::Fresh, pace, stock: 2, cold_stock: 0, follow_every: Some(every) };
    drive(&api, plan, vec!["sale".into()], people, Arc::default()).await.unwrap()
}

#[tokio::test]
async fn every_answer_is_what_it_is() {
    let driven = run(Shop::default(), Pace::Clients { clients: 1, requests: 5, seconds: 60.0 }).await;
    let answers: Vec<&Answered> = driven.samples.iter().map(|sample| &sample.answer).collect();
    let refused = Answered::Refused { code: "SOLD_OUT".into() };
    let failed = Answered::Failed { what: "503 QUEUE_UNAVAILABLE".into() };
    let issued = |rank| Answered::Issued { rank: Some(rank) };
    assert_eq!(answers, [&issued(1), &issued(2), &failed, &refused, &refused]);
}

#[tokio::test]
async fn a_schedule_does_not_wait_for_answers_and_counts_from_when_a_request_was_due() {
    let slow = Shop { slow: true, ..Shop::default() };
    let driven = run(slow, Pace::Rate { per_second: 100.0, seconds: 0.2 }).await;
    assert_eq!(driven.samples.len(), 20);
    let last_due = driven.samples.iter().map(|sample| sample.due).max().unwrap();
    assert_eq!(last_due, Duration::from_millis(190), "due by schedule, whatever the answers do");
    let latencies = Latencies::of(&driven.samples, |_| true).unwrap();
    assert!(latencies.percentile_ms(0.0) >= 199.0, "{}", latencies.percentile_ms(0.0));
}

#[tokio::test]
async fn somebody_with_a_ticket_asks_until_they_know() {
    let shop = Shop { accepts: true, ..Shop::default() };
    let driven = run(shop, Pace::Clients { clients: 2, requests: 10, seconds: 60.0 }).await;
    assert_eq!(driven.told.len(), 1, "one in fifty, and the first is one");
    let Told { ref ticket, after, outcome, .. } = driven.told[0];
    assert_eq!((ticket.starts_with("0-"), outcome), (true, Some(Outcome::Issued)));
    assert!(after >= Duration::from_millis(60), "it is decided at the third look");
}

#[tokio::test]
async fn whoever_was_chosen_asks_however_many_are_asking_already() {
    for pace in
        [Pace::Clients { clients: 2, requests: 20, seconds: 60.0 }, Pace::Rate { per_second: 1000.0, seconds: 0.02 }]
    {
        let shop = Shop { accepts: true, ..Shop::default() };
        let driven = followed(shop, pace, 2).await;
        assert_eq!(driven.told.len(), 10, "{pace:?}");
    }
}

#[test]
fn who_waits_longer_asks_less_often_and_gives_up_at_last() {
    let asks = |ms| pause(Duration::from_millis(ms)).map(|pause| pause.as_millis());
    let asked = [0, 499, 500, 1_999, 2_000, 29_999, 30_000].map(asks);
    assert_eq!(asked, [Some(20), Some(20), Some(100), Some(100), Some(500), Some(500), None]);
}

#[tokio::test]
async fn clients_stop_when_their_time_is_over() {
    let slow = Shop { slow: true, ..Shop::default() };
    let driven = run(slow, Pace::Clients { clients: 2, requests: 20, seconds: 0.3 }).await;
    // An answer takes 200 ms: each asks at 0 and at 200, or less often on a slow machine.
    assert!((2..=4).contains(&driven.samples.len()), "{}", driven.samples.len());
}

#[tokio::test]
async fn answers_are_in_the_order_in_which_they_came_by_schedule_too() {
    // The first waits as long as it is looked after; the others only for their answers.
    let shop = Shop { accepts: true, ..Shop::default() };
    let driven = run(shop, Pace::Rate { per_second: 200.0, seconds: 0.05 }).await;
    assert_eq!(driven.samples.len(), 10);
    assert!(driven.samples.is_sorted_by_key(|sample| sample.answered), "{:?}", driven.samples);
}

#[tokio::test]
async fn users_start_one_after_the_other_and_think() {
    let shop = Shop { accepts: true, ..Shop::default() };
    let pace = Pace::Users { users: 4, seconds: 0.4, think: Duration::from_millis(150) };
    let driven = run(shop, pace).await;
    // They start at 0, 100, 200 and 300 ms, and ask every 150: 3, 2, 2 and 1 times, or fewer on a slow machine.
    assert!((4..=8).contains(&driven.samples.len()), "{}", driven.samples.len());
    assert!(driven.samples.iter().any(|sample| sample.due >= Duration::from_millis(300)));
}

#[tokio::test]
async fn each_user_has_a_connection_of_their_own_and_keeps_it() {
    let shop = Shop { accepts: true, ..Shop::default() };
    let peers = Arc::clone(&shop.peers);
    let pace = Pace::Users { users: 3, seconds: 0.3, think: Duration::from_millis(40) };
    let driven = run(shop, pace).await;
    assert!(driven.samples.len() > 3, "{}", driven.samples.len());
    assert_eq!(peers.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_run_ends_when_there_is_nobody_left() {
    let driven = run(Shop::default(), Pace::Rate { per_second: 1000.0, seconds: 1.0 }).await;
    assert_eq!(driven.samples.len(), 20, "there are twenty people");
}
