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

/// As with every command-line error.
const EXIT_USAGE: u8 = 2;

/// `esm`: from where to where.
#[derive(Debug, Args)]
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
    /// YAML or JSON: the `Properties` of an AWS::Lambda::EventSourceMapping, and beside them `Emulator:` with pbr,
    /// null_key, null_value, null_header, filter_mismatch, lenient_errors, provisioned, time_factor,
    /// function_timeout_seconds and destinations. Without it: TRIM_HORIZON, and a group of its own
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve the metrics at http://127.0.0.1:N/metrics, as text, or as JSON to those who accept that
    #[arg(long, value_name = "N")]
    pub metrics_port: Option<u16>,
}

/// Runs the mapping until SIGINT or SIGTERM.
///
/// # Errors
/// The brokers do not answer, a file cannot be read, or the mapping ends by itself. What is refused is said, with exit
/// code 2.
pub async fn run(options: &EsmOptions) -> anyhow::Result<ExitCode> {
    // From the first moment on, so that a signal never ends the process in between.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = tokio::select! {
        started = start(options) => match started? {
            Ok(running) => Arc::new(running),
            Err(refused @ EsmError::Refused(_)) => {
                eprintln!("error: {refused}");
                return Ok(ExitCode::from(EXIT_USAGE));
            }
            Err(error) => return Err(error.into()),
        },
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
    };
    let served = serve_metrics(options.metrics_port, Arc::clone(&running)).await?;
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
    let ended = running.stop().await;
    if let Some(task) = served {
        task.abort();
    }
    let (metrics, fault) = match ended {
        Ok(metrics) => (metrics, None),
        Err(fault) => (running.metrics().await, Some(fault)),
    };
    println!("{}", json!({"metrics": metrics}));
    fault.map_or(Ok(ExitCode::SUCCESS), |fault| Err(fault.into()))
}

/// The outer error is a file's or a flag's, the inner one the mapping's.
async fn start(options: &EsmOptions) -> anyhow::Result<Result<Running, EsmError>> {
    let file = match &options.config {
        Some(path) => read(path)?,
        None => json!({"StartingPosition": "TRIM_HORIZON"}),
    };
    let client = crate::broker::connection(&options.bootstrap_servers, options.kafka_config.as_deref())?;
    let (mapping, emulator) = match Mapping::from_value(file).and_then(|read| with_flags(read, options)) {
        Ok(read) => read,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(kafka_esm::start(&mapping, &emulator, client.properties().clone(), &options.invoke).await)
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
    let text = std::fs::read_to_string(path).with_context(named)?;
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

async fn serve_metrics(
    port: Option<u16>,
    running: Arc<Running>,
) -> anyhow::Result<Option<tokio::task::JoinHandle<()>>> {
    let Some(port) = port else { return Ok(None) };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.with_context(|| format!("--metrics-port {port}"))?;
    let router = Router::new().route("/metrics", get(metrics)).with_state(running);
    Ok(Some(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the metrics are no longer served");
        }
    })))
}

async fn metrics(State(running): State<Arc<Running>>, headers: HeaderMap) -> Response {
    let metrics = running.metrics().await;
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/json") {
        return Json(json!({"metrics": metrics})).into_response();
    }
    let text = exposition(&metrics, &running);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// Prometheus' text format, under AWS's own names.
fn exposition(metrics: &Metrics, running: &Running) -> String {
    let numbers: BTreeMap<String, u64> =
        serde_json::to_value(metrics).and_then(serde_json::from_value).unwrap_or_default();
    let labels = format!("{{topic={:?},group={:?}}}", running.topic(), running.group());
    numbers.iter().map(|(name, number)| format!("{name}{labels} {number}\n")).collect()
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
