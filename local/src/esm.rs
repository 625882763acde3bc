//! `cargo local esm`: the event source mapping emulator by itself, between any Kafka topic and any function behind an
//! Invoke address. Flags and file become a mapping here; what it does is the `kafka-esm` crate.
//!
//! Stdout carries two JSON lines: one when the mapping is a member of its group, one with all numbers at its end.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use clap::Args;
use kafka_esm::{Emulator, EsmError, Mapping, Metrics, Running, SelfManagedEventSource};
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::EXIT_USAGE;

const AFTER_HELP: &str = "\
Example, with a function that `cargo lambda watch` runs:

  cargo local esm --bootstrap-servers 127.0.0.1:9092 --topic orders --config mapping.yaml \\
      --invoke http://127.0.0.1:9000/2015-03-31/functions/orders-worker/invocations --metrics-port 9400

mapping.yaml, of which StartingPosition alone has to be there. Any other line may be left out, with
what is indented below it, and is asked for by name where another line needs it:

  StartingPosition: TRIM_HORIZON        # or LATEST; or AT_TIMESTAMP, with
                                        # StartingPositionTimestamp: SECONDS since 1970
  FunctionName: orders-worker           # as a destination is told; unset is the NAME of --invoke
  BatchSize: 100                        # 1 to 10000
  MaximumBatchingWindowInSeconds: 1     # 0 to 300; unset is half a second
  SelfManagedKafkaEventSourceConfig:
    ConsumerGroupId: orders-worker      # unset is a new group at every start
  FilterCriteria:
    Filters: [{Pattern: '{\"value\":{\"kind\":[\"order\"]}}'}]
  ProvisionedPollerConfig:              # provisioned mode, which the next four need
    MinimumPollers: 1
  FunctionResponseTypes: [ReportBatchItemFailures]
  MaximumRetryAttempts: 3               # -1 is for ever
  MaximumRecordAgeInSeconds: 3600
  BisectBatchOnFunctionError: true
  DestinationConfig:                    # an ARN, or kafka://TOPIC in provisioned mode
    OnFailure: {Destination: 'arn:aws:sqs:us-east-1:123456789012:failed'}
  Emulator:                             # where AWS is silent; all optional
    pbr: selective                      # or resume: from the lowest named on
    null_key: omit                      # or 'null', in quotes
    null_value: omit                    # or 'null'
    null_header: empty                  # or 'null'
    filter_mismatch: pass               # or drop: what no filter applies to
    lenient_errors: false               # true: errorType alone is an error
    provisioned: false                  # true: without the config above
    time_factor: 1                      # scales the back-off of 1 to 30 s
    function_timeout_seconds: 60        # at most 840
    destinations:                       # who takes an ARN's payloads, by POST
      'arn:aws:sqs:us-east-1:123456789012:failed': http://127.0.0.1:8080/

It ends by SIGTERM or Ctrl-C: when the invocations and deliveries under way have ended, and no
more than some ten seconds later, whatever the brokers do. A second one ends it at once.

Exit codes: 0 after SIGTERM or Ctrl-C, 2 for a flag or a file that is refused, 1 for everything else.";

const TWICE: &str = "told to end twice, it waits for nothing: what is not committed is redelivered";

/// `esm`: from where to where.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP, after_help = "--help shows an example and what FILE may hold")]
pub struct EsmOptions {
    /// The brokers, as HOST:PORT,HOST:PORT; they win over the file's
    #[arg(long, value_name = "HOST:PORT,…")]
    pub bootstrap_servers: String,
    /// The topic; a file's `Topics` has to name the same
    #[arg(long)]
    pub topic: String,
    /// The function's complete Invoke address: http://HOST:PORT/2015-03-31/functions/NAME/invocations
    #[arg(long, value_name = "URL")]
    pub invoke: String,
    /// librdkafka properties for brokers that want TLS or SASL (security.protocol=…, sasl.username=…, one a line)
    #[arg(long, value_name = "FILE")]
    pub kafka_config: Option<PathBuf>,
    /// YAML or JSON: the `Properties` of an AWS::Lambda::EventSourceMapping, and beside them `Emulator:` with the
    /// emulator's own switches. Without it: TRIM_HORIZON, and a group of its own
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve the metrics at http://127.0.0.1:N/metrics in Prometheus' text format, or as JSON to those who accept that
    #[arg(long, value_name = "N")]
    pub metrics_port: Option<u16>,
}

