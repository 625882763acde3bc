//! The state of the modelled world: tables, topics, workers, the mapping's position. Plain small numbers that hash
//! cheaply; how they change is `protocol.rs`.

use coupon::{Phase, Reason};

/// A set of people, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Users(u8);

impl Users {
    /// Whether this person is in it.
    #[must_use]
    pub const fn has(self, user: u8) -> bool {
        self.0 & (1 << user) != 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in the other set.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl FromIterator<u8> for Users {
    fn from_iter<I: IntoIterator<Item = u8>>(users: I) -> Self {
        Self(users.into_iter().fold(0, |set, user| set | (1 << user)))
    }
}

/// An outcome, small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// Rank, and the coupon's clock.
    Issued {
        /// From 1.
        rank: u8,
        /// In the model's time.
        at: u8,
    },
    /// Why not.
    Rejected(Reason),
}

/// A head, small.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct HeadState {
    /// How many are left.
    pub remaining: u8,
    /// How many were issued.
    pub issued: u8,
    /// How often it was written.
    pub version: u8,
    /// The last decided offset.
    pub applied: Option<u8>,
    /// The highest time seen.
    pub clock: u8,
    /// The phases met, by offset.
    pub epochs: Vec<(u8, Phase)>,
}

impl HeadState {
    /// Whether the request at this offset is decided.
    #[must_use]
    pub fn has_applied(&self, offset: u8) -> bool {
        self.applied.is_some_and(|applied| offset <= applied)
    }
}

/// What one person holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Item {
    /// The request that won.
    pub offset: u8,
    /// From 1.
    pub rank: u8,
    /// The coupon's clock.
    pub at: u8,
}

/// Both tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tables {
    /// The coupon's head.
    pub head: HeadState,
    /// What each person holds.
    pub items: Vec<Option<Item>>,
}

impl Tables {
    /// What a plain read sees while these people's items are written but not to be seen yet.
    pub(crate) fn seen_without(&self, unseen: Users) -> Vec<Option<Item>> {
        let seen = |(user, item): (u8, &Option<Item>)| item.filter(|_item| !unseen.has(user));
        (0_u8..).zip(&self.items).map(seen).collect()
    }

    /// Those of these people who hold the coupon.
    pub(crate) fn holders_among(&self, users: Users) -> Users {
        (0_u8..)
            .zip(&self.items)
            .filter(|(user, item)| item.is_some() && users.has(*user))
            .map(|(user, _)| user)
            .collect()
    }
}

/// One transaction: a chunk as it travels to the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    /// The head it was decided from; its version is the condition.
    pub base: HeadState,
    /// The head at the chunk's last record.
    pub head: HeadState,
    /// The items to put.
    pub winners: Vec<(u8, Item)>,
    /// The offsets that it decides.
    pub decides: Users,
}

/// Items of a transaction under way: its head can be read already, these cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Unseen {
    /// Whose items.
    pub users: Users,
    /// The offsets that the transaction decides.
    pub offsets: Users,
    /// The worker that waits for its answer, which comes when everything can be seen.
    pub writer: Option<usize>,
}

/// A commit that its worker has given up waiting for, and that the store may still receive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Late {
    /// What it writes.
    pub write: Write,
    /// The worker that still repeats it with the same token.
    pub repeated_by: Option<usize>,
}

/// What a worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Read the head, strongly consistent.
    Load,
    /// Fold, look the winners up where that is due, commit the next chunk.
    Commit,
    /// No answer came: repeat, or give up. `written` is what only the store knows.
    Unknown {
        /// Whether the transaction of this token was executed.
        written: bool,
    },
    /// Read the items of redelivered records.
    ReadItems,
    /// Wait until every result is acknowledged, write the dead letters, answer the mapping.
    Finish,
}

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    /// The batch's first offset.
    pub start: u8,
    /// One past its last.
    pub end: u8,
    /// What comes next.
    pub step: Step,
    /// Whether the coupon was not there when it was to be loaded: every record is a dead letter.
    pub is_unknown: bool,
    /// The head as this invocation knows it.
    pub head: Option<HeadState>,
    /// By offset, from `start`: what is told as soon as it is committed, and published while the flow goes on.
    pub outcomes: Vec<Option<Told>>,
    /// Holders found in this invocation.
    pub found: Users,
    /// People who held nothing when they were looked up.
    pub absent: Users,
    /// Whether winners are looked up before they are committed.
    pub look_up: bool,
}

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Worker {
    /// The holders it remembers.
    pub holders: Users,
    /// Whether a commit was cancelled by a holder that it did not know.
    pub met_unknown_holder: bool,
    /// The invocation it runs.
    pub run: Option<Run>,
}

/// What a property needs to know of the past and the tables do not tell. Each stays once it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Marks {
    /// A commit that was decided from another head than the stored one was written.
    pub wrote_stale: bool,
    /// A commit decided a record again that was decided before.
    pub decided_again: bool,
    /// A result was published again, and differed.
    pub changed_result: bool,
    /// A worker met what cannot be: a decided record without an outcome, a known holder refused.
    pub contradiction: bool,
}

/// The whole world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Which of the protocol's logs.
    pub log: usize,
    /// The tables now.
    pub tables: Tables,
    /// The tables as they were before each write, oldest first: what a cache may still hold.
    pub past: Vec<Tables>,
    /// The next offset that the mapping hands over.
    pub position: u8,
    /// The environments.
    pub workers: [Worker; 2],
    /// Whether the coupon exists.
    pub is_created: bool,
    /// The offsets that commits have decided.
    pub decided: Users,
    /// What plain reads do not see yet, where the store shows a transaction piece by piece.
    pub unseen: Unseen,
    /// At most one commit under way without anybody waiting for it.
    pub late: Option<Late>,
    /// The result topic, by offset; a second, equal record is not told apart.
    pub results: Vec<Option<Told>>,
    /// The offsets in the dead-letter topic.
    pub dead_letters: Users,
    /// How many faults may still happen.
    pub faults_left: u8,
    /// What is known of the past.
    pub marks: Marks,
}
