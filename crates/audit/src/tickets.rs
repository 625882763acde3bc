//! The tickets file: what people were told, one JSON object a line, as `load` writes it. Parsing only; what the lines
//! witness is checked in `check/told.rs`.

use std::io::BufRead;

use coupon::{CouponId, Ticket, UserId};
use serde::{Deserialize, Serialize};

/// What a line's answer said of the ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Told {
    /// Not decided yet.
    Pending,
    /// A coupon was issued.
    Issued,
    /// None was.
    Rejected,
}

/// One line: a ticket that was given, and with `status` an answer that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketLine {
    /// Which coupon was asked for.
    pub coupon_id: CouponId,
    /// By whom.
    pub user_id: UserId,
    /// The ticket.
    pub request_id: Ticket,
    /// What the answer said; absent where the line only says that the ticket was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Told>,
}

impl TicketLine {
    /// What the answer said for good; nothing while it was open, and where the line only says that the ticket was given.
    #[must_use]
    pub fn terminal(&self) -> Option<Told> {
        self.status.filter(|told| *told != Told::Pending)
    }
}

/// A tickets file that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum TicketsError {
    /// Reading failed.
    #[error("line {line} cannot be read: {why}")]
    Read {
        /// Counted from 1.
        line: usize,
        /// Why.
        why: std::io::Error,
    },
    /// A line is not what `load` writes.
    #[error(
        "line {line} is no ticket: {why}; a line is a JSON object such as \
         {{\"couponId\":\"c\",\"userId\":\"u\",\"requestId\":\"3-1042\",\"status\":\"ISSUED\"}}, status optional"
    )]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Why.
        why: serde_json::Error,
    },
}

/// Every line, in order; blank ones are skipped and unknown members ignored.
///
/// # Errors
/// The first line that cannot be read or is no ticket.
pub fn parse(reader: impl BufRead) -> Result<Vec<TicketLine>, TicketsError> {
    let mut tickets = Vec::new();
    for (index, text) in reader.lines().enumerate() {
        let line = index.saturating_add(1);
        let text = text.map_err(|why| TicketsError::Read { line, why })?;
        if text.trim().is_empty() {
            continue;
        }
        // serde reads an array in member order as well; the contract knows only objects.
        let value: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|why| TicketsError::Malformed { line, why })?;
        tickets.push(
            TicketLine::deserialize(serde_json::Value::Object(value))
                .map_err(|why| TicketsError::Malformed { line, why })?,
        );
    }
    Ok(tickets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = r#"{"couponId":"c","userId":"ann","requestId":"3-7"}"#;
    const SEEN: &str = r#"{"couponId":"c","userId":"ann","requestId":"3-7","status":"ISSUED"}"#;

    #[test]
    fn a_ticket_and_its_answer_are_read_and_written_to_the_byte() {
        let lines = parse(format!("{GIVEN}\n\n{SEEN}\r\n").as_bytes()).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(serde_json::to_string(&lines[0]).unwrap(), GIVEN);
        assert_eq!(serde_json::to_string(&lines[1]).unwrap(), SEEN);
    }

    #[test]
    fn an_error_names_the_line() {
        for broken in [
            "{",
            "[]",
            r#"["c","ann","3-7"]"#,
            r#"{"couponId":"c"}"#,
            &GIVEN.replace("3-7", "37"),
            &SEEN.replace("ISSUED", "WON"),
        ] {
            let error = parse(format!("{GIVEN}\n\n{broken}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("line 3 is no ticket"), "{broken}: {error}");
        }
    }
}
