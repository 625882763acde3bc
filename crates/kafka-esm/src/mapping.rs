//! The mapping as it is written down: the `Properties` of an `AWS::Lambda::EventSourceMapping` for self-managed Kafka,
//! and beside them `Emulator`. Only the shape is known here; what the values may be is `settings.rs`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::emulator::Emulator;
use crate::error::EsmError;

/// `Properties` of an `AWS::Lambda::EventSourceMapping`. Properties of other sources are unknown here, and refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct Mapping {
    /// Name or ARN, for the destination's payloads; the invocation goes to the address given at the start.
    pub function_name: Option<String>,
    /// Exactly one topic.
    pub topics: Vec<String>,
    /// `TRIM_HORIZON`, `LATEST` or `AT_TIMESTAMP`; counts only while the group has committed nothing.
    pub starting_position: Option<String>,
    /// Seconds since 1970, with `AT_TIMESTAMP`.
    pub starting_position_timestamp: Option<f64>,
    /// Records a batch at most: 1 to 10,000, default 100.
    pub batch_size: Option<i64>,
    /// Whole seconds, 0 to 300; unset is half a second.
    pub maximum_batching_window_in_seconds: Option<i64>,
    /// The brokers.
    pub self_managed_event_source: Option<SelfManagedEventSource>,
    /// The group.
    pub self_managed_kafka_event_source_config: Option<KafkaEventSourceConfig>,
    /// Checked and not used: how the emulator reaches the brokers is said by client properties.
    pub source_access_configurations: Vec<SourceAccessConfiguration>,
    /// Its presence is provisioned mode.
    pub provisioned_poller_config: Option<ProvisionedPollerConfig>,
    /// Up to ten patterns.
    pub filter_criteria: Option<FilterCriteria>,
    /// Where exhausted records go.
    pub destination_config: Option<DestinationConfig>,
    /// −1 (for ever) or 0 to 10,000, the first invocation not counted.
    pub maximum_retry_attempts: Option<i64>,
    /// −1 (for ever) or 60 to 604,800 seconds.
    pub maximum_record_age_in_seconds: Option<i64>,
    /// Halve a batch at a function error.
    pub bisect_batch_on_function_error: Option<bool>,
    /// `ReportBatchItemFailures` or nothing.
    pub function_response_types: Vec<String>,
    /// A mapping that is not enabled does not start.
    pub enabled: Option<bool>,
    /// Checked and not used: every line is written, to the process's own log.
    pub logging_config: Option<LoggingConfig>,
    /// Checked and not used: every metric is always there.
    pub metrics_config: Option<MetricsConfig>,
    /// Accepted and not used.
    pub kms_key_arn: Option<Value>,
    /// Accepted and not used.
    pub tags: Option<Value>,
}

/// Where the brokers are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SelfManagedEventSource {
    /// By kind of endpoint.
    pub endpoints: Endpoints,
}

/// The brokers' addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Endpoints {
    /// Each a `host:port`.
    #[serde(alias = "KAFKA_BOOTSTRAP_SERVERS")]
    pub kafka_bootstrap_servers: Vec<String>,
}

/// What only Kafka has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct KafkaEventSourceConfig {
    /// Unset: a new group at every start.
    pub consumer_group_id: Option<String>,
    /// Refused as unsupported.
    pub schema_registry_config: Option<Value>,
}

/// How the managed pollers would authenticate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceAccessConfiguration {
    /// Such as `SASL_SCRAM_512_AUTH`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// A secret's ARN, a subnet or a security group.
    #[serde(rename = "URI")]
    pub uri: Value,
}

/// Provisioned mode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ProvisionedPollerConfig {
    /// 1 to 200, default 1.
    pub minimum_pollers: Option<i64>,
    /// 1 to 2,000, default 200.
    pub maximum_pollers: Option<i64>,
    /// Accepted and not used.
    pub poller_group_name: Option<String>,
}

/// Patterns of which one must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct FilterCriteria {
    /// Or-ed.
    pub filters: Vec<Filter>,
}

/// One pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Filter {
    /// JSON as text, `{"value": …}`.
    pub pattern: String,
}

/// Where exhausted records go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DestinationConfig {
    /// When a batch has failed for good.
    pub on_failure: OnFailure,
}