/// Runs the mapping until SIGINT or SIGTERM.
///
/// # Errors
/// The brokers do not answer, or the mapping ends by itself. What is refused is said, with exit code 2.
pub async fn run(options: &EsmOptions) -> anyhow::Result<ExitCode> {
    // From the first moment on, so that a signal never ends the process in between.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (mapping, emulator, client) = match configured(options) {
        Ok(configured) => configured,
        Err(refused) => return Ok(refuse(&refused)),
    };
    // Before the mapping, which would otherwise have to be taken back when the port is taken.
    let listener = listen(options.metrics_port).await?;
    let starting = kafka_esm::start(&mapping, &emulator, client, &options.invoke);
    let running = tokio::select! {
        started = starting => match started {
            Ok(running) => Arc::new(running),
            Err(refused @ EsmError::Refused(_)) => return Ok(refuse(&refused.into())),
            Err(error) => return Err(error.into()),
        },
        _ = terminate.recv() => return Ok(ended(Metrics::default())),
        _ = interrupt.recv() => return Ok(ended(Metrics::default())),
    };
    let served = listener.map(|listener| serve_metrics(listener, Arc::clone(&running)));
    let ready = async {
        if running.ready().await.is_ok() {
            println!("{}", json!({"ready": true, "topic": running.topic(), "group": running.group()}));
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = ready => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = running.ended() => {}
    }
    let stopped = tokio::select! {
        stopped = running.stop() => stopped,
        // Invocations may run for minutes, and the broker has its time; who asks twice waits for neither.
        _ = terminate.recv() => bail!(TWICE),
        _ = interrupt.recv() => bail!(TWICE),
    };
    if let Some(task) = served {
        task.abort();
    }
    match stopped {
        Ok(metrics) => Ok(ended(metrics)),
        Err(fault) => {
            ended(running.metrics().await);
            Err(fault.into())
        }
    }
}

fn refuse(refused: &anyhow::Error) -> ExitCode {
    eprintln!("error: {refused:#}");
    ExitCode::from(EXIT_USAGE)
}

/// The last line.
fn ended(metrics: Metrics) -> ExitCode {
    println!("{}", json!({"metrics": metrics}));
    ExitCode::SUCCESS
}

/// What flags and files say together. Every error is one of usage.
fn configured(options: &EsmOptions) -> anyhow::Result<(Mapping, Emulator, BTreeMap<String, String>)> {
    let file = match &options.config {
        Some(path) => read(path)?,
        None => json!({"StartingPosition": "TRIM_HORIZON"}),
    };
    let connection = crate::broker::connection(&options.bootstrap_servers, options.kafka_config.as_deref())?;
    let (mapping, emulator) = with_flags(Mapping::from_value(file)?, options)?;
    Ok((mapping, emulator, connection.for_consumer().properties().clone()))
}

/// Flags win, but for a topic: two different ones are a mistake, whichever is meant.
fn with_flags(
    (mut mapping, emulator): (Mapping, Emulator),
    options: &EsmOptions,
) -> Result<(Mapping, Emulator), EsmError> {
    if mapping.topics.iter().any(|topic| *topic != options.topic) {
        let problem = format!("Topics: {:?} in the file, but --topic {}", mapping.topics, options.topic);
        return Err(EsmError::Refused(vec![problem]));
    }
    mapping.topics = vec![options.topic.clone()];
    let endpoints = kafka_esm::Endpoints {
        kafka_bootstrap_servers: options.bootstrap_servers.split(',').map(|server| server.trim().to_owned()).collect(),
    };
    mapping.self_managed_event_source = Some(SelfManagedEventSource { endpoints });
    let name = options.invoke.split("/functions/").nth(1).and_then(|rest| rest.split('/').next());
    mapping.function_name = mapping.function_name.or_else(|| name.map(str::to_owned));
    Ok((mapping, emulator))
}

/// A file as JSON, which YAML 1.2 is a superset of.
fn read(path: &Path) -> anyhow::Result<Value> {
    let named = || format!("--config {}", path.display());
    let text = crate::cli::read_file("--config", path, "YAML or JSON")?;
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(&text).with_context(named);
    }
    let documents = Yaml::load_from_str(&text).with_context(named)?;
    match &documents[..] {
        [document] => json_of(document).with_context(named),
        [] => Ok(json!({})),
        _ => bail!("{}: {} documents, expected one", named(), documents.len()),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else the parser knows is no plain value")]
fn json_of(yaml: &Yaml<'_>) -> anyhow::Result<Value> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(truth)) => json!(truth),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(elements) => elements.iter().map(json_of).collect::<anyhow::Result<_>>()?,
        Yaml::Mapping(entries) => {
            let entry = |(key, value): (&Yaml<'_>, &Yaml<'_>)| {
                let key = key.as_str().with_context(|| format!("a key must be text, not {key:?}"))?;
                Ok((key.to_owned(), json_of(value)?))
            };
            Value::Object(entries.iter().map(entry).collect::<anyhow::Result<_>>()?)
        }
        // `!Ref` and `!GetAtt` stand for values that only a deployment knows.
        other => bail!("expected plain values, without tags and aliases, not {other:?}"),
    })
}

