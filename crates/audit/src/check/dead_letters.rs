//! The dead-letter topic: everything that is no request is there, untouched and with the right reason, and nothing that
//! was a request from the start is (I12).

use std::collections::BTreeSet;

use bytes::Bytes;
use coupon::DeadLetterReason;

use super::Audit;
use crate::replay::{DEAD_LETTER_HEADERS, dead_letter_texts, source};
use crate::report::Invariant;
use crate::world::{LogRecord, Place, World};

/// The places that the dead-letter topic speaks of.
pub(super) fn places(world: &World) -> BTreeSet<Place> {
    world.dead_letters.iter().filter_map(|record| source(record, &world.names)).collect()
}

impl Audit<'_> {
    pub(super) fn dead_letters(&mut self) {
        for record in &self.world.dead_letters {
            if let Err(what) = self.dead_letter(record) {
                let place = format!("{} {}", self.world.names.dead_letters, record.place);
                self.offend(Invariant::I12, place, what);
            }
        }
        let lettered = places(self.world);
        for (place, reasons) in &self.replay.garbage {
            if !lettered.contains(place) {
                let reason = reasons.first().map_or("", |reason| reason.as_str());
                self.offend(Invariant::I12, self.request(*place), format!("{reason}, and in no dead-letter record"));
            }
        }
    }

    fn dead_letter(&self, record: &LogRecord) -> Result<(), String> {
        let Some([reason, topic, partition, offset]) = dead_letter_texts(record) else {
            return Err(format!("the last headers are not {}", DEAD_LETTER_HEADERS.join(", ")));
        };
        if topic != self.world.names.requests {
            // The topic may serve several logs; the others are another audit's.
            return Ok(());
        }
        let Some(place) = source(record, &self.world.names) else {
            return Err(format!("{partition:?} and {offset:?} are no place in decimal"));
        };
        if self.is_beyond(place) {
            return Ok(());
        }
        let by_place = |request: &&LogRecord| request.place == place;
        let request = match self.world.requests.binary_search_by_key(&place, |request| request.place) {
            Ok(index) => self.world.requests.get(index),
            // A world that is not sorted is searched from the start.
            Err(_) => self.world.requests.iter().find(by_place),
        };
        let request = request.ok_or_else(|| format!("there is no record {place}"))?;
        let headers = record.headers.split_last_chunk::<4>().map(|(headers, _)| headers).unwrap_or_default();
        let same = (&record.key, &record.value) == (&request.key, &request.value);
        if !same || !headers.iter().map(as_handed_over).eq(request.headers.iter().map(as_handed_over)) {
            return Err(format!("key, value or headers are not those of {place}"));
        }
        let possible = match self.replay.garbage.get(&place) {
            Some(reasons) => reasons.as_slice(),
            // A request today; its coupon may have been created after the dead-letter record was written.
            None => &[DeadLetterReason::UnknownCoupon],
        };
        if possible.iter().any(|possible| possible.as_str() == reason) {
            return Ok(());
        }
        let possible: Vec<&str> = possible.iter().map(|reason| reason.as_str()).collect();
        Err(format!("says {reason:?} of {place}, which is {}", possible.join(" or ")))
    }
}

/// A header as a mapping's event has it, which cannot tell a null value from an empty one.
fn as_handed_over((name, value): &(String, Option<Bytes>)) -> (&str, &[u8]) {
    (name, value.as_deref().unwrap_or_default())
}
