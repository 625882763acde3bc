//! The mapping with every value checked: what the rest of the crate works with. All that is wrong is refused at once,
//! each value by its property's name, with what it may be.
//!
//! What each property may be is `checks.rs`.

mod checks;

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_event::Encoder;

use crate::destination::Destination;
use crate::emulator::{Emulator, Pbr};
use crate::error::EsmError;
use crate::filter::Filters;
use crate::mapping::Mapping;

/// What an invocation's request may weigh: the managed mapping's 6 MB, taken as 6 MiB of JSON.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// A poller's invocations at the same time; documented for the managed poller.
pub(crate) const INVOKES_PER_POLLER_MAX: usize = 5;
/// An infinite retry with a destination ends after this many; documented.
pub(crate) const RETRIES_WITH_DESTINATION: u32 = 10;
/// A Kafka mapping's function may not run longer, although Lambda allows 15 minutes; documented.
const FUNCTION_TIMEOUT_SECONDS_MAX: u64 = 14 * 60;
const BATCH_SIZE_DEFAULT: i64 = 100;

/// Where a group without a commit begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    TrimHorizon,
    Latest,
    /// Milliseconds since 1970.
    AtTimestamp(i64),
}

/// A mapping that can run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) function: String,
    pub(crate) topic: String,
    /// Joined with commas, as the event has it.
    pub(crate) bootstrap_servers: String,
    pub(crate) group: String,
    pub(crate) start: Start,
    pub(crate) batch_size: usize,
    pub(crate) window: Duration,
    pub(crate) pollers: usize,
    /// `None`: the response's body is not looked at.
    pub(crate) pbr: Option<Pbr>,
    /// `None` is for ever.
    pub(crate) retries_max: Option<u32>,
    /// In milliseconds; `None` is any age.
    pub(crate) record_age_ms_max: Option<i64>,
    pub(crate) bisect: bool,
    pub(crate) destination: Option<Destination>,
    pub(crate) filters: Filters,
    pub(crate) encoder: Encoder,
    pub(crate) lenient_errors: bool,
    pub(crate) time_factor: f64,
    pub(crate) function_timeout: Duration,
}

/// Collects what is wrong, so that one start names everything.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    fn check(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.add(problem());
        }
    }

    fn range(&mut self, name: &str, value: Option<i64>, default: i64, allowed: std::ops::RangeInclusive<i64>) -> i64 {
        let value = value.unwrap_or(default);
        self.check(allowed.contains(&value), || {
            format!("{name}: {value} is not in {} to {}", allowed.start(), allowed.end())
        });
        value
    }
}

impl Settings {
    /// Checks everything; `client` are the librdkafka properties, whose brokers win.
    pub(crate) fn new(
        mapping: &Mapping,
        emulator: &Emulator,
        client: &BTreeMap<String, String>,
    ) -> Result<Self, EsmError> {
        let mut problems = Problems::default();
        let provisioned = emulator.provisioned || mapping.provisioned_poller_config.is_some();
        checks::refuse_the_unsupported(mapping, provisioned, &mut problems);
        checks::access(mapping, &mut problems);
        checks::observation(mapping, &mut problems);
        let topic = mapping.topics.first().cloned().unwrap_or_default();
        problems.check(mapping.topics.len() == 1, || format!("Topics: exactly one topic, not {:?}", mapping.topics));
        problems.check(topic.is_empty() || checks::is_topic(&topic), || {
            format!("Topics: 1 to {} letters, digits, `.`, `_` and `-`, not {topic:?}", checks::TOPIC_BYTES_MAX)
        });
        let destination = checks::destination(mapping, emulator, &topic, provisioned, &mut problems);
        let settings = Self {
            function: mapping.function_name.clone().unwrap_or_else(|| "function".to_owned()),
            bootstrap_servers: checks::bootstrap_servers(mapping, client, &mut problems),
            group: checks::group(mapping, &mut problems),
            start: checks::start(mapping, &mut problems),
            batch_size: checks::to_usize(problems.range(
                "BatchSize",
                mapping.batch_size,
                BATCH_SIZE_DEFAULT,
                1..=10_000,
            )),
            window: checks::window(mapping, &mut problems),
            pollers: checks::pollers(mapping, &mut problems),
            pbr: checks::partial_batch_response(mapping, emulator, &mut problems),
            retries_max: checks::retries_max(mapping, destination.is_some(), &mut problems),
            record_age_ms_max: checks::record_age_ms_max(mapping, &mut problems),
            bisect: mapping.bisect_batch_on_function_error.unwrap_or(false),
            filters: checks::filters(mapping, emulator, &mut problems),
            encoder: emulator.encoder(),
            lenient_errors: emulator.lenient_errors,
            time_factor: emulator.time_factor,
            function_timeout: Duration::from_secs(emulator.function_timeout_seconds),
            topic,
            destination,
        };
        problems.check(emulator.time_factor.is_finite() && emulator.time_factor > 0.0, || {
            format!("Emulator.time_factor: {} is not more than 0", emulator.time_factor)
        });
        problems.check((1..=FUNCTION_TIMEOUT_SECONDS_MAX).contains(&emulator.function_timeout_seconds), || {
            let given = emulator.function_timeout_seconds;
            format!("Emulator.function_timeout_seconds: {given} is not in 1 to {FUNCTION_TIMEOUT_SECONDS_MAX}")
        });
        if problems.0.is_empty() { Ok(settings) } else { Err(EsmError::Refused(problems.0)) }
    }

