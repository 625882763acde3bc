//! Metrics as lines of CloudWatch's embedded metric format: what one invocation counted and timed, written to stdout, from
//! where Lambda carries it to the log that CloudWatch reads metrics from. Plain data until it is written: no global
//! recorder, no lock, no task. Knows no coupon.
//!
//! Of its own, since `metrics_cloudwatch_embedded` 0.10 keeps at most 100 values of a metric between two writes and drops
//! the rest with a line in the log for each: a batch has 1,000 times to decision. Here they become more lines.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

mod line;
mod sheet;
mod writer;

pub use sheet::{Metric, Sheet, Unit};
pub use writer::Metrics;
