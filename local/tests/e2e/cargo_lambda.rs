//! The functions in the hands of cargo-lambda: the file that tells them where the sandbox is, and `cargo lambda watch` as
//! the host of a whole sandbox, with a rush, a change of the code and every sample in `events/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use local::process::{Child, Program, Spawner};
use local::settings::{Deployment, Machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::crowds::{audit_of, json_of};
use crate::home::{Home, Real};
use crate::sandbox::{Sandbox, unique};

/// A path to cargo-lambda where it is not in PATH.
const PROGRAM: &str = "FIRSTCOME_CARGO_LAMBDA";
/// The functions are compiled at their first call, and sixteen environments of each start one after the other.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longer than cargo-lambda takes to build a function anew.
const WRITTEN_AGAIN: Duration = Duration::from_secs(60);

#[test]
fn cargo_lambda_tells_the_functions_what_a_sandbox_at_its_default_ports_does() {
    let text = include_str!("../../functions.env");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let told: BTreeMap<&str, &str> = lines.map(|line| line.split_once('=').unwrap()).collect();

    let machine = Machine { bootstrap_servers: "127.0.0.1:9701".into(), ..Machine::default() };
    let settings = Deployment::of_checkout().unwrap().settings(&machine).unwrap();
    let mut expected = local::dynamodb::sdk_variables("http://127.0.0.1:9702");
    // A developer's own go to no file.
    expected.retain(|(name, _value)| name == "AWS_ENDPOINT_URL_DYNAMODB");
    expected.extend(settings.functions.into_iter().flat_map(|function| function.variables));
    // An empty variable is an absent one.
    expected.retain(|(_name, value)| !value.is_empty());
    let made_up = [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox")];
    let expected = expected.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(made_up);
    assert_eq!(told, expected.collect::<BTreeMap<_, _>>());
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn program() -> String {
    std::env::var(PROGRAM).unwrap_or_else(|_| "cargo-lambda".into())
}

/// `cargo lambda watch`, told where broker and tables are by the file that its configuration names. Ended with the value.
struct Watch {
    port: u16,
    process: Child,
}

impl Watch {
    async fn start() -> Self {
        let found = Command::new(program()).args(["lambda", "--version"]).output().await;
        assert!(found.is_ok(), "cargo-lambda is missing: pip install cargo-lambda, or name its program by {PROGRAM}");
        let port = local::ports::internal().unwrap();
        let mut watch = Program::new("watch", program());
        watch.args =
            ["lambda", "watch", "--manifest-path", "Cargo.toml", "-A", "127.0.0.1", "-P"].map(Into::into).into();
        watch.args.push(port.to_string().into());
        // What cargo tells this test would tell the build of the functions that its crates are stale.
        let is_ours = |name: &str| name.starts_with("CARGO_") && !matches!(name, "CARGO_HOME" | "CARGO_TARGET_DIR");
        watch.inherit_env = false;
        watch.env = std::env::vars().filter(|(name, _value)| !is_ours(name)).collect();
        // Watched, and where the variables' file is looked for.
        watch.directory = Some(workspace());
        let process = Spawner::through(env!("CARGO_BIN_EXE_local")).unwrap().spawn(&watch).await.unwrap();
        Self { port, process }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The processes of a function that it runs: they alone are told this port.
    fn environments(&self, function: &str) -> BTreeSet<i32> {
        let api = format!("127.0.0.1:{}/.rt/{function}", self.port);
        let pids =
            std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let is_one = |pid: &i32| {
            let at = Path::new("/proc").join(pid.to_string());
            let name = std::fs::read_link(at.join("exe")).ok().and_then(|exe| Some(exe.file_name()?.to_owned()));
            // Replaced by a newer build, it says so after its name.
            let is_ours = name.is_some_and(|name| name.to_string_lossy().starts_with(function));
            let told = std::fs::read(at.join("environ")).unwrap_or_default();
            is_ours && String::from_utf8_lossy(&told).contains(&api)
        };
        pids.filter(is_one).collect()
    }

    /// Asks it to end, as Ctrl-C does, and waits until its functions have.
    async fn end(self) {
        let running: BTreeSet<i32> =
            ["issue-api", "issue-worker"].iter().flat_map(|function| self.environments(function)).collect();
        assert!(!running.is_empty(), "nothing ran here");
        kill(Pid::from_raw(self.process.pid()), Signal::SIGINT).unwrap();
        tokio::time::timeout(Duration::from_secs(60), self.process.wait()).await.expect("it ends");
        crate::lives::until_gone(&running).await;
    }

    /// `cargo lambda invoke`; what it prints, as JSON, or the error.
    async fn invoke(&self, function: &str, sample: &Path) -> Result<Value, String> {
        let port = self.port.to_string();
        let arguments = ["invoke", "-A", "127.0.0.1", "-P", &port, function, "--data-file", sample.to_str().unwrap()];
        let output = Command::new(program()).arg("lambda").args(arguments).output().await.unwrap();
        if output.status.success() {
            return Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}")));
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Waits until a function answers: it is being compiled.
async fn until_built(sandbox: &Sandbox) {
    let end = Instant::now() + PATIENCE;
    while sandbox.show("nobody-made-this").await.status != 404 {
        assert!(Instant::now() < end, "no answer after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Waits until a request is decided: the worker is compiled after the API, and nobody in a rush waits as long as that.
async fn until_decided(sandbox: &Sandbox) {
    let coupon = sandbox.coupon("first", 1).await;
    let ticket = sandbox.ticket(&coupon, "ann").await;
    let end = Instant::now() + PATIENCE;
    while sandbox.status(&coupon, &ticket, "ann").await.json()["status"] != "ISSUED" {
        assert!(Instant::now() < end, "no decision after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The samples in `events/`, with the function that each is for.
fn samples() -> Vec<(PathBuf, &'static str)> {
    let files = std::fs::read_dir(workspace().join("events")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
    files.sort();
    let function = |path: &PathBuf| match path.file_name().unwrap().to_str().unwrap() {
        name if name.starts_with("api-") => "issue-api",
        _ => "issue-worker",
    };
    files.iter().map(|path| (path.clone(), function(path))).collect()
}

#[tokio::test]
#[ignore = "wants cargo-lambda, Java and Maven: local/real/check"]
async fn cargo_lambda_is_the_host_of_a_rush_takes_up_new_code_and_answers_every_sample() {
    // Where the file tells the functions that they are: cargo-lambda 1.9 tells them nothing else, whatever its options.
    let home = Arc::new(Home::Real(Real::start_with(&["--port", "9701"], &["--port", "9702"]).await));
    let watch = Watch::start().await;
    // Before it listens, `up` would refuse it.
    let end = Instant::now() + Duration::from_secs(60);
    while tokio::net::TcpStream::connect(("127.0.0.1", watch.port)).await.is_err() {
        assert!(Instant::now() < end, "cargo lambda watch does not listen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let sandbox = Sandbox::start_in(&home, &["--functions", &watch.url()]).await;
    until_built(&sandbox).await;
    until_decided(&sandbox).await;

    let directory = tempfile::tempdir().unwrap();
    let tickets = directory.path().join("tickets.jsonl");
    let mut load = vec!["load", "--api", &sandbox.at.api, "--stock", "40", "--users", "200", "--clients", "12"];
    load.extend(["--tickets", tickets.to_str().unwrap(), "--json"]);
    let (code, figures) = json_of(&load).await;
    assert_eq!((code, &figures["issued"], &figures["errors"]), (Some(0), &json!(40), &json!({})), "{figures}");
    let (code, report) = json_of(&audit_of(&sandbox, &tickets)).await;
    assert_eq!((code, &report["ok"]), (Some(0), &json!(true)), "{report}");

    // A source file is written again, and the function that is made of it is another process of a newer build.
    let before = watch.environments("issue-api");
    assert!(!before.is_empty());
    let written = SystemTime::now();
    let source = workspace().join("functions/issue-api/src/main.rs");
    let text = std::fs::read(&source).unwrap();
    let end = Instant::now() + PATIENCE;
    let mut write_at = Instant::now();
    loop {
        // cargo-lambda misses a change now and then, and takes up the next one.
        if Instant::now() >= write_at {
            std::fs::write(&source, &text).unwrap();
            write_at = Instant::now() + WRITTEN_AGAIN;
        }
        // A call, for it starts what it needs.
        drop(sandbox.show("nobody-made-this").await);
        // One of the old ones may live on: cargo-lambda does not end them all.
        let newer = |pid: &i32| {
            let image = std::fs::metadata(format!("/proc/{pid}/exe")).and_then(|image| image.modified());
            image.is_ok_and(|modified| modified >= written)
        };
        let after = watch.environments("issue-api");
        if after.difference(&before).any(newer) {
            break;
        }
        assert!(Instant::now() < end, "the old code still runs: {before:?} {after:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    until_built(&sandbox).await;
    assert_eq!(sandbox.asks(&sandbox.coupon(&unique("reloaded"), 1).await, "ann").await["rank"], 1);

    let mut answers = BTreeMap::new();
    for (sample, function) in samples() {
        let answer = watch.invoke(function, &sample).await;
        answers.insert(sample.file_stem().unwrap().to_str().unwrap().to_owned(), answer);
    }
    // In the order of their names, so that the coupon is created before it is looked at and asked for.
    let statuses = [
        ("api-create-coupon", 201),
        ("api-create-coupon-without-scope", 403),
        ("api-get-coupon", 200),
        ("api-issue", 202),
        ("api-my-coupons", 200),
        ("api-status", 200),
        ("api-unknown-path", 404),
        ("api-wrong-method", 405),
    ];
    for (sample, status) in statuses {
        let answer = answers.remove(sample).expect(sample);
        assert_eq!(answer.as_ref().map(|answer| &answer["statusCode"]), Ok(&json!(status)), "{sample}: {answer:?}");
    }
    assert!(answers.len() >= 6, "{answers:?}");
    for (sample, answer) in &answers {
        assert_eq!(answer, &Ok(Value::Null), "{sample}: a batch is decided, or dead letters");
    }
    sandbox.terminate().await;
    watch.end().await;
}
