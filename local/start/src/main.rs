//! `cargo local`: looks first whether the machine has what the build of `local` needs, since a build that finds out by
//! itself does so after minutes, and then becomes `cargo run --bin local` with the same arguments.

#![expect(clippy::print_stderr, reason = "a command line's output is what it is for")]

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../check.sh");
    match Command::new("sh").arg(&script).arg("--build").status() {
        Ok(status) if status.success() => {}
        Ok(_missing) => {
            eprintln!("this machine lacks what the build needs, see above; `sh local/check.sh` looks again");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("sh does not start, and librdkafka's build needs it: {error}");
            return ExitCode::FAILURE;
        }
    }
    // Not a child: a Ctrl-C, a kill and an exit code are those of `local` itself.
    let error = start::cargo().args(["run", "--bin", "local", "--"]).args(std::env::args_os().skip(1)).exec();
    eprintln!("cargo does not start: {error}; is it in PATH?");
    ExitCode::FAILURE
}
