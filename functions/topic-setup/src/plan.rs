//! What has to be done to one topic so that it is as it should be, or why that cannot be done. Plain data in, plain data
//! out.

use std::collections::BTreeMap;

use kafka::{NewTopicSpec, TopicDescription};

/// The next thing to do to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is as it should be.
    Nothing,
    /// There is none.
    Create,
    /// It has too few partitions.
    Grow {
        /// How many it has.
        from: i32,
    },
    /// Settings are other than they should be.
    Alter(BTreeMap<String, String>),
}

/// The next step, or what is wrong with the topic that no step here mends.
pub(crate) fn next_step(wanted: &NewTopicSpec, found: Option<&TopicDescription>) -> Result<Step, String> {
    let Some(found) = found else { return Ok(Step::Create) };
    let name = &wanted.name;
    if found.replication != wanted.replication {
        return Err(format!(
            "{name} is on {} brokers and should be on {}: moving replicas is for the cluster's own tools, or ask for {}",
            found.replication, wanted.replication, found.replication
        ));
    }
    if found.partitions > wanted.partitions {
        return Err(format!(
            "{name} has {} partitions and should have {}: none can be taken away, since its records would go with it; ask \
             for {} or more",
            found.partitions, wanted.partitions, found.partitions
        ));
    }
    if found.partitions < wanted.partitions {
        return Ok(Step::Grow { from: found.partitions });
    }
    let wrong = wrong(wanted, found);
    Ok(if wrong.is_empty() { Step::Nothing } else { Step::Alter(wrong) })
}

/// The wanted settings that do not hold.
fn wrong(wanted: &NewTopicSpec, found: &TopicDescription) -> BTreeMap<String, String> {
    let differs = |(name, value): &(&String, &String)| found.config.get(*name) != Some(*value);
    wanted.config.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Why settings that were made do not hold: the cluster shows others, or does not show them.
pub(crate) fn unkept(topic: &str, changes: &BTreeMap<String, String>, found: Option<&TopicDescription>) -> String {
    let told = changes.iter().map(|(name, value)| match found.and_then(|found| found.config.get(name)) {
        Some(kept) => format!("{name} was set to {value} and is {kept}"),
        None if name == "min.insync.replicas" => {
            format!(
                "{name} was set to {value} and is not shown, as on Redpanda, which ignores it: ClusterKind=redpanda"
            )
        }
        None => format!("{name} was set to {value} and is not shown: this cluster does not know it"),
    });
    format!("{topic}: {}; the brokers' log says why", told.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> NewTopicSpec {
        let config =
            BTreeMap::from([("cleanup.policy".into(), "delete".into()), ("retention.ms".into(), "1000".into())]);
        NewTopicSpec { name: "requests".into(), partitions: 10, replication: 3, config }
    }

    fn as_wanted() -> TopicDescription {
        let mut config = wanted().config;
        config.insert("segment.bytes".into(), "1073741824".into());
        TopicDescription { partitions: 10, replication: 3, config, overrides: BTreeMap::new() }
    }

    #[test]
    fn a_topic_that_is_as_it_should_be_is_left_alone() {
        assert_eq!(next_step(&wanted(), Some(&as_wanted())), Ok(Step::Nothing));
    }

    #[test]
    fn a_topic_is_made_and_grown_and_corrected_one_step_at_a_time() {
        assert_eq!(next_step(&wanted(), None), Ok(Step::Create));
        let mut found = as_wanted();
        found.partitions = 4;
        found.config.insert("retention.ms".into(), "5".into());
        assert_eq!(next_step(&wanted(), Some(&found)), Ok(Step::Grow { from: 4 }));
        found.partitions = 10;
        let change = BTreeMap::from([("retention.ms".into(), "1000".into())]);
        assert_eq!(next_step(&wanted(), Some(&found)), Ok(Step::Alter(change)));
    }

    #[test]
    fn partitions_are_never_taken_away() {
        let found = TopicDescription { partitions: 12, ..as_wanted() };
        let refusal = next_step(&wanted(), Some(&found)).unwrap_err();
        assert!(refusal.contains("has 12 partitions and should have 10") && refusal.ends_with("ask for 12 or more"));
    }

    #[test]
    fn replicas_are_not_moved() {
        let found = TopicDescription { replication: 1, ..as_wanted() };
        let refusal = next_step(&wanted(), Some(&found)).unwrap_err();
        assert!(refusal.starts_with("requests is on 1 brokers and should be on 3"), "{refusal}");
    }

    #[test]
    fn a_setting_that_does_not_stick_is_told_with_what_holds_instead() {
        let changes = BTreeMap::from([("min.insync.replicas".into(), "2".into()), ("retention.ms".into(), "9".into())]);
        let told = unkept("requests", &changes, Some(&as_wanted()));
        assert!(told.contains("retention.ms was set to 9 and is 1000"), "{told}");
        assert!(told.contains("ClusterKind=redpanda"), "{told}");
    }
}
