//! `cargo local demo`: everything at once, for somebody who sees this project for the first time. Starts a sandbox,
//! lets people rush, and shows who won, how fast it was, and whether the audit finds that it was fair.
//!
//! Only the telling is here: the rush is `load/`, the verdict `audit/`.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::audit::{self, AuditOptions, Report};
use crate::load::api::Api;
use crate::load::figures::{Figures, Latencies, Winner};
use crate::load::people::{admin, people};
use crate::load::rush::{Pace, Rush};
use crate::load::written::Written;
use crate::load::{decisions, fresh_id, own_sandbox, shown, unless_interrupted};
use crate::sandbox::Sandbox;
use crate::settings::{Deployment, TemplateOptions};

/// How many of the first winners are shown, and how many of the last.
const FIRST_SHOWN: usize = 5;
const LAST_SHOWN: usize = 2;
/// How long the worker may stand still before the demo gives up.
const PATIENCE_SECONDS: u64 = 60;

/// `demo`: how many coupons, how many people.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// How many coupons there are
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub stock: u64,
    /// How many people want one, all in the same moment
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub users: u32,
    /// What is deployed.
    #[command(flatten)]
    pub deployed: TemplateOptions,
    /// Print what happened as JSON
    #[arg(long)]
    pub json: bool,
}

/// What happened.
struct Told {
    figures: Figures,
    report: Report,
}

impl Told {
    fn is_good(&self) -> bool {
        self.report.ok() && self.figures.failed() == 0
    }
}

/// Runs the demo; exit 0 only if everybody got an outcome and no invariant is violated. Ctrl-C ends the sandbox with it.
///
/// # Errors
/// The sandbox does not start, or the audit cannot check.
pub async fn run(options: &DemoOptions) -> anyhow::Result<ExitCode> {
    unless_interrupted(async {
        let told = tell(options).await?;
        if options.json {
            println!("{}", as_json(options, &told));
        } else {
            print!("{}", page(options, &told));
        }
        Ok(if told.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
    .await
}

async fn tell(options: &DemoOptions) -> anyhow::Result<Told> {
    eprintln!("Building and starting the sandbox (the first time takes minutes) …");
    let (up, deployment) = (own_sandbox()?, Deployment::read(&options.deployed)?);
    let people = people(usize::try_from(options.users)?);
    let (sandbox, people) = tokio::try_join!(Sandbox::start(&up, &deployment), people)?;
    let tickets = tempfile::NamedTempFile::new()?;
    let rush = Rush::new(Api::new(&sandbox.addresses().api)?, fresh_id("demo"), people, Written::to(tickets.path())?)?;
    rush.api().create(rush.coupon_id(), "Demo", options.stock, &admin()?).await?;
    eprintln!("{} people press the button …", options.users);
    shown::with_progress(&rush, rush.run(Pace::AtOnce)).await?;
    decisions::record(&rush, &sandbox.addresses().kafka).await?;
    eprintln!("Auditing: replaying the log and comparing …");
    let audit = AuditOptions {
        kafka: sandbox.addresses().kafka.clone(),
        kafka_config: None,
        dynamodb: sandbox.addresses().dynamodb.clone(),
        tickets: Some(tickets.path().to_owned()),
        deployed: options.deployed.clone(),
        patience: PATIENCE_SECONDS,
        json: false,
    };
    let report = audit::command::audit(&audit).await?;
    sandbox.stop().await?;
    Ok(Told { figures: rush.figures(), report })
}

fn as_json(options: &DemoOptions, told: &Told) -> serde_json::Value {
    json!({
        "ok": told.is_good(),
        "stock": options.stock,
        "users": options.users,
        "winners": told.figures.winners,
        "figures": told.figures,
        "audit": told.report,
    })
}

fn page(options: &DemoOptions, told: &Told) -> String {
    let Told { figures, report } = told;
    let mut page = format!("\n{} people wanted {} coupons, all in the same moment.\n", options.users, options.stock);
    page.push_str("\nWho won, in the order of the log\n");
    page.push_str(&winners(&figures.winners));
    page.push_str("\nWhat they were told\n");
    page.push_str(&counts(figures));
    page.push_str("\nHow fast, in ms              half of them  99 of 100   slowest\n");
    for (name, latencies) in [
        ("accepted, with a ticket", &figures.accept_ms),
        ("refused at the door", &figures.refuse_ms),
        ("decided, in the log", &figures.decision_ms),
    ] {
        page.push_str(&speed(name, latencies));
    }
    page.push_str("\nWas it fair? The audit replayed the log and compared\n");
    page.push_str(&verdict(report));
    let last = if told.is_good() { "Everything held." } else { "NOT everything held, see above." };
    page.push_str(&format!("\n{last}\n"));
    page
}

fn winners(winners: &[Winner]) -> String {
    let hidden = FIRST_SHOWN..winners.len().saturating_sub(LAST_SHOWN);
    let mut lines = String::from("    rank  who             ticket\n");
    for (index, winner) in winners.iter().enumerate() {
        if !hidden.contains(&index) {
            // Writing into a string does not fail.
            writeln!(lines, "{:>8}  {:<15} {}", winner.rank, winner.user_id, winner.request_id).ok();
        } else if index == hidden.start {
            lines.push_str("       …\n");
        }
    }
    lines
}

fn counts(figures: &Figures) -> String {
    let mut lines = String::new();
    let mut line = |count: u64, what: &str| writeln!(lines, "{count:>8}  {what}").ok();
    line(figures.issued, "have a coupon");
    for (reason, count) in &figures.rejected {
        line(*count, &format!("were accepted, and rejected by their place in the log: {reason}"));
    }
    for (code, count) in &figures.refused {
        line(*count, &format!("were refused at the door: {code}"));
    }
    for (what, count) in &figures.errors {
        line(*count, &format!("got no answer: {what}"));
    }
    lines
}

fn speed(name: &str, latencies: &Latencies) -> String {
    if latencies.count() == 0 {
        return String::new();
    }
    let [half, most] = [50.0, 99.0].map(|percent| latencies.percentile_ms(percent));
    format!("    {name:<25}{half:>12.1}{most:>11.1}{:>10.1}\n", latencies.max_ms())
}

fn verdict(report: &Report) -> String {
    let mut lines = String::new();
    for (invariant, finding) in &report.invariants {
        writeln!(lines, "    {:<4} {:<12} {}", invariant.to_string(), finding.status(), invariant.says()).ok();
        if let (Some(lacks), true) = (finding.lacks, finding.offending.is_empty()) {
            writeln!(lines, "{:22} (needs {lacks})", "").ok();
        }
        for offence in finding.offending.iter().take(audit::SHOWN_MAX) {
            writeln!(lines, "{:22} {}: {}", "", offence.place, offence.what).ok();
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn winner(rank: u64) -> Winner {
        Winner { rank, user_id: format!("user-{rank}"), request_id: format!("3-{rank}") }
    }

    #[test]
    fn the_first_and_the_last_winners_are_shown() {
        let many: Vec<Winner> = (1..=100).map(winner).collect();
        let shown = winners(&many);
        let ranks: Vec<&str> = shown.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(ranks, ["1", "2", "3", "4", "5", "…", "99", "100"]);
        assert_eq!(winners(&many[..7]).lines().count(), 8, "nothing to leave out");
    }

    #[test]
    fn what_nobody_met_is_not_shown() {
        let figures = Figures::new().unwrap();
        assert_eq!(counts(&figures).lines().count(), 1);
        assert_eq!(speed("refused at the door", &figures.refuse_ms), "");
    }
}
