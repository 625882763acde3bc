//! YAML files of the workspace as JSON values, keys as texts.

use std::{fs, path::Path};

use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::Value;

/// The one document of a file, by its path below the workspace's root.
///
/// # Panics
/// There is no such file, or it is no YAML.
#[must_use]
pub fn load(path: &str) -> Value {
    let text = text(path);
    let documents = Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    json(documents.first().unwrap_or_else(|| panic!("{path} is empty")))
}

/// A file's text, by its path below the workspace's root.
pub(crate) fn text(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path} has to exist: {error}"))
}

fn json(yaml: &Yaml<'_>) -> Value {
    if let Some(text) = yaml.as_str() {
        text.into()
    } else if let Some(number) = yaml.as_integer() {
        number.into()
    } else if let Some(truth) = yaml.as_bool() {
        truth.into()
    } else if let Some(items) = yaml.as_sequence() {
        items.iter().map(json).collect()
    } else if let Some(members) = yaml.as_mapping() {
        let text = |key: &Yaml<'_>| key.as_str().map(str::to_owned).unwrap_or_default();
        members.iter().map(|(key, value)| (text(key), json(value))).collect::<serde_json::Map<_, _>>().into()
    } else {
        Value::Null
    }
}
