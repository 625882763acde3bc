//! What groups of consumers lack in tansu-broker 0.6, and have in Kafka.
//!
//! - A silent member is dropped while the group stays formed, in the same generation, and nobody is told but the member whose
//!   heartbeat it was. Its partitions belong to nobody from then on. Here such a group is formed anew ([`formed_anew`]).
//! - A commit is carried out whoever sends it, so that a member that lost its partitions while it held on to them moves the
//!   offsets of their new owner back. Here it is refused, as Kafka does it ([`Coordinating`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tansu_broker::Result;
use tansu_broker::coordinator::group::{Coordinator, OffsetCommit};
use tansu_sans_io::join_group_request::JoinGroupRequestProtocol;
use tansu_sans_io::leave_group_request::MemberIdentity;
use tansu_sans_io::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use tansu_sans_io::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic};
use tansu_sans_io::sync_group_request::SyncGroupRequestAssignment;
use tansu_sans_io::{Body, ErrorCode};
use tansu_storage::{GroupDetail, GroupState};

/// The groups as they are stored, of those that were looked at or changed since the broker has started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups(Arc<Mutex<HashMap<String, GroupDetail>>>);

impl Groups {
    /// A group is stored like this.
    pub(crate) fn stored(&self, group_id: &str, detail: GroupDetail) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(group_id.to_owned(), detail);
    }

    fn get(&self, group_id: &str) -> Option<GroupDetail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(group_id).cloned()
    }
}

/// tansu's coordinator, but for the commits of those whose the partitions are no more.
#[derive(Clone, Debug)]
pub(crate) struct Coordinating<C> {
    inner: C,
    groups: Groups,
}

impl<C: Coordinator> Coordinating<C> {
    /// `groups` has to hear of every group that `inner` stores.
    pub(crate) const fn new(inner: C, groups: Groups) -> Self {
        Self { inner, groups }
    }
}

/// Why a commit by this member of this generation is refused, if it is.
///
/// While a group forms, its members still commit what they had: tansu raises the generation when the first newcomer asks to
/// join, Kafka when all have joined.
fn refusal(group: &GroupDetail, member_id: &str, generation: i32) -> Option<ErrorCode> {
    if !group.members.contains_key(member_id) {
        return Some(ErrorCode::UnknownMemberId);
    }
    let is_current = match group.state {
        GroupState::Forming { .. } => generation <= group.generation_id,
        GroupState::Formed { .. } => generation == group.generation_id,
    };
    (!is_current).then_some(ErrorCode::IllegalGeneration)
}

/// The answer to a commit none of which is carried out.
fn refused(commit: &OffsetCommit<'_>, error: ErrorCode) -> Body {
    let topics = commit.topics.unwrap_or_default().iter().map(|topic| {
        let partitions = topic.partitions.iter().flatten().map(|partition| {
            OffsetCommitResponsePartition::default().partition_index(partition.partition_index).error_code(error.into())
        });
        OffsetCommitResponseTopic::default().name(topic.name.clone()).partitions(Some(partitions.collect()))
    });
    OffsetCommitResponse::default().throttle_time_ms(Some(0)).topics(Some(topics.collect())).into()
}

#[async_trait]
impl<C: Coordinator> Coordinator for Coordinating<C> {
    async fn join(
        &mut self,
        client_id: Option<&str>,
        group_id: &str,
        session_timeout_ms: i32,
        rebalance_timeout_ms: Option<i32>,
        member_id: &str,
        group_instance_id: Option<&str>,
        protocol_type: &str,
        protocols: Option<&[JoinGroupRequestProtocol]>,
        reason: Option<&str>,
    ) -> Result<Body> {
        self.inner
            .join(
                client_id,
                group_id,
                session_timeout_ms,
                rebalance_timeout_ms,
                member_id,
                group_instance_id,
                protocol_type,
                protocols,
                reason,
            )
            .await
    }

    async fn sync(
        &mut self,
        group_id: &str,
        generation_id: i32,
        member_id: &str,
        group_instance_id: Option<&str>,
        protocol_type: Option<&str>,
        protocol_name: Option<&str>,
        assignments: Option<&[SyncGroupRequestAssignment]>,
    ) -> Result<Body> {
        self.inner
            .sync(group_id, generation_id, member_id, group_instance_id, protocol_type, protocol_name, assignments)
            .await
    }

    async fn heartbeat(
        &mut self,
        group_id: &str,
        generation_id: i32,
        member_id: &str,
        group_instance_id: Option<&str>,
    ) -> Result<Body> {
        self.inner.heartbeat(group_id, generation_id, member_id, group_instance_id).await
    }

    async fn leave(
        &mut self,
        group_id: &str,
        member_id: Option<&str>,
        members: Option<&[MemberIdentity]>,
    ) -> Result<Body> {
        self.inner.leave(group_id, member_id, members).await
    }

