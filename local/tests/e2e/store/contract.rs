//! The contract, on the engine itself and through a proxy that does nothing.

use coupon_store_contract::{Abilities, hold, refuses_damaged_items};

use super::dynamo::{Dynamo, patient_through};

/// A plain update takes no token.
const ABILITIES: Abilities = Abilities { replays_without_winners: false };

#[tokio::test]
async fn the_store_holds_its_contract() {
    let dynamo = Dynamo::start().await;
    hold(&dynamo.store(), ABILITIES, "plain").await;
}

#[tokio::test]
async fn a_proxy_without_a_fault_changes_nothing() {
    let dynamo = Dynamo::start().await;
    let proxy = dynamo.proxy(1).await;
    hold(&patient_through(&proxy).await, ABILITIES, "proxied").await;
}

#[tokio::test]
async fn the_store_reads_nothing_that_it_did_not_write() {
    let dynamo = Dynamo::start().await;
    refuses_damaged_items(&dynamo.store(), &dynamo, "spoilt").await;
}
