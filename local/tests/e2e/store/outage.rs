//! The engine frozen and killed under a commit: the loop waits it out, and the chunk is written once. And connections
//! that died in silence, as those of an environment do that was frozen for long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use coupon_dynamodb::IDLE_TIMEOUT;
use coupon_store::{Commit, Consistency, Deadline, Retrying, Store, Tokens};
use coupon_store_contract::Fixture;
use local::embedded::Order;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::dynamo::{Dynamo, hasty};
use super::faults::chunk;

/// Generous: an attempt on a frozen engine takes its second, and a start is waited for.
const BUDGET: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_commit_under_a_frozen_engine_is_written_once_it_thaws() {
    let dynamo = Dynamo::start().await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "frozen");
    let head = case.created(10).await;
    let chunk = chunk(&head, [1, 2].map(|number| case.user(number)));
    let store = dynamo.hasty_store().await;
    let tokens = Tokens::with_seed(21);
    let retrying = Retrying::new(&store, &tokens, Deadline::after(BUDGET));
    // A connection that is open before the freeze, as a warm environment has it.
    assert_eq!(retrying.head(&head.coupon_id, Consistency::Strong).await, Ok(Some(head.clone())));

    dynamo.engine().order(Order::Freeze).await;
    let thaw = async {
        // More than one attempt: those that ended may be carried out after the thaw, by the same token.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        dynamo.engine().order(Order::Thaw).await;
    };
    let (answer, ()) = tokio::join!(retrying.commit(&chunk), thaw);
    assert_eq!(answer, Ok(Commit::Written));
    assert_eq!(case.head().await, chunk.head);
}

#[tokio::test]
async fn what_was_committed_survives_a_kill_and_what_was_not_is_committed_after_it() {
    let dynamo = Dynamo::start().await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "killed");
    let head = case.created(10).await;
    let before = chunk(&head, [1, 2].map(|number| case.user(number)));
    assert_eq!(direct.commit(&before, &case.token()).await, Ok(Commit::Written));
    dynamo.engine().order(Order::Kill).await;

    let after = chunk(&before.head, [3, 4].map(|number| case.user(number)));
    let store = dynamo.hasty_store().await;
    let tokens = Tokens::with_seed(22);
    let retrying = Retrying::new(&store, &tokens, Deadline::after(BUDGET));
    let restart = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        dynamo.engine().order(Order::Start).await;
    };
    let (answer, ()) = tokio::join!(retrying.commit(&after), restart);
    assert_eq!(answer, Ok(Commit::Written));
    assert_eq!(case.head().await, after.head);
    let held = case.retrying().issued_among(&case.coupon_id(), &[1, 2, 3, 4].map(|number| case.user(number))).await;
    assert_eq!(held.unwrap().len(), 4);
}

/// Connections that die together, and the time that it takes to find them out one by one, an attempt of a second each.
const CONNECTIONS: u32 = 16;
const ONE_BY_ONE: Duration = Duration::from_secs(16);

/// Relays bytes to the engine until it is told to let every connection die: no byte passes any more, and nobody is told.
struct Relay {
    url: String,
    deaths: Arc<watch::Sender<u32>>,
    _serving: JoinSet<()>,
}

impl Relay {
    async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let deaths = Arc::new(watch::Sender::new(0));
        let (mut serving, upstream, told) = (JoinSet::new(), upstream.to_owned(), Arc::clone(&deaths));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut far = TcpStream::connect(&upstream).await.unwrap();
                let mut death = told.subscribe();
                connections.spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        // Both ends stay open for as long as the relay lives.
                        _ = death.changed() => std::future::pending::<()>().await,
                    }
                });
            }
        });
        Self { url, deaths, _serving: serving }
    }

    fn let_connections_die(&self) {
        self.deaths.send_modify(|deaths| *deaths += 1);
    }
}

#[tokio::test]
async fn connections_that_died_in_silence_cost_an_attempt_and_not_the_budget() {
    let dynamo = Dynamo::start().await;
    let direct = dynamo.store();
    let head = Fixture::new(&direct, "silent").created(10).await;
    let relay = Relay::start(dynamo.address()).await;
    let store = hasty(&relay.url).await;
    let tokens = Tokens::with_seed(23);
    let read = async || {
        let retrying = Retrying::new(&store, &tokens, Deadline::after(BUDGET));
        assert_eq!(retrying.head(&head.coupon_id, Consistency::Strong).await, Ok(Some(head.clone())));
    };
    let cost_of_one = async || {
        let start = Instant::now();
        read().await;
        start.elapsed()
    };

    read().await;
    relay.let_connections_die();
    let cost = cost_of_one().await;
    assert!(cost < ONE_BY_ONE, "a connection that died a moment ago cost {cost:?}");

    futures_util::future::join_all((0..CONNECTIONS).map(|_| read())).await;
    relay.let_connections_die();
    // What died is older than this when an environment thaws.
    tokio::time::sleep(IDLE_TIMEOUT + Duration::from_millis(500)).await;
    let cost = cost_of_one().await;
    assert!(cost < ONE_BY_ONE, "connections that died long ago cost {cost:?}");
}
