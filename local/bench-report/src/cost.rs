//! What a million coupons and a million refusals cost by use, from a price table that is dated and names its sources.
//! Standing costs (a cluster, a cache's minimum, a load balancer) are not in it: they do not depend on the design's
//! figures but on how long somebody lets them run.

use serde::{Deserialize, Serialize};

use crate::ReportError;
use crate::data::{FunctionCost, Run};
use crate::stats::{each, number};
use crate::systems::EMULATED;

/// The price table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// The region of every price.
    pub region: String,
    /// What the prices leave out.
    pub note: String,
    /// The prices.
    pub prices: Vec<Price>,
}

/// One price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// What the model calls it.
    pub id: String,
    /// What it buys.
    pub what: String,
    /// US dollars …
    pub dollars: f64,
    /// … for so many.
    pub per: f64,
    /// The month in which it was read.
    pub as_of: String,
    /// Where.
    pub source: String,
}

/// What one million of something costs, by part, in dollars.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// The parts, in the order of the model.
    pub parts: Vec<(&'static str, f64)>,
}

impl Cost {
    /// The sum.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.parts.iter().map(|(_name, dollars)| dollars).sum()
    }
}

/// Every record is read once, by the consumer.
const READS_OF_A_RECORD: f64 = 1.0;
/// Lambda's GB.
const GB_IN_MB: f64 = 1024.0;
const MILLION: f64 = 1e6;
const GB: f64 = 1e9;

impl Prices {
    /// The table that is part of this crate.
    ///
    /// # Errors
    /// It is not what it has to be, which a test would tell.
    pub fn known() -> Result<Self, ReportError> {
        Ok(serde_json::from_str(include_str!("../prices.json"))?)
    }

    fn of(&self, id: &'static str) -> Result<f64, ReportError> {
        let price = self.prices.iter().find(|price| price.id == id).ok_or(ReportError::NoPrice(id))?;
        Ok(price.dollars / price.per)
    }

    /// What a million of `count` things cost, when a run had this many of them and did nothing else. Compute is the CPU
    /// time of what the operator runs (everything but broker, store and Redis, whose use is paid by request), or what
    /// functions took.
    ///
    /// # Errors
    /// A price is missing.
    pub fn of_a_million(&self, run: &Run, count: u64) -> Result<Option<Cost>, ReportError> {
        let Some(units) = run.units else { return Ok(None) };
        let Some(share) = each(MILLION, count) else { return Ok(None) };
        let bytes = run.log.map_or(0.0, |log| number(log.bytes)) / GB;
        let log = bytes * (self.of("log-gb-in")? + READS_OF_A_RECORD * self.of("log-gb-out")?);
        let redis = run.redis_commands.map_or(0.0, number) * self.of("redis-command")?;
        let store = units.write * self.of("write-unit")? + units.read * self.of("read-unit")?;
        let mut parts = vec![("store", store), ("log", log), ("redis", redis)];
        if run.system == EMULATED {
            parts.push(("gateway", number(run.asked) * self.of("gateway-request")?));
            parts.push(("compute", self.of_functions(run)?));
        } else {
            parts.push(("compute", operated_cpu_ms(run) / 1000.0 * self.of("vcpu-second")?));
        }
        let parts = parts.into_iter().map(|(name, dollars)| (name, dollars * share)).collect();
        Ok(Some(Cost { parts }))
    }

    /// Invocations and their time, of every function by its own memory.
    fn of_functions(&self, run: &Run) -> Result<f64, ReportError> {
        let (request, gb_second) = (self.of("lambda-request")?, self.of("lambda-gb-second")?);
        let of = |function: &FunctionCost| {
            let gb_seconds = number(function.billed_ms) / 1000.0 * f64::from(function.memory_mb) / GB_IN_MB;
            number(function.invocations) * request + gb_seconds * gb_second
        };
        Ok(run.functions.iter().map(of).sum())
    }
}

