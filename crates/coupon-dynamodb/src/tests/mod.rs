//! What the store sends and what it makes of the answers, against an endpoint that says what it is told: the real client
//! with its signing, its timeouts and its one attempt. How a real engine behaves is the contract suite's.

mod calls;
mod endpoint;
mod faults;

use coupon::{
    Chunk, CouponId, CouponName, Entry, Head, NewCoupon, Offset, Partition, Timestamp, Total, UserId, Window, decide,
};
use coupon_store::{Token, Tokens};

fn coupon_id() -> CouponId {
    CouponId::parse("spring").unwrap()
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn token() -> Token {
    Tokens::with_seed(7).next()
}

/// Total 9, one issued, `applied` 4.
fn head() -> Head {
    let name = CouponName::parse("Spring").unwrap();
    let opens = Timestamp::parse("2026-11-20T03:00:00Z").unwrap();
    let window = Window::new(Some(opens), None).unwrap();
    let coupon = NewCoupon { coupon_id: coupon_id(), name, total: Total::new(9).unwrap(), window };
    let head = Head::new(coupon, "requests".into(), Partition::new(3).unwrap());
    chunk_of(&head, &[(3, "2026-11-20T02:59:59.999Z", "eve"), (4, "2026-11-20T03:00:00.000Z", "ann")]).head
}

/// What these requests (offset, time, user) make of a head.
fn chunk_of(head: &Head, requests: &[(i64, &str, &str)]) -> Chunk {
    let entry = |(offset, at, name): &(i64, &str, &str)| Entry {
        offset: Offset::new(*offset).unwrap(),
        timestamp: Timestamp::parse(at).unwrap(),
        user_id: user(name),
    };
    let entries: Vec<Entry> = requests.iter().map(entry).collect();
    decide(head, &entries, |_| false).chunks.pop().unwrap()
}

/// Two winners.
fn chunk() -> Chunk {
    chunk_of(&head(), &[(7, "2026-11-20T03:00:00.120Z", "bob"), (9, "2026-11-20T03:00:00.240Z", "cho")])
}

/// No winner: too early by its own clock.
fn chunk_without_winners() -> Chunk {
    let mut chunk = chunk();
    chunk.winners.clear();
    chunk.head.remaining = head().remaining;
    chunk.head.issued = head().issued;
    chunk
}
