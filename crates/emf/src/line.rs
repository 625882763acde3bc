//! A sheet as text: one JSON object a line, for each value of a dimension one, and more where a metric has more values than
//! a line takes.

use serde_json::{Map, Value, json};

use crate::{Metric, Sheet, sheet::Group};

/// A line takes so many values of a metric, by the specification.
const VALUES_MAX: usize = 100;

/// The dimension that every metric has.
const FUNCTION: &str = "Function";

/// The lines of a sheet, each with its end.
pub(crate) fn lines(sheet: &Sheet, namespace: &str, function: &str, timestamp_ms: u64) -> String {
    let mut text = String::new();
    for (dimension, metrics) in &sheet.groups {
        let parts = metrics.values().map(|values| values.len().div_ceil(VALUES_MAX)).max().unwrap_or(0);
        for part in 0..parts {
            let values =
                metrics.iter().filter_map(|(metric, values)| Some((metric, values.chunks(VALUES_MAX).nth(part)?)));
            let line = line(values, *dimension, (namespace, function), timestamp_ms);
            text.push_str(&line.to_string());
            text.push('\n');
        }
    }
    text
}

fn line<'a>(
    values: impl Iterator<Item = (&'a Metric, &'a [f64])>,
    dimension: Group,
    (namespace, function): (&str, &str),
    timestamp_ms: u64,
) -> Value {
    let (mut root, mut metrics) = (Map::new(), Vec::new());
    for (metric, values) in values {
        metrics.push(json!({ "Name": metric.name, "Unit": metric.unit.as_str() }));
        let value = match values {
            [one] => json!(one),
            several => json!(several),
        };
        root.insert(metric.name.into(), value);
    }
    let mut dimensions = vec![FUNCTION];
    root.insert(FUNCTION.into(), function.into());
    if let Some((name, value)) = dimension {
        dimensions.push(name);
        root.insert(name.into(), value.into());
    }
    let directive = json!({ "Namespace": namespace, "Dimensions": [dimensions], "Metrics": metrics });
    root.insert("_aws".into(), json!({ "Timestamp": timestamp_ms, "CloudWatchMetrics": [directive] }));
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUED: Metric = Metric::count("Issued");
    const REJECTED: Metric = Metric::count_by("Rejected", "Reason");
    const WAITED: Metric = Metric::milliseconds("TimeToDecision");

    fn parsed(sheet: &Sheet) -> Vec<Value> {
        let text = lines(sheet, "shop", "issue-worker", 1_795_143_600_123);
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_says_what_it_has_and_has_what_it_says() {
        let mut sheet = Sheet::new();
        sheet.count(ISSUED, 7);
        sheet.time(WAITED, 41.5);
        let expected = json!({
            "_aws": { "Timestamp": 1_795_143_600_123_u64, "CloudWatchMetrics": [{
                "Namespace": "shop",
                "Dimensions": [["Function"]],
                "Metrics": [
                    { "Name": "Issued", "Unit": "Count" },
                    { "Name": "TimeToDecision", "Unit": "Milliseconds" },
                ],
            }] },
            "Function": "issue-worker",
            "Issued": 7.0,
            "TimeToDecision": 41.5,
        });
        assert_eq!(parsed(&sheet), [expected]);
    }

    #[test]
    fn each_value_of_a_dimension_has_a_line_of_its_own() {
        let mut sheet = Sheet::new();
        sheet.count_by(REJECTED, "SOLD_OUT", 900);
        sheet.count_by(REJECTED, "ALREADY_ISSUED", 3);
        sheet.count_by(REJECTED, "CLOSED", 0);
        let found: Vec<(Value, Value)> = parsed(&sheet)
            .into_iter()
            .map(|line| {
                assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Function", "Reason"]]));
                (line["Reason"].clone(), line["Rejected"].clone())
            })
            .collect();
        assert_eq!(found, [("ALREADY_ISSUED".into(), 3.0.into()), ("SOLD_OUT".into(), 900.0.into())]);
    }

    #[test]
    fn no_value_is_lost_however_many_there_are() {
        let mut sheet = Sheet::new();
        (0..250).for_each(|ms| sheet.time(WAITED, f64::from(ms)));
        sheet.count(ISSUED, 250);
        let found = parsed(&sheet);
        assert_eq!(
            found.iter().map(|line| line["TimeToDecision"].as_array().unwrap().len()).collect::<Vec<_>>(),
            [100, 100, 50]
        );
        assert_eq!(found.iter().filter(|line| line.get("Issued").is_some()).count(), 1);
        assert_eq!(found[2]["TimeToDecision"][49], 249.0);
    }

    #[test]
    fn a_sheet_with_nothing_on_it_is_no_line() {
        let mut sheet = Sheet::new();
        sheet.count_some(ISSUED, 0);
        assert!(sheet.is_empty() && parsed(&sheet).is_empty());
        sheet.count(ISSUED, 0);
        assert_eq!(parsed(&sheet)[0]["Issued"], 0.0);
    }
}
