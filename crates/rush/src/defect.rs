//! Defects that can be planted around the functions: in the store, the log and the mapping, between a function and its
//! ports (`side.rs`), or between the API and its callers (`answer.rs`). Production code has no switch for them. What they are for: a simulation that finds none of them
//! would find none of ours. Every defect of the model is among them; `tests/seeds/planted.rs` says which is which.

mod answer;
mod log;
mod side;
mod store;

pub(crate) use answer::Answered;
pub(crate) use log::PlantedLog;
pub(crate) use side::{Side, SideLog, SideStore};
pub(crate) use store::{Applied, Moved, Planted, PlantedStore};

macro_rules! defects {
    ($($name:ident: $says:literal,)*) => {
        /// A defect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Defect {
            $(#[doc = $says] $name,)*
        }

        impl Defect {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it does, in a sentence.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }
        }
    };
}

defects! {
    VersionIgnored: "the store writes a commit whatever the stored head's version is, as long as enough remain",
    HeadIgnored: "the store writes a commit whatever the stored head is",
    HolderIgnored: "the store writes a winner over the coupon that the person holds already",
    WriteLost: "the store says Written and writes nothing",
    TransactionTorn: "the store writes the head and only the first of the winners",
    ItemsThenHead: "the store puts the items first, and moves the head in a write of its own",
    NoWinnerNoWrite: "the store says Written to a commit without winners and leaves the head",
    HeadOfBatchEnd: "the store writes the head as applied up to the end of the batch, not of the chunk",
    EpochForgotten: "the store writes the head without the epoch that the commit adds",
    EpochKept: "the worker writes the epochs of a fold that was cancelled with those of the next one",
    ClockForgotten: "the store writes the head without its clock",
    DecidedAgain: "the worker decides again what is at or below applied",
    RememberedEarly: "the worker remembers the winners of a commit that was refused as holders",
    UnknownTakenForWritten: "the worker takes a commit without an answer for written",
    WorkersStaleHead: "the worker reads its head from a lagging copy",
    StaleItems: "the store serves consistent reads of items, those of snapshots too, from a lagging copy",
    ItemBeforeHead: "the store reads the items before the head instead of after it",
    SnapshotItemBeforeHead: "the store reads the items before the head, those of snapshots too",
    SeenInPieces: "the store shows the head of a transaction up to 20 ms before its items",
    SnapshotInPieces: "the store shows the head of a transaction up to 20 ms before its items, in snapshots too",
    StaleHeads: "the store serves strongly consistent reads of heads from a lagging copy",
    TokenIgnored: "the store takes a token that it has seen for a new one",
    ResultsFirst: "results are published before their commit",
    ResultsNotAwaited: "the worker does not look whether a result was acknowledged",
    ReasonFromItems: "the worker takes a loser's reason from the items: already issued for who holds one, else sold out",
    ResultDropped: "the log says OK and drops a result",
    LetterDropped: "the log says OK and drops a dead letter",
    LetterBlocks: "the worker fails a batch with what is no request",
    RequestLost: "the log acknowledges a request and loses it",
    TicketOfNext: "the log acknowledges a request with the offset behind its own",
    HeadersDropped: "the log keeps a result's value but not its headers",
    RecordSkipped: "the mapping skips a record",
    BatchesSwapped: "the mapping hands over a later batch before an earlier one",
    ProducersClock: "the mapping hands over the producer's clock instead of the log's",
    ApiRefuses: "the API answers a third of its calls with 503, though store and queue are there",
    ApiClockFast: "the API's clock is 5 s fast where no clock jumps",
    ApiClockSlow: "the API's clock is 5 s slow where no clock jumps",
    HeadsKept: "the API answers from heads that are up to a minute old",
    ListEmpty: "the API lists no coupon",
    ListCut: "the API's list of coupons ends behind its first page",
    RemainingOff: "the API shows one coupon as issued that still remains",
    AlwaysOpen: "the API shows every coupon as open",
}
