//! Load on an API that is deployed: TLS, tokens that somebody else signed, a coupon that is there.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::authority::Authority;
use crate::sandbox::{Sandbox, local};

/// Runs `load`, trusting this CA and nobody else.
async fn load(trusted: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.arg("load").args(arguments).env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
    command.kill_on_drop(true).output().await.unwrap()
}

#[tokio::test]
async fn people_of_another_issuer_ask_over_tls_for_a_coupon_that_is_there() {
    let sandbox = Sandbox::start(&[]).await;
    let coupon = sandbox.coupon("deployed", 15).await;
    let (authority, stranger) = (Authority::new(), Authority::new().directory(2100));
    let upstream = sandbox.at.api.strip_prefix("http://").unwrap().to_owned();
    let url = format!("https://{}", authority.front("127.0.0.1", upstream).await);
    let directory = authority.directory(2100);
    let tokens = directory.path().join("tokens");
    let users: Vec<String> = (0..40).map(|number| format!("somebody-{number}")).collect();
    let mut token = vec!["token"];
    users.iter().for_each(|user| token.extend(["--user", user]));
    std::fs::write(&tokens, local(&token).await.stdout).unwrap();
    let tokens = tokens.to_str().unwrap();
    let ask = ["--api", &url, "--tokens", tokens, "--coupon", &coupon, "--users", "40", "--clients", "8", "--json"];

    let output = load(&directory.path().join("ca.pem"), &ask).await;
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(output.status.code(), Some(0), "{figures}");
    assert_eq!((&figures["users"], &figures["issued"], &figures["errors"]), (&json!(40), &json!(15), &json!({})));

    let output = load(&stranger.path().join("ca.pem"), &ask).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("certificate"), "an API that nobody vouches for: {said}");
    let more = ask.map(|argument| if argument == "40" { "41" } else { argument });
    let output = load(&directory.path().join("ca.pem"), &more).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("has 40 tokens"), "{said}");
    let elsewhere = ask.map(|argument| if argument == coupon { "nowhere" } else { argument });
    let output = load(&directory.path().join("ca.pem"), &elsewhere).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("--coupon nowhere: 404"), "{said}");
}
