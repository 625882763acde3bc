//! The retry loop against a store that follows a script, on a clock that stands still until somebody waits.

use std::{collections::VecDeque, future::pending, sync::Mutex};

use coupon::{CouponName, NewCoupon, Offset, Partition, Rank, Ticket, Timestamp, Total, Window};
use tokio::time::Instant;

use super::*;
use crate::Token;

/// What the store does with the next call.
#[derive(Debug, Clone)]
enum Step {
    /// Answers it.
    Answer,
    /// Fails it.
    Fail(StoreError),
    /// Never answers.
    Hang,
}

/// What the store was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    Create,
    Head(Consistency),
    Issued(Consistency),
    IssuedAmong(Vec<UserId>),
    Snapshot(Vec<UserId>),
    CouponsOf(usize),
    Commit(Token),
}

/// A store that does what the script says and answers when the script is at its end.
#[derive(Debug, Default)]
struct Scripted {
    script: Mutex<VecDeque<Step>>,
    calls: Mutex<Vec<Call>>,
}

impl Scripted {
    fn new(script: impl IntoIterator<Item = Step>) -> Self {
        Self { script: Mutex::new(script.into_iter().collect()), calls: Mutex::default() }
    }

    fn failing(errors: impl IntoIterator<Item = StoreError>) -> Self {
        Self::new(errors.into_iter().map(Step::Fail))
    }

    async fn play<T>(&self, call: Call, answer: T) -> Result<T, StoreError> {
        self.calls.lock().unwrap().push(call);
        let step = self.script.lock().unwrap().pop_front().unwrap_or(Step::Answer);
        match step {
            Step::Answer => Ok(answer),
            Step::Fail(error) => Err(error),
            Step::Hang => pending().await,
        }
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The tokens of the commits, each as the number of the attempt that brought it first: `[0, 1, 1]` are two fresh
    /// ones, the second sent twice.
    fn token_ages(&self) -> Vec<usize> {
        let calls = self.calls();
        calls.iter().map(|call| calls.iter().position(|earlier| earlier == call).unwrap()).collect()
    }
}

impl Store for Scripted {
    async fn create(&self, _head: &Head) -> Result<Creation, StoreError> {
        self.play(Call::Create, Creation::Created).await
    }

    async fn head(&self, _id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        self.play(Call::Head(consistency), Some(head())).await
    }

    async fn issued(
        &self,
        user: &UserId,
        _id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        self.play(Call::Issued(consistency), Some(issued(user))).await
    }

    async fn issued_among(&self, _id: &CouponId, users: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        self.play(Call::IssuedAmong(users.to_vec()), users.iter().map(issued).collect()).await
    }

    async fn snapshot(&self, _id: &CouponId, users: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        let snapshot = Snapshot { head: head(), items: users.iter().map(issued).collect() };
        self.play(Call::Snapshot(users.to_vec()), Some(snapshot)).await
    }

    async fn coupons_of(&self, _user: &UserId, _after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        self.play(Call::CouponsOf(limit), Page::default()).await
    }

