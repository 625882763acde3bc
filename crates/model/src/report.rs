//! Runs the checker and says what it found, in few words.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
};

use stateright::{Checker, HasDiscoveries, Model};

use crate::{Action, Bounds, Defect, Protocol, Record, State};

/// What an exhaustive check came to.
#[derive(Debug)]
pub struct Verdict {
    /// How many different states there are.
    pub states: usize,
    /// How many steps lead from one to another, or to the same.
    pub steps: usize,
    /// The logs that it starts from.
    pub logs: usize,
    /// How many steps the longest way has that was needed.
    pub depth: usize,
    /// The properties that do not hold.
    pub violated: BTreeSet<&'static str>,
    /// What the bounds are too small to meet.
    pub unreached: BTreeSet<&'static str>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, steps, logs, depth, .. } = self;
        write!(f, "{logs} logs, {states} states, {steps} steps, depth {depth}")?;
        for violated in &self.violated {
            write!(f, "\n  VIOLATED {violated}")?;
        }
        for unreached in &self.unreached {
            write!(f, "\n  not {unreached}")?;
        }
        Ok(())
    }
}

/// Explores every state of the bounds.
///
/// # Errors
/// The core refuses the bounds.
pub fn check(bounds: Bounds, defect: Option<Defect>, threads: usize) -> Result<Verdict, coupon::Invalid> {
    let protocol = Protocol::new(bounds, defect)?;
    let logs = protocol.logs.len();
    let checker = protocol.checker().threads(threads).spawn_bfs().join();
    let found: BTreeSet<&'static str> = checker.discoveries().into_keys().collect();
    let all = checker.model().properties();
    let (failures, examples): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|property| property.expectation.discovery_is_failure());
    Ok(Verdict {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        logs,
        depth: checker.max_depth(),
        violated: failures.iter().map(|property| property.name).filter(|name| found.contains(name)).collect(),
        unreached: examples.iter().map(|property| property.name).filter(|name| !found.contains(name)).collect(),
    })
}

/// A shortest way to a state in which a property does not hold.
#[derive(Debug)]
pub struct Counterexample {
    /// The property.
    pub property: &'static str,
    /// The log.
    pub log: Vec<Record>,
    /// What happened.
    pub actions: Vec<Action>,
    /// Where it ends.
    pub last: State,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "violated: {}", self.property)?;
        for (offset, record) in self.log.iter().enumerate() {
            writeln!(f, "  record {offset}: {record:?}")?;
        }
        for action in &self.actions {
            writeln!(f, "  {action:?}")?;
        }
        writeln!(f, "  head {:?}", self.last.tables.head)?;
        writeln!(f, "  items {:?}", self.last.tables.items)?;
        write!(f, "  results {:?}", self.last.results)
    }
}

/// A way on which the log is never drained: from its last step it comes back to an earlier state. Where there is none,
/// every run ends, since the bounds are finite; that it ends with the log drained is a property of its own.
///
/// # Errors
/// The core refuses the bounds.
pub fn cycle(bounds: Bounds, defect: Option<Defect>) -> Result<Option<Vec<Action>>, coupon::Invalid> {
    let protocol = Protocol::new(bounds, defect)?;
    let mut left: HashSet<State> = HashSet::new();
    let mut on_the_way: HashSet<State> = HashSet::new();
    for first in protocol.init_states() {
        // Each level: a state, the step that led to it, and the steps from it that were not taken yet.
        let mut way = vec![(first.clone(), None, protocol.next_steps(&first))];
        on_the_way.insert(first);
        while let Some((state, _action, steps)) = way.last_mut() {
            let Some((action, next)) = steps.pop() else {
                on_the_way.remove(state);
                left.insert(state.clone());
                way.pop();
                continue;
            };
            if on_the_way.contains(&next) {
                let taken = way.iter().filter_map(|(_state, action, _steps)| *action);
                return Ok(Some(taken.chain([action]).collect()));
            }
            if !left.contains(&next) {
                let steps = protocol.next_steps(&next);
                on_the_way.insert(next.clone());
                way.push((next, Some(action), steps));
            }
        }
    }
    Ok(None)
}

/// The shortest way to a state that violates `property`, if there is one within the bounds.
///
/// # Errors
/// The core refuses the bounds.
pub fn counterexample(
    bounds: Bounds,
    defect: Option<Defect>,
    property: &'static str,
) -> Result<Option<Counterexample>, coupon::Invalid> {
    let mut shortest = None;
    let mut depth_max = usize::MAX;
    // `stateright` keeps the last violation that it meets in a block of states, which need not be the shortest: each
    // round looks for a shorter one, so that there are at most as many rounds as steps.
    while depth_max > 1 {
        let protocol = Protocol::new(bounds, defect)?;
        let wanted = HasDiscoveries::AnyOf(BTreeSet::from([property]));
        let mut builder = protocol.checker().finish_when(wanted);
        if depth_max < usize::MAX {
            builder = builder.target_max_depth(depth_max);
        }
        let checker = builder.spawn_bfs().join();
        let Some(path) = checker.discovery(property) else { break };
        let last = path.last_state().clone();
        let log = checker.model().logs[last.log].records.clone();
        let actions = path.into_actions();
        // A path of n actions has n + 1 states; the checker looks at states above its depth only.
        depth_max = actions.len().saturating_add(1);
        shortest = Some(Counterexample { property, log, actions, last });
    }
    Ok(shortest)
}
