//! The tickets file as it is written: a line for every ticket given and for every answer seen, whole or not at all. What
//! reads it is `audit --tickets`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use coupon::{CouponId, Ticket, UserId};

use crate::audit::tickets::{TicketLine, Told};

/// Takes lines from any number of tasks. Without a file, it forgets them.
#[derive(Debug, Default)]
pub struct Written(Option<Mutex<Out>>);

#[derive(Debug)]
struct Out {
    file: BufWriter<File>,
    /// The first failure; nothing is written after it.
    failed: Option<std::io::Error>,
}

impl Written {
    /// Makes the file anew.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn to(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("the tickets file {} cannot be made", path.display()))?;
        Ok(Self(Some(Mutex::new(Out { file: BufWriter::new(file), failed: None }))))
    }

    /// A ticket that was given, or with `told` an answer about it. What is no ticket is not written down: nobody could
    /// check it.
    pub fn line(&self, coupon_id: &str, user_id: &str, request_id: &str, told: Option<Told>) {
        let Some(out) = &self.0 else { return };
        let parsed = (CouponId::parse(coupon_id), UserId::parse(user_id), Ticket::parse(request_id));
        let (Ok(coupon_id), Ok(user_id), Ok(request_id)) = parsed else { return };
        let line = TicketLine { coupon_id, user_id, request_id, status: told };
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.failed.is_none() {
            let written = serde_json::to_vec(&line).map_err(std::io::Error::from).and_then(|mut bytes| {
                bytes.push(b'\n');
                out.file.write_all(&bytes)
            });
            out.failed = written.err();
        }
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// Something could not be written.
    pub fn finish(&self) -> anyhow::Result<()> {
        let Some(out) = &self.0 else { return Ok(()) };
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        match out.failed.take() {
            Some(error) => Err(error),
            None => out.file.flush(),
        }
        .context("the tickets file cannot be written")
    }
}