    async fn offset_commit(&mut self, commit: OffsetCommit<'_>) -> Result<Body> {
        // Who is in no group commits without a generation.
        if let (Some(member_id), Some(generation @ 0..)) = (commit.member_id, commit.generation_id_or_member_epoch) {
            if self.groups.get(commit.group_id).is_none() {
                // A first look at the group since the start.
                self.inner.heartbeat(commit.group_id, generation, member_id, commit.group_instance_id).await?;
            }
            let group = self.groups.get(commit.group_id);
            if let Some(error) = group.and_then(|group| refusal(&group, member_id, generation)) {
                tracing::debug!(group = commit.group_id, member_id, generation, ?error, "a commit is refused");
                return Ok(refused(&commit, error));
            }
        }
        self.inner.offset_commit(commit).await
    }

    async fn offset_fetch(
        &mut self,
        group_id: Option<&str>,
        topics: Option<&[OffsetFetchRequestTopic]>,
        groups: Option<&[OffsetFetchRequestGroup]>,
        require_stable: Option<bool>,
    ) -> Result<Body> {
        self.inner.offset_fetch(group_id, topics, groups, require_stable).await
    }
}

/// The group as it has to be formed anew, if partitions of it are assigned to somebody who is no member any more: of a
/// later generation, so that each heartbeat is answered by "rebalance in progress", and without a leader, who may be gone.
pub(crate) fn formed_anew(group: &GroupDetail) -> Option<GroupDetail> {
    let GroupState::Formed { protocol_type, protocol_name, assignments, .. } = &group.state else { return None };
    if assignments.keys().all(|member| group.members.contains_key(member)) {
        return None;
    }
    let state = GroupState::Forming {
        protocol_type: Some(protocol_type.clone()),
        protocol_name: Some(protocol_name.clone()),
        leader: None,
    };
    Some(GroupDetail { generation_id: group.generation_id.saturating_add(1), state, ..group.clone() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tansu_sans_io::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    use tansu_storage::GroupMember;

    use super::*;

    fn formed(members: &[&str], assigned: &[&str]) -> GroupDetail {
        let assignments: BTreeMap<_, _> =
            assigned.iter().map(|name| ((*name).to_owned(), Default::default())).collect();
        GroupDetail {
            members: members.iter().map(|name| ((*name).to_owned(), GroupMember::default())).collect(),
            generation_id: 4,
            state: GroupState::Formed {
                protocol_type: "consumer".into(),
                protocol_name: "range".into(),
                leader: "ann".into(),
                assignments,
            },
            ..GroupDetail::default()
        }
    }

    #[test]
    fn a_group_whose_members_are_all_there_stays_as_it_is() {
        assert_eq!(formed_anew(&formed(&["ann", "bob"], &["ann", "bob"])), None);
        assert_eq!(formed_anew(&formed(&["ann", "bob"], &["ann"])), None, "one who has just joined has nothing yet");
        assert_eq!(formed_anew(&GroupDetail::default()), None);
    }

    #[test]
    fn who_lost_its_partitions_commits_nothing() {
        let group = formed(&["ann", "bob"], &["ann", "bob"]);
        assert_eq!(refusal(&group, "ann", 4), None);
        assert_eq!(refusal(&group, "ann", 3), Some(ErrorCode::IllegalGeneration), "the group was formed without ann");
        assert_eq!(refusal(&group, "ann", 5), Some(ErrorCode::IllegalGeneration), "there is none yet");
        assert_eq!(refusal(&group, "cho", 4), Some(ErrorCode::UnknownMemberId));
    }

    #[test]
    fn members_commit_what_they_had_while_the_group_forms() {
        let group = formed_anew(&formed(&["bob"], &["ann", "bob"])).unwrap();
        assert_eq!(group.generation_id, 5);
        assert_eq!(refusal(&group, "bob", 4), None, "revoked, and not joined again yet");
        assert_eq!(refusal(&group, "bob", 5), None);
        assert_eq!(refusal(&group, "bob", 6), Some(ErrorCode::IllegalGeneration));
        assert_eq!(refusal(&group, "ann", 4), Some(ErrorCode::UnknownMemberId), "for whom it is formed anew");
    }

    #[test]
    fn every_partition_of_a_refused_commit_has_the_error() {
        let partition = |index| OffsetCommitRequestPartition::default().partition_index(index).committed_offset(7);
        let topic = OffsetCommitRequestTopic::default().name("t".into());
        let topics = [topic.partitions(Some(vec![partition(0), partition(3)]))];
        let commit = OffsetCommit {
            group_id: "g",
            generation_id_or_member_epoch: Some(3),
            member_id: Some("ann"),
            group_instance_id: None,
            retention_time_ms: None,
            topics: Some(&topics),
        };
        let Body::OffsetCommitResponse(answer) = refused(&commit, ErrorCode::IllegalGeneration) else { panic!() };
        let topics = answer.topics.unwrap();
        let partitions = topics[0].partitions.as_ref().unwrap();
        let told: Vec<_> = partitions.iter().map(|one| (one.partition_index, one.error_code)).collect();
        assert_eq!((topics.len(), told), (1, vec![(0, 22), (3, 22)]));
    }

    #[test]
    fn a_group_that_lost_a_member_is_formed_anew_without_a_leader() {
        let anew = formed_anew(&formed(&["bob"], &["ann", "bob"])).unwrap();
        assert_eq!(anew.generation_id, 5);
        assert_eq!(anew.members.keys().collect::<Vec<_>>(), ["bob"]);
        assert!(matches!(anew.state, GroupState::Forming { leader: None, .. }), "{anew:?}");
    }
}
