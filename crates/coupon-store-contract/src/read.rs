//! Reading: freshness, lookups of many, and pages.

use std::collections::BTreeSet;

use coupon::{CouponId, UserId};
use coupon_store::{Commit, Consistency, Page, Store};

use crate::{Fixture, fixture::chunk};

pub(crate) async fn a_commit_is_read_at_once<S: Store>(case: &Fixture<'_, S>) {
    let mut head = case.created(100).await;
    for number in 0..20 {
        let user = case.user(number);
        let chunk = chunk(&head, [user.clone()]);
        assert_eq!(case.retrying().commit(&chunk).await, Ok(Commit::Written));
        head = chunk.head;

        // By the store itself: each is one attempt and must see the write.
        let id = case.coupon_id();
        assert_eq!(case.store.head(&id, Consistency::Strong).await, Ok(Some(head.clone())));
        assert_eq!(case.store.issued(&user, &id, Consistency::Strong).await, Ok(Some(chunk.winners[0].clone())));
        assert_eq!(case.store.issued_among(&id, std::slice::from_ref(&user)).await, Ok(chunk.winners.clone()));
        assert_eq!(case.store.coupons_of(&user, None, 1).await, Ok(Page { items: chunk.winners, next: None }));
    }
}

pub(crate) async fn holders_are_found_among_many<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(1000).await;
    let winners: Vec<UserId> = (0..120).map(|number| case.user(number)).collect();
    case.issue(&head, winners.clone()).await;
    let among = async |users: &[UserId]| {
        let mut found = case.store.issued_among(&case.coupon_id(), users).await.unwrap();
        found.sort_by_key(|item| item.rank);
        found.into_iter().map(|item| item.user_id).collect::<Vec<_>>()
    };

    assert_eq!(among(&[]).await, []);
    assert_eq!(among(&[case.user(500)]).await, []);
    assert_eq!(among(&[case.user(7), case.user(7), case.user(500), case.user(7)]).await, [case.user(7)]);
    // Everybody twice, and as many who hold nothing, in no order: more than one call of any store takes.
    let everybody: Vec<UserId> = (0..240).rev().chain(0..240).map(|number| case.user(number)).collect();
    assert_eq!(among(&everybody).await, winners);
    let other = case.created_as(case.other_id(1), 10).await;
    assert_eq!(case.store.issued_among(&other.coupon_id, &winners).await, Ok(Vec::new()), "of another coupon");
}

pub(crate) async fn pages_follow_each_other_without_gap_or_repetition<S: Store>(case: &Fixture<'_, S>) {
    let user = case.user(1);
    let mut ids = BTreeSet::new();
    for number in [3, 1, 5, 2, 4] {
        let head = case.created_as(case.other_id(number), 10).await;
        case.issue(&head, [user.clone()]).await;
        ids.insert(head.coupon_id);
    }
    let ids: Vec<CouponId> = ids.into_iter().collect();

    for limit in 1..=6 {
        assert_eq!(
            pages(case, &user, limit).await,
            ids.chunks(limit).map(<[_]>::to_vec).collect::<Vec<_>>(),
            "{limit}"
        );
    }
    // A page starts behind an id whether or not the person holds it.
    let behind = async |after: &CouponId| {
        let page = case.store.coupons_of(&user, Some(after), 10).await.unwrap();
        page.items.into_iter().map(|item| item.coupon_id).collect::<Vec<_>>()
    };
    assert_eq!(behind(&case.coupon_id()).await, ids);
    assert_eq!(behind(&CouponId::parse(&format!("{}-2-", case.case)).unwrap()).await, ids[2..]);
    assert_eq!(behind(&ids[4]).await, []);
}

/// Every page of this size, each told by the one before it where to start.
async fn pages<S: Store>(case: &Fixture<'_, S>, user: &UserId, limit: usize) -> Vec<Vec<CouponId>> {
    let mut pages = Vec::new();
    let mut after = None;
    for _ in 0..10 {
        let page = case.store.coupons_of(user, after.as_ref(), limit).await.unwrap();
        pages.push(page.items.into_iter().map(|item| item.coupon_id).collect());
        after = page.next;
        if after.is_none() {
            return pages;
        }
    }
    assert!(after.is_none(), "five coupons are no ten pages: {pages:?}");
    pages
}

pub(crate) async fn a_person_sees_nobody_elses_coupons<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(10).await;
    // The one's id begins with the other's.
    case.issue(&head, [case.user(1), case.user(11)]).await;
    for user in [case.user(1), case.user(11)] {
        let page = case.store.coupons_of(&user, None, 10).await.unwrap();
        assert_eq!(page.items.iter().map(|item| &item.user_id).collect::<Vec<_>>(), [&user]);
        assert_eq!(page.items[0], case.holds(&user, &case.coupon_id()).await.unwrap());
    }
    assert_eq!(case.store.coupons_of(&case.user(2), None, 10).await, Ok(Page::default()));
}