    async fn commit(&self, _chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        self.play(Call::Commit(token.clone()), Commit::Written).await
    }
}

fn coupon_id() -> CouponId {
    CouponId::parse("spring").unwrap()
}

fn user(number: usize) -> UserId {
    UserId::parse(&format!("user-{number}")).unwrap()
}

fn head() -> Head {
    let name = CouponName::parse("Spring").unwrap();
    let coupon = NewCoupon { coupon_id: coupon_id(), name, total: Total::new(9).unwrap(), window: Window::default() };
    Head::new(coupon, "requests".into(), Partition::new(0).unwrap())
}

fn issued(user: &UserId) -> IssuedCoupon {
    IssuedCoupon {
        user_id: user.clone(),
        coupon_id: coupon_id(),
        ticket: Ticket { partition: Partition::new(0).unwrap(), offset: Offset::new(1).unwrap() },
        rank: Rank::new(1).unwrap(),
        issued_at: Timestamp::ZERO,
    }
}

fn chunk() -> Chunk {
    Chunk { head: head(), winners: vec![issued(&user(1))] }
}

fn throttled() -> StoreError {
    StoreError::Throttled("test".into())
}
fn conflict() -> StoreError {
    StoreError::Conflict("test".into())
}
fn in_progress() -> StoreError {
    StoreError::InProgress("test".into())
}
fn unknown() -> StoreError {
    StoreError::Unknown("test".into())
}
fn refused() -> StoreError {
    StoreError::Refused("test".into())
}

/// Runs a commit against a script with 10 s to go; gives the answer, the age of each token, and how long it took.
#[expect(clippy::disallowed_methods, reason = "measures how long the loop waits, on the clock that stands still")]
async fn committed(script: impl IntoIterator<Item = Step>) -> (Result<Commit, StoreError>, Vec<usize>, Duration) {
    let store = Scripted::new(script);
    let tokens = Tokens::with_seed(7);
    let start = Instant::now();
    let retrying = Retrying::new(&store, &tokens, Deadline::after(Duration::from_secs(10)));
    let answer = retrying.commit(&chunk()).await;
    (answer, store.token_ages(), start.elapsed())
}

fn fail(errors: impl IntoIterator<Item = StoreError>) -> Vec<Step> {
    errors.into_iter().map(Step::Fail).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_answered_is_made_once_and_waits_for_nothing() {
    let (answer, ages, took) = committed([]).await;
    assert_eq!((answer, ages, took), (Ok(Commit::Written), vec![0], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_wrote_nothing_is_followed_by_a_fresh_token() {
    let (answer, ages, _) = committed(fail([throttled(), conflict()])).await;
    assert_eq!((answer, ages), (Ok(Commit::Written), vec![0, 1, 2]));
}

#[tokio::test(start_paused = true)]
async fn the_token_stays_the_same_from_the_first_unknown_outcome_on() {
    for lost in [unknown(), in_progress()] {
        let (answer, ages, _) = committed(fail([throttled(), lost.clone(), throttled(), conflict(), lost])).await;
        assert_eq!((answer, ages), (Ok(Commit::Written), vec![0, 1, 1, 1, 1, 1]));
    }
}

#[tokio::test(start_paused = true)]
async fn what_repeating_does_not_help_is_given_back_at_once() {
    for error in [refused(), StoreError::Corrupt("test".into())] {
        let (answer, ages, took) = committed(fail([error.clone()])).await;
        assert_eq!((answer, ages, took), (Err(error), vec![0], Duration::ZERO));
    }
    let (answer, ages, _) = committed(fail([throttled(), refused()])).await;
    assert_eq!((answer, ages), (Err(refused()), vec![0, 1]));
}

#[tokio::test(start_paused = true)]
async fn the_loop_ends_inside_the_deadline_with_the_last_error() {
    let (answer, ages, took) = committed(vec![Step::Fail(throttled()); 10_000]).await;
    assert_eq!(answer, Err(throttled()));
    assert!(took <= Duration::from_secs(10), "{took:?}");
    // Waits of half a second on average for nine seconds, and the short ones before.
    assert!((12..60).contains(&ages.len()), "{} attempts", ages.len());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_cut_at_the_deadline_and_its_outcome_is_unknown() {
    let (answer, ages, took) = committed([Step::Hang]).await;
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    assert_eq!(ages, vec![0]);
    // The timer's grain is a millisecond.
    assert!((Duration::from_secs(10)..=Duration::from_millis(10_001)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_leaves_no_second_attempt() {
    let store = Scripted::failing([throttled(), throttled()]);
    let tokens = Tokens::with_seed(7);
    let retrying = Retrying::new(&store, &tokens, Deadline::after(Duration::ZERO));
    assert_eq!(retrying.head(&coupon_id(), Consistency::Strong).await, Err(throttled()));
    assert_eq!(store.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_call_is_repeated_and_hands_its_arguments_on() {
    let (strong, eventual) = (Consistency::Strong, Consistency::Eventual);
    let store = Scripted::failing([]);
    let tokens = Tokens::with_seed(7);
    let retrying = Retrying::new(&store, &tokens, Deadline::after(Duration::from_secs(60)));
    let fail_next = || store.script.lock().unwrap().push_back(Step::Fail(unknown()));

    fail_next();
    assert_eq!(retrying.create(&head()).await, Ok(Creation::Created));
    fail_next();
    assert_eq!(retrying.head(&coupon_id(), eventual).await, Ok(Some(head())));
    fail_next();
    assert_eq!(retrying.issued(&user(3), &coupon_id(), strong).await, Ok(Some(issued(&user(3)))));
    fail_next();
    let snapshot = retrying.snapshot(&coupon_id(), &[user(3)]).await;
    assert_eq!(snapshot, Ok(Some(Snapshot { head: head(), items: vec![issued(&user(3))] })));
    fail_next();
    assert_eq!(retrying.coupons_of(&user(3), None, 17).await, Ok(Page::default()));

    let twice =
        [Call::Create, Call::Head(eventual), Call::Issued(strong), Call::Snapshot(vec![user(3)]), Call::CouponsOf(17)];
    assert_eq!(store.calls(), twice.into_iter().flat_map(|call| [call.clone(), call]).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_conflicts_is_taken_again_until_the_deadline() {
    let store = Scripted::failing(vec![conflict(); 8]);
    let tokens = Tokens::with_seed(7);
    let retrying = Retrying::new(&store, &tokens, Deadline::after(Duration::from_secs(60)));
    assert!(retrying.snapshot(&coupon_id(), &[user(3)]).await.unwrap().is_some());
    assert_eq!(store.calls(), vec![Call::Snapshot(vec![user(3)]); 9]);

    let store = Scripted::failing(vec![conflict(); 10_000]);
    let retrying = Retrying::new(&store, &tokens, Deadline::after(Duration::from_secs(3)));
    assert_eq!(retrying.snapshot(&coupon_id(), &[user(3)]).await, Err(conflict()));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_group_of_a_lookup_does_not_undo_the_answered_ones() {
    let users: Vec<UserId> = (0..250).chain(0..50).map(user).collect();
    let store = Scripted::new([Step::Answer, Step::Fail(throttled()), Step::Answer, Step::Answer]);
    let tokens = Tokens::with_seed(7);
    let retrying = Retrying::new(&store, &tokens, Deadline::after(Duration::from_secs(60)));

    let found = retrying.issued_among(&coupon_id(), &users).await.unwrap();

    let asked: Vec<usize> = store
        .calls()
        .into_iter()
        .map(|call| match call {
            Call::IssuedAmong(users) => users.len(),
            Call::Create
            | Call::Head(_)
            | Call::Issued(_)
            | Call::Snapshot(_)
            | Call::CouponsOf(_)
            | Call::Commit(_) => 0,
        })
        .collect();
    assert_eq!(asked, [100, 100, 100, 50]);
    let found: BTreeSet<UserId> = found.into_iter().map(|item| item.user_id).collect();
    assert_eq!(found, users.into_iter().collect());
}

#[test]
fn a_wait_doubles_up_to_its_limit_and_is_a_share_of_it() {
    let retry = Retry { delay_base: Duration::from_millis(20), delay_max: Duration::from_secs(1) };
    let longest: Vec<u128> = (1..=8).map(|failures| retry.delay(failures, 1.0).as_millis()).collect();
    assert_eq!(longest, [20, 40, 80, 160, 320, 640, 1000, 1000]);
    assert_eq!(retry.delay(u32::MAX, 1.0), Duration::from_secs(1));
    assert_eq!(retry.delay(3, 0.0), Duration::ZERO);
    assert_eq!(retry.delay(3, 0.5), Duration::from_millis(40));
}
