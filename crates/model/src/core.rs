//! The bridge to the core: the model's small numbers into its types, its answers back. What is decided here is decided by
//! `coupon` itself.

use coupon::{
    CouponId, CouponName, Decision, Entry, Epoch, Head, IssuedCoupon, NewCoupon, Offset, Outcome, Partition, Rank,
    Ticket, Timestamp, Total, UserId, Version, Window, decide_in_chunks, needs_item, outcome,
};

use crate::{
    Bounds, Record,
    bounds::{CLOSES_AT, OPENS_AT},
    world::{HeadState, Item, Told, Users},
};

/// The coupon and its people in the core's types.
#[derive(Debug)]
pub(crate) struct Core {
    new_head: Head,
    users: Vec<UserId>,
    winners_max: usize,
}

impl Core {
    /// # Errors
    /// Bounds that the core refuses, such as a total of 0.
    pub(crate) fn new(bounds: &Bounds) -> Result<Self, coupon::Invalid> {
        let window =
            if bounds.window { Window::new(Some(time(OPENS_AT)), Some(time(CLOSES_AT)))? } else { Window::default() };
        let coupon = NewCoupon {
            coupon_id: CouponId::parse("coupon")?,
            name: CouponName::parse("Coupon")?,
            total: Total::new(u64::from(bounds.total))?,
            window,
        };
        let users = (0..bounds.users).map(|user| UserId::parse(&format!("user-{user}"))).collect::<Result<_, _>>()?;
        let new_head = Head::new(coupon, String::new(), Partition::new(0)?);
        Ok(Self { new_head, users, winners_max: bounds.winners_max })
    }

    /// The requests of a log.
    pub(crate) fn entries(&self, log: &[Record]) -> Vec<Entry> {
        let entry = |(offset, record): (u8, &Record)| match *record {
            Record::Request { user, at } => {
                let user_id = self.users[usize::from(user)].clone();
                Some(Entry { offset: place(offset), timestamp: time(at), user_id })
            }
            Record::Dead => None,
        };
        (0..).zip(log).filter_map(entry).collect()
    }

    /// The core's decision, chunks cut at the model's own size.
    pub(crate) fn decide(&self, head: &HeadState, entries: &[Entry], knows: Users) -> Decision {
        decide_in_chunks(&self.head(head), entries, |user| knows.has(self.user(user)), self.winners_max)
    }

    /// The core's outcome of a ticket.
    pub(crate) fn outcome(&self, head: &HeadState, item: Option<&Item>, offset: u8) -> Option<Told> {
        let item = item.map(|item| self.item(item));
        outcome(&self.head(head), item.as_ref(), self.ticket(offset)).map(told)
    }

    /// Whether the outcome depends on the item.
    pub(crate) fn needs_item(&self, head: &HeadState, offset: u8) -> bool {
        needs_item(&self.head(head), place(offset))
    }

    /// The model's number of a person.
    pub(crate) fn user(&self, id: &UserId) -> u8 {
        small(self.users.iter().position(|user| user == id).unwrap_or(usize::MAX))
    }

    /// A head in the model's numbers.
    pub(crate) fn state(head: &Head) -> HeadState {
        HeadState {
            remaining: small(head.remaining),
            issued: small(head.issued),
            version: small(head.version.get()),
            applied: head.applied.map(|offset| small(offset.get())),
            clock: small(head.clock.millis()),
            epochs: head.epochs.iter().map(|epoch| (small(epoch.offset.get()), epoch.phase)).collect(),
        }
    }

    /// A winner in the model's numbers.
    pub(crate) fn winner(&self, issued: &IssuedCoupon) -> (u8, Item) {
        let item = Item {
            offset: small(issued.ticket.offset.get()),
            rank: small(issued.rank.get()),
            at: small(issued.issued_at.millis()),
        };
        (self.user(&issued.user_id), item)
    }

    fn head(&self, state: &HeadState) -> Head {
        let mut head = self.new_head.clone();
        head.remaining = u64::from(state.remaining);
        head.issued = u64::from(state.issued);
        head.version = Version::new(u64::from(state.version));
        head.applied = state.applied.map(place);
        head.clock = time(state.clock);
        head.epochs =
            state.epochs.iter().map(|(offset, phase)| Epoch { offset: place(*offset), phase: *phase }).collect();
        head
    }

    fn item(&self, item: &Item) -> IssuedCoupon {
        IssuedCoupon {
            user_id: self.users[0].clone(), // the outcome does not look at it
            coupon_id: self.new_head.coupon_id.clone(),
            ticket: self.ticket(item.offset),
            rank: Rank::new(u64::from(item.rank)).unwrap_or_else(|_| stop("rank", item.rank)),
            issued_at: time(item.at),
        }
    }

    fn ticket(&self, offset: u8) -> Ticket {
        Ticket { partition: self.new_head.partition, offset: place(offset) }
    }
}

/// An outcome in the model's numbers.
pub(crate) fn told(outcome: Outcome) -> Told {
    match outcome {
        Outcome::Issued { rank, issued_at } => Told::Issued { rank: small(rank.get()), at: small(issued_at.millis()) },
        Outcome::Rejected(reason) => Told::Rejected(reason),
    }
}

/// The core's offset in the model's numbers.
pub(crate) fn offset(entry: &Entry) -> u8 {
    small(entry.offset.get())
}

fn place(offset: u8) -> Offset {
    Offset::new(i64::from(offset)).unwrap_or_else(|_| stop("offset", offset))
}

fn time(at: u8) -> Timestamp {
    Timestamp::from_millis_clamped(i64::from(at))
}

fn small<T: TryInto<u8>>(number: T) -> u8 {
    number.try_into().unwrap_or(u8::MAX)
}

/// A number that the core refuses would make the check worthless.
#[expect(clippy::panic, reason = "tests and tools only: a model that is wrong has to stop")]
fn stop<T>(what: &str, number: u8) -> T {
    panic!("the model made {what} {number}, which the core refuses")
}
