//! `cargo local audit`: options, and what the exit code says. 0: nothing is violated; 1: something is; 3: it cannot be
//! checked.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::Report;
use super::source::{Source, read_tickets};
use super::tickets::TicketLine;
use crate::broker;
use crate::cli::Refused;
use crate::settings::{Deployment, Machine, TemplateOptions};

/// `audit`: where the log and the tables are, and what people were told.
#[derive(Debug, Clone, Args)]
pub struct AuditOptions {
    /// The Kafka broker, as HOST:PORT,HOST:PORT; by default that of `cargo local up`
    #[arg(long, value_name = "HOST:PORT,…", default_value = "127.0.0.1:9701")]
    pub kafka: String,
    /// librdkafka properties for a broker that wants TLS or SASL (security.protocol=…, sasl.username=…, one a line)
    #[arg(long, value_name = "FILE")]
    pub kafka_config: Option<PathBuf>,
    /// The DynamoDB's URL; by default that of `cargo local up`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9702")]
    pub dynamodb: String,
    /// What people were told, as `cargo local load --tickets FILE` writes it; without it I4 and I5 are not checked
    #[arg(long, value_name = "FILE")]
    pub tickets: Option<PathBuf>,
    /// Whose names topics and tables have.
    #[command(flatten)]
    pub deployed: TemplateOptions,
    /// Give up when nothing was decided for so long while requests wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub patience: u64,
    /// Print {"ok", "invariants": {"I1": {"status", "offending"}, …}} instead of a page
    #[arg(long)]
    pub json: bool,
}

/// Audits, prints the report on stdout.
///
/// # Errors
/// [`Refused`] for whatever keeps it from checking.
pub async fn run(options: &AuditOptions) -> anyhow::Result<ExitCode> {
    let report = audit(options).await?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
        println!("{}", if report.ok() { "Nothing is violated." } else { "VIOLATED, see above." });
    }
    Ok(if report.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the world that the options name, and judges it.
///
/// # Errors
/// [`Refused`] for whatever keeps it from checking.
pub async fn audit(options: &AuditOptions) -> anyhow::Result<Report> {
    let tickets = options.tickets.as_deref().map(read_tickets).transpose().map_err(refused)?;
    audit_with(options, tickets).await
}

/// The same with what people were told by whoever has it at hand, whatever file the options name.
///
/// # Errors
/// As [`audit`](fn@audit).
pub async fn audit_with(options: &AuditOptions, tickets: Option<Vec<TicketLine>>) -> anyhow::Result<Report> {
    let audit = async {
        let connection = broker::connection(&options.kafka, options.kafka_config.as_deref())?;
        let names = Deployment::read(&options.deployed)?.settings(&Machine::default())?.names()?;
        let source = Source::new(&connection, &options.dynamodb, names).await?;
        let world = source.read(tickets, Duration::from_secs(options.patience)).await?;
        Ok(tokio::task::spawn_blocking(move || super::replay(&world)).await?)
    };
    audit.await.map_err(refused)
}

fn refused(error: anyhow::Error) -> anyhow::Error {
    Refused(format!("cannot check: {error:#}")).into()
}
