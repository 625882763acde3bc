//! Partitions that go to another member: what is under way ends and may still be committed, everything else is left to
//! the new owner.

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
        self.lanes.retain(|_, lane| !lane.revoking);
        Some(uncommitted)
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
