//! What a deployment declares, as data: functions, routes, tables, topics and the mapping. One struct, so that it can be
//! read from `infra/template.yaml` instead of being said twice; until then the values of DESIGN's sections 4, 5, 6
//! and 10 stand here.
//!
//! Nothing of one machine: no port, no path, no endpoint. `sandbox.rs` turns it into running parts.

use std::time::Duration;

use kafka_esm::{KafkaEventSourceConfig, Mapping, ProvisionedPollerConfig};

/// Everything that is deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The HTTP function.
    pub api: Function,
    /// The function that the mapping invokes.
    pub worker: Function,
    /// What the gateway routes.
    pub routes: Vec<Route>,
    /// The tables' names.
    pub tables: TableNames,
    /// The topics.
    pub topics: Topics,
    /// How records reach the worker.
    pub mapping: Mapping,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name, which is also its binary's.
    pub name: String,
    /// Its variables. `${BootstrapServers}` and its kin stand for what only the start knows, see [`Parameters`].
    pub environment: Vec<(String, String)>,
    /// After this, the host ends the environment.
    pub timeout: Duration,
    /// What the host claims to give it, in MB.
    pub memory_mb: u32,
}

/// One route of the HTTP API; all of them lead to the API function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET /coupons/{couponId}`, or `$default`.
    pub key: String,
    /// Whether the gateway lets nobody in without a valid token.
    pub authorized: bool,
}

/// The names of the two tables; their keys are the store's business and fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNames {
    /// The heads, by `couponId`.
    pub coupons: String,
    /// The issued coupons, by `userId` and `couponId`.
    pub user_coupons: String,
}

/// The three topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// What users ask for.
    pub request: Topic,
    /// What was decided.
    pub result: Topic,
    /// What is no request.
    pub dead_letter: Topic,
}

impl Topics {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> [&Topic; 3] {
        [&self.request, &self.result, &self.dead_letter]
    }
}

/// A topic as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it is made with.
    pub partitions: i32,
    /// Its configuration, by Kafka's names.
    pub configuration: Vec<(String, String)>,
}

/// What only the start of a deployment knows, for the placeholders in the functions' variables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters {
    /// `${BootstrapServers}`: `host:port,…`.
    pub bootstrap_servers: String,
    /// `${SecurityProtocol}`.
    pub security_protocol: String,
    /// `${SaslMechanism}`; empty without SASL.
    pub sasl_mechanism: String,
    /// `${SaslSecretArn}`; empty without SASL.
    pub sasl_secret_arn: String,
    /// `${CaSecretArn}`; empty without a private CA.
    pub ca_secret_arn: String,
}

impl Default for Settings {
    fn default() -> Self {
        let tables = TableNames { coupons: "coupons".into(), user_coupons: "user-coupons".into() };
        let topics = topics();
        let (api, worker) = (api(&tables, &topics), worker(&tables, &topics));
        let mapping = mapping(&worker, &topics);
        Self { api, worker, routes: routes(), tables, topics, mapping }
    }
}

impl Function {
    /// Its variables with the placeholders filled. One that comes out empty stays in: the functions read an empty
    /// variable as an absent one, as a template cannot leave one out.
    #[must_use]
    pub fn environment(&self, parameters: &Parameters) -> Vec<(String, String)> {
        self.environment.iter().map(|(name, value)| (name.clone(), parameters.fill(value))).collect()
    }
}

