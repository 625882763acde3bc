//! The command line: every command's options, the help that teaches them, and the dispatch. What a command does is in
//! the module of its name; nothing is decided here.
//!
//! A new command is an options struct here, a variant of [`Command`] and an arm in `dispatch`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use template::TemplateError;
use tracing_subscriber::filter::LevelFilter;

use crate::audit::{self, AuditOptions};
use crate::baseline::{self, BaselineOptions};
use crate::bench::{self, BenchOptions};
use crate::demo::{self, DemoOptions};
use crate::esm::{self, EsmOptions};
use crate::load::{self, LoadOptions, MeasureOptions};
use crate::settings::TemplateOptions;
use crate::token::{self, TokenOptions};
use crate::{elsewhere, process, up};

/// Exit code of options that cannot be, as clap has it: what they name is not there, or is not taken.
pub const EXIT_USAGE: u8 = 2;

/// An error that ends the command with [`EXIT_USAGE`] instead of 1; put it into an `anyhow::Error` as it is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misused(pub String);

/// Exit code of what refuses to run or to judge, because tables and log do not belong together or cannot be read.
pub const EXIT_REFUSED: u8 = 3;

/// An error that ends the command with [`EXIT_REFUSED`] instead of 1; put it into an `anyhow::Error` as it is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// firstcome on one machine: the functions as they are deployed, between an API gateway and an event source mapping
/// of ours, with a Kafka broker and a DynamoDB embedded.
///
/// Start with `cargo local demo`; keep one running with `cargo local up`, and ask it with a token:
///
///   TOKEN=$(cargo local token --user ann)
///   curl -H "authorization: Bearer $TOKEN" http://127.0.0.1:9700/me/coupons
#[derive(Debug, Parser)]
#[command(name = "cargo local", bin_name = "cargo local", version, verbatim_doc_comment, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything and keep it running until Ctrl-C
    ///
    /// When all of it is ready, one line of JSON on stdout says where: {"api","kafka","dynamodb","functions"}. Logs go
    /// to stderr. The first start builds the functions and the embedded parts, which takes minutes.
    Up(UpOptions),
    /// Print a token for each user, one a line, that every sandbox of this checkout accepts
    Token(TokenOptions),
    /// See all of it at work: a rush for a few coupons, who won, how fast it was, and whether it was fair
    ///
    /// Starts a sandbox of its own and ends it. Exit 0 only if everybody got an outcome and no invariant is violated.
    Demo(DemoOptions),
    /// Let people ask for a coupon, at a rate or so many at a time, and print the figures
    ///
    /// Exit 1 when somebody got no answer or no outcome.
    Load(LoadOptions),
    /// Measure what the functions cost, as ratios to the bare parts beside them
    Measure(MeasureOptions),
    /// Run a system to compare with: the seeds' Redis queue or their hybrid, or ours without Lambda
    ///
    /// When it is ready, one line of JSON on stdout says where: {"api","dynamodb"}, and "kafka" and "redis" where it has
    /// them. `redis` and `hybrid` want a redis-server: `apt-get install redis-server`, or --redis HOST:PORT.
    Baseline(BaselineOptions),
    /// Compare the seeds' two systems with ours, under the same load, and write a report
    ///
    /// bench.json, bench.html and bench.md in --out; the targets on stdout. bench.json is written anew whenever a system has
    /// had its turn; Ctrl-C ends every part and forgets the turn that was under way. Systems `redis` and `hybrid` want a
    /// redis-server: `apt-get install redis-server`. Exit 0 also where a target is missed, which the report says; 1 when a system
    /// did not run; 130 and 143 when it was ended by Ctrl-C or SIGTERM.
    Bench(BenchOptions),
    /// Emulate Lambda's event source mapping for self-managed Kafka, for any function in any language
    ///
    /// One line of JSON on stdout when it is a member of its group, one with all metrics at the end.
    Esm(EsmOptions),
    /// Replay the log and hold tables, results and answers against it
    ///
    /// Exit 0 when nothing is violated, 1 with the offending records when something is, 3 when it cannot be checked.
    Audit(AuditOptions),
    /// Start a program that ends when this process's parent does; how the sandbox starts its children.
    #[command(name = "__exec", hide = true)]
    Exec(ExecOptions),
}

