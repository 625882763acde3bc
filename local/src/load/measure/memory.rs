//! What the sandbox's processes hold in memory, as Linux counts it: PSS shares what processes share, so that it adds up;
//! RSS is what one process would hold by itself.

use std::fs;

use serde::Serialize;

/// One process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Process {
    /// The executable's name, of which Linux keeps 15 bytes.
    pub(super) name: String,
    /// Its id.
    pub(super) pid: u32,
    /// Proportional set size.
    pub(super) pss_mb: f64,
    /// Resident set size.
    pub(super) rss_mb: f64,
}

/// A process and its children, by name; none where there is no /proc.
///
/// # Errors
/// /proc cannot be listed.
pub(super) fn of_children(parent: u32) -> anyhow::Result<Vec<Process>> {
    if !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process may end while it is looked at.
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
        let is_child = field(&status, "PPid:").and_then(|id| id.parse().ok()) == Some(parent);
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
        if let (true, Ok(rollup)) = (is_child || pid == parent, rollup) {
            let name = field(&status, "Name:").unwrap_or_default().to_owned();
            processes.push(Process { name, pid, pss_mb: mb(&rollup, "Pss:"), rss_mb: mb(&rollup, "Rss:") });
        }
    }
    processes.sort_by(|one, other| (&one.name, one.pid).cmp(&(&other.name, other.pid)));
    Ok(processes)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)
}

fn mb(rollup: &str, name: &str) -> f64 {
    let kb: u32 = field(rollup, name).and_then(|kb| kb.parse().ok()).unwrap_or(0);
    f64::from(kb) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_and_holds_something() {
        let own = std::process::id();
        let found = of_children(own).unwrap();
        if cfg!(target_os = "linux") {
            let own = found.iter().find(|process| process.pid == own).unwrap();
            assert!(own.pss_mb > 0.5 && own.rss_mb >= own.pss_mb, "{own:?}");
        }
    }
}
