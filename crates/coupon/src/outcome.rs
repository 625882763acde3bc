//! What a ticket came to, derived from the head and the caller's own item: nothing else is stored. Serves the status
//! call and the worker's redelivery alike. Reading both at one moment, where the item is missing, is the caller's duty.

use crate::{Head, IssuedCoupon, Offset, Phase, Rank, Reason, Ticket, Timestamp};

/// The end of a request; it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The person holds a coupon by this very request.
    Issued {
        /// The order among the issued.
        rank: Rank,
        /// The coupon's clock at that moment.
        issued_at: Timestamp,
    },
    /// This request got none.
    Rejected(Reason),
}

/// The outcome of the request at `ticket` for the person whose item is given; `None` is `PENDING`.
///
/// | item | head | outcome |
/// | --- | --- | --- |
/// | any | applied < ticket | `None` |
/// | any | decided, in an epoch other than `OPEN` | rejected, the phase is the reason |
/// | its ticket is this one | decided, `OPEN` | issued |
/// | none, or another ticket | decided, `OPEN` | rejected, `ALREADY_ISSUED` |
///
/// An item that was found may have been read in any way, since it never changes. None must be the head's own moment's:
/// a winner whose item is not to be seen yet would be told that they hold nothing. Whether an item is needed at all
/// tells [`needs_item`].
#[must_use]
pub fn outcome(head: &Head, item: Option<&IssuedCoupon>, ticket: Ticket) -> Option<Outcome> {
    if !head.has_applied(ticket.offset) {
        return None;
    }
    Some(match Reason::of_phase(head.phase_of(ticket.offset)) {
        Some(reason) => Outcome::Rejected(reason),
        None => match item {
            Some(item) if item.ticket == ticket => Outcome::Issued { rank: item.rank, issued_at: item.issued_at },
            Some(_) | None => Outcome::Rejected(Reason::AlreadyIssued),
        },
    })
}

/// Whether [`outcome`] depends on the person's item: only for what was decided in an `OPEN` epoch.
#[must_use]
pub fn needs_item(head: &Head, offset: Offset) -> bool {
    head.has_applied(offset) && head.phase_of(offset) == Phase::Open
}