    /// `topic-partition`, the key of the event's map.
    pub(crate) fn partition_key(&self, partition: i32) -> String {
        format!("{}-{partition}", self.topic)
    }

    /// Which poller owns a partition: only partitions of one poller share a batch.
    pub(crate) fn poller_of(&self, partition: i32) -> usize {
        usize::try_from(partition).unwrap_or(0) % self.pollers.max(1)
    }

    /// How long an invocation may take before it counts as the function's time-out.
    pub(crate) fn invoke_timeout(&self) -> Duration {
        self.function_timeout + Duration::from_secs(1)
    }
}

/// 16 random bytes in the form of a UUID of version 4.
pub(crate) fn random_uuid() -> String {
    let bits = (fastrand::u128(..) & !(0xF << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default().to_owned());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use serde_json::{Value, json};

    fn settings(changes: Value) -> Result<Settings, EsmError> {
        let mut file = json!({"Topics": ["t"], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": ["a:1", "b:2"]}}});
        for (key, value) in changes.as_object().unwrap() {
            file[key] = value.clone();
        }
        let (mapping, emulator) = Mapping::from_value(file).unwrap();
        Settings::new(&mapping, &emulator, &BTreeMap::new())
    }

    fn problems(changes: Value) -> Vec<String> {
        match settings(changes) {
            Err(EsmError::Refused(problems)) => problems,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_defaults_are_the_managed_mappings() {
        let settings = settings(json!({})).unwrap();
        assert_eq!((settings.batch_size, settings.window, settings.pollers), (100, Duration::from_millis(500), 1));
        assert_eq!((settings.retries_max, settings.record_age_ms_max, settings.bisect), (None, None, false));
        assert_eq!(settings.bootstrap_servers, "a:1,b:2");
        assert_eq!(settings.group.len(), 36, "a UUID: {}", settings.group);
    }

    #[test]
    fn every_impossible_value_is_named_at_once() {
        let found = problems(json!({"BatchSize": 0, "MaximumBatchingWindowInSeconds": 301, "Topics": ["a", "b"],
            "StartingPosition": "NOW", "SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": ["a"]}},
            "Emulator": {"time_factor": 0.0, "function_timeout_seconds": 841, "provisioned": true},
            "FunctionResponseTypes": ["All"], "MaximumRetryAttempts": 10_001, "MaximumRecordAgeInSeconds": 59}));
        let named = [
            "BatchSize",
            "MaximumBatchingWindowInSeconds",
            "Topics",
            "StartingPosition",
            "KafkaBootstrapServers",
            "time_factor",
            "function_timeout_seconds",
            "FunctionResponseTypes",
            "MaximumRetryAttempts",
            "MaximumRecordAgeInSeconds",
        ];
        for name in named {
            assert!(found.iter().any(|problem| problem.contains(name)), "{name} in {found:?}");
        }
        assert_eq!(found.len(), named.len(), "{found:?}");
    }

    #[test]
    fn c56_c42_what_needs_provisioned_mode_is_refused_without_it_each_by_name() {
        let settings_of_provisioned = json!({"MaximumRetryAttempts": 1, "MaximumRecordAgeInSeconds": 60,
            "BisectBatchOnFunctionError": true, "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Destination": "kafka://dlq"}}, "LoggingConfig": {}});
        let found = problems(settings_of_provisioned.clone());
        let named: BTreeSet<&str> = found.iter().filter_map(|problem| Some(problem.split_once(':')?.0)).collect();
        let expected = [
            "MaximumRetryAttempts",
            "MaximumRecordAgeInSeconds",
            "BisectBatchOnFunctionError",
            "FunctionResponseTypes",
            "DestinationConfig.OnFailure.Destination",
            "LoggingConfig",
        ];
        assert_eq!(named, expected.into(), "{found:?}");
        assert_eq!(found.len(), expected.len(), "each once: {found:?}");
        assert!(found.iter().all(|problem| problem.contains("provisioned mode")), "{found:?}");
        let mut provisioned = settings_of_provisioned;
        provisioned["ProvisionedPollerConfig"] = json!({"MinimumPollers": 2, "MaximumPollers": 2});
        assert_eq!(settings(provisioned).unwrap().pollers, 2);
        let arn = "arn:aws:sqs:us-east-1:123456789012:q";
        let alone = json!({"DestinationConfig": {"OnFailure": {"Destination": arn}},
            "Emulator": {"destinations": {arn: "http://127.0.0.1:1/"}}});
        assert_eq!(settings(alone).unwrap().retries_max, Some(RETRIES_WITH_DESTINATION));
    }

    #[test]
    fn c29_a_function_that_may_run_longer_than_14_minutes_is_refused() {
        let timeout = |seconds: u64| settings(json!({"Emulator": {"function_timeout_seconds": seconds}}));
        assert_eq!(timeout(840).unwrap().function_timeout, Duration::from_secs(14 * 60));
        for seconds in [0, 841, 900] {
            assert!(timeout(seconds).unwrap_err().to_string().contains("function_timeout_seconds"), "{seconds}");
        }
    }

    #[test]
    fn a_start_at_a_time_needs_the_time_in_seconds() {
        let at = json!({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_795_143_600});
        assert_eq!(settings(at).unwrap().start, Start::AtTimestamp(1_795_143_600_000));
        assert!(problems(json!({"StartingPosition": "AT_TIMESTAMP"}))[0].contains("StartingPositionTimestamp"));
        let unused = &problems(json!({"StartingPositionTimestamp": 5}))[0];
        assert!(unused.starts_with("StartingPositionTimestamp: 5, but StartingPosition is TRIM_HORIZON;"), "{unused}");
        let before = json!({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": -5});
        assert!(problems(before)[0].contains("-5"));
    }

    #[test]
    fn what_could_not_be_deployed_is_refused_although_it_is_not_used() {
        let access = |kinds: &[&str]| {
            let entries: Vec<Value> = kinds.iter().map(|kind| json!({"Type": kind, "URI": "arn:x"})).collect();
            json!({"SourceAccessConfigurations": entries})
        };
        settings(access(&["SASL_SCRAM_512_AUTH", "SERVER_ROOT_CA_CERTIFICATE", "VPC_SUBNET", "VPC_SECURITY_GROUP"]))
            .unwrap();
        for (kinds, word) in [
            (&["KERBEROS"][..], "SourceAccessConfigurations[0].Type"),
            (&["BASIC_AUTH", "SASL_SCRAM_512_AUTH"], "BASIC_AUTH and SASL_SCRAM_512_AUTH"),
            (&["VPC_SUBNET"], "only together"),
        ] {
            assert!(problems(access(kinds))[0].contains(word), "{word}");
        }
        let metrics = json!({"MetricsConfig": {"Metrics": ["EventCount", "Everything"]}});
        assert!(problems(metrics)[0].contains("not Everything"));
        let logging = json!({"ProvisionedPollerConfig": {}, "LoggingConfig": {"SystemLogLevel": "LOUD"}});
        assert!(problems(logging)[0].contains("not LOUD"));
    }

    #[test]
    fn c42_a_destination_topic_must_not_be_the_source() {
        let own =
            json!({"ProvisionedPollerConfig": {}, "DestinationConfig": {"OnFailure": {"Destination": "kafka://t"}}});
        assert!(problems(own)[0].contains("source topic"));
    }

    #[test]
    fn a_random_group_has_the_form_of_a_uuid() {
        let uuid = random_uuid();
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    }
}
