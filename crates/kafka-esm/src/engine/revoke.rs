//! Partitions that go, to another member or with the mapping's end: what is under way ends and may still be committed,
//! everything else is left to whoever reads them next.

use super::lane::Lane;
use super::task::TaskState;
use super::{Engine, Task, Uncommitted};

impl Engine {
    /// Partitions are to go to another member: nothing of them begins any more, and what waits is forgotten.
    pub(crate) fn begin_revoke(&mut self, partitions: &[i32]) {
        for partition in partitions {
            if let Some(lane) = self.lanes.get_mut(partition) {
                lane.revoking = true;
                lane.pending.clear();
                lane.pending_bytes = 0;
            }
        }
        self.forget_waiting_of_revoked();
    }

    /// Once nothing of the revoked partitions is under way: what may be committed for them. They are gone then.
    pub(crate) fn finish_revoke(&mut self) -> Option<Vec<Uncommitted>> {
        if self.lanes.values().any(|lane| lane.revoking && !lane.tasks.is_empty()) {
            return None;
        }
        let uncommitted = self.uncommitted_of(|lane| lane.revoking);
        self.log_resolved_behind(|lane| lane.revoking);
        self.lanes.retain(|_, lane| !lane.revoking);
        Some(uncommitted)
    }

    /// What may be committed at the end, when nothing is under way.
    pub(crate) fn finish(&self) -> Vec<Uncommitted> {
        self.log_resolved_behind(|lane| !lane.revoking);
        self.uncommitted()
    }

    /// One line for each record that comes again though it is resolved, for one before it is not.
    fn log_resolved_behind(&self, wanted: impl Fn(&Lane) -> bool) {
        for (partition, lane) in self.lanes.iter().filter(|(_, lane)| wanted(lane)) {
            for offset in lane.offsets.resolved_behind() {
                let (topic, reason) = (&self.settings.topic, "resolved, but a record before it is not");
                tracing::info!(topic, partition, offset, reason, "will be redelivered");
            }
        }
    }

    /// Records of revoked partitions leave the tasks that are not under way; their new owner reads them again.
    pub(super) fn forget_waiting_of_revoked(&mut self) {
        let lanes = &self.lanes;
        let kept = |partition: &i32| lanes.get(partition).is_some_and(|lane| !lane.revoking);
        let touched = |task: &Task| {
            matches!(task.state, TaskState::Waiting(_) | TaskState::GivenUp(_)) && !task.partitions().iter().all(kept)
        };
        let mut rests = Vec::new();
        for (id, task) in self.tasks.iter().filter(|(_, task)| touched(task)) {
            rests.push((*id, task.clone().only(|partition| kept(&partition))));
        }
        for (id, rest) in rests {
            self.replace(id, vec![rest]);
        }
    }
}

/// A line for each partition whose resolved records are not committed, with the offsets that come again: `from` is the
/// first, `to` the one after the last.
pub(crate) fn log_uncommitted(topic: &str, uncommitted: &[Uncommitted], reason: &str) {
    for Uncommitted { partition, position, committed } in uncommitted {
        tracing::warn!(topic, partition, from = committed, to = position, reason, "will be redelivered");
    }
}
