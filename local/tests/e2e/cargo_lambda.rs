//! The file that tells the functions where the sandbox is when `cargo lambda watch` runs them.

use std::collections::BTreeMap;

use local::settings::{Parameters, Settings};

#[test]
fn cargo_lambda_tells_the_functions_what_a_sandbox_at_its_default_ports_does() {
    let text = include_str!("../../functions.env");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let told: BTreeMap<&str, &str> = lines.map(|line| line.split_once('=').unwrap()).collect();

    let parameters = Parameters {
        bootstrap_servers: "127.0.0.1:9701".into(),
        security_protocol: "PLAINTEXT".into(),
        ..Parameters::default()
    };
    let settings = Settings::default();
    let mut expected = local::dynamodb::sdk_variables("http://127.0.0.1:9702");
    // A developer's own go to no file.
    expected.retain(|(name, _value)| name == "AWS_ENDPOINT_URL_DYNAMODB");
    expected.extend(settings.api.environment(&parameters));
    expected.extend(settings.worker.environment(&parameters));
    // An empty variable is an absent one.
    expected.retain(|(_name, value)| !value.is_empty());
    let made_up = [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox")];
    let expected = expected.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(made_up);
    assert_eq!(told, expected.collect::<BTreeMap<_, _>>());
}
