//! What a report says of where it was made: machine, versions, and the command that repeats it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use bench_report::{Benchmark, Machine, ProfileInfo, systems};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::BenchOptions;
use super::one::is_metered;

/// All systems in the order of the default.
const SYSTEMS: [&str; 4] = [systems::REDIS, systems::HYBRID, systems::OURS, systems::EMULATED];

/// A benchmark with nothing measured yet.
pub(super) fn blank(options: &BenchOptions) -> anyhow::Result<Benchmark> {
    let counted = options.counted();
    let profile = |profile: load_generator::Profile| ProfileInfo {
        id: profile.id.into(),
        name: profile.name.into(),
        counted: counted
            .iter()
            .find(|short| short.id == profile.id && is_metered(profile.id, options.size()))
            .map(|short| short.says.clone()),
        gives_way_ms: (profile.plans.len() > 1).then_some(load_generator::GIVES_WAY_MS),
        says: profile.says,
    };
    Ok(Benchmark {
        taken_at: OffsetDateTime::now_utc().format(&Rfc3339)?,
        seconds: 0.0,
        command: command(options),
        build: if cfg!(debug_assertions) { "dev" } else { "release" }.into(),
        interrupted: false,
        machine: machine(),
        versions: versions(),
        systems: options.systems.iter().map(|system| system.shown()).collect(),
        profiles: options.profiles().into_iter().map(profile).collect(),
        runs: Vec::new(),
        remarks: Vec::new(),
    })
}

/// As somebody would type it, without what is the default.
fn command(options: &BenchOptions) -> String {
    let mut command = format!("cargo local bench {}", if options.full { "--full" } else { "--quick" });
    let names: Vec<&str> = options.systems.iter().map(|system| system.id()).collect();
    if names != SYSTEMS {
        command.push_str(&format!(" --systems {}", names.join(",")));
    }
    if options.profiles != load_generator::PROFILES {
        command.push_str(&format!(" --profiles {}", options.profiles.join(",")));
    }
    if let Some(rounds) = options.rounds {
        command.push_str(&format!(" --rounds {rounds}"));
    }
    if options.release {
        command.push_str(" --release");
    }
    command
}

fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory_kb = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0);
    Machine {
        cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mb: memory_kb / 1024,
        kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        load_before: read("/proc/loadavg").split_whitespace().next().unwrap_or("unknown").to_owned(),
    }
}

/// What the parts call themselves; a part that is not there is not named.
fn versions() -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for (name, program) in [("redis", "redis-server"), ("rustc", "rustc")] {
        if let Some(said) = said(program, &["--version"]) {
            versions.insert(name.to_owned(), said.lines().next().unwrap_or_default().to_owned());
        }
    }
    if let Some(commit) = said("git", &["rev-parse", "--short", "HEAD"]) {
        versions.insert("firstcome".into(), marked(&commit, said("git", &["status", "--porcelain"]).as_deref()));
    }
    versions.insert("broker".into(), "embedded, tansu 0.6.0 on SQLite".into());
    versions.insert("store".into(), "embedded, dynoxide 3.2.0 on SQLite".into());
    versions
}

/// What a program says that is there and ends well.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A commit, with a mark where what ran was not that commit alone.
fn marked(commit: &str, changed: Option<&str>) -> String {
    match changed {
        Some("") => commit.to_owned(),
        Some(_) => format!("{commit}, with changes that are not committed"),
        None => format!("{commit}, perhaps changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_marked_when_the_tree_was_not_that_commit() {
        assert_eq!(marked("b3f10c2", Some("")), "b3f10c2");
        assert_eq!(marked("b3f10c2", Some(" M Cargo.toml")), "b3f10c2, with changes that are not committed");
        assert_eq!(marked("b3f10c2", None), "b3f10c2, perhaps changed");
    }
}
