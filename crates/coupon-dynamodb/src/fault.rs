//! What DynamoDB's errors mean for the caller: one table of codes for every operation, and one for the reasons of a
//! cancelled transaction.
//!
//! Codes: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>.

use std::error::Error;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    types::CancellationReason,
};
use coupon::{Chunk, UserId};
use coupon_store::{Commit, StoreError};

/// What the failure of a call on `tables` means.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
pub(crate) fn of<E>(tables: &str, error: SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let SdkError::ServiceError(service) = &error
        && let Some(code) = service.err().code()
    {
        let detail = service.err().message().unwrap_or("no message");
        return of_code(code, service.raw().status().as_u16(), format!("{tables}: {code}: {detail}"));
    }
    let text = format!("{tables}: {}", DisplayErrorContext(&error));
    match &error {
        SdkError::ConstructionFailure(_) => StoreError::Refused(text),
        // The SDK calls what it cannot read an error of the service, even an answer of status 200.
        SdkError::ServiceError(service) => of_code("", service.raw().status().as_u16(), text),
        // A timeout, a lost connection, half an answer: it may have been carried out.
        _ => StoreError::Unknown(text),
    }
}

fn of_code(code: &str, status: u16, text: String) -> StoreError {
    match code {
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded" => StoreError::Throttled(text),
        "TransactionConflictException" | "ReplicatedWriteConflictException" => StoreError::Conflict(text),
        "TransactionInProgressException" => StoreError::InProgress(text),
        _ if status == 429 => StoreError::Throttled(text),
        // ResourceNotFoundException, AccessDeniedException, ValidationException, IdempotentParameterMismatchException
        // and whatever else is the caller's fault: the same call would fail again.
        _ if (400..500).contains(&status) => StoreError::Refused(text),
        _ => StoreError::Unknown(text),
    }
}

/// What a cancelled transaction means. `reasons` are in the order of the actions: the head's, then the winners'.
///
/// The head's condition speaks first, since who holds is no news to a decision that is stale anyway. A holder speaks
/// before a conflict: an item that exists stays, so the next fold is better for knowing it.
pub(crate) fn cancelled(tables: &str, chunk: &Chunk, reasons: &[CancellationReason]) -> Result<Commit, StoreError> {
    let Some((head, items)) = reasons.split_first() else {
        return Err(StoreError::Conflict(format!("{tables}: cancelled without a reason")));
    };
    if is_condition(head) {
        return Ok(Commit::Stale);
    }
    let held: Vec<UserId> =
        items.iter().zip(&chunk.winners).filter(|(reason, _)| is_condition(reason)).map(holder).collect();
    if held.is_empty() { Err(of_reasons(tables, reasons)) } else { Ok(Commit::Held(held)) }
}

/// What a cancelled snapshot means: it has no conditions, so that every reason is an error.
pub(crate) fn cancelled_read(tables: &str, reasons: &[CancellationReason]) -> StoreError {
    of_reasons(tables, reasons)
}

fn is_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Who holds, by the item that was in the way (`ALL_OLD`); by the action's place where the store gives none back.
fn holder((reason, winner): (&CancellationReason, &coupon::IssuedCoupon)) -> UserId {
    let named = reason.item().and_then(|item| item.get("userId")?.as_s().ok());
    named.and_then(|user| UserId::parse(user).ok()).unwrap_or_else(|| winner.user_id.clone())
}

/// The reasons other than conditions. One that would come again decides, however many pass by themselves.
fn of_reasons(tables: &str, reasons: &[CancellationReason]) -> StoreError {
    let codes = || reasons.iter().filter(|reason| reason.code().is_some_and(|code| code != "None"));
    let kind = |reason: &CancellationReason| match reason.code().unwrap_or_default() {
        "TransactionConflict" => Kind::Conflict,
        "ThrottlingError" | "ProvisionedThroughputExceeded" | "RequestLimitExceeded" => Kind::Throttled,
        _ => Kind::Refused,
    };
    let Some((kind, reason)) = codes().map(|reason| (kind(reason), reason)).max_by_key(|(kind, _)| *kind) else {
        return StoreError::Conflict(format!("{tables}: cancelled without a reason"));
    };
    let code = reason.code().unwrap_or_default();
    let text = format!("{tables}: cancelled: {code}: {}", reason.message().unwrap_or("no message"));
    match kind {
        Kind::Conflict => StoreError::Conflict(text),
        Kind::Throttled => StoreError::Throttled(text),
        Kind::Refused => StoreError::Refused(text),
    }
}

/// What a reason asks for, the one that decides last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Conflict,
    Throttled,
    Refused,
}