impl Parameters {
    fn fill(&self, template: &str) -> String {
        [
            ("${BootstrapServers}", &self.bootstrap_servers),
            ("${SecurityProtocol}", &self.security_protocol),
            ("${SaslMechanism}", &self.sasl_mechanism),
            ("${SaslSecretArn}", &self.sasl_secret_arn),
            ("${CaSecretArn}", &self.ca_secret_arn),
        ]
        .into_iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// Retention as production has it: the log is what an audit replays.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

fn topics() -> Topics {
    let topic = |name: &str, partitions, more: &[(&str, &str)]| {
        let fixed = [("cleanup.policy", "delete"), ("message.timestamp.type", "LogAppendTime")];
        let mut configuration: Vec<_> =
            fixed.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        configuration.push(("retention.ms".into(), RETENTION.as_millis().to_string()));
        Topic { name: name.into(), partitions, configuration }
    };
    Topics {
        request: topic("coupon-issue-request", 10, &[]),
        result: topic("coupon-issue-result", 10, &[]),
        // A dead record carries its headers and four more, so it needs room beyond the request topic's 1 MiB.
        dead_letter: topic("coupon-issue-dlq", 1, &[("max.message.bytes", "2097152")]),
    }
}

fn kafka_variables() -> Vec<(String, String)> {
    variables(&[
        ("KAFKA_BOOTSTRAP_SERVERS", "${BootstrapServers}"),
        ("KAFKA_SECURITY_PROTOCOL", "${SecurityProtocol}"),
        ("KAFKA_SASL_MECHANISM", "${SaslMechanism}"),
        ("KAFKA_SASL_SECRET_ARN", "${SaslSecretArn}"),
        ("KAFKA_CA_SECRET_ARN", "${CaSecretArn}"),
    ])
}

fn api(tables: &TableNames, topics: &Topics) -> Function {
    let mut environment = variables(&[
        ("COUPONS_TABLE", &tables.coupons),
        ("USER_COUPONS_TABLE", &tables.user_coupons),
        ("REQUEST_TOPIC", &topics.request.name),
        ("HEAD_CACHE_MS", "250"),
    ]);
    environment.extend(kafka_variables());
    Function { name: "issue-api".into(), environment, timeout: Duration::from_secs(10), memory_mb: 512 }
}

fn worker(tables: &TableNames, topics: &Topics) -> Function {
    let mut environment = variables(&[
        ("COUPONS_TABLE", &tables.coupons),
        ("USER_COUPONS_TABLE", &tables.user_coupons),
        ("REQUEST_TOPIC", &topics.request.name),
        ("RESULT_TOPIC", &topics.result.name),
        ("DEAD_LETTER_TOPIC", &topics.dead_letter.name),
    ]);
    environment.extend(kafka_variables());
    Function { name: "issue-worker".into(), environment, timeout: Duration::from_secs(60), memory_mb: 1024 }
}

fn routes() -> Vec<Route> {
    let route = |key: &str, authorized| Route { key: key.into(), authorized };
    vec![
        route("POST /coupons", true),
        route("GET /coupons/{couponId}", false),
        route("POST /coupons/{couponId}/issues", true),
        route("GET /coupons/{couponId}/issues/{requestId}", true),
        route("GET /me/coupons", true),
        // An unknown path reaches the function, which answers 404 or 405; without a token it is a 401.
        route("$default", true),
    ]
}

/// Provisioned, since on-demand pollers take minutes to grow; window 0, so that a lone request is decided at once. Every
/// property that could skip a record is left at its default, which skips none.
fn mapping(worker: &Function, topics: &Topics) -> Mapping {
    let pollers = ProvisionedPollerConfig {
        minimum_pollers: Some(POLLERS),
        maximum_pollers: Some(POLLERS),
        poller_group_name: None,
    };
    Mapping {
        function_name: Some(worker.name.clone()),
        topics: vec![topics.request.name.clone()],
        starting_position: Some("TRIM_HORIZON".into()),
        batch_size: Some(1000),
        maximum_batching_window_in_seconds: Some(0),
        self_managed_kafka_event_source_config: Some(KafkaEventSourceConfig {
            consumer_group_id: Some(worker.name.clone()),
            schema_registry_config: None,
        }),
        provisioned_poller_config: Some(pollers),
        ..Mapping::default()
    }
}

/// At least as many as at most, so that nothing rebalances; two of them run ten invocations at a time, one for each
/// partition.
const POLLERS: i64 = 2;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_told_what_only_the_start_knows() {
        let parameters = Parameters { bootstrap_servers: "127.0.0.1:9701".into(), ..Parameters::default() };
        let environment = Settings::default().api.environment(&parameters);
        let value = |name: &str| environment.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        assert_eq!(value("KAFKA_BOOTSTRAP_SERVERS"), Some("127.0.0.1:9701"));
        assert_eq!(value("KAFKA_SASL_SECRET_ARN"), Some(""));
        assert_eq!(value("REQUEST_TOPIC"), Some("coupon-issue-request"));
        assert!(environment.iter().all(|(_, value)| !value.contains("${")), "{environment:?}");
    }

    #[test]
    fn only_a_look_at_a_coupon_needs_no_token() {
        let open: Vec<_> = Settings::default().routes.into_iter().filter(|route| !route.authorized).collect();
        assert_eq!(open, [Route { key: "GET /coupons/{couponId}".into(), authorized: false }]);
    }
}