/// When a batch has failed for good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct OnFailure {
    /// The ARN of an SQS queue, an SNS topic or an S3 bucket, or `kafka://topic`.
    pub destination: String,
}

/// What the managed mapping logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct LoggingConfig {
    /// `DEBUG`, `INFO` or `WARN`.
    pub system_log_level: Option<String>,
}

/// Which metrics the managed mapping publishes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Any of `EventCount`, `ErrorCount`, `KafkaMetrics`.
    pub metrics: Vec<String>,
}

impl Mapping {
    /// Reads a configuration file's content: the mapping's properties, and `Emulator` among them. A section with nothing in
    /// it, which YAML reads as null, is there and empty: `ProvisionedPollerConfig:` is provisioned mode.
    ///
    /// # Errors
    /// [`EsmError::Refused`] names the key and the value that cannot be.
    pub fn from_value(mut value: Value) -> Result<(Self, Emulator), EsmError> {
        if !value.is_object() {
            return Err(EsmError::Refused(vec![format!("an object of properties, not {value}")]));
        }
        for section in ["/ProvisionedPollerConfig", "/Emulator", "/Emulator/destinations"] {
            if let Some(empty) = value.pointer_mut(section).filter(|found| found.is_null()) {
                *empty = Value::Object(serde_json::Map::new());
            }
        }
        let emulator = value.as_object_mut().and_then(|object| object.remove("Emulator"));
        let emulator = emulator.map_or_else(|| Ok(Emulator::default()), |found| typed(found, "Emulator."))?;
        Ok((typed(value, "")?, emulator))
    }
}

fn typed<T: serde::de::DeserializeOwned>(value: Value, prefix: &str) -> Result<T, EsmError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        EsmError::Refused(vec![format!("{prefix}{path}: {}", error.into_inner())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::Pbr;
    use kafka_event::NullText;
    use serde_json::json;

    fn refusal(value: Value) -> String {
        Mapping::from_value(value).unwrap_err().to_string()
    }

    #[test]
    fn properties_and_switches_stand_in_one_file() {
        let file = json!({"Topics": ["t"], "BatchSize": 10, "StartingPosition": "LATEST",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:1"]}},
            "Emulator": {"pbr": "resume", "null_key": "null", "time_factor": 0.01}});
        let (mapping, emulator) = Mapping::from_value(file).unwrap();
        assert_eq!((mapping.topics, mapping.batch_size), (vec!["t".to_owned()], Some(10)));
        assert_eq!((emulator.pbr, emulator.null_key), (Pbr::Resume, NullText::Null));
        assert_eq!(emulator.function_timeout_seconds, Emulator::default().function_timeout_seconds);
    }

    #[test]
    fn a_section_without_lines_is_there_and_empty() {
        let (mapping, emulator) =
            Mapping::from_value(json!({"ProvisionedPollerConfig": null, "Emulator": null})).unwrap();
        assert_eq!(mapping.provisioned_poller_config, Some(ProvisionedPollerConfig::default()));
        assert_eq!(emulator, Emulator::default());
        let (_, emulator) = Mapping::from_value(json!({"Emulator": {"destinations": null}})).unwrap();
        assert_eq!(emulator, Emulator::default());
        assert!(
            refusal(json!({"Emulator": {"null_key": null}})).contains("Emulator.null_key"),
            "which could be two things"
        );
    }

    #[test]
    fn an_unknown_key_and_a_value_of_the_wrong_type_are_refused_by_name() {
        assert!(refusal(json!({"BatchSizes": 1})).contains("BatchSizes"));
        assert!(refusal(json!({"BatchSize": "many"})).contains("BatchSize: invalid type"));
        assert!(refusal(json!({"EventSourceArn": "arn"})).contains("EventSourceArn"));
        assert!(refusal(json!({"Emulator": {"pbr": "both"}})).contains("Emulator.pbr: unknown variant `both`"));
        assert!(
            refusal(json!({"FilterCriteria": {"Filters": [{"Pattern": 7}]}}))
                .contains("FilterCriteria.Filters[0].Pattern")
        );
        assert!(refusal(json!([])).contains("object of properties"));
    }
}
