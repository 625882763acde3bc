//! What a benchmark measured, and how it is shown: plain data in, one self-contained HTML page, a Markdown section and
//! JSON out. Measures nothing, reads no clock and no file; `local bench` fills the data.
//!
//! Start with `data.rs`; `summary.rs` makes medians of it, `target.rs` judges, `page/` and `markdown.rs` show.

mod behind;
mod chart;
mod columns;
mod cost;
mod data;
mod markdown;
mod page;
mod rush;
mod section;
mod seeds;
mod stats;
mod summary;
mod target;
mod text;

pub use behind::Seen;
pub use cost::{Cost, Price, Prices};
pub use data::{
    Benchmark, Check, FunctionCost, Log, Machine, Percentiles, ProcessCost, ProfileInfo, Run, Stock, StockPoint,
    System, Units, Verdict,
};
pub use markdown::markdown;
pub use page::html;
pub use section::refreshed;
pub use stats::Spread;
pub use summary::{Cell, Ratio, Summary};
pub use target::{Status, Target, targets};

/// The systems that the comparison is about, by id; what is compared with what is written in `target.rs`.
pub mod systems {
    /// A, the seeds' Redis queue with an outbox.
    pub const REDIS: &str = "redis";
    /// B, the seeds' hybrid of Redis and Kafka.
    pub const HYBRID: &str = "hybrid";
    /// Our handlers behind the same HTTP front and consumer loop as A and B.
    pub const OURS: &str = "ours";
    /// Our functions behind the emulated gateway, Lambda host and mapping.
    pub const EMULATED: &str = "emulated";
}

/// The profiles, by id.
pub mod profiles {
    /// The seeds' own load.
    pub const SEEDS: &str = "seeds";
    /// Arrivals by rate, stepped up until the system gives way.
    pub const RUSH: &str = "rush";
    /// As many as are answered, for a while.
    pub const SUSTAINED: &str = "sustained";
    /// One hot coupon among a hundred cold ones.
    pub const HOT: &str = "hot";
    /// Half of all requests are repeats.
    pub const DUPLICATES: &str = "duplicates";
    /// Requests for what is sold out.
    pub const BOTS: &str = "bots";
    /// Coupons that end while many ask for them.
    pub const SELLOUT: &str = "sellout";
}

/// How long people ask what became of their request before they give up.
pub const GAVE_UP_SECONDS: u64 = 30;

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The chart's library refused to draw.
    #[error("the chart {chart} cannot be drawn: {why}")]
    Chart {
        /// Which one.
        chart: &'static str,
        /// What it said.
        why: String,
    },
    /// The page to refresh lacks the marks between which the section stands.
    #[error("the page has no line {0:?}: add the pair of marks where the section belongs")]
    NoMark(&'static str),
    /// The price table is not what it has to be.
    #[error("prices.json cannot be read: {0}")]
    Prices(#[from] serde_json::Error),
    /// The price table lacks a price that the model uses.
    #[error("prices.json has no price {0:?}")]
    NoPrice(&'static str),
}
