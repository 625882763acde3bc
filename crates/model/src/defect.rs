//! The defects that are planted into the model to see that the checker finds them. They exist nowhere else: production
//! has no fault switch.

/// A protocol that is broken in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Defect {
    /// A commit does not look at the head's version.
    NoVersionCondition,
    /// A put does not look whether the item exists.
    NoItemCondition,
    /// A commit does not look at what remains.
    NoRemainingCondition,
    /// A commit looks neither at the head's version nor at what remains.
    NoHeadCondition,
    /// The items are put first and the head is written afterwards, not in one transaction.
    NoTransaction,
    /// Results are published when they are decided, before they are committed.
    ResultsBeforeCommit,
    /// The invocation ends well although a result was not acknowledged.
    ResultsNotAwaited,
    /// A chunk without winners is not committed.
    AppliedNotMoved,
    /// The status call reads the item first and the head afterwards.
    ItemBeforeHead,
    /// Each chunk is committed with the head of the batch's end.
    HeadOfBatchEnd,
    /// A second fold does not write the epochs that it met.
    EpochForgotten,
    /// A second fold writes the epochs of the first one as well.
    EpochKept,
    /// A loser's reason is taken from the items: sold out for who holds none, already issued for who does.
    ReasonFromItems,
    /// The mapping may pass over a record.
    SkippedRecord,
    /// Records at or below applied are decided again.
    DecidedAgain,
    /// Winners are remembered as holders before they are committed.
    RememberedEarly,
    /// A commit without an answer is taken for written.
    UnknownTakenForWritten,
    /// The items of redelivered records are read eventually consistent.
    ItemsEventual,
    /// The worker reads its head eventually consistent.
    HeadEventual,
    /// The clock is not stored.
    ClockForgotten,
    /// What is no request is passed over.
    DeadLetterDropped,
    /// A batch with what is no request fails.
    DeadLetterBlocks,
}
