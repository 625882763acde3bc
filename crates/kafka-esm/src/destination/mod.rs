//! Where records go that are given up: an SQS queue, an SNS topic or an S3 bucket, each stood for by an HTTP address, or
//! a topic of the same cluster. What is written is `payload.rs`, how it gets there `delivery.rs`.

pub(crate) mod delivery;
pub(crate) mod payload;

use std::collections::BTreeMap;

use hyper::Uri;

/// A destination that can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// SQS, SNS or S3: the payload is sent by POST to the address that stands for the ARN.
    Http {
        uri: Uri,
        /// S3 also receives the event itself.
        with_event: bool,
    },
    /// A topic of the mapping's cluster: one message a record.
    Kafka { topic: String },
}

/// Why records are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    RetryAttemptsExhausted,
    MaximumPayloadSizeExceeded,
    RecordAgeExceeded,
}

impl Condition {
    /// As a destination is told. AWS's samples spell the first differently for a topic than for the others.
    pub(crate) fn as_str(self, destination: &Destination) -> &'static str {
        match (self, destination) {
            (Self::RetryAttemptsExhausted, Destination::Kafka { .. }) => "RetriesExhausted",
            (Self::RetryAttemptsExhausted, Destination::Http { .. }) => "RetryAttemptsExhausted",
            (Self::MaximumPayloadSizeExceeded, _) => "MaximumPayloadSizeExceeded",
            (Self::RecordAgeExceeded, _) => "RecordAgeExceeded",
        }
    }
}

impl Destination {
    /// Reads an ARN or `kafka://topic`; `addresses` stand for the ARNs.
    pub(crate) fn parse(address: &str, addresses: &BTreeMap<String, String>) -> Result<Self, String> {
        if let Some(topic) = address.strip_prefix("kafka://") {
            let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
            let valid = !topic.is_empty() && !topic.starts_with('.') && topic.chars().all(fits);
            return if valid {
                Ok(Self::Kafka { topic: topic.into() })
            } else {
                Err(format!("{address} names no topic; kafka://NAME, of letters, digits, `.`, `_` and `-`"))
            };
        }
        let with_event = match address.split(':').nth(2) {
            Some("sqs" | "sns") if address.starts_with("arn:") => false,
            Some("s3") if address.starts_with("arn:") => true,
            _ => {
                return Err(format!(
                    "the ARN of an SQS queue, an SNS topic or an S3 bucket, or kafka://topic, not {address}"
                ));
            }
        };
        let target = addresses.get(address);
        let target = target.ok_or_else(|| {
            format!(
                "Emulator.destinations has no HTTP address for {address}; add one, which takes the payloads by POST"
            )
        })?;
        let uri = http_uri(target).map_err(|problem| format!("Emulator.destinations: {problem}"))?;
        Ok(Self::Http { uri, with_event })
    }
}

/// A complete `http://host:port/…`; the emulator works on one machine and speaks no TLS to functions.
pub(crate) fn http_uri(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{text} is no address, {error}"))?;
    let complete = uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty());
    if complete { Ok(uri) } else { Err(format!("an address http://host:port/…, not {text}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_an_arn_with_an_address_or_a_topic() {
        let addresses = BTreeMap::from([("arn:aws:s3:::bucket".to_owned(), "http://127.0.0.1:8/x".to_owned())]);
        let parse = |address: &str| Destination::parse(address, &addresses);
        assert!(matches!(parse("arn:aws:s3:::bucket"), Ok(Destination::Http { with_event: true, .. })));
        assert_eq!(parse("kafka://dlq"), Ok(Destination::Kafka { topic: "dlq".into() }));
        for bad in ["kafka://", "kafka://.dlq", "kafka://a b", "arn:aws:sqs:r:1:q", "arn:aws:kinesis:r:1:s", "q"] {
            assert!(parse(bad).unwrap_err().contains(bad), "{bad}");
        }
    }

    #[test]
    fn only_a_complete_http_address_is_taken() {
        assert!(http_uri("http://127.0.0.1:9000/2015-03-31/functions/f/invocations").is_ok());
        for bad in ["https://a/", "127.0.0.1:9000", "/path", "http://", ""] {
            assert!(http_uri(bad).is_err(), "{bad}");
        }
    }
}
