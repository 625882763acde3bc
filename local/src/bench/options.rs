//! What a benchmark is asked for: how long, which systems and profiles, and where its report goes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bench_report::profiles::SEEDS;
use clap::Args;
use load_generator::{PROFILES, Profile, Size};

use super::Compared;
use crate::cli::Misused;

const OUT_DEFAULT: &str = "target/bench";
const ROUNDS_FULL: u16 = 3;

/// `bench`: how long, what, and where to.
#[derive(Debug, Clone, Args)]
pub struct BenchOptions {
    /// One short round, under three minutes once everything is built; the default
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Longer runs in three rounds, or in two where a third would end after 35 minutes; the seeds' load as long as theirs
    #[arg(long)]
    pub full: bool,
    /// Which systems
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "redis,hybrid,ours,emulated",
        conflicts_with = "show"
    )]
    pub systems: Vec<Compared>,
    /// Which profiles
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "seeds,rush,sustained,hot,duplicates,bots,sellout",
        conflicts_with = "show", value_parser = clap::builder::PossibleValuesParser::new(PROFILES))]
    pub profiles: Vec<String>,
    /// How many rounds; medians are of so many [default: 1, and 2 or 3 with --full]
    #[arg(long, value_name = "N", conflicts_with = "show", value_parser = clap::value_parser!(u16).range(1..=20))]
    pub rounds: Option<u16>,
    /// Where bench.json, bench.html and bench.md go [default: target/bench, and beside the file with --show]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// A page whose section between the marks `bench:begin` and `bench:end` is made anew
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
    /// Build the functions of `emulated` as they are deployed; the first time takes minutes more
    #[arg(long, conflicts_with = "show")]
    pub release: bool,
    /// Measure nothing: show what an earlier run wrote
    #[arg(long, value_name = "bench.json", conflicts_with_all = ["quick", "full"])]
    pub show: Option<PathBuf>,
}

impl BenchOptions {
    pub(super) fn size(&self) -> Size {
        if self.full { Size::Full } else { Size::Quick }
    }

    /// The profiles that one start of a system is asked by. What a system has taken before makes it slower, the embedded
    /// DynamoDB above all: it looks at the token of every transaction of the last ten minutes in each further one. So a
    /// full benchmark starts every system anew for each profile; a quick one lasts a minute altogether.
    pub(super) fn sessions<'p>(&self, profiles: &'p [Profile]) -> impl Iterator<Item = &'p [Profile]> + use<'p> {
        profiles.chunks(if self.full { 1 } else { profiles.len().max(1) })
    }

    pub(super) fn out(&self) -> PathBuf {
        let beside = || Some(self.show.as_ref()?.parent()?.to_owned());
        self.out.clone().or_else(beside).unwrap_or_else(|| OUT_DEFAULT.into())
    }

    /// What comes twice would be a column twice, of both.
    pub(super) fn check(&self) -> Result<(), Misused> {
        let systems: Vec<&str> = self.systems.iter().map(|system| system.id()).collect();
        let profiles: Vec<&str> = self.profiles.iter().map(String::as_str).collect();
        for (option, names) in [("--systems", systems), ("--profiles", profiles)] {
            let mut seen = BTreeSet::new();
            if let Some(name) = names.into_iter().find(|name| !seen.insert(*name)) {
                return Err(Misused(format!("{option} has {name} twice; each can be measured once")));
            }
        }
        Ok(())
    }

    pub(super) fn rounds(&self) -> u16 {
        self.rounds.unwrap_or(if self.full { ROUNDS_FULL } else { 1 })
    }

    pub(super) fn profiles(&self) -> Vec<Profile> {
        // Accept p99 at the seeds' load is a target: some thousand answers a round, not some hundred.
        let size = |id: &str| if self.full && id == SEEDS { Size::Whole } else { self.size() };
        self.profiles.iter().filter_map(|id| Profile::named(id, size(id))).collect()
    }

    /// The same for counting, which needs no more than the shortest runs.
    pub(super) fn counted(&self) -> Vec<Profile> {
        self.profiles.iter().filter_map(|id| Profile::named(id, Size::Quick)).collect()
    }
}
