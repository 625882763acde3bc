//! One check a property: what it may be, and what it is without being said. Whatever cannot be goes to the list of
//! problems under the property's name, with the value that was met.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Problems, RETRIES_WITH_DESTINATION, Start};
use crate::client::{SERVERS, SERVERS_ALIAS};
use crate::destination::Destination;
use crate::emulator::{Emulator, Pbr};
use crate::filter::Filters;
use crate::mapping::Mapping;

const WINDOW_DEFAULT: Duration = Duration::from_millis(500);
const DESTINATION_CHARS_MAX: usize = 350;
const FILTERS_MAX: usize = 10;
/// How managed pollers may log in; a mapping has at most one of these.
const LOGINS: [&str; 4] = ["BASIC_AUTH", "SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH"];
const ROOT_CA: &str = "SERVER_ROOT_CA_CERTIFICATE";
const SUBNET: &str = "VPC_SUBNET";
const SECURITY_GROUP: &str = "VPC_SECURITY_GROUP";
/// Kafka's own limit (`org.apache.kafka.common.internals.Topic`).
pub(super) const TOPIC_BYTES_MAX: usize = 249;
const METRIC_GROUPS: [&str; 3] = ["EventCount", "ErrorCount", "KafkaMetrics"];
const LOG_LEVELS: [&str; 3] = ["DEBUG", "INFO", "WARN"];

