//! Brings a cluster's topics to what they should be: looks at all of them first, so that nothing is changed where
//! something is refused, then goes step by step and looks again. Every step can be repeated, by whoever comes next after
//! this was cut off half way.

use std::time::Duration;

use kafka::{Admin, AdminError, LogError, NewTopicSpec};

use crate::plan::{Step, next_step, unkept};

/// Between two looks at a cluster that did not answer, or that has not told all of its brokers yet.
const PAUSE: Duration = Duration::from_millis(500);

/// Looks at a topic after a change, until every broker has heard of it. Ten are five seconds.
const LOOKS_MAX: u32 = 10;

/// Why the topics are not as they should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// What is there, or what the cluster says, leaves nothing to try.
    #[error("{0}")]
    Refused(String),
    /// The cluster did not answer, and may the next time.
    #[error("{0}")]
    Away(String),
}

impl SetupError {
    fn of(error: AdminError, topic: &str) -> Self {
        match error {
            // A topic that another was told of, or that was made a moment ago, is unknown for a while.
            AdminError::Log(LogError::Unavailable(_) | LogError::UnknownTopic(_)) => {
                Self::Away(format!("{topic}: {error}"))
            }
            AdminError::Log(_) | AdminError::Refused(_) => Self::Refused(format!("{topic}: {error}")),
        }
    }
}

/// What was done, one sentence each.
#[derive(Debug, Default)]
pub(crate) struct Done {
    changes: Vec<String>,
}

impl Done {
    fn add(&mut self, change: String) {
        tracing::info!("{change}");
        self.changes.push(change);
    }

    /// All of it in one text.
    pub(crate) fn summary(&self) -> String {
        if self.changes.is_empty() { "every topic was as it should be".into() } else { self.changes.join("; ") }
    }
}

/// Makes every topic what it should be. A cluster that does not answer is asked again: the caller's patience bounds it, and
/// `last` then has the last reason.
pub(crate) async fn ensure_all(admin: &Admin, wanted: &[NewTopicSpec], last: &mut String) -> Result<Done, SetupError> {
    let mut done = Done::default();
    loop {
        match attempt(admin, wanted, &mut done).await {
            Ok(()) => return Ok(done),
            Err(SetupError::Away(why)) => {
                tracing::warn!(why, "the cluster does not answer; asking again");
                *last = why;
            }
            Err(refused) => return Err(refused),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attempt(admin: &Admin, wanted: &[NewTopicSpec], done: &mut Done) -> Result<(), SetupError> {
    let mut refusals = Vec::new();
    for topic in wanted {
        refusals.extend(look(admin, topic).await?.0.err());
    }
    if !refusals.is_empty() {
        return Err(SetupError::Refused(format!("nothing was changed: {}", refusals.join("; "))));
    }
    for topic in wanted {
        ensure(admin, topic, done).await?;
    }
    Ok(())
}

type Looked = (Result<Step, String>, Option<kafka::TopicDescription>);

async fn look(admin: &Admin, topic: &NewTopicSpec) -> Result<Looked, SetupError> {
    let found = admin.describe(&topic.name).await.map_err(|error| SetupError::of(error, &topic.name))?;
    Ok((next_step(topic, found.as_ref()), found))
}

/// Takes one topic through its steps. The same step again right after it was done is the cluster's brokers not having heard
/// of it yet, or, after some looks, a cluster that does not do it.
async fn ensure(admin: &Admin, topic: &NewTopicSpec, done: &mut Done) -> Result<(), SetupError> {
    let mut last = None;
    let mut looks = 0_u32;
    loop {
        let (step, found) = look(admin, topic).await?;
        let step = step.map_err(SetupError::Refused)?;
        if step == Step::Nothing {
            return Ok(());
        }
        if last.as_ref() == Some(&step) {
            looks = looks.saturating_add(1);
            if looks > LOOKS_MAX {
                return Err(not_done(topic, step, found.as_ref()));
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        take(admin, topic, &step, done).await.map_err(|error| SetupError::of(error, &topic.name))?;
        (last, looks) = (Some(step), 0);
    }
}

async fn take(admin: &Admin, topic: &NewTopicSpec, step: &Step, done: &mut Done) -> Result<(), AdminError> {
    let name = &topic.name;
    match step {
        Step::Nothing => {}
        Step::Create => {
            admin.create(topic).await?;
            done.add(format!("{name} was made with {} partitions", topic.partitions));
        }
        Step::Grow { from } => {
            admin.grow(name, usize::try_from(topic.partitions).unwrap_or_default()).await?;
            done.add(format!("{name} has {} partitions instead of {from}", topic.partitions));
        }
        Step::Alter(changes) => {
            admin.alter(name, changes).await?;
            let told = changes.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
            done.add(format!("{name} has {}", told.join(", ")));
        }
    }
    Ok(())
}

fn not_done(topic: &NewTopicSpec, step: Step, found: Option<&kafka::TopicDescription>) -> SetupError {
    let name = &topic.name;
    match step {
        Step::Alter(changes) => SetupError::Refused(unkept(name, &changes, found)),
        Step::Nothing | Step::Create | Step::Grow { .. } => {
            SetupError::Away(format!("{name}: the cluster says that it is changed, and shows it as it was"))
        }
    }
}
