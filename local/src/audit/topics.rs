//! A topic as far as it was read: every record so far, and what is new at each look. How a topic is read is the `kafka`
//! crate's.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka::{ReadRecord, Reader, Span};
use record_log::LogError;

use super::{LogRecord, Place};

/// How often a broker that does not answer is asked.
const ATTEMPTS_MAX: u32 = 4;
/// The wait in between.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// A topic that is read again and again, each record once.
#[derive(Debug)]
pub(super) struct TopicSoFar<'a> {
    reader: &'a Reader,
    name: &'a str,
    next: BTreeMap<i32, i64>,
    /// Every record so far; in order within each partition.
    pub(super) records: Vec<LogRecord>,
}

impl<'a> TopicSoFar<'a> {
    /// Nothing of it is read yet.
    pub(super) const fn new(reader: &'a Reader, name: &'a str) -> Self {
        Self { reader, name, next: BTreeMap::new(), records: Vec::new() }
    }

    /// Reads what is new, up to the present end, and gives the partitions as they were then. A broker that answered
    /// before is asked again.
    pub(super) async fn catch_up(&mut self) -> anyhow::Result<Vec<Span>> {
        let attempts = if self.next.is_empty() { 1 } else { ATTEMPTS_MAX };
        for _ in 1..attempts {
            match self.look().await {
                Err(LogError::Unavailable(_)) => tokio::time::sleep(RETRY_DELAY).await,
                other => return other.map_err(|error| self.unreadable(error)),
            }
        }
        self.look().await.map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, error: LogError) -> anyhow::Error {
        let is_unknown = matches!(error, LogError::UnknownTopic(_));
        let way_out = if is_unknown { " (`cargo local up` makes it; is this the broker of these tables?)" } else { "" };
        anyhow::Error::new(error).context(format!("topic {} cannot be read{way_out}", self.name))
    }

    async fn look(&mut self) -> Result<Vec<Span>, LogError> {
        let spans = self.reader.spans(self.name).await?;
        let next = |span: &Span| self.next.get(&span.partition).copied().unwrap_or(span.start);
        let new: Vec<Span> = spans.iter().map(|span| Span { start: next(span), ..*span }).collect();
        if new.iter().any(|span| span.start < span.end) {
            // Only a whole read counts, so that a repeated one hands over no record twice.
            let mut records = Vec::new();
            self.reader.read(self.name, &new, |read| records.push(record(read))).await?;
            self.records.append(&mut records);
        }
        self.next = spans.iter().map(|span| (span.partition, span.end)).collect();
        Ok(spans)
    }
}

fn record(read: ReadRecord) -> LogRecord {
    LogRecord {
        place: Place { partition: read.partition, offset: read.offset },
        timestamp: read.timestamp_ms,
        key: read.key,
        value: read.value,
        headers: read.headers.into_iter().map(|header| (header.name, header.value)).collect(),
    }
}
