//! The seeds' load, derived from their own table. It says 9,701 requests at 119.46 a second by 1,000 virtual users in 8
//! stages over 1m50s. 9,701 / 119.46 is 81.2 s, not 110 (and their second row, 9,670 / 120.19, is 80.5 s): 1m50s is what
//! k6 prints as a test's maximum, the stages and 30 s of graceful stop. So the stages took 80 s, ten each.
//!
//! How long a user waits between two requests is what remains unknown, and follows: users who start evenly over the 80 s
//! and ask every `c` seconds send `sum(ceil((80 - start) / c))` requests, which is 9,701 for one `c`. The shape of the
//! stages is assumed (a straight rise to 1,000); any other shape changes `c` and leaves the rate as it was.

use std::time::Duration;

/// What the seeds' table says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedsTable {
    /// Requests in all.
    pub requests: u32,
    /// Requests a second, as k6 prints them: by the time that the test took.
    pub per_second: f64,
    /// Virtual users at the end of the last stage.
    pub users: u32,
    /// Stages.
    pub stages: u32,
    /// What all stages take, in seconds: 1m50s less k6's graceful stop.
    pub seconds: f64,
    /// The mean answer, in ms.
    pub answer_ms: f64,
}

/// The Redis row of the seeds' table.
pub const SEEDS: SeedsTable =
    SeedsTable { requests: 9701, per_second: 119.46, users: 1000, stages: 8, seconds: 80.0, answer_ms: 1.63 };

/// The stages of a test that takes so long: how long each takes, and how many users there are at its end.
#[must_use]
pub fn stages(seconds: f64) -> Vec<(Duration, u32)> {
    let each = Duration::from_secs_f64(seconds / f64::from(SEEDS.stages));
    (1..=SEEDS.stages).map(|stage| (each, SEEDS.users * stage / SEEDS.stages)).collect()
}

/// When a user starts: evenly over the whole test.
pub(crate) fn start_of(user: u32, users: u32, seconds: f64) -> f64 {
    seconds * f64::from(user) / f64::from(users.max(1))
}

/// How many users there are at the end of a test of so many seconds: the seeds', or as many as there are requests in a
/// test so short that each of the seeds' would send too many by asking once.
pub(crate) fn users(seconds: f64) -> u32 {
    (1..=SEEDS.users).rev().find(|users| f64::from(*users) <= wanted(seconds)).unwrap_or(1)
}

/// How many requests the seeds' rate is.
fn wanted(seconds: f64) -> f64 {
    f64::from(SEEDS.requests) * seconds / SEEDS.seconds
}

/// How long a user thinks, so that users who start evenly over `seconds`, as many as such a test has, send as many requests
/// a second as the seeds'.
#[must_use]
pub fn think(seconds: f64) -> Duration {
    let (mut short, mut long) = (0.001, seconds);
    // Sixty halvings leave nothing of any test's length to tell apart.
    for _ in 0..60 {
        let middle = f64::midpoint(short, long);
        if requests(middle, seconds) > wanted(seconds) {
            short = middle;
        } else {
            long = middle;
        }
    }
    Duration::from_secs_f64((long - SEEDS.answer_ms / 1000.0).max(0.0))
}

/// How many requests users send who ask every `cycle` seconds.
fn requests(cycle: f64, seconds: f64) -> f64 {
    let users = users(seconds);
    let of = |user| ((seconds - start_of(user, users, seconds)) / cycle).ceil();
    (0..users).map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_took_as_long_as_its_stages_and_not_as_long_as_it_says() {
        let took = f64::from(SEEDS.requests) / SEEDS.per_second;
        assert!((SEEDS.seconds..SEEDS.seconds + 2.0).contains(&took), "{took}");
    }

    #[test]
    fn users_who_think_that_long_send_what_the_table_says() {
        let cycle = think(SEEDS.seconds).as_secs_f64() + SEEDS.answer_ms / 1000.0;
        let sent = requests(cycle, SEEDS.seconds);
        assert!((sent - f64::from(SEEDS.requests)).abs() <= 2.0, "{sent}");
        assert!((4.0..5.0).contains(&cycle), "{cycle}");
    }

    #[test]
    fn a_shorter_test_keeps_the_rate() {
        for (seconds, people) in [(20.0, 1000), (15.0, 1000), (6.0, 727), (1.0, 121)] {
            assert_eq!(users(seconds), people, "{seconds} s");
            let cycle = think(seconds).as_secs_f64() + SEEDS.answer_ms / 1000.0;
            let rate = requests(cycle, seconds) / seconds;
            assert!((rate - f64::from(SEEDS.requests) / SEEDS.seconds).abs() < 1.0, "{seconds} s: {rate}");
        }
    }

    #[test]
    fn the_last_stage_ends_with_everybody() {
        let stages = stages(80.0);
        assert_eq!(stages.len(), 8);
        assert_eq!(stages.last(), Some(&(Duration::from_secs(10), 1000)));
        assert_eq!(stages.first(), Some(&(Duration::from_secs(10), 125)));
    }

    #[test]
    fn the_k6_script_has_the_same_stages_and_thinks_as_long() {
        let script = include_str!("../../k6/seeds.js");
        let number = |name: &str| {
            let line = script.lines().find_map(|line| line.strip_prefix(&format!("const {name} = "))).unwrap();
            line.trim_end_matches(';').parse::<f64>().unwrap()
        };
        let (each, users) = stages(SEEDS.seconds)[0];
        assert_eq!(number("STAGES"), f64::from(SEEDS.stages));
        assert_eq!(number("STAGE_SECONDS"), each.as_secs_f64());
        assert_eq!(number("USERS_EACH_STAGE"), f64::from(users));
        let think = think(SEEDS.seconds).as_secs_f64();
        assert!((number("THINK_SECONDS") - think).abs() < 0.001, "{think}");
    }
}
