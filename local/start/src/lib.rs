//! How `cargo local` calls cargo: before there is a `local`, in `main.rs`, and from there for the parts of a sandbox.
//!
//! Links nothing. What a machine needs is `local/check.sh`'s to say.

use std::env;
use std::process::Command;

/// What cargo tells a process about the package that it runs. To build scripts that watch these variables it would say
/// that they are stale, and half the workspace would be compiled again.
const OF_A_PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// The cargo that runs this process, and the same toolchain with it; without one, that of PATH.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if OF_A_PACKAGE.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}