async fn listen(port: Option<u16>) -> anyhow::Result<Option<TcpListener>> {
    let Some(port) = port else { return Ok(None) };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.map(Some).with_context(|| format!("--metrics-port {port} cannot be listened on; give another one"))
}

fn serve_metrics(listener: TcpListener, running: Arc<Running>) -> tokio::task::JoinHandle<()> {
    let router = Router::new().route("/metrics", get(metrics)).with_state(running);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the metrics are no longer served");
        }
    })
}

async fn metrics(State(running): State<Arc<Running>>, headers: HeaderMap) -> Response {
    let metrics = running.metrics().await;
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/json") {
        return Json(json!({"metrics": metrics})).into_response();
    }
    let text = metrics.exposition(&[("topic", running.topic()), ("group", running.group())]);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> EsmOptions {
        EsmOptions {
            bootstrap_servers: "a:1, b:2".into(),
            topic: "t".into(),
            invoke: "http://127.0.0.1:1/2015-03-31/functions/worker/invocations".into(),
            kafka_config: None,
            config: None,
            metrics_port: None,
        }
    }

    fn read_text(text: &str) -> anyhow::Result<Value> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        read(file.path())
    }

    #[test]
    fn a_file_is_yaml_or_json() {
        let yaml =
            "StartingPosition: LATEST\nBatchSize: 10\nTopics:\n  - t\nEmulator:\n  time_factor: 0.01\n  pbr: resume\n";
        let json = r#"{"StartingPosition":"LATEST","BatchSize":10,"Topics":["t"],"Emulator":{"time_factor":0.01,"pbr":"resume"}}"#;
        assert_eq!(read_text(yaml).unwrap(), serde_json::from_str::<Value>(json).unwrap());
        assert_eq!(read_text(json).unwrap(), read_text(yaml).unwrap());
        for bad in ["a: !Ref b", "a: [", "{", "1: 2", "a: 1\n---\nb: 2\n"] {
            assert!(read_text(bad).is_err(), "{bad}");
        }
    }

    /// The example of the help without one of its lines and what is indented below it: what `esm` says to that.
    fn without_line(lines: &[&str], left_out: usize) -> Result<(), String> {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let below = lines[left_out + 1..].iter().take_while(|line| indent(line) > indent(lines[left_out])).count();
        let kept = [&lines[..left_out], &lines[left_out + 1 + below..]].concat();
        let file = read_text(&kept.join("\n")).map_err(|error| format!("{error:#}"))?;
        let checked = Mapping::from_value(file).and_then(|read| with_flags(read, &options()));
        let checked = checked.and_then(|(mapping, emulator)| kafka_esm::check(&mapping, &emulator));
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn each_line_of_the_helps_example_may_be_left_out_or_is_asked_for_by_name() {
        let example = AFTER_HELP.split_once("needs it:\n\n").unwrap().1.split_once("\n\n").unwrap().0;
        let lines: Vec<&str> = example.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        assert!(lines.len() > 25, "{example}");
        for (place, line) in lines.iter().enumerate() {
            let said = without_line(&lines, place);
            let asked_for = match line.trim_start().split(':').next().unwrap() {
                "StartingPosition" => "StartingPosition: TRIM_HORIZON, LATEST or AT_TIMESTAMP, not nothing",
                "ProvisionedPollerConfig" => "add a ProvisionedPollerConfig",
                // The section, and the address in it.
                "Emulator" | "destinations" | "'arn" => "Emulator.destinations has no HTTP address",
                _ => {
                    assert_eq!(said, Ok(()), "without {line}");
                    continue;
                }
            };
            assert!(said.as_ref().is_err_and(|said| said.contains(asked_for)), "without {line}: {said:?}");
        }
    }

    #[test]
    fn flags_win_over_the_file_but_for_another_topic() {
        let file =
            json!({"SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": ["c:3"]}}, "Topics": ["t"]});
        let (mapping, _) = with_flags(Mapping::from_value(file).unwrap(), &options()).unwrap();
        let endpoints = mapping.self_managed_event_source.unwrap().endpoints;
        assert_eq!(endpoints.kafka_bootstrap_servers, ["a:1", "b:2"]);
        assert_eq!(mapping.function_name.as_deref(), Some("worker"));
        let other = Mapping::from_value(json!({"Topics": ["u"]})).unwrap();
        assert!(with_flags(other, &options()).unwrap_err().to_string().contains("--topic t"));
    }
}
