//! What may befall a function while it runs: it dies or stands still at any point where it waits. A future that is
//! dropped is a crash; one that is not polled for a minute is a frozen sandbox, which goes on afterwards with whatever it
//! had in hand.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Sleep;

use crate::dice::Dice;

/// The fate of one run, counted in the times it was polled: each is a point where it waited.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// It runs to its end.
    Spared,
    /// It dies behind so many polls.
    Crash(u64),
    /// It stands still behind so many polls, for so long.
    Freeze(u64, Duration),
}

impl Fate {
    /// Draws a fate; `polls` is how many points there may be at the most, one of these. Chances are in a thousand.
    pub(crate) fn draw(dice: &Dice, crash: u64, freeze: u64, polls: &[u64]) -> Self {
        let polls = dice.pick(polls).copied().unwrap_or(1);
        if dice.chance(crash) {
            return Self::Crash(dice.between(1, polls));
        }
        if !dice.chance(freeze) {
            return Self::Spared;
        }
        // Short of an invocation's deadline, about it, and beyond.
        let most = *dice.pick(&[2_000, 20_000, 55_000, 90_000]).unwrap_or(&2_000);
        Self::Freeze(dice.between(1, polls), dice.millis(most))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Spared => "spared",
            Self::Crash(_) => "crash",
            Self::Freeze(..) => "freeze",
        }
    }
}

/// A run under its fate; `None` is a crash.
pub(crate) struct Hazard<T> {
    run: Option<Pin<Box<dyn Future<Output = T>>>>,
    ice: Option<Pin<Box<Sleep>>>,
    fate: Fate,
    polls: u64,
}

impl<T> Hazard<T> {
    pub(crate) fn new(run: Pin<Box<dyn Future<Output = T>>>, fate: Fate) -> Self {
        Self { run: Some(run), ice: None, fate, polls: 0 }
    }
}

impl<T> Future for Hazard<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        if let Some(ice) = &mut this.ice {
            if ice.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.ice = None;
        }
        match this.fate {
            Fate::Crash(polls) if this.polls >= polls => {
                this.run = None;
                return Poll::Ready(None);
            }
            Fate::Freeze(polls, time) if this.polls >= polls => {
                this.fate = Fate::Spared;
                let mut ice = Box::pin(tokio::time::sleep(time));
                if ice.as_mut().poll(context).is_pending() {
                    this.ice = Some(ice);
                    return Poll::Pending;
                }
            }
            Fate::Spared | Fate::Crash(_) | Fate::Freeze(..) => {}
        }
        this.polls = this.polls.saturating_add(1);
        match &mut this.run {
            Some(run) => run.as_mut().poll(context).map(Some),
            None => Poll::Ready(None),
        }
    }
}
