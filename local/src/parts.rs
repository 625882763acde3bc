//! Builds the binaries that the sandbox starts, functions and embedded parts, and learns their paths from cargo's own
//! messages: no run ever uses a stale binary, or one of another profile.
//!
//! Starts none of them. Which ones a sandbox needs is `sandbox.rs`'s to say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use cargo_metadata::Message;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::settings::checkout;

/// The embedded broker's binary.
pub const BROKER: &str = "embedded-broker";
/// The embedded DynamoDB's binary.
pub const DYNAMODB: &str = "embedded-dynamodb";

/// Where the built binaries are.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    paths: BTreeMap<String, PathBuf>,
}

impl Parts {
    /// Builds these binaries with one call of cargo, whose own progress goes to stderr. Nothing is built twice: without
    /// `--package`, cargo resolves features for the whole workspace, as it did for this very binary.
    ///
    /// # Errors
    /// The build fails; cargo has said why.
    pub async fn build(binaries: &[&str]) -> anyhow::Result<Self> {
        Self::default().and(binaries, profile().to_vec()).await
    }

    /// With what one more call of cargo builds.
    async fn and(mut self, binaries: &[&str], arguments: Vec<&str>) -> anyhow::Result<Self> {
        if binaries.is_empty() {
            return Ok(self);
        }
        let workspace = checkout()?;
        let mut child =
            cargo(&workspace, binaries, &arguments).spawn().context("cargo does not start; is it in PATH?")?;
        let stdout = child.stdout.take().context("cargo without a stdout")?;
        let paths = executables(stdout).await?;
        let status = child.wait().await?;
        if !status.success() {
            bail!("the build of {} failed ({status}); cargo's messages above tell why", binaries.join(", "));
        }
        self.paths.extend(paths);
        Ok(self)
    }

    /// Builds these functions as they are deployed: optimised, and each with the features that it alone asks for. That
    /// is a build of its own, of minutes, the first time.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub async fn build_deployed(self, functions: &[&str]) -> anyhow::Result<Self> {
        let packages = functions.iter().flat_map(|function| ["--package", function]);
        self.and(functions, ["--release"].into_iter().chain(packages).collect()).await
    }

    /// The path of a binary that was asked for.
    ///
    /// # Errors
    /// Cargo did not name it.
    pub fn path(&self, binary: &str) -> anyhow::Result<&Path> {
        let path = self.paths.get(binary).map(PathBuf::as_path);
        path.with_context(|| format!("cargo built no executable of the name `{binary}`"))
    }
}

fn cargo(workspace: &Path, binaries: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::from(start::cargo());
    command.current_dir(workspace).arg("build").args(arguments).arg("--message-format=json-render-diagnostics");
    command.args(binaries.iter().flat_map(|binary| ["--bin", binary]));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    command
}

/// The profile that this binary was built with.
fn profile() -> &'static [&'static str] {
    if cfg!(debug_assertions) { &[] } else { &["--release"] }
}

async fn executables(stdout: impl tokio::io::AsyncRead + Unpin) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut paths = BTreeMap::new();
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        // Lines that are no message come from build scripts and are nobody's business here.
        if let Ok(Message::CompilerArtifact(artifact)) = serde_json::from_str(&line)
            && let Some(path) = artifact.executable
            && artifact.target.is_bin()
        {
            paths.insert(artifact.target.name, path.into());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn paths_come_from_the_executables_among_cargos_messages() {
        let artifact = |kind: &str, name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///x#0.1.0","manifest_path":"/x/Cargo.toml","target":{{"kind":["{kind}"],"crate_types":["{kind}"],"name":"{name}","src_path":"/x/src/main.rs","edition":"2024","doc":true,"doctest":false,"test":true}},"profile":{{"opt_level":"0","debuginfo":0,"debug_assertions":true,"overflow_checks":true,"test":false}},"features":[],"filenames":[],"executable":{executable},"fresh":true}}"#
            )
        };
        let output = [
            artifact("lib", "local", "null"),
            "a line of a build script".into(),
            artifact("bin", "embedded-broker", r#""/t/embedded-broker""#),
        ]
        .join("\n");
        let paths = executables(output.as_bytes()).await.expect("readable");
        assert_eq!(paths, BTreeMap::from([(BROKER.to_owned(), PathBuf::from("/t/embedded-broker"))]));
    }

    #[test]
    fn a_binary_that_nobody_built_is_named() {
        let error = Parts::default().path("issue-api").expect_err("nothing was built");
        assert!(error.to_string().contains("issue-api"), "{error}");
    }
}
