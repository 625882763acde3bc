//! YAML files as JSON values, keys as texts.

use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::Value;

use crate::tree::Source;

/// The one document of a file.
pub(crate) fn load(path: &str) -> Value {
    let text = Source::at(path).text;
    let documents = Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    json(documents.first().unwrap_or_else(|| panic!("{path} is empty")))
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
