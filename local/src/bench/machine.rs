//! What a report says of where it was made: machine, versions, and the command that repeats it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use bench_report::{Benchmark, Machine, ProfileInfo};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::BenchOptions;
use super::one::is_metered;

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
    if options.systems.len() < 4 {
        let names: Vec<&str> = options.systems.iter().map(|system| system.id()).collect();
        command.push_str(&format!(" --systems {}", names.join(",")));
    }
    if options.profiles.len() < load_generator::PROFILES.len() {
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
    for (name, program, argument) in
        [("redis", "redis-server", "--version"), ("rustc", "rustc", "--version"), ("firstcome", "git", "describe")]
    {
        let arguments: &[&str] = if program == "git" { &["rev-parse", "--short", "HEAD"] } else { &[argument] };
        if let Ok(output) = Command::new(program).args(arguments).output()
            && output.status.success()
        {
            let said = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
            versions.insert(name.to_owned(), said);
        }
    }
    versions.insert("broker".into(), "embedded, tansu 0.6.0 on SQLite".into());
    versions.insert("store".into(), "embedded, dynoxide 3.2.0 on SQLite".into());
    versions
}
