//! Defects that can be planted below the functions: in the store, the log, or the mapping. Production code has no switch
//! for them. What they are for: a simulation that finds none of them would find none of ours.

mod log;
mod store;

pub(crate) use log::PlantedLog;
pub(crate) use store::{Planted, PlantedStore};

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
    VersionIgnored: "the store writes a commit whatever the stored head's version is",
    HolderIgnored: "the store writes a winner over the coupon that the person holds already",
    WriteLost: "the store says Written and writes nothing",
    TransactionTorn: "the store writes the head and only the first of the winners",
    NoWinnerNoWrite: "the store says Written to a commit without winners and leaves the head",
    HeadOfBatchEnd: "the store writes the head as applied up to the end of the batch, not of the chunk",
    EpochForgotten: "the store writes the head without the epoch that the commit adds",
    StaleItems: "the store serves consistent reads of items, those of snapshots too, from a lagging copy",
    ItemBeforeHead: "the store reads the items before the head instead of after it",
    SeenInPieces: "the store shows the head of a transaction up to 20 ms before its items",
    SnapshotInPieces: "the store shows the head of a transaction up to 20 ms before its items, in snapshots too",
    StaleHeads: "the store serves strongly consistent reads of heads from a lagging copy",
    TokenIgnored: "the store takes a token that it has seen for a new one",
    ResultsFirst: "results are published before their commit",
    ResultDropped: "the log says OK and drops a result",
    LetterDropped: "the log says OK and drops a dead letter",
    RequestLost: "the log acknowledges a request and loses it",
    TicketOfNext: "the log acknowledges a request with the offset behind its own",
    HeadersDropped: "the log keeps a result's value but not its headers",
    RecordSkipped: "the mapping skips a record",
    BatchesSwapped: "the mapping hands over a later batch before an earlier one",
    ProducersClock: "the mapping hands over the producer's clock instead of the log's",
}
