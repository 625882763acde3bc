//! What a group of consumers lacks when one of them dies: tansu-broker 0.6 drops a silent member while the group stays
//! formed, in the same generation, and tells nobody but the member whose heartbeat it was. Its partitions belong to nobody
//! from then on. Here such a group is formed anew, as Kafka does it.

use tansu_storage::{GroupDetail, GroupState};

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
    fn a_group_that_lost_a_member_is_formed_anew_without_a_leader() {
        let anew = formed_anew(&formed(&["bob"], &["ann", "bob"])).unwrap();
        assert_eq!(anew.generation_id, 5);
        assert_eq!(anew.members.keys().collect::<Vec<_>>(), ["bob"]);
        assert!(matches!(anew.state, GroupState::Forming { leader: None, .. }), "{anew:?}");
    }
}
