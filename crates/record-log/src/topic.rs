//! A topic with types: the name, what its keys are, and what its values are as JSON.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::Serialize;

use crate::{Header, LogError, Record};

/// What can be a record's key.
pub trait Key {
    /// The key's bytes; the partition is chosen by them.
    fn key(&self) -> Bytes;
}

impl Key for str {
    fn key(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }
}

impl Key for String {
    fn key(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }
}

/// A topic whose keys are `K` and whose values are `V`, encoded as JSON.
///
/// ```
/// #[derive(serde::Serialize)]
/// struct Order { amount: u32 }
///
/// let orders: record_log::Topic<str, Order> = record_log::Topic::new("orders");
/// let record = orders.record("order-7", &Order { amount: 3 })?;
/// assert_eq!(record.value.as_deref(), Some(br#"{"amount":3}"#.as_slice()));
/// # Ok::<(), record_log::LogError>(())
/// ```
#[derive(Debug)]
pub struct Topic<K: ?Sized, V> {
    name: String,
    types: PhantomData<fn(&K, &V)>,
}

impl<K: Key + ?Sized, V: Serialize> Topic<K, V> {
    /// The topic of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), types: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The record for this key and value, with a `content-type` header; the partition is the key's.
    ///
    /// # Errors
    /// [`LogError::Encode`] when the value has no JSON form.
    pub fn record(&self, key: &K, value: &V) -> Result<Record, LogError> {
        let json = serde_json::to_vec(value).map_err(|source| LogError::Encode(source.to_string()))?;
        Ok(Record {
            topic: self.name.clone(),
            partition: None,
            key: Some(key.key()),
            value: Some(json.into()),
            headers: vec![Header { name: "content-type".into(), value: Some(Bytes::from_static(b"application/json")) }],
        })
    }
}
