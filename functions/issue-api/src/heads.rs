//! The heads that this environment read a moment ago. During a rush everybody asks for the same few; a head that is at
//! most [`HEAD_CACHE_MS_MAX`](crate::config) old makes their refusals free. A miss is never remembered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use coupon::{CouponId, Head, Timestamp};

/// How many heads are kept; beyond it all are forgotten, which costs one read each.
const HEADS_MAX: usize = 1_000;

#[derive(Debug)]
pub(crate) struct Heads {
    age_max: Duration,
    entries: Mutex<HashMap<CouponId, Entry>>,
}

#[derive(Debug)]
struct Entry {
    head: Arc<Head>,
    /// Taken before the read began, so that an entry is never older than it says.
    read_at: Timestamp,
}

impl Heads {
    pub(crate) fn new(age_max: Duration) -> Self {
        Self { age_max, entries: Mutex::default() }
    }

    /// The head, if it was read less than the maximum age ago. A clock that jumped back makes a miss.
    pub(crate) fn get(&self, coupon_id: &CouponId, now: Timestamp) -> Option<Arc<Head>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(coupon_id)?;
        let age_ms = u64::try_from(now.millis().saturating_sub(entry.read_at.millis())).ok()?;
        (Duration::from_millis(age_ms) < self.age_max).then(|| Arc::clone(&entry.head))
    }

    /// Remembers a head whose read began at `read_at`.
    pub(crate) fn put(&self, head: &Arc<Head>, read_at: Timestamp) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= HEADS_MAX && !entries.contains_key(&head.coupon_id) {
            entries.clear();
        }
        entries.insert(head.coupon_id.clone(), Entry { head: Arc::clone(head), read_at });
    }
}
