//! What CloudFormation is told. <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>

use serde::Serialize;

use crate::request::{Envelope, physical_id};

/// The longest answer that CloudFormation takes, by the page above.
pub const ANSWER_BYTES_MAX: usize = 4096;

/// What replaces the end of a reason that is too long.
const CUT: &str = "… the function's log has the rest";

/// One answer.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Answer<'a> {
    status: &'static str,
    reason: String,
    physical_resource_id: String,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
}

impl<'a> Answer<'a> {
    /// What came of a request: what was done, or why not.
    pub(crate) fn new(envelope: &'a Envelope, outcome: &Result<String, String>) -> Self {
        let (status, reason) = match outcome {
            Ok(done) => ("SUCCESS", done.clone()),
            Err(why) => ("FAILED", why.clone()),
        };
        Self {
            status,
            reason,
            physical_resource_id: physical_id(envelope),
            stack_id: &envelope.stack_id,
            request_id: &envelope.request_id,
            logical_resource_id: &envelope.logical_resource_id,
        }
    }

    /// As JSON, the reason cut where it would be too long.
    pub(crate) fn to_json(&self) -> String {
        let text = |answer: &Self| serde_json::to_string(answer).unwrap_or_default();
        let whole = text(self);
        if whole.len() <= ANSWER_BYTES_MAX {
            return whole;
        }
        // A character takes up to six bytes in JSON, so whoever cuts by bytes cuts again.
        let mut cut = self.clone();
        let mut kept = self.reason.len();
        while kept > 0 {
            kept = self.reason.floor_char_boundary(kept.saturating_sub(64));
            cut.reason = format!("{}{CUT}", self.reason.get(..kept).unwrap_or_default());
            let shorter = text(&cut);
            if shorter.len() <= ANSWER_BYTES_MAX {
                return shorter;
            }
        }
        text(&cut)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn envelope(physical_id: Option<&str>) -> Envelope {
        serde_json::from_value(json!({
            "ResponseURL": "https://a.example", "RequestType": "Create", "StackId": "arn:aws:cloudformation:…",
            "RequestId": "1", "LogicalResourceId": "Topics", "PhysicalResourceId": physical_id,
        }))
        .unwrap()
    }

    #[test]
    fn a_resource_keeps_the_name_that_it_once_had() {
        let id = |envelope: &Envelope| Answer::new(envelope, &Ok("fine".into())).physical_resource_id;
        assert_eq!(id(&envelope(None)), "kafka-topics-Topics");
        assert_eq!(id(&envelope(Some("older"))), "older");
    }

    #[test]
    fn a_reason_that_is_too_long_is_cut_at_a_character_and_says_so() {
        for reason in ["ä".repeat(5000), "\u{1}\"".repeat(3000), "x".repeat(4096)] {
            let text = Answer::new(&envelope(None), &Err(reason)).to_json();
            assert!(text.len() <= ANSWER_BYTES_MAX && text.len() > ANSWER_BYTES_MAX / 2, "{}", text.len());
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(value["Reason"].as_str().unwrap().ends_with(CUT));
            assert_eq!(value["Status"], "FAILED");
        }
    }
}
