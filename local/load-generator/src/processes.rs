//! What a system's processes take, as Linux counts it. Memory: PSS shares what processes share, so that it adds up; RSS
//! is what one process would hold by itself. CPU time: user's and system's together.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

/// One process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Process {
    /// The executable's name, of which Linux keeps 15 bytes.
    pub name: String,
    /// Its id.
    pub pid: u32,
    /// Proportional set size.
    pub pss_mb: f64,
    /// Resident set size.
    pub rss_mb: f64,
    /// CPU time since it started.
    pub cpu_ms: f64,
}

/// CPU time that every kind of process took between two looks, in ms for each of `count` things done meanwhile.
pub fn cpu_each(before: &[Process], after: &[Process], count: usize) -> BTreeMap<String, f64> {
    let started: BTreeMap<u32, f64> = before.iter().map(|process| (process.pid, process.cpu_ms)).collect();
    let mut spent = BTreeMap::new();
    for process in after {
        let taken = process.cpu_ms - started.get(&process.pid).copied().unwrap_or(0.0);
        *spent.entry(process.name.clone()).or_default() += taken / f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    }
    spent
}

/// What every kind of process took in the median turn: by kind, since the turns differ in nothing else.
pub fn median(turns: &[BTreeMap<String, f64>]) -> BTreeMap<String, f64> {
    let mut taken: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, ms) in turns.iter().flatten() {
        taken.entry(name).or_default().push(*ms);
    }
    let median = |mut ms: Vec<f64>| {
        ms.sort_by(f64::total_cmp);
        ms.get(ms.len() / 2).copied().unwrap_or(f64::NAN)
    };
    taken.into_iter().map(|(name, ms)| (name.to_owned(), median(ms))).collect()
}

/// CPU time of one process so far, in ms; nothing where it has ended or there is no /proc.
#[must_use]
pub fn cpu_ms_of(pid: u32) -> f64 {
    cpu_ms(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default())
}

/// A process and everything that descends from it, by name; none where there is no /proc.
///
/// # Errors
/// /proc cannot be listed.
pub fn of_tree(root: u32) -> anyhow::Result<Vec<Process>> {
    if !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process may end while it is looked at.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        parents.extend(parent(&stat).map(|parent| (pid, parent)));
    }
    let found = tree(root, &parents).into_iter().filter_map(look);
    let mut processes: Vec<Process> = found.collect();
    processes.sort_by(|one, other| (&one.name, one.pid).cmp(&(&other.name, other.pid)));
    Ok(processes)
}

/// A process and its descendants.
fn tree(root: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(parent) = tree.get(next).copied() {
        let children = parents.iter().filter(|(pid, of)| **of == parent && !tree.contains(pid)).map(|(pid, _)| *pid);
        let children: Vec<u32> = children.collect();
        tree.extend(children);
        next += 1;
    }
    tree
}

fn look(pid: u32) -> Option<Process> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let name = field(&status, "Name:").unwrap_or_default().to_owned();
    let cpu_ms = cpu_ms_of(pid);
    Some(Process { name, pid, pss_mb: mb(&rollup, "Pss:"), rss_mb: mb(&rollup, "Rss:"), cpu_ms })
}

/// Field 4 of `/proc/<pid>/stat`, behind the name and the state.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)
}

fn mb(rollup: &str, name: &str) -> f64 {
    let kb: u32 = field(rollup, name).and_then(|kb| kb.parse().ok()).unwrap_or(0);
    f64::from(kb) / 1024.0
}

/// utime and stime, fields 14 and 15 of `/proc/<pid>/stat`, in ticks of 10 ms; the second field, in parentheses, may have
/// blanks (proc_pid_stat(5)).
fn cpu_ms(stat: &str) -> f64 {
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok());
    ticks.map(f64::from).sum::<f64>() * 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_and_holds_something() {
        let own = std::process::id();
        let found = of_tree(own).unwrap();
        if cfg!(target_os = "linux") {
            let own = found.iter().find(|process| process.pid == own).unwrap();
            assert!(own.pss_mb > 0.5 && own.rss_mb >= own.pss_mb, "{own:?}");
        }
    }

    #[test]
    fn cpu_time_is_what_user_and_system_took_whatever_the_name_is() {
        assert_eq!(cpu_ms("7 (a) b (c) S 1 7 7 0 -1 4194560 9 0 0 0 12 3 0 0 20 0 1 0 55"), 150.0);
        assert_eq!(cpu_ms("nothing"), 0.0);
    }

    #[test]
    fn cpu_time_is_told_by_kind_and_for_each_thing_done() {
        let process = |pid, cpu_ms| Process { name: "api".into(), pid, pss_mb: 1.0, rss_mb: 1.0, cpu_ms };
        let spent = cpu_each(&[process(1, 100.0)], &[process(1, 150.0), process(2, 30.0)], 10);
        assert_eq!(spent, BTreeMap::from([("api".to_owned(), 8.0)]));
        let turns = [1.0, 9.0, 2.0].map(|ms| BTreeMap::from([("api".to_owned(), ms)]));
        assert_eq!(median(&turns).get("api"), Some(&2.0));
    }

    #[test]
    fn grandchildren_belong_to_a_tree_and_neighbours_do_not() {
        // 1 has 2 and 3, 2 has 4; 9 is somebody else's.
        let parents = BTreeMap::from([(2, 1), (3, 1), (4, 2), (9, 8)]);
        assert_eq!(tree(1, &parents), [1, 2, 3, 4]);
        assert_eq!(parent("7 (a) b (c) S 5 7"), Some(5));
    }
}