/// Parts whose use is paid by request, by the names of their processes (of which Linux keeps 15 bytes).
const MANAGED: [&str; 3] = ["embedded-broke", "embedded-dynam", "redis-server"];

/// CPU time of what the operator runs.
pub(crate) fn operated_cpu_ms(run: &Run) -> f64 {
    let is_managed = |name: &str| MANAGED.iter().any(|managed| name.starts_with(managed));
    run.processes.iter().filter(|process| !is_managed(&process.name)).map(|process| process.cpu_ms).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Log, ProcessCost, Units};
    use crate::summary::tests::run;

    #[test]
    fn the_table_is_whole_and_every_price_names_its_source_and_its_month() {
        let prices = Prices::known().unwrap();
        for price in &prices.prices {
            assert!(price.source.starts_with("https://"), "{price:?}");
            assert!(price.as_of.len() == 7 && price.as_of.starts_with("20"), "{price:?}");
            assert!(price.dollars > 0.0 && price.per > 0.0, "{price:?}");
        }
    }

    #[test]
    fn a_million_coupons_cost_what_their_units_cost() {
        // 1,000 coupons took 2,020 write units: a million take 2.02 million, at 0.625 dollars a million.
        let mut run = run("redis", "rush", 1);
        run.units = Some(Units { read: 0.0, write: 2020.0 });
        let cost = Prices::known().unwrap().of_a_million(&run, 1000).unwrap().unwrap();
        assert!((cost.total() - 1.2625).abs() < 1e-9, "{cost:?}");
    }

    #[test]
    fn the_log_the_commands_and_the_work_are_added() {
        let mut run = run("ours", "rush", 1);
        run.units = Some(Units { read: 1e6, write: 0.0 });
        run.log = Some(Log { records: 1, bytes: 1_000_000_000 });
        run.redis_commands = Some(1_000_000);
        run.processes = vec![
            ProcessCost { name: "local".into(), cpu_ms: 3_600_000.0, pss_mb: 0.0 },
            ProcessCost { name: "embedded-broker".into(), cpu_ms: 9e9, pss_mb: 0.0 },
        ];
        let cost = Prices::known().unwrap().of_a_million(&run, 1_000_000).unwrap().unwrap();
        let of = |name: &str| cost.parts.iter().find(|(part, _)| *part == name).unwrap().1;
        assert_eq!(of("store"), 0.125);
        assert!((of("log") - 0.15).abs() < 1e-9);
        assert_eq!(of("redis"), 0.0034);
        assert!((of("compute") - 0.04048).abs() < 1e-9, "a broker's time is paid by its bytes");
    }

    #[test]
    fn functions_cost_what_they_took_by_their_own_memory() {
        let mut run = run("emulated", "rush", 1);
        run.units = Some(Units::default());
        let function = |name: &str, invocations, billed_ms, memory_mb| FunctionCost {
            name: name.into(),
            invocations,
            billed_ms,
            memory_mb,
        };
        run.functions = vec![function("issue-api", 1000, 2_000_000, 512), function("issue-worker", 20, 500_000, 1024)];
        let cost = Prices::known().unwrap().of_a_million(&run, 1_000_000).unwrap().unwrap();
        let of = |name: &str| cost.parts.iter().find(|(part, _)| *part == name).unwrap().1;
        // 1,000 GB-seconds of the one, 500 of the other; 1,020 invocations; 1,000 requests to the gateway.
        assert!((of("compute") - (1500.0 * 0.000_016_666_7 + 1020.0 * 0.2 / 1e6)).abs() < 1e-9, "{cost:?}");
        assert!((of("gateway") - 0.001).abs() < 1e-9, "{cost:?}");
    }

    #[test]
    fn what_was_not_metered_or_never_happened_has_no_cost() {
        let mut run = run("ours", "rush", 1);
        assert_eq!(Prices::known().unwrap().of_a_million(&run, 5).unwrap(), None);
        run.units = Some(Units::default());
        assert_eq!(Prices::known().unwrap().of_a_million(&run, 0).unwrap(), None);
    }
}
