//! README's walk-through by curl, exactly as it is printed there: a shell runs the fenced block, and only the address of
//! the sandbox is another. Its `cargo` is `local` itself, where the sandbox of the test is already up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::process::Command;

use crate::sandbox::Sandbox;

/// As a person's `cargo`, but for a sandbox that is up and not at its default ports.
const CARGO: &str = r#"#!/bin/sh
[ "$1" = local ] || exit 64
shift
case "$1" in
    up) ;;
    audit) exec "$LOCAL" "$@" --kafka "$KAFKA" --dynamodb "$DYNAMODB" ;;
    *) exec "$LOCAL" "$@" ;;
esac
"#;

/// The first block of shell in the README.
fn block() -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_before, block) = page.split_once("```sh\n").expect("README has a block of shell");
    block.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_readmes_commands_take_a_person_from_creating_a_coupon_to_holding_it() {
    let sandbox = Sandbox::start(&[]).await;
    let (block, api) = (block(), "API=http://127.0.0.1:9700\n");
    assert!(block.starts_with("cargo local up &") && block.contains(api), "{block}");
    let block = block.replace(api, &format!("API={}\n", sandbox.at.api));

    let directory = tempfile::tempdir().unwrap();
    let cargo = directory.path().join("cargo");
    fs::write(&cargo, CARGO).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &block]).env("PATH", path).env("LOCAL", env!("CARGO_BIN_EXE_local")).kill_on_drop(true);
    shell.env("KAFKA", &sandbox.at.kafka).env("DYNAMODB", &sandbox.at.dynamodb);
    let output = shell.output().await.unwrap();

    // The audit is the last command.
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(stdout.contains("HTTP/1.1 201 ") && stderr.contains("HTTP/1.1 202 "), "{stdout}{stderr}");
    for said in [r#""status":"ISSUED","rank":1,"#, r#"{"items":[{"couponId":"spring-sale","#, "I3   held"] {
        assert!(stdout.contains(said), "{said}: {stdout}{stderr}");
    }
}
