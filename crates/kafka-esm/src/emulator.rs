//! The emulator's own switches, beside the mapping's properties: where AWS is silent or known to differ, each of them
//! chooses one behaviour. A function has to be right under all of them.

use std::collections::BTreeMap;

use kafka_event::{Encoder, NullHeader, NullText};
use serde::{Deserialize, Serialize};

/// `Emulator` in a configuration file; the default is what the managed mapping is believed to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Emulator {
    /// What a partial batch response brings back.
    pub pbr: Pbr,
    /// How a null key is written.
    pub null_key: NullText,
    /// How a tombstone is written.
    pub null_value: NullText,
    /// How a header's null value is written.
    pub null_header: NullHeader,
    /// What happens to a value that a filter cannot be applied to.
    pub filter_mismatch: FilterMismatch,
    /// Whether a 200 whose body has `errorType` and `errorMessage` counts as a function error without the header.
    pub lenient_errors: bool,
    /// Provisioned mode; a `ProvisionedPollerConfig` implies it.
    pub provisioned: bool,
    /// Scales every back-off, 1 being a second at first; more than 0.
    pub time_factor: f64,
    /// The function's own time-out in seconds, at most 14 minutes.
    pub function_timeout_seconds: u64,
    /// Where the payload of an SQS, SNS or S3 destination goes by HTTP POST, by ARN.
    pub destinations: BTreeMap<String, String>,
}

impl Default for Emulator {
    fn default() -> Self {
        Self {
            pbr: Pbr::Selective,
            null_key: NullText::Omit,
            null_value: NullText::Omit,
            null_header: NullHeader::Empty,
            filter_mismatch: FilterMismatch::Pass,
            lenient_errors: false,
            provisioned: false,
            time_factor: 1.0,
            function_timeout_seconds: 60,
            destinations: BTreeMap::new(),
        }
    }
}

impl Emulator {
    pub(crate) fn encoder(&self) -> Encoder {
        Encoder { null_key: self.null_key, null_value: self.null_value, null_header: self.null_header }
    }
}

/// What is invoked again after a partial batch response, for each partition with a named record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pbr {
    /// Exactly the named records.
    Selective,
    /// Everything from the lowest named record on.
    Resume,
}

/// What happens to a value that a filter cannot be applied to, such as plain text under a JSON pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FilterMismatch {
    /// It is delivered.
    Pass,
    /// It is filtered out.
    Drop,
}
