//! How large a world is checked, and every log that fits.

/// One entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Record {
    /// Somebody asks.
    Request {
        /// Who, from 0.
        user: u8,
        /// The record's timestamp.
        at: u8,
    },
    /// No request: it belongs to the dead-letter topic.
    Dead,
}

/// The bounds of a check. Everything within them is explored.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Records in the log.
    pub records: u8,
    /// People who ask.
    pub users: u8,
    /// How many coupons there are.
    pub total: u8,
    /// Winners in a chunk.
    pub winners_max: usize,
    /// Records in a batch.
    pub batch_max: u8,
    /// Crashes, failed invocations, deliveries beside a running worker or from before the position, lost requests, lost
    /// answers and late commits together.
    pub faults: u8,
    /// Whether the coupon has a window, and every record may lie before, in or behind it, clocks out of order included.
    pub window: bool,
    /// Whether a record may be no request.
    pub dead: bool,
    /// Whether records may reach the log before their coupon exists: it is created at any time.
    pub created_late: bool,
    /// How a transaction under way looks to plain reads.
    pub visibility: Visibility,
}

/// What plain reads, strongly consistent ones, see of a transaction that is not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Visibility {
    /// All of it or nothing.
    Whole,
    /// The head first and the items later.
    HeadFirst,
    /// As `HeadFirst`, and a reader who misses the item of a record decided in an `OPEN` epoch reads head and item once
    /// more in one snapshot, which a transaction under way makes wait.
    HeadFirstSnapshot,
}

/// The window of a coupon that has one: open at 1 and 2.
pub(crate) const OPENS_AT: u8 = 1;
/// The first moment at which it is closed.
pub(crate) const CLOSES_AT: u8 = 3;

impl Bounds {
    /// Every log of these bounds. People are numbered in the order in which they first ask: renaming them changes
    /// nothing.
    #[must_use]
    pub fn logs(&self) -> Vec<Vec<Record>> {
        let times: &[u8] = if self.window { &[0, 1, 2, CLOSES_AT] } else { &[OPENS_AT] };
        let mut logs = vec![Vec::new()];
        for _ in 0..self.records {
            logs = logs.iter().flat_map(|log| self.longer(log, times)).collect();
        }
        logs
    }

    fn longer(&self, log: &[Record], times: &[u8]) -> Vec<Vec<Record>> {
        let known = log.iter().filter_map(|record| match record {
            Record::Request { user, .. } => Some(user.saturating_add(1)),
            Record::Dead => None,
        });
        let users = known.max().unwrap_or(0).saturating_add(1).min(self.users);
        let requests = (0..users).flat_map(|user| times.iter().map(move |at| Record::Request { user, at: *at }));
        let dead = (self.dead && !log.contains(&Record::Dead)).then_some(Record::Dead);
        requests.chain(dead).map(|record| log.iter().copied().chain([record]).collect()).collect()
    }
}
