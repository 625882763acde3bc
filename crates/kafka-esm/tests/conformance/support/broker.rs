//! The broker of all cases: the one that `ESM_BOOTSTRAP_SERVERS` names, or the embedded one, built from the sources as
//! they are and ended with the tests, even by kill -9.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Somebody else's broker, `host:port,…`.
const SERVERS: &str = "ESM_BOOTSTRAP_SERVERS";
/// `real` where nothing of ours may take a part's place, as `local/real/check` wants it.
const PARTS: &str = "FIRSTCOME_PARTS";

/// Its address, once it takes connections.
pub(crate) fn address() -> &'static str {
    static BROKER: OnceLock<(String, Option<Child>)> = OnceLock::new();
    &BROKER.get_or_init(|| external().map_or_else(start, |servers| (servers, None))).0
}

/// Whether it is the embedded one, which does not do all that Kafka does.
pub(crate) fn is_embedded() -> bool {
    external().is_none()
}

#[expect(clippy::disallowed_methods, reason = "a test's own switches")]
fn external() -> Option<String> {
    chosen(std::env::var(SERVERS).ok(), std::env::var(PARTS).ok().as_deref())
}

/// Whoever wants real parts and gives no address would take the embedded broker's results for Kafka's.
fn chosen(servers: Option<String>, parts: Option<&str>) -> Option<String> {
    let servers = servers.filter(|servers| !servers.is_empty());
    assert!(servers.is_some() || parts != Some("real"), "{PARTS} is real, and {SERVERS} names no broker");
    servers
}

#[test]
fn without_an_address_the_embedded_broker_serves_unless_real_parts_are_wanted() {
    let given = || Some("a:1".to_owned());
    assert_eq!((chosen(given(), Some("real")), chosen(given(), None)), (given(), given()));
    assert_eq!((chosen(Some(String::new()), None), chosen(None, Some("embedded"))), (None, None));
    for servers in [None, Some(String::new())] {
        assert!(std::panic::catch_unwind(|| chosen(servers, Some("real"))).is_err());
    }
}

fn start() -> (String, Option<Child>) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("esm-broker-{}", std::process::id()));
    std::fs::create_dir_all(&data).unwrap();
    // The shell's input ends with this process, whatever ends it, and the shell takes the broker along.
    let script = r#""$0" "$@" & broker=$!; cat >/dev/null; kill -9 $broker; rm -rf "$4""#;
    let mut child = Command::new("sh")
        .args(["-c", script])
        .arg(binary())
        .args(["--port", &port.to_string(), "--data"])
        .arg(&data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("ready on")), "the broker ended before it was ready");
    (format!("127.0.0.1:{port}"), Some(child))
}

/// Cargo says where it is, and builds it if it is stale. Features are resolved for the whole workspace, as a test run
/// does, so that nothing is compiled in another set.
fn binary() -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    // What cargo tells a process about its package would tell build scripts that everything has changed.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let kept = ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR"].contains(&&*text);
        if (text.starts_with("CARGO") && !kept) || text.starts_with("RUSTUP_TOOLCHAIN_") || text == "LD_LIBRARY_PATH" {
            command.env_remove(&name);
        }
    }
    let output = command
        .args(["build", "--quiet", "--bin", "embedded-broker", "--message-format", "json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut executables = messages.filter_map(|message| Some(message.get("executable")?.as_str()?.to_owned()));
    executables.next_back().expect("cargo builds the embedded broker").into()
}
