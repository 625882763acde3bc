//! Creating and reading heads.

use coupon::{CouponName, Timestamp, Total, Window};
use coupon_store::{Consistency, Creation, Store};

use crate::Fixture;

pub(crate) async fn a_coupon_is_created_once<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(10).await;
    let mut other = head.clone();
    other.total = Total::new(99).unwrap();
    other.remaining = 99;
    for again in [&head, &other] {
        assert_eq!(case.store.create(again).await, Ok(Creation::Exists));
    }
    assert_eq!(case.head().await, head, "the first creation stays");

    let moved = case.issue(&head, [case.user(1)]).await;
    assert_eq!(case.store.create(&head).await, Ok(Creation::Exists));
    assert_eq!(case.head().await, moved, "a creation never takes back what was decided");
}

pub(crate) async fn a_head_is_read_back_as_it_was_written<S: Store>(case: &Fixture<'_, S>) {
    let at = |text: &str| Some(Timestamp::parse(text).unwrap());
    let windows = [
        (None, None),
        (at("2026-11-20T03:00:00.120Z"), None),
        (None, at("9999-12-31T23:59:59.999Z")),
        (at("1970-01-01T00:00:00.000Z"), at("2026-11-20T03:00:00.000Z")),
    ];
    for (number, (opens, closes)) in windows.into_iter().enumerate() {
        let mut head = case.fresh(case.other_id(number), Total::MAX);
        head.window = Window::new(opens, closes).unwrap();
        head.name = CouponName::parse(&"봄\"\u{1F338}\\ \n".repeat(16)).unwrap();
        assert_eq!(case.retrying().create(&head).await, Ok(Creation::Created));
        let read = case.store.head(&head.coupon_id, Consistency::Strong).await;
        assert_eq!(read, Ok(Some(head)));
    }
}

pub(crate) async fn an_unknown_coupon_has_no_head<S: Store>(case: &Fixture<'_, S>) {
    for consistency in [Consistency::Strong, Consistency::Eventual] {
        assert_eq!(case.store.head(&case.coupon_id(), consistency).await, Ok(None));
        assert_eq!(case.store.issued(&case.user(1), &case.coupon_id(), consistency).await, Ok(None));
    }
}
