//! The verdict: each invariant of `docs/correctness.md` with its status and what offends it, as JSON for programs and as
//! a page for people. How a verdict is reached is `check.rs`.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// How many offenders of one invariant the page shows; JSON has all.
pub const SHOWN_MAX: usize = 10;

macro_rules! invariants {
    ($($name:ident: $says:literal,)*) => {
        /// What must hold, by the names in `docs/correctness.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Invariant {
            $(#[doc = $says] $name,)*
        }

        impl Invariant {
            /// Every one, in order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What must hold, in a sentence.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }
        }
    };
}

invariants! {
    I1: "no more coupons are issued than there are",
    I2: "nobody gets a coupon twice",
    I3: "the winners are the first eligible by offset, ranked without a hole",
    I4: "every accepted request gets exactly one outcome",
    I5: "an outcome never changes",
    I6: "what is issued and what remains add up to the total",
    I7: "redelivery changes nothing",
    I8: "replaying the log gives the tables, to the byte",
    I9: "no coupon is issued outside its window",
    I10: "a zombie invocation changes nothing",
    I11: "the result topic has every decision, and duplicates are equal",
    I12: "nothing undecodable blocks or disappears",
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Something that breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offence {
    /// A record as `topic partition-offset`, an item as `table key`, or a line of the tickets file.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong with it.
    pub what: String,
}

/// What became of one invariant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// All that breaks it.
    pub offending: Vec<Offence>,
    /// What would have to be given for it to be checked, where it was not.
    pub lacks: Option<&'static str>,
}

impl Finding {
    /// `held`, `violated`, or `not checked`. What is seen to be broken is, whatever else was not looked at.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match (self.offending.is_empty(), self.lacks) {
            (false, _) => "violated",
            (true, Some(_)) => "not checked",
            (true, None) => "held",
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("status", self.status())?;
        map.serialize_entry("offending", &self.offending)?;
        if let Some(lacks) = self.lacks {
            map.serialize_entry("lacks", lacks)?;
        }
        map.end()
    }
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Looked {
    /// Coupons of the log.
    pub coupons: usize,
    /// Records of the request topic.
    pub records: usize,
    /// Those that are requests.
    pub requests: usize,
    /// Coupons issued by the replay.
    pub issued: usize,
    /// Lines of the tickets file.
    pub tickets: usize,
}

/// The verdict on a world.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Every invariant's, in order.
    pub invariants: BTreeMap<Invariant, Finding>,
    /// How much was looked at.
    pub looked: Looked,
}

impl Report {
    /// Whether nothing is violated. What was not checked does not count.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.invariants.values().all(|finding| finding.offending.is_empty())
    }

    /// What became of one invariant.
    #[must_use]
    pub fn finding(&self, invariant: Invariant) -> Option<&Finding> {
        self.invariants.get(&invariant)
    }

    pub(crate) fn offend(&mut self, invariant: Invariant, place: String, what: String) {
        self.invariants.entry(invariant).or_default().offending.push(Offence { place, what });
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("ok", &self.ok())?;
        map.serialize_entry("invariants", &self.invariants)?;
        map.serialize_entry("looked", &self.looked)?;
        map.end()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Looked { coupons, records, requests, issued, tickets } = self.looked;
        writeln!(
            f,
            "{coupons} coupons, {records} records of which {requests} requests, {issued} issued, {tickets} ticket lines"
        )?;
        for (invariant, finding) in &self.invariants {
            writeln!(f, "{:<4} {:<11} {}", invariant.to_string(), finding.status(), invariant.says())?;
            if let (Some(lacks), true) = (finding.lacks, finding.offending.is_empty()) {
                writeln!(f, "{:16} needs {lacks}", "")?;
            }
            for Offence { place, what } in finding.offending.iter().take(SHOWN_MAX) {
                writeln!(f, "{:16} {place}: {what}", "")?;
            }
            let more = finding.offending.len().saturating_sub(SHOWN_MAX);
            if more > 0 {
                writeln!(f, "{:16} and {more} more (--json has all)", "")?;
            }
        }
        Ok(())
    }
}
