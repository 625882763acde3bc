//! From a record's bytes to the event's JSON, as the managed mapping writes it: base64 with padding, header bytes as
//! signed numbers, and the three places where AWS is known to have written a null in two ways as switches.
//!
//! Writes straight into one string, without an intermediate value: the emulator encodes every record once, when it is
//! polled, and joins the pieces for each invocation.

use std::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::event::{KafkaEvent, KafkaRecord};

/// How a null key or value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NullText {
    /// The field is left out.
    #[default]
    Omit,
    /// The field is there, as `null`.
    Null,
}

/// How a header's null value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NullHeader {
    /// As no bytes: `[]`.
    #[default]
    Empty,
    /// As `null`.
    Null,
}

/// Writes records and events. The default switches are the emulator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoder {
    /// A record without a key.
    pub null_key: NullText,
    /// A tombstone.
    pub null_value: NullText,
    /// A header without a value.
    pub null_header: NullHeader,
}

/// A record to write, borrowed from wherever its bytes are.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition's number.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// `CREATE_TIME` or `LOG_APPEND_TIME`.
    pub timestamp_type: &'a str,
    /// Any bytes, or null.
    pub key: Option<&'a [u8]>,
    /// Any bytes, or null.
    pub value: Option<&'a [u8]>,
    /// In the producer's order.
    pub headers: &'a [HeaderView<'a>],
}

/// A header to write: its name, and its value, which may be null.
pub type HeaderView<'a> = (&'a str, Option<&'a [u8]>);

impl Encoder {
    /// Appends one record's object.
    pub fn record(&self, out: &mut String, record: &RecordView<'_>) {
        out.push_str(r#"{"topic":"#);
        push_string(out, record.topic);
        push(out, format_args!(r#","partition":{},"offset":{}"#, record.partition, record.offset));
        push(out, format_args!(r#","timestamp":{},"timestampType":"#, record.timestamp));
        push_string(out, record.timestamp_type);
        push_bytes(out, r#","key":"#, record.key, self.null_key);
        push_bytes(out, r#","value":"#, record.value, self.null_value);
        out.push_str(r#","headers":["#);
        for (index, (name, value)) in record.headers.iter().enumerate() {
            out.push_str(if index == 0 { "{" } else { ",{" });
            push_string(out, name);
            out.push(':');
            self.push_header_value(out, *value);
            out.push('}');
        }
        out.push_str("]}");
    }

    /// Appends an event's object of records that are encoded already: for each partition its key and its records.
    pub fn event<'a, R>(out: &mut String, bootstrap_servers: &str, partitions: impl IntoIterator<Item = (&'a str, R)>)
    where
        R: IntoIterator<Item = &'a str>,
    {
        out.push_str(r#"{"eventSource":"SelfManagedKafka","bootstrapServers":"#);
        push_string(out, bootstrap_servers);
        out.push_str(r#","records":{"#);
        for (nth, (key, records)) in partitions.into_iter().enumerate() {
            if nth > 0 {
                out.push(',');
            }
            push_string(out, key);
            out.push_str(":[");
            for (nth, record) in records.into_iter().enumerate() {
                if nth > 0 {
                    out.push(',');
                }
                out.push_str(record);
            }
            out.push(']');
        }
        out.push_str("}}");
    }

    /// The whole event as JSON. A [`crate::BadRecord`] has no form in which it could be sent, and is left out.
    #[must_use]
    pub fn whole_event(&self, event: &KafkaEvent) -> String {
        let encode = |record: &KafkaRecord| {
            let headers: Vec<HeaderView<'_>> =
                record.headers.iter().map(|header| (header.name.as_str(), header.value.as_deref())).collect();
            let mut out = String::new();
            self.record(&mut out, &record.view(&headers));
            out
        };
        let partitions: Vec<(&str, Vec<String>)> = event
            .partitions
            .iter()
            .map(|partition| (partition.key.as_str(), partition.records.iter().flatten().map(encode).collect()))
            .collect();
        let mut out = String::new();
        let borrowed = partitions.iter().map(|(key, records)| (*key, records.iter().map(String::as_str)));
        Self::event(&mut out, &event.bootstrap_servers, borrowed);
        out
    }

    fn push_header_value(&self, out: &mut String, value: Option<&[u8]>) {
        let bytes = match (value, self.null_header) {
            (Some(bytes), _) => bytes,
            (None, NullHeader::Empty) => &[],
            (None, NullHeader::Null) => return out.push_str("null"),
        };
        out.push('[');
        for (index, byte) in bytes.iter().enumerate() {
            // Signed, for the managed mapping's byte is Java's: 0xEB is −21.
            let signed = i8::from_ne_bytes([*byte]);
            push(out, format_args!("{}{signed}", if index == 0 { "" } else { "," }));
        }
        out.push(']');
    }
}

impl KafkaRecord {
    /// The record as something to write; its headers come from the caller, since a view owns nothing.
    #[must_use]
    pub fn view<'a>(&'a self, headers: &'a [HeaderView<'a>]) -> RecordView<'a> {
        RecordView {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp: self.timestamp,
            timestamp_type: self.timestamp_type.as_str(),
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        }
    }
}

fn push_bytes(out: &mut String, field: &str, bytes: Option<&[u8]>, null: NullText) {
    match (bytes, null) {
        (Some(bytes), _) => {
            out.push_str(field);
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        (None, NullText::Null) => {
            out.push_str(field);
            out.push_str("null");
        }
        (None, NullText::Omit) => {}
    }
}

/// A JSON string. Nearly every name is plain, so the escaping is only asked for where it is needed.
fn push_string(out: &mut String, text: &str) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        push(out, format_args!("{}", serde_json::Value::from(text)));
    }
}

fn push(out: &mut String, arguments: fmt::Arguments<'_>) {
    // Writing into a string cannot fail; its error exists for other writers.
    out.write_fmt(arguments).unwrap_or_default();
}
