//! The event's JSON from records that are encoded already, and how much it weighs before it is written.

use bytes::Bytes;
use kafka_event::Encoder;

use crate::record::Record;
use crate::settings::Settings;

/// Sums up what an event will weigh, so that a batch ends before the record that does not fit.
#[derive(Debug, Clone)]
pub(crate) struct Weight {
    bytes: usize,
}

impl Weight {
    /// An event without records.
    pub(crate) fn empty(settings: &Settings) -> Self {
        Self { bytes: event(settings, &[]).len() }
    }

    /// With one more record; `first` of its partition or not.
    pub(crate) fn plus(&self, settings: &Settings, record: &Record, first: bool) -> Self {
        // `,` before a record of the same partition; `,"topic-7":[]` at most before the first of another.
        let around = if first { settings.partition_key(record.partition).len() + r#","":[]"#.len() } else { 1 };
        Self { bytes: self.bytes + around + record.json.len() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The event of these records, which are sorted by partition.
pub(crate) fn event(settings: &Settings, records: &[Record]) -> Bytes {
    let json: usize = records.iter().map(|record| record.json.len() + 1).sum();
    let mut out = String::with_capacity(json + 1024);
    let partitions = records.chunk_by(|a, b| a.partition == b.partition);
    let keyed: Vec<(String, &[Record])> =
        partitions.filter_map(|records| Some((settings.partition_key(records.first()?.partition), records))).collect();
    let parts = keyed.iter().map(|(key, records)| {
        // What the encoder wrote is UTF-8.
        (key.as_str(), records.iter().map(|record| std::str::from_utf8(&record.json).unwrap_or("null")))
    });
    Encoder::event(&mut out, &settings.bootstrap_servers, parts);
    Bytes::from(out)
}