/// Kafka's rule for a topic's name.
pub(super) fn is_topic(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=TOPIC_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

pub(super) fn to_usize(checked: i64) -> usize {
    usize::try_from(checked).unwrap_or(1)
}

/// Each setting that needs provisioned mode by name, and what the emulator does not do.
pub(super) fn refuse_the_unsupported(mapping: &Mapping, provisioned: bool, problems: &mut Problems) {
    problems.check(mapping.enabled.unwrap_or(true), || {
        "Enabled: false, and a disabled mapping polls nothing; set true or nothing to start it".to_owned()
    });
    let kafka = mapping.self_managed_kafka_event_source_config.as_ref();
    if let Some(given) = kafka.and_then(|config| config.schema_registry_config.as_ref()) {
        problems.add(format!(
            "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig: {given}, but the emulator reads no schema registry; \
             leave it out, and records come as they are in the topic"
        ));
    }
    let needs_provisioned = [
        ("MaximumRetryAttempts", mapping.maximum_retry_attempts.is_some()),
        ("MaximumRecordAgeInSeconds", mapping.maximum_record_age_in_seconds.is_some()),
        ("BisectBatchOnFunctionError", mapping.bisect_batch_on_function_error == Some(true)),
        ("FunctionResponseTypes", !mapping.function_response_types.is_empty()),
        ("LoggingConfig", mapping.logging_config.is_some()),
    ];
    for (name, _) in needs_provisioned.iter().filter(|(_, set)| *set && !provisioned) {
        problems
            .add(format!("{name}: needs provisioned mode; add a ProvisionedPollerConfig, or set Emulator.provisioned"));
    }
}

pub(super) fn bootstrap_servers(
    mapping: &Mapping,
    client: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> String {
    let endpoints = mapping.self_managed_event_source.as_ref().map(|source| &source.endpoints.kafka_bootstrap_servers);
    let of_mapping = endpoints.map(|servers| servers.join(",")).filter(|joined| !joined.is_empty());
    let of_client = client.get(SERVERS).or_else(|| client.get(SERVERS_ALIAS)).cloned();
    let servers = of_client.or(of_mapping).unwrap_or_default().replace(' ', "");
    let address = |server: &str| {
        server
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    problems.check(!servers.is_empty() && servers.split(',').all(address), || {
        format!("SelfManagedEventSource.Endpoints.KafkaBootstrapServers: a list of host:port, not {servers:?}")
    });
    servers
}

/// The managed mapping's group without a chosen id is its own UUID: new with every mapping, which here is every start.
pub(super) fn group(mapping: &Mapping, problems: &mut Problems) -> String {
    let config = mapping.self_managed_kafka_event_source_config.as_ref();
    let group = config.and_then(|config| config.consumer_group_id.clone()).unwrap_or_else(super::random_uuid);
    problems.check((1..=200).contains(&group.chars().count()), || {
        format!("SelfManagedKafkaEventSourceConfig.ConsumerGroupId: 1 to 200 characters, not {group:?}")
    });
    group
}

pub(super) fn start(mapping: &Mapping, problems: &mut Problems) -> Start {
    let timestamp = mapping.starting_position_timestamp;
    let position = mapping.starting_position.as_deref();
    if let Some(seconds) = timestamp.filter(|_| position != Some("AT_TIMESTAMP")) {
        let position = position.unwrap_or("nothing");
        problems.add(format!(
            "StartingPositionTimestamp: {seconds}, but StartingPosition is {position}; set that to AT_TIMESTAMP, or leave \
             the timestamp out"
        ));
    }
    match (position, timestamp) {
        (Some("TRIM_HORIZON"), _) => Start::TrimHorizon,
        (Some("LATEST"), _) => Start::Latest,
        (Some("AT_TIMESTAMP"), Some(seconds)) => {
            // Through text, since a float does not convert into an integer without a cast.
            let millis = format!("{:.0}", seconds * 1000.0).parse().ok().filter(|millis| *millis >= 0);
            problems
                .check(millis.is_some(), || format!("StartingPositionTimestamp: seconds since 1970, not {seconds}"));
            Start::AtTimestamp(millis.unwrap_or(0))
        }
        (Some("AT_TIMESTAMP"), None) => {
            problems.add("StartingPositionTimestamp: missing, AT_TIMESTAMP needs it in seconds since 1970");
            Start::TrimHorizon
        }
        (other, _) => {
            let other = other.unwrap_or("nothing");
            problems.add(format!("StartingPosition: TRIM_HORIZON, LATEST or AT_TIMESTAMP, not {other}"));
            Start::TrimHorizon
        }
    }
}

pub(super) fn window(mapping: &Mapping, problems: &mut Problems) -> Duration {
    let Some(seconds) = mapping.maximum_batching_window_in_seconds else { return WINDOW_DEFAULT };
    let seconds = problems.range("MaximumBatchingWindowInSeconds", Some(seconds), 0, 0..=300);
    Duration::from_secs(seconds.unsigned_abs())
}

/// The emulator runs as many as the minimum says: what the managed mapping would add under load, and when, is not
/// documented well enough to be imitated.
pub(super) fn pollers(mapping: &Mapping, problems: &mut Problems) -> usize {
    let config = mapping.provisioned_poller_config.clone().unwrap_or_default();
    let minimum = problems.range("ProvisionedPollerConfig.MinimumPollers", config.minimum_pollers, 1, 1..=200);
    let maximum = problems.range("ProvisionedPollerConfig.MaximumPollers", config.maximum_pollers, 200, 1..=2000);
    problems.check(minimum <= maximum, || {
        format!("ProvisionedPollerConfig: MinimumPollers {minimum} exceeds MaximumPollers {maximum}")
    });
    to_usize(minimum)
}

pub(super) fn partial_batch_response(mapping: &Mapping, emulator: &Emulator, problems: &mut Problems) -> Option<Pbr> {
    match mapping.function_response_types.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => None,
        ["ReportBatchItemFailures"] => Some(emulator.pbr),
        ref other => {
            problems.add(format!("FunctionResponseTypes: [\"ReportBatchItemFailures\"] or nothing, not {other:?}"));
            None
        }
    }
}

pub(super) fn retries_max(mapping: &Mapping, has_destination: bool, problems: &mut Problems) -> Option<u32> {
    match problems.range("MaximumRetryAttempts", mapping.maximum_retry_attempts, -1, -1..=10_000) {
        -1 if has_destination => Some(RETRIES_WITH_DESTINATION),
        retries => u32::try_from(retries).ok(),
    }
}

pub(super) fn record_age_ms_max(mapping: &Mapping, problems: &mut Problems) -> Option<i64> {
    match mapping.maximum_record_age_in_seconds {
        None | Some(-1) => None,
        age => Some(problems.range("MaximumRecordAgeInSeconds", age, 60, 60..=604_800).saturating_mul(1000)),
    }
}

pub(super) fn filters(mapping: &Mapping, emulator: &Emulator, problems: &mut Problems) -> Filters {
    let filters = mapping.filter_criteria.as_ref().map(|criteria| criteria.filters.as_slice()).unwrap_or_default();
    problems.check(filters.len() <= FILTERS_MAX, || {
        format!("FilterCriteria.Filters: at most {FILTERS_MAX} filters, not {}", filters.len())
    });
    let patterns = filters.iter().map(|filter| filter.pattern.as_str());
    Filters::parse(patterns, emulator.filter_mismatch).unwrap_or_else(|refused| {
        problems.0.extend(refused);
        Filters::default()
    })
}

pub(super) fn destination(
    mapping: &Mapping,
    emulator: &Emulator,
    topic: &str,
    provisioned: bool,
    problems: &mut Problems,
) -> Option<Destination> {
    let address = mapping.destination_config.as_ref()?.on_failure.destination.as_str();
    let name = "DestinationConfig.OnFailure.Destination";
    problems.check(address.chars().count() <= DESTINATION_CHARS_MAX, || {
        format!("{name}: at most {DESTINATION_CHARS_MAX} characters, not {}", address.chars().count())
    });
    let destination = Destination::parse(address, &emulator.destinations);
    if let Ok(Destination::Kafka { topic: target }) = &destination {
        problems.check(provisioned, || {
            format!(
                "{name}: {address} needs provisioned mode; add a ProvisionedPollerConfig, or set Emulator.provisioned"
            )
        });
        problems.check(target != topic, || {
            format!("{name}: {address} is the source topic itself, which would never end; name another topic")
        });
    }
    destination.map_err(|problem| problems.add(format!("{name}: {problem}"))).ok()
}

/// The managed pollers' way in is not used here, but one that could not be deployed is refused all the same.
pub(super) fn access(mapping: &Mapping, problems: &mut Problems) {
    let name = "SourceAccessConfigurations";
    let kinds: Vec<&str> = mapping.source_access_configurations.iter().map(|access| access.kind.as_str()).collect();
    let others = [ROOT_CA, SUBNET, SECURITY_GROUP];
    for (index, kind) in kinds.iter().enumerate() {
        problems.check(LOGINS.contains(kind) || others.contains(kind), || {
            format!("{name}[{index}].Type: one of {}, {}, not {kind}", LOGINS.join(", "), others.join(", "))
        });
    }
    let logins: Vec<&str> = kinds.iter().filter(|kind| LOGINS.contains(*kind)).copied().collect();
    problems.check(logins.len() <= 1, || format!("{name}: one way to log in at most, not {}", logins.join(" and ")));
    for (given, missing) in [(SUBNET, SECURITY_GROUP), (SECURITY_GROUP, SUBNET)] {
        problems.check(!kinds.contains(&given) || kinds.contains(&missing), || {
            format!("{name}: {given} only together with {missing}; add that, or leave both out")
        });
    }
}

/// What changes nothing here, since every metric is there and every log line is written, but has to be deployable.
pub(super) fn observation(mapping: &Mapping, problems: &mut Problems) {
    let groups = mapping.metrics_config.iter().flat_map(|config| &config.metrics);
    for group in groups.filter(|group| !METRIC_GROUPS.contains(&group.as_str())) {
        problems.add(format!("MetricsConfig.Metrics: any of {}, not {group}", METRIC_GROUPS.join(", ")));
    }
    let level = mapping.logging_config.as_ref().and_then(|config| config.system_log_level.as_deref());
    problems.check(level.is_none_or(|level| LOG_LEVELS.contains(&level)), || {
        format!("LoggingConfig.SystemLogLevel: {}, not {}", LOG_LEVELS.join(", "), level.unwrap_or_default())
    });
}
