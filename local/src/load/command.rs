//! `cargo local load`: people who ask for one coupon, at a rate or with so many at a time, and the figures of it.
//! Against a running sandbox, or one of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use load_generator::{PROFILES, Profile, Size};

use super::api::Api;
use super::figures::Figures;
use super::people::{admin, people, read_people};
use super::rush::{Pace, Person, Rush};
use super::written::Written;
use super::{decisions, fresh_id, own_sandbox, profiled, shown, unless_interrupted};
use crate::sandbox::Sandbox;
use crate::settings::{Deployment, TemplateOptions};

/// How many at a time where neither a rate nor a number of clients is given.
const CLIENTS_DEFAULT: usize = 32;

/// `load`: who asks whom, and how fast.
#[derive(Debug, Clone, Args)]
pub struct LoadOptions {
    /// The API to ask, such as http://127.0.0.1:9700 or one that is deployed, with --tokens and --coupon; without it, a sandbox of
    /// its own is started and ended
    #[arg(long, value_name = "URL", conflicts_with_all = ["template", "parameters"])]
    pub api: Option<String>,
    /// People whom another issuer knows, a token a line; they ask for a --coupon that is there
    #[arg(long, value_name = "FILE", requires_all = ["api", "coupon"], conflicts_with = "profile")]
    pub tokens: Option<PathBuf>,
    /// A coupon that is there, instead of a new one
    #[arg(long, value_name = "ID", requires = "api", conflicts_with_all = ["profile", "stock"])]
    pub coupon: Option<String>,
    /// How many coupons there are
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub stock: u64,
    /// How many people ask, each once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), required = false, required_unless_present = "profile", default_value_if("profile", clap::builder::ArgPredicate::IsPresent, "1"))]
    pub users: u32,
    /// One of the benchmark's profiles instead, as long as it was meant; `seeds` is that of the seeds' table
    #[arg(long, value_name = "NAME", conflicts_with_all = ["users", "stock", "rate", "clients", "tickets", "kafka"],
        value_parser = clap::builder::PossibleValuesParser::new(PROFILES))]
    pub profile: Option<String>,
    /// Requests a second, by schedule, whether answers keep up or not; latency counts from the scheduled moment
    #[arg(long, value_name = "R", conflicts_with = "clients", value_parser = rate)]
    pub rate: Option<f64>,
    /// So many ask at a time, each when the one before has an answer [default: 32]
    #[arg(long, value_name = "C", value_parser = clap::value_parser!(u16).range(1..))]
    pub clients: Option<u16>,
    /// Write every ticket given and every answer seen, a JSON object a line, for `cargo local audit --tickets`
    #[arg(long, value_name = "FILE")]
    pub tickets: Option<PathBuf>,
    /// The broker behind --api, as HOST:PORT, to measure the time to decision from the log
    #[arg(long, value_name = "HOST:PORT", requires = "api")]
    pub kafka: Option<String>,
    /// What is deployed, in a sandbox of its own.
    #[command(flatten)]
    pub deployed: TemplateOptions,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err("expected requests a second, 0.01 to 100000".into()),
    }
}

impl LoadOptions {
    fn pace(&self) -> Pace {
        match (self.rate, self.clients) {
            (Some(rate), _) => Pace::Rate(rate),
            (None, Some(clients)) => Pace::Clients(clients.into()),
            (None, None) => Pace::Clients(CLIENTS_DEFAULT),
        }
    }
}

/// Runs the load and prints its figures on stdout; exit 1 when somebody got no answer or no outcome.
///
/// # Errors
/// The sandbox does not start, the coupon is not created, the tickets file cannot be written.
pub async fn run(options: &LoadOptions) -> anyhow::Result<ExitCode> {
    unless_interrupted(run_load(options)).await
}

async fn run_load(options: &LoadOptions) -> anyhow::Result<ExitCode> {
    if let Some(profile) = options.profile.as_deref().and_then(|id| Profile::named(id, Size::Whole)) {
        return run_profile(options, &profile).await;
    }
    let written = options.tickets.as_deref().map(Written::to).transpose()?.unwrap_or_default();
    let people = asking(options).await?;
    let coupon_id = options.coupon.clone().unwrap_or_else(|| fresh_id("load"));
    let figures = match &options.api {
        Some(url) => {
            let rush = Rush::new(Api::new(url)?, coupon_id, people, written)?;
            load(options, &rush, options.kafka.as_deref()).await?
        }
        None => {
            let sandbox = Sandbox::start(&own_sandbox()?, &Deployment::read(&options.deployed)?).await?;
            let rush = Rush::new(Api::new(&sandbox.addresses().api)?, coupon_id, people, written)?;
            let kafka = sandbox.addresses().kafka.clone();
            let figures = load(options, &rush, Some(&kafka)).await;
            sandbox.stop().await?;
            figures?
        }
    };
    if options.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        print!("{}", shown::page(&figures));
    }
    Ok(if figures.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Those whose tokens are there, or people of this checkout.
async fn asking(options: &LoadOptions) -> anyhow::Result<Vec<Person>> {
    let users = usize::try_from(options.users)?;
    let Some(path) = &options.tokens else { return people(users).await };
    let mut people = read_people(path)?;
    if people.len() < users {
        bail!("--users {users}: {} has {} tokens, and everybody asks once", path.display(), people.len());
    }
    people.truncate(users);
    Ok(people)
}

/// A profile against the API that was named, or a sandbox of its own.
async fn run_profile(options: &LoadOptions, profile: &Profile) -> anyhow::Result<ExitCode> {
    let ran = match &options.api {
        Some(url) => profiled::run(&Api::new(url)?, profile).await?,
        None => {
            let sandbox = Sandbox::start(&own_sandbox()?, &Deployment::read(&options.deployed)?).await?;
            let ran = profiled::run(&Api::new(&sandbox.addresses().api)?, profile).await;
            sandbox.stop().await?;
            ran?
        }
    };
    if options.json {
        println!("{}", profiled::json(profile, &ran)?);
    } else {
        print!("{}", profiled::page(profile, &ran)?);
    }
    Ok(if ran.iter().all(profiled::Ran::is_complete) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn load(options: &LoadOptions, rush: &Rush, kafka: Option<&str>) -> anyhow::Result<Figures> {
    if options.coupon.is_some() {
        let shown = rush.api().show(rush.coupon_id()).await?;
        if !shown.status.is_success() {
            bail!("--coupon {}: {}", rush.coupon_id(), shown.shown());
        }
        eprintln!("{} people ask for {}", options.users, rush.coupon_id());
    } else {
        rush.api().create(rush.coupon_id(), "Load", options.stock, &admin()?).await?;
        eprintln!("{} people ask for {} coupons of {}", options.users, options.stock, rush.coupon_id());
    }
    shown::with_progress(rush, rush.run(options.pace())).await?;
    if let Some(kafka) = kafka {
        decisions::record(rush, kafka).await?;
    }
    Ok(rush.figures())
}
