//! Polling and batching: C07, C11 to C14, C16, C17.

use std::time::Duration;

use crate::support::world::{Entry, stop};
use crate::support::{Reply, World};

#[tokio::test(flavor = "multi_thread")]
async fn c17_the_commit_follows_the_answer() {
    let world = World::new(|_, _| Reply::ok().after(Duration::from_millis(500))).await;
    world.write_many(0, 3).await;
    let running = world.start().await;
    world.wait_calls(1).await;
    assert_eq!(world.committed(0).await, None, "not before the answer");
    world.wait_committed(0, 3).await;
    let metrics = stop(running).await;
    assert_eq!((metrics.polled_event_count, metrics.invoked_event_count, metrics.committed_event_count), (3, 3, 3));
    assert_eq!((metrics.failed_invoke_event_count, metrics.sum_offset_lag), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_without_a_window_one_record_is_invoked_at_once() {
    let world = World::new(|_, _| Reply::ok()).await.set("MaximumBatchingWindowInSeconds", 0).set("BatchSize", 1000);
    let running = world.start().await;
    world.write(Entry { value: Some(b"{}".to_vec()), ..Entry::default() }).await;
    let calls = world.wait_calls(1).await;
    assert_eq!(calls[0].offsets(), [(world.key(0), vec![0])].into());
    stop(running).await;
}
