//! An answer as its caller gets it, with a defect planted in it; without one it is as the function gave it.

use issue_api::Answer;
use serde_json::{Value, json};

use super::{Defect, Planted};

/// How far the clock of an API is off whose clock is, ms.
const CLOCK_OFF_MS: i64 = 5_000;

/// How often an API refuses that does, in a thousand.
const REFUSES: u64 = 333;

/// What a caller reads of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Planted {
    /// What a caller reads of the function's answer.
    pub(crate) fn read(&self, answer: &Answer) -> Answered {
        let mut body: Value = serde_json::from_str(answer.body()).unwrap_or_default();
        let Some(defect) = self.defect else { return Answered { status: answer.status(), body } };
        if defect == Defect::ApiRefuses && self.dice.chance(REFUSES) {
            return Answered { status: 503, body: json!({"code": "STORE_UNAVAILABLE"}) };
        }
        if let Some(members) = body.as_object_mut() {
            let number = |value: Option<&Value>| value.and_then(Value::as_u64);
            let (remaining, issued) = (number(members.get("remaining")), number(members.get("issued")));
            match (defect, remaining, issued) {
                (Defect::ListEmpty, ..) => {
                    members.entry("items").and_modify(|items| *items = json!([]));
                }
                (Defect::ListCut, ..) => {
                    members.remove("nextCursor");
                }
                (Defect::AlwaysOpen, Some(_), _) => {
                    members.insert("state".into(), "OPEN".into());
                }
                (Defect::RemainingOff, Some(remaining), Some(issued)) if remaining > 0 => {
                    members.insert("remaining".into(), remaining.saturating_sub(1).into());
                    members.insert("issued".into(), issued.saturating_add(1).into());
                }
                _ => {}
            }
        }
        Answered { status: answer.status(), body }
    }

    /// How far the API's clock is off beside what the weather does to it, ms.
    pub(crate) fn api_clock_off_ms(&self) -> i64 {
        match self.defect {
            Some(Defect::ApiClockFast) => CLOCK_OFF_MS,
            Some(Defect::ApiClockSlow) => CLOCK_OFF_MS.saturating_neg(),
            Some(_) | None => 0,
        }
    }
}
