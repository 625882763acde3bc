//! A schema of a document as something that judges values.

use jsonschema::Validator;
use serde_json::{Value, json};

/// A validator for a schema of a document, whose references lead into the document's `components`. Closed: a member that
/// the schema does not name is a fault here, though a client has to bear with it; what is answered has to be documented.
pub(crate) fn closed(document: &Value, schema: &Value) -> Validator {
    let members =
        |value: &Value| value["type"] == "object" || value.get("allOf").is_some() || value.get("$ref").is_some();
    let mut whole = json!({"allOf": [schema], "components": document["components"]});
    if members(schema) {
        whole["unevaluatedProperties"] = false.into();
    }
    validator(&whole)
}

/// A validator for a schema that stands for itself.
pub(crate) fn validator(schema: &Value) -> Validator {
    let built = jsonschema::draft202012::options().should_validate_formats(true).build(schema);
    built.unwrap_or_else(|error| panic!("{error} in {schema}"))
}

/// What a schema holds against a value.
pub(crate) fn judge(validator: &Validator, value: &Value) -> Result<(), String> {
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    if errors.is_empty() { Ok(()) } else { Err(format!("{value}: {}", errors.join("; "))) }
}

/// What a reference into the same document leads to, or the value itself.
pub(crate) fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.map_or(value, |target| document.pointer(target).unwrap_or_else(|| panic!("no #{target}")))
}
