//! The one retry loop: jittered, exponential back-off inside a deadline, around a [`Store`] whose methods are single
//! attempts. The SDK's own retries are disabled.

use std::{collections::BTreeSet, future::Future, time::Duration};

use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId};

use crate::{Commit, Consistency, Creation, Deadline, Page, Snapshot, Store, StoreError, Tokens};

/// The people that one attempt of [`Retrying::issued_among`] asks for; DynamoDB takes as many keys in a call
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>).
pub const LOOKUP_USERS_MAX: usize = 100;

/// How long to wait between attempts: a random share of `base · 2ⁿ`, at most `delay_max` ("full jitter",
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// The first wait is at most this.
    pub delay_base: Duration,
    /// No wait is longer than this.
    pub delay_max: Duration,
}

impl Default for Retry {
    /// 20 ms, doubling to 1 s.
    fn default() -> Self {
        Self { delay_base: Duration::from_millis(20), delay_max: Duration::from_secs(1) }
    }
}

impl Retry {
    /// The wait after `failures` failed attempts, of which there was at least one.
    fn delay(self, failures: u32, fraction: f64) -> Duration {
        let doubled = self.delay_base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
        doubled.min(self.delay_max).mul_f64(fraction)
    }
}

/// A store with its retry loop. Cheap to make: one for each invocation, with that invocation's deadline.
#[derive(Debug)]
pub struct Retrying<'a, S> {
    store: &'a S,
    tokens: &'a Tokens,
    deadline: Deadline,
    retry: Retry,
}

impl<'a, S: Store> Retrying<'a, S> {
    /// `store` until `deadline`, with the default waits.
    pub fn new(store: &'a S, tokens: &'a Tokens, deadline: Deadline) -> Self {
        Self { store, tokens, deadline, retry: Retry::default() }
    }

    /// As [`Store::create`]. Where the answer of an attempt was lost, `Exists` may speak of our own head: it is read,
    /// and the same head counts as created.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        let mut outcome_unknown = false;
        let mut failures = 0_u32;
        let creation = loop {
            let error = match self.attempt(self.store.create(head)).await {
                Ok(creation) => break creation,
                Err(error) => error,
            };
            outcome_unknown |= error.is_outcome_unknown();
            failures = failures.saturating_add(1);
            self.wait_after(error, failures).await?;
        };
        if creation == Creation::Exists && outcome_unknown {
            let stored = self.head(&head.coupon_id, Consistency::Strong).await?;
            return Ok(if stored.as_ref() == Some(head) { Creation::Created } else { Creation::Exists });
        }
        Ok(creation)
    }

    /// As [`Store::head`].
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn head(&self, id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        self.repeat(|| self.store.head(id, consistency)).await
    }

    /// As [`Store::issued`].
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn issued(
        &self,
        user: &UserId,
        id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        self.repeat(|| self.store.issued(user, id, consistency)).await
    }

    /// As [`Store::issued_among`], in groups of [`LOOKUP_USERS_MAX`] with attempts of their own: a throttled group does
    /// not undo the answered ones. Were 10,000 people one attempt of 100 calls, a store that refuses one call in five
    /// would never answer it.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn issued_among(&self, id: &CouponId, users: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        let users: Vec<UserId> = users.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = Vec::new();
        for group in users.chunks(LOOKUP_USERS_MAX) {
            found.extend(self.repeat(|| self.store.issued_among(id, group)).await?);
        }
        Ok(found)
    }

    /// As [`Store::snapshot`], again while the head is being moved. Not in groups, as the lookup is: each snapshot is of a
    /// moment of its own, and an outcome has to be told by a head and an item of the same one. Who asks for more people
    /// takes several and keeps each head with its people.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn snapshot(&self, id: &CouponId, users: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        self.repeat(|| self.store.snapshot(id, users)).await
    }

    /// As [`Store::coupons_of`].
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn coupons_of(&self, user: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        self.repeat(|| self.store.coupons_of(user, after, limit)).await
    }

    /// As [`Store::commit`], with a token of its own: a fresh one for each attempt, but the same one from the first
    /// attempt on whose outcome is unknown.
    ///
    /// # Errors
    /// The last attempt's; an earlier one whose outcome was unknown may have committed the chunk, whatever the last says.
    pub async fn commit(&self, chunk: &Chunk) -> Result<Commit, StoreError> {
        let mut token = self.tokens.next();
        let mut outcome_unknown = false;
        let mut failures = 0_u32;
        loop {
            let error = match self.attempt(self.store.commit(chunk, &token)).await {
                Ok(commit) => return Ok(commit),
                Err(error) => error,
            };
            outcome_unknown |= error.is_outcome_unknown();
            failures = failures.saturating_add(1);
            self.wait_after(error, failures).await?;
            if !outcome_unknown {
                token = self.tokens.next();
            }
        }
    }

    async fn repeat<T, F>(&self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut failures = 0_u32;
        loop {
            let error = match self.attempt(call()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures = failures.saturating_add(1);
            self.wait_after(error, failures).await?;
        }
    }

    async fn attempt<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match tokio::time::timeout_at(self.deadline.instant(), call).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(StoreError::Unknown("the deadline passed".into())),
        }
    }

    /// Waits before the next attempt, or gives the error back when there will be none.
    async fn wait_after(&self, error: StoreError, failures: u32) -> Result<(), StoreError> {
        let delay = self.retry.delay(failures, self.tokens.fraction());
        if !error.is_transient() || delay >= self.deadline.left() {
            return Err(error);
        }
        tracing::debug!(%error, failures, ?delay, "store: repeating");
        tokio::time::sleep(delay).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
