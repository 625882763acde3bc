//! The store port on DynamoDB: two tables, their items, and the only DynamoDB expressions of the project.
//!
//! Knows nothing of deciding, of the log or of retrying: every method is one attempt, and the SDK's own retries are off
//! ([`DynamoStore::client`]). Start with `commit.rs`; how an item is spelled is `head.rs` and `issued.rs`, what an error
//! means is `fault.rs`.

mod attribute;
mod commit;
mod fault;
mod head;
mod issued;
mod lookup;
mod meter;
mod snapshot;

use std::{sync::Arc, time::Duration};

use aws_config::{
    BehaviorVersion, SdkConfig, retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_dynamodb::{Client, types::ReturnConsumedCapacity};
use aws_smithy_http_client::tls;
use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId};
use coupon_store::{Commit, Consistency, Creation, Page, Snapshot, Store, StoreError, Token};

pub use meter::{Meter, Units};

/// One attempt takes at most this long, from the first byte sent to the last one read: a socket that died while the
/// environment was frozen costs one attempt, not the invocation's budget. Transactions of 100 actions stay well below.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection is made within this, TLS included; part of [`ATTEMPT_TIMEOUT`].
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(800);

/// A connection that was idle for this long is not used again. One that died in silence while the environment was frozen
/// costs the attempt that finds out, and a pool may hold many: four of them would cost four seconds. Whatever lies
/// between keeps connections longer, a NAT gateway for 350 s
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html>).
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

const _: () = assert!(CONNECT_TIMEOUT.as_millis() < ATTEMPT_TIMEOUT.as_millis());

/// The names of the two tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// The heads, by `couponId`.
    pub coupons: String,
    /// The issued coupons, by `userId` and `couponId`.
    pub user_coupons: String,
}

/// The store on DynamoDB. Cheap to clone; one for each environment.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    client: Client,
    tables: Tables,
    meter: Option<Arc<Meter>>,
}

impl DynamoStore {
    /// A store that speaks to these tables through a client such as [`DynamoStore::client`] makes.
    #[must_use]
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client, tables, meter: None }
    }

    /// A client as this crate needs it: one attempt for each call, since the retry loop is
    /// [`coupon_store::Retrying`]'s and a second one inside would multiply with it, and each attempt bounded by
    /// [`ATTEMPT_TIMEOUT`]. Region, credentials and endpoint are the configuration's; the connections are the client's
    /// own, for [`IDLE_TIMEOUT`].
    #[must_use]
    pub fn client(config: &SdkConfig) -> Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(ATTEMPT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let http_client = aws_smithy_http_client::Builder::new()
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .build_https();
        let config = aws_sdk_dynamodb::config::Builder::from(config)
            .behavior_version(BehaviorVersion::latest())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .http_client(http_client)
            // It watches the throughput of streams; our bodies are small and the attempt's timeout bounds them.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Client::from_conf(config)
    }

    /// The same store, counting on `meter` the capacity that its calls consume. For tests and benchmarks: the counts
    /// come with every answer, which makes answers longer.
    #[must_use]
    pub fn metered(self, meter: Arc<Meter>) -> Self {
        Self { meter: Some(meter), ..self }
    }

    /// What to ask DynamoDB to report.
    fn reported(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_meter| ReturnConsumedCapacity::Total)
    }

    fn count(&self, count: impl FnOnce(&Meter)) {
        if let Some(meter) = &self.meter {
            count(meter);
        }
    }
}

impl Store for DynamoStore {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        self.put_head(head).await
    }

    async fn head(&self, coupon_id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        self.get_head(coupon_id, consistency).await
    }

    async fn issued(
        &self,
        user_id: &UserId,
        coupon_id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        self.get_issued(user_id, coupon_id, consistency).await
    }

    async fn issued_among(&self, coupon_id: &CouponId, user_ids: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        self.batch_get_issued(coupon_id, user_ids).await
    }

    async fn snapshot(&self, coupon_id: &CouponId, user_ids: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        self.transact_get(coupon_id, user_ids).await
    }

    async fn coupons_of(&self, user_id: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        self.query_issued(user_id, after, limit).await
    }

    async fn commit(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        commit::check(chunk)?;
        if chunk.winners.is_empty() { self.update_head(chunk).await } else { self.transact(chunk, token).await }
    }
}

#[cfg(test)]
mod tests;
