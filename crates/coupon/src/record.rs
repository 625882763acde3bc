//! The records of the topics as types: what a request must be to count, what a result says, and why a record is none.
//! The bytes are JSON; turning bytes into these types and back is the caller's, with the serde that stands here.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{CouponId, Invalid, Outcome, Phase, Rank, Ticket, Timestamp, UserId};

/// The only `type` of a request.
pub const ISSUE_TYPE: &str = "issue";

/// Why a request got no coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// It came before the window.
    NotOpen,
    /// It came after the window.
    Closed,
    /// None was left.
    SoldOut,
    /// The person holds one already.
    AlreadyIssued,
}

impl Reason {
    /// The reason that a phase is; none for `OPEN`.
    #[must_use]
    pub const fn of_phase(phase: Phase) -> Option<Self> {
        match phase {
            Phase::NotOpen => Some(Self::NotOpen),
            Phase::Closed => Some(Self::Closed),
            Phase::SoldOut => Some(Self::SoldOut),
            Phase::Open => None,
        }
    }
}

/// Why a record of the request topic is no request and goes to the dead-letter topic; the first that holds, in this
/// order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeadLetterReason {
    /// No JSON object, or a member missing or of the wrong type.
    Undecodable,
    /// A `type` other than [`ISSUE_TYPE`].
    UnknownType,
    /// A member breaks its limit.
    Invalid,
    /// The key is not the couponId.
    KeyMismatch,
    /// There is no such coupon.
    UnknownCoupon,
    /// The coupon's requests are in another topic.
    WrongLog,
    /// The coupon's requests are in another partition.
    WrongPartition,
}

impl DeadLetterReason {
    /// The text of the header `dlq-reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::UnknownType => "unknown-type",
            Self::Invalid => "invalid",
            Self::KeyMismatch => "key-mismatch",
            Self::UnknownCoupon => "unknown-coupon",
            Self::WrongLog => "wrong-log",
            Self::WrongPartition => "wrong-partition",
        }
    }
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request as its JSON has it, nothing checked but the types. Unknown members are ignored.
///
/// serde would read a JSON array in member order as well; whoever decodes checks for an object first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// [`ISSUE_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// Which coupon.
    pub coupon_id: String,
    /// For whom.
    pub user_id: String,
    /// When the API took it, by its own clock; nothing is decided by it.
    pub requested_at: String,
}

impl RequestRecord {
    /// Checks what can be told from the record alone: type, limits, key.
    ///
    /// # Errors
    /// The first reason that holds, from `UnknownType` to `KeyMismatch`.
    pub fn check(&self, key: Option<&[u8]>) -> Result<IssueRequest, DeadLetterReason> {
        if self.kind != ISSUE_TYPE {
            return Err(DeadLetterReason::UnknownType);
        }
        let request = self.parse().map_err(|_limit| DeadLetterReason::Invalid)?;
        if key != Some(self.coupon_id.as_bytes()) {
            return Err(DeadLetterReason::KeyMismatch);
        }
        Ok(request)
    }

    fn parse(&self) -> Result<IssueRequest, Invalid> {
        Ok(IssueRequest {
            coupon_id: CouponId::parse(&self.coupon_id)?,
            user_id: UserId::parse(&self.user_id)?,
            requested_at: Timestamp::parse(&self.requested_at)?,
        })
    }
}

/// A request, every limit kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueRequest {
    /// Which coupon; also the record's key.
    pub coupon_id: CouponId,
    /// For whom.
    pub user_id: UserId,
    /// When the API took it.
    pub requested_at: Timestamp,
}

impl IssueRequest {
    /// The value of the record that says this.
    #[must_use]
    pub fn to_record(&self) -> RequestRecord {
        RequestRecord {
            kind: ISSUE_TYPE.into(),
            coupon_id: self.coupon_id.clone().into(),
            user_id: self.user_id.clone().into(),
            requested_at: self.requested_at.into(),
        }
    }
}

/// The value of a result record. The same request gives the same bytes whenever it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssueResult {
    /// The request's place.
    pub request_id: Ticket,
    /// Which coupon; also the record's key.
    pub coupon_id: CouponId,
    /// For whom.
    pub user_id: UserId,
    /// How it ended.
    #[serde(flatten)]
    pub status: ResultStatus,
}

/// The end of a request as a result record spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum ResultStatus {
    /// A coupon was issued.
    Issued {
        /// The order among the issued.
        rank: Rank,
        /// The coupon's clock at that moment.
        issued_at: Timestamp,
    },
    /// None was.
    Rejected {
        /// Why.
        reason: Reason,
    },
}

impl From<Outcome> for ResultStatus {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Issued { rank, issued_at } => Self::Issued { rank, issued_at },
            Outcome::Rejected(reason) => Self::Rejected { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str =
        r#"{"type":"issue","couponId":"spring-sale","userId":"user-17","requestedAt":"2026-11-20T03:00:00.123Z"}"#;
    const ISSUED: &str = r#"{"requestId":"3-1042","couponId":"spring-sale","userId":"user-17","status":"ISSUED","rank":57,"issuedAt":"2026-11-20T03:00:00.187Z"}"#;
    const REJECTED: &str =
        r#"{"requestId":"3-1043","couponId":"spring-sale","userId":"user-18","status":"REJECTED","reason":"SOLD_OUT"}"#;

    #[test]
    fn a_request_is_written_to_the_byte_as_the_contract_has_it() {
        let record: RequestRecord = serde_json::from_str(REQUEST).unwrap();
        let request = record.check(Some(b"spring-sale")).unwrap();
        assert_eq!(serde_json::to_string(&request.to_record()).unwrap(), REQUEST);
    }

    #[test]
    fn a_result_is_written_to_the_byte_as_the_contract_has_it() {
        for text in [ISSUED, REJECTED] {
            let result: IssueResult = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&result).unwrap(), text);
        }
    }

    #[test]
    fn the_first_reason_that_holds_is_given() {
        let record = |text: &str| serde_json::from_str::<RequestRecord>(text).unwrap();
        let broken = REQUEST.replace("user-17", "");
        let both = broken.replace("\"issue\"", "\"grant\"");
        let unknown_member = REQUEST.replace('{', r#"{"colour":"red","#);
        assert_eq!(record(&both).check(None), Err(DeadLetterReason::UnknownType));
        assert_eq!(record(&broken).check(None), Err(DeadLetterReason::Invalid));
        assert_eq!(record(&REQUEST.replace("2026-11-20T", "")).check(None), Err(DeadLetterReason::Invalid));
        assert_eq!(record(REQUEST).check(None), Err(DeadLetterReason::KeyMismatch));
        assert_eq!(record(REQUEST).check(Some(b"spring-sale2")), Err(DeadLetterReason::KeyMismatch));
        assert!(record(&unknown_member).check(Some(b"spring-sale")).is_ok());
        assert!(serde_json::from_str::<RequestRecord>(&REQUEST.replace("\"user-17\"", "17")).is_err());
    }
}
