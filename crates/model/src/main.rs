//! The model with bounds of one's own: `cargo run --bin model -- --records 5 --faults 2`. The tests hold the small ones.
#![allow(clippy::print_stdout, reason = "a command that prints what it found")]

use std::process::ExitCode;

use clap::Parser;
use model::{Bounds, Defect, Visibility, check};

/// Explores every interleaving within the bounds and prints the counts; exit code 1 where a property does not hold.
#[derive(Debug, Parser)]
struct Arguments {
    /// Records in the log; every log of this length is checked
    #[arg(long, default_value_t = 3)]
    records: u8,
    /// People, at most 8
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    users: u8,
    /// Coupons
    #[arg(long, default_value_t = 2)]
    total: u8,
    /// Winners that one transaction takes
    #[arg(long, default_value_t = 1)]
    winners_max: usize,
    /// Records that one batch takes
    #[arg(long, default_value_t = 3)]
    batch_max: u8,
    /// Faults in one run, of every kind together
    #[arg(long, default_value_t = 2)]
    faults: u8,
    /// Give the coupon a window, and each record any time
    #[arg(long)]
    window: bool,
    /// Let a record be no request
    #[arg(long)]
    dead: bool,
    /// Let records be in the log before their coupon exists
    #[arg(long)]
    created_late: bool,
    /// How a transaction under way looks to plain reads
    #[arg(long, value_enum, default_value_t = Visibility::Whole)]
    visibility: Visibility,
    /// Break the protocol
    #[arg(long)]
    defect: Option<Defect>,
    /// Threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

fn main() -> ExitCode {
    let Arguments {
        records,
        users,
        total,
        winners_max,
        batch_max,
        faults,
        window,
        dead,
        created_late,
        visibility,
        defect,
        threads,
    } = Arguments::parse();
    let bounds =
        Bounds { records, users, total, winners_max, batch_max, faults, window, dead, created_late, visibility };
    println!("{bounds:?} {defect:?}");
    match check(bounds, defect, threads) {
        Ok(verdict) => {
            println!("{verdict}");
            ExitCode::from(u8::from(!verdict.violated.is_empty()))
        }
        Err(invalid) => {
            println!("{invalid}");
            ExitCode::from(2)
        }
    }
}
