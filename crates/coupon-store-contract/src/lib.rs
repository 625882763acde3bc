//! What every [`Store`] must do, as one suite of assertions that each adapter's tests call: the embedded engine, a real
//! DynamoDB, a simulated store, and every decorator that is set to do nothing.
//!
//! Knows no adapter. What an adapter cannot do is a flag of [`Abilities`], and the suite asserts that it refuses. An
//! assertion that fails panics, as in any test. Start with [`hold`]; the cases are one file for each part of the port.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code, called from tests only")]

mod commit;
mod create;
mod damage;
mod fixture;
mod race;
mod read;
mod snapshot;
mod token;

use coupon_store::Store;

pub use damage::{Damage, Spoil, refuses_damaged_items};
pub use fixture::{Fixture, user};

/// What stores differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// A chunk without winners that comes again with the token it was written by is answered `Written`; a store that
    /// keeps no token for it answers `Stale`, and changes nothing either.
    pub replays_without_winners: bool,
}

/// Holds `store` to the contract. `run` is 1 to 20 characters of a coupon's id that no earlier run on the same tables
/// had; nothing else in the tables is looked at or changed.
///
/// # Panics
/// The store breaks the contract; the message tells how.
pub async fn hold<S: Store>(store: &S, abilities: Abilities, run: &str) {
    let case = |name: &str| Fixture::new(store, &format!("{run}-{name}"));

    create::a_coupon_is_created_once(&case("create")).await;
    create::a_head_is_read_back_as_it_was_written(&case("round-trip")).await;
    create::an_unknown_coupon_has_no_head(&case("unknown")).await;

    commit::winners_are_written_with_their_head(&case("winners")).await;
    commit::a_full_chunk_is_written_whole(&case("full")).await;
    commit::a_chunk_beyond_full_is_refused_whole(&case("too-full")).await;
    commit::a_chunk_without_winners_moves_the_head_alone(&case("no-winner")).await;
    commit::a_head_takes_every_epoch(&case("epochs")).await;
    commit::a_holder_cancels_the_chunk_whole(&case("held")).await;
    commit::everybody_who_holds_is_named(&case("all-held")).await;
    commit::a_lost_version_is_stale(&case("stale")).await;
    commit::a_lost_version_speaks_before_a_holder(&case("stale-held")).await;
    commit::a_coupon_that_does_not_exist_is_stale(&case("nowhere")).await;
    commit::the_last_coupon_empties_the_head(&case("last")).await;

    token::the_same_token_is_answered_written_again(&case("replay")).await;
    token::a_fresh_token_after_a_lost_answer_is_stale(&case("lost")).await;
    token::a_refused_commit_leaves_its_token_unused(&case("token-unused")).await;
    token::a_chunk_without_winners_is_written_once(&case("replay-none"), abilities).await;

    read::a_commit_is_read_at_once(&case("at-once")).await;
    read::holders_are_found_among_many(&case("among")).await;
    read::pages_follow_each_other_without_gap_or_repetition(&case("pages")).await;
    read::a_person_sees_nobody_elses_coupons(&case("alone")).await;

    snapshot::a_snapshot_tells_the_head_and_who_holds(&case("snapshot")).await;
    snapshot::a_commit_is_in_the_next_snapshot(&case("snap-once")).await;
    snapshot::a_full_snapshot_is_taken_and_a_fuller_one_refused(&case("snap-full")).await;
    snapshot::an_unknown_coupon_has_no_snapshot(&case("snap-unknown")).await;

    race::no_snapshot_is_of_two_moments(&case("race-snap")).await;
    race::no_rank_is_given_twice(&case("race")).await;
    race::the_last_coupons_are_not_given_twice(&case("race-last")).await;
    race::coupons_do_not_stand_in_each_others_way(&case("race-many")).await;
}
