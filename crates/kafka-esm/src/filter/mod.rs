//! `FilterCriteria`: which records are delivered at all. Only a record's value can be filtered, and a filter that cannot
//! be applied to a value leaves the decision to a switch; so a filter saves invocations and validates nothing.
//!
//! Here stands how patterns combine and when they apply; what a rule matches is `pattern.rs`.

mod pattern;

use serde_json::value::RawValue;

use crate::emulator::FilterMismatch;
use pattern::{Node, Rule, as_array, as_object};

/// Patterns of which one must match; none at all lets everything pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filters {
    patterns: Vec<Pattern>,
    on_mismatch: Option<FilterMismatch>,
}

/// One filter's `value`.
#[derive(Debug, Clone)]
enum Pattern {
    /// No condition on the value.
    Any,
    /// Conditions on a value that is plain text.
    Text(Vec<Rule>),
    /// Conditions on a value that is a JSON object.
    Json(Node),
}

impl Filters {
    /// Reads the patterns; what is wrong with each is said by its place.
    pub(crate) fn parse<'a>(
        patterns: impl Iterator<Item = &'a str>,
        on_mismatch: FilterMismatch,
    ) -> Result<Self, Vec<String>> {
        let (mut read, mut problems) = (Vec::new(), Vec::new());
        for (index, text) in patterns.enumerate() {
            match parse(text) {
                Ok(pattern) => read.push(pattern),
                Err(problem) => problems.push(format!("FilterCriteria.Filters[{index}].Pattern: {problem}")),
            }
        }
        if problems.is_empty() { Ok(Self { patterns: read, on_mismatch: Some(on_mismatch) }) } else { Err(problems) }
    }

    /// Whether a record with this value is delivered.
    pub(crate) fn pass(&self, value: Option<&[u8]>) -> bool {
        if self.patterns.is_empty() {
            return true;
        }
        let text = value.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let json = text.and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
        self.patterns.iter().any(|pattern| match (pattern, text, json) {
            (Pattern::Any, _, _) => true,
            (Pattern::Json(node), _, Some(json)) => node.matches(json),
            (Pattern::Text(rules), Some(text), None) => rules.iter().any(|rule| rule.matches_text(text)),
            // Text under a JSON pattern, JSON under a text pattern, no UTF-8, a tombstone: the condition is not applied.
            _ => self.on_mismatch != Some(FilterMismatch::Drop),
        })
    }
}