/// `__exec`: what to become.
#[derive(Debug, Args)]
pub struct ExecOptions {
    /// The process that must be the parent; the child gives up when it is gone already.
    #[arg(long)]
    pub parent: u32,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Where the sandbox's parts are: embedded, or real ones that run already.
#[derive(Debug, Clone, Args)]
pub struct PartOptions {
    /// The Kafka broker: `embedded`, or the bootstrap servers of a real one as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "embedded|HOST:PORT,…", default_value = "embedded", value_parser = elsewhere::broker)]
    pub broker: Part,
    /// librdkafka properties for a broker that wants TLS or SASL (security.protocol=…, sasl.username=…, one a line)
    #[arg(long, value_name = "FILE")]
    pub kafka_config: Option<PathBuf>,
    /// The DynamoDB: `embedded`, or the URL of a real one (region us-east-1)
    #[arg(long, value_name = "embedded|URL", default_value = "embedded", value_parser = elsewhere::dynamodb)]
    pub dynamodb: Part,
    /// The Lambda host: `embedded`, or the URL of one that serves the Invoke API, such as `cargo lambda watch`
    #[arg(long, value_name = "embedded|URL", default_value = "embedded", value_parser = elsewhere::functions)]
    pub functions: Part,
    /// How many environments of each function the embedded host runs at most; each serves one request at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub environments: u16,
    /// Keep log and tables here: they survive a kill -9 and a restart. Without it, everything starts empty
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// A part of the sandbox: ours, or somebody else's at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Started by the sandbox, and ended with it.
    Embedded,
    /// Running already; a URL or a list of `host:port`, as the option says.
    External(String),
}

/// `up`: run until SIGINT or SIGTERM.
#[derive(Debug, Args)]
pub struct UpOptions {
    /// The API's port; the broker, DynamoDB, the Lambda host and the faults take the next ones. 0: free ports for all
    #[arg(long, value_name = "PORT", default_value_t = 9700)]
    pub port: u16,
    /// Which parts are whose.
    #[command(flatten)]
    pub parts: PartOptions,
    /// What is deployed on them.
    #[command(flatten)]
    pub deployed: TemplateOptions,
    /// Serve an address that provokes faults: POST {"target", "kind", "seconds", "rate", "ms"}
    #[arg(long)]
    pub faults: bool,
    /// Build the functions as they are deployed, optimised; the first time takes minutes more
    #[arg(long)]
    pub release: bool,
}

/// Parses the command line and runs it; the process's exit code.
#[must_use]
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            exit_code(&error)
        }
    }
}

/// The text of a file that an option names; `content` is what it has to be of, for the sentence where it cannot be read.
pub(crate) fn read_file(option: &str, path: &Path, content: &str) -> Result<String, Misused> {
    std::fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        Misused(format!("{option} {path} cannot be read ({error}); name a file of {content}, or leave {option} out"))
    })
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    let misused = match error.downcast_ref::<TemplateError>() {
        Some(TemplateError::Unreadable { .. } | TemplateError::Parameter { .. }) => true,
        // A template that is wrong is no slip of the command line.
        Some(TemplateError::Refused { .. }) => false,
        None => error.is::<Misused>(),
    };
    match (misused, error.is::<Refused>()) {
        (true, _) => ExitCode::from(EXIT_USAGE),
        (false, true) => ExitCode::from(EXIT_REFUSED),
        (false, false) => ExitCode::FAILURE,
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // Before any runtime: it becomes another program, and a thread beside it would be pointless.
    if let Command::Exec(options) = &cli.command {
        return Err(process::become_program(options));
    }
    // https://no-color.org: set to anything but nothing.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    // What runs until somebody ends it tells what happens; what has something to show tells only what is wrong.
    let level = match &cli.command {
        Command::Up(_) | Command::Esm(_) | Command::Baseline(_) => LevelFilter::INFO,
        Command::Token(_)
        | Command::Demo(_)
        | Command::Load(_)
        | Command::Measure(_)
        | Command::Bench(_)
        | Command::Audit(_)
        | Command::Exec(_) => LevelFilter::WARN,
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()) && !no_color)
        .with_env_filter(tracing_subscriber::EnvFilter::builder().with_default_directive(level.into()).from_env_lossy())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(dispatch(cli.command));
    // Not dropped, which would wait for threads that block: a Kafka client closes for as long as its broker is away.
    runtime.shutdown_background();
    ended
}

/// One arm a command. What a command prints for a program to read goes to stdout, everything else to stderr.
async fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(options) => up::run(&options).await,
        Command::Token(options) => token::run(options),
        Command::Demo(options) => demo::run(&options).await,
        Command::Load(options) => load::command::run(&options).await,
        Command::Baseline(options) => baseline::run(&options).await,
        Command::Bench(options) => bench::run(&options).await,
        Command::Esm(options) => esm::run(&options).await,
        Command::Measure(options) => load::measure::run(&options).await,
        Command::Audit(options) => audit::command::run(&options).await,
        Command::Exec(options) => Err(process::become_program(&options)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// clap finds what contradicts itself in a definition when it is first used, and panics.
    #[test]
    fn no_option_contradicts_another() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_load_has_people_or_a_profile() {
        for good in [&["--users", "5"][..], &["--profile", "seeds"]] {
            let parsed = Cli::try_parse_from(["local", "load"].iter().chain(good));
            assert!(parsed.is_ok(), "{good:?}: {parsed:?}");
        }
        assert!(Cli::try_parse_from(["local", "load"]).is_err(), "neither");
    }
}
