//! A Lambda function for the tests of the Lambda host and the gateway: it does what its event tells it to. Built with
//! the same runtime as the functions that are deployed, so that the host is held to a real client of the Runtime API.
//!
//! No part of the sandbox. `SAMPLE_INIT` says what goes wrong in its init phase; the event's `do` what it does then.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a function's lines are part of what is tested")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init(&std::env::var("SAMPLE_INIT").unwrap_or_default()).await?;
    run(service_fn(handle)).await
}

/// What happens before the first invocation: nothing, or a word of `SAMPLE_INIT`, some with a path behind a colon.
async fn init(what: &str) -> Result<(), Error> {
    let (what, path) = what.split_once(':').unwrap_or((what, ""));
    match what {
        "exit" => std::process::exit(3),
        "report" => {
            let report = json!({ "errorType": "Sample.Broken", "errorMessage": "the sample does not start" });
            call("POST", "/2018-06-01/runtime/init/error", &[], &report.to_string())?;
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        "hang" => tokio::time::sleep(Duration::from_secs(60)).await,
        // Fails, but only until the file is there, which it makes: the second try succeeds.
        "once" if !Path::new(path).exists() => {
            std::fs::write(path, "tried")?;
            std::process::exit(4);
        }
        // As the functions that are deployed do it. It registers an extension that asks for no event.
        "flush" => {
            let path = path.to_owned();
            lambda_runtime::spawn_graceful_shutdown_handler(|| async move {
                drop(std::fs::write(path, "flushed"));
            })
            .await;
        }
        // The same without an extension: nobody sends it a SIGTERM.
        "flush-without-extension" => {
            let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            let path = path.to_owned();
            tokio::spawn(async move {
                terminated.recv().await;
                drop(std::fs::write(path, "flushed"));
            });
        }
        // An extension that asks for the invocations, and writes the first to the file.
        "extension" => {
            let name = [("Lambda-Extension-Name", "sample")];
            let registered = call("POST", "/2020-01-01/extension/register", &name, r#"{"events":["INVOKE"]}"#)?;
            let lines = registered.lines().filter_map(|line| line.split_once(": "));
            let identifier = lines.filter(|(name, _)| name.eq_ignore_ascii_case("lambda-extension-identifier"));
            let identifier = identifier.map(|(_, value)| value.to_owned()).next().unwrap_or_default();
            let path = path.to_owned();
            std::thread::spawn(move || {
                let identified = [("Lambda-Extension-Identifier", identifier.as_str())];
                let event = call("GET", "/2020-01-01/extension/event/next", &identified, "").unwrap_or_default();
                drop(std::fs::write(path, event.lines().last().unwrap_or_default()));
            });
        }
        _ => {}
    }
    Ok(())
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let LambdaEvent { payload, context } = event;
    match payload.get("do").and_then(Value::as_str).unwrap_or("echo") {
        "echo" => Ok(payload),
        "answer" => Ok(payload.get("answer").cloned().unwrap_or_default()),
        "context" => Ok(json!({
            "requestId": context.request_id,
            "arn": context.invoked_function_arn,
            "deadlineMs": context.deadline,
            "traceId": context.xray_trace_id,
            "function": context.env_config.function_name,
            "variables": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(),
        })),
        "pid" => Ok(json!(std::process::id())),
        "print" => {
            println!("a line on stdout");
            eprintln!("a line on stderr");
            Ok(Value::Null)
        }
        "sleep" => {
            let millis = payload.get("millis").and_then(Value::as_u64).unwrap_or_default();
            println!("sleeping");
            let from = since_epoch_us();
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(json!({ "pid": std::process::id(), "from": from, "to": since_epoch_us() }))
        }
        "large" => {
            let bytes = payload.get("bytes").and_then(Value::as_u64).and_then(|bytes| usize::try_from(bytes).ok());
            Ok(Value::String("x".repeat(bytes.unwrap_or_default())))
        }
        "fail" => Err(Diagnostic { error_type: "Sample.Failed".into(), error_message: "as asked".into() }),
        "exit" => std::process::exit(5),
        #[expect(clippy::panic, reason = "what the host makes of a panic is tested")]
        "panic" => panic!("as asked"),
        other => Err(Diagnostic { error_type: "Sample.Unknown".into(), error_message: format!("no {other}") }),
    }
}

fn since_epoch_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

/// One call of the Runtime or the Extensions API, by hand: `lambda_runtime` makes neither of them for us.
fn call(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<String> {
    let address = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap_or_default();
    let mut stream = TcpStream::connect(&address)?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n")?;
    write!(stream, "{headers}\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