fn parse(text: &str) -> Result<Pattern, String> {
    // Rules stay text until they are read: a number is compared as it is written.
    let pattern: &RawValue = serde_json::from_str(text).map_err(|error| format!("no JSON, {error}: {text}"))?;
    let object = as_object(pattern).ok_or_else(|| format!("a JSON object, not {text}"))?;
    if let Some(other) = object.keys().find(|key| *key != "value") {
        return Err(format!("only `value` of a Kafka record can be filtered, not `{other}`"));
    }
    let Some(value) = object.get("value").copied() else { return Ok(Pattern::Any) };
    match (as_array(value), as_object(value)) {
        (Some(rules), _) => Ok(Pattern::Text(rules.into_iter().map(Rule::parse).collect::<Result<_, _>>()?)),
        (_, Some(fields)) => Ok(Pattern::Json(Node::parse(fields)?)),
        _ => Err(format!("`value` must be an array of rules or an object of fields, not {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(patterns: &[&str]) -> Filters {
        Filters::parse(patterns.iter().copied(), FilterMismatch::Pass).unwrap()
    }

    fn dropping(pattern: &str) -> Filters {
        Filters::parse(std::iter::once(pattern), FilterMismatch::Drop).unwrap()
    }

    fn passes(pattern: &str, value: &str) -> bool {
        dropping(&format!(r#"{{"value":{pattern}}}"#)).pass(Some(value.as_bytes()))
    }

    #[test]
    fn c45_a_pattern_that_cannot_be_applied_leaves_it_to_the_switch() {
        let pattern = r#"{"value":{"kind":["a"]}}"#;
        let values: [Option<&[u8]>; 5] =
            [Some(br#"{"kind":"a"}"#), Some(br#"{"kind":"b"}"#), Some(b"plain text"), Some(b"\xFF\xFE"), None];
        assert_eq!(values.map(|value| filters(&[pattern]).pass(value)), [true, false, true, true, true]);
        assert_eq!(values.map(|value| dropping(pattern).pass(value)), [true, false, false, false, false]);
    }

    #[test]
    fn a_plain_pattern_filters_plain_text_and_not_json() {
        let pattern = r#"{"value":["hello",{"prefix":"re"}]}"#;
        let pass = |value: &str| dropping(pattern).pass(Some(value.as_bytes()));
        assert!(pass("hello") && pass("red") && !pass("blue"));
        assert!(!pass(r#"{"a":"hello"}"#) && filters(&[pattern]).pass(Some(br#"{"a":"hello"}"#)));
    }

    #[test]
    fn filters_are_or_ed_and_fields_are_and_ed() {
        let two = filters(&[r#"{"value":{"a":[1],"b":["x"]}}"#, r#"{"value":{"c":[{"exists":true}]}}"#]);
        let pass = |value: &str| two.pass(Some(value.as_bytes()));
        assert!(pass(r#"{"a":1,"b":"x"}"#) && pass(r#"{"c":null}"#));
        assert!(!pass(r#"{"a":1}"#) && !pass(r#"{"a":1,"b":"y"}"#));
        assert!(filters(&[]).pass(None) && filters(&["{}"]).pass(None), "no condition lets everything pass");
    }

    #[test]
    fn a_record_that_is_nothing_but_brackets_matches_nothing_and_costs_little() {
        let deep = |depth: usize, inside: &str| format!("{}{inside}{}", "[".repeat(depth), "]".repeat(depth));
        for pattern in [r#"{"a":["x"]}"#, r#"{"a":{"b":["x"]}}"#] {
            assert!(!passes(pattern, &deep(400_000, "")));
            assert!(!passes(pattern, &format!(r#"{{"a":{}}}"#, deep(400_000, r#""x""#))));
        }
        assert!(passes(r#"{"a":["x"]}"#, &deep(10, &format!(r#"{{"a":{}}}"#, deep(10, r#""x""#)))));
    }

    #[test]
    fn every_operator_matches_what_it_says() {
        for (pattern, value, expected) in [
            (r#"{"a":[null]}"#, r#"{"a":null}"#, true),
            (r#"{"a":[""]}"#, r#"{"a":""}"#, true),
            (r#"{"a":[""]}"#, r#"{"a":null}"#, false),
            (r#"{"a":["x","y"]}"#, r#"{"a":"y"}"#, true),
            (r#"{"a":["x"]}"#, r#"{"a":"X"}"#, false),
            // Numbers as they are written, in the pattern as in the record.
            (r#"{"a":[1.50]}"#, r#"{"a":1.50}"#, true),
            (r#"{"a":[1.50]}"#, r#"{"a":1.5}"#, false),
            (r#"{"a":[3.0e2]}"#, r#"{"a":3.0e2}"#, true),
            (r#"{"a":[3.0e2]}"#, r#"{"a":300}"#, false),
            (r#"{"a":[12345678901234567890123]}"#, r#"{"a":12345678901234567890123}"#, true),
            (r#"{"a":[{"equals-ignore-case":"ÄB"}]}"#, r#"{"a":"äb"}"#, true),
            (r#"{"a":[{"anything-but":["x","y"]}]}"#, r#"{"a":"z"}"#, true),
            (r#"{"a":[{"anything-but":["x","y"]}]}"#, r#"{"a":"y"}"#, false),
            (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"b":1}"#, false),
            (r#"{"a":[{"numeric":[">",0,"<=",5]}]}"#, r#"{"a":5}"#, true),
            (r#"{"a":[{"numeric":[">",0,"<=",5]}]}"#, r#"{"a":5.01}"#, false),
            (r#"{"a":[{"numeric":["=",300]}]}"#, r#"{"a":3.0e2}"#, true),
            (r#"{"a":[{"exists":false}]}"#, r#"{"b":1}"#, true),
            (r#"{"a":[{"exists":true}]}"#, r#"{"a":{"b":1}}"#, false),
            (r#"{"a":[{"prefix":"ab"}]}"#, r#"{"a":"abc"}"#, true),
            (r#"{"a":[{"suffix":"bc"}]}"#, r#"{"a":"abc"}"#, true),
            (r#"{"a":{"b":[true]}}"#, r#"{"a":{"b":true}}"#, true),
            (r#"{"a":["x"]}"#, r#"{"a":["w","x"]}"#, true),
            (r#"{"a":{"b":[2]}}"#, r#"{"a":[{"b":1},{"b":2}]}"#, true),
            (r#"{"$or":[{"a":[1]},{"b":[2]}],"c":[3]}"#, r#"{"b":2,"c":3}"#, true),
            (r#"{"$or":[{"a":[1]},{"b":[2]}],"c":[3]}"#, r#"{"b":2,"c":4}"#, false),
            (r#"{"a":{"$or":[{"b":["x"]},{"c":[1]}]}}"#, r#"{"a":{"c":1}}"#, true),
            (r#"{"a":{"$or":[{"b":["x"]},{"c":[1]}]}}"#, r#"{"a":{"c":2}}"#, false),
            (r#"{"a":{"$or":[{"b":["x"]},{"c":[1]}]}}"#, "{}", false),
            (r#"{"a":{"$or":[{"b":["x"]},{"c":[{"exists":false}]}]}}"#, "{}", true),
            (r#"{"a":{"b":[{"exists":false}]}}"#, "{}", true),
            (r#"{"a":["\u0041"]}"#, r#"{"a":"A"}"#, true),
        ] {
            assert_eq!(passes(pattern, value), expected, "{pattern} on {value}");
        }
    }

    #[test]
    fn numbers_are_compared_as_they_are_written() {
        assert!(passes(r#"{"a":[300]}"#, r#"{"a":300}"#));
        assert!(!passes(r#"{"a":[300]}"#, r#"{"a":300.0}"#));
        assert!(!passes(r#"{"a":[300]}"#, r#"{"a":3.0e2}"#));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_place() {
        for (pattern, word) in [
            ("nonsense", "no JSON"),
            ("[]", "object"),
            (r#"{"key":["a"]}"#, "`key`"),
            (r#"{"value":"a"}"#, "array of rules"),
            (r#"{"value":{"a":"b"}}"#, "`a`"),
            (r#"{"value":{"a":[{"like":"b"}]}}"#, "like"),
            (r#"{"value":{"a":[{"numeric":["~",5]}]}}"#, "numeric"),
            (r#"{"value":{"a":[]}}"#, "`a`"),
        ] {
            let problems =
                Filters::parse([r#"{"value":["ok"]}"#, pattern].into_iter(), FilterMismatch::Pass).unwrap_err();
            assert!(problems[0].starts_with("FilterCriteria.Filters[1].Pattern: "), "{problems:?}");
            assert!(problems[0].contains(word), "{word} in {problems:?}");
        }
    }
}
