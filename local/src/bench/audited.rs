//! The audit of a session of ours: log, tables and results, and what people were told of their tickets.

use bench_report::Check;
use coupon::{CouponId, Ticket, UserId};
use load_generator::{Answered, Outcome, Person};

use super::one::Draft;
use super::session::Session;
use crate::audit::tickets::{TicketLine, Told};
use crate::audit::{AuditOptions, command};

/// How long the audit waits for a worker that stands still.
const PATIENCE_SECONDS: u64 = 30;

/// Every ticket that was given, and what was told of those that were asked after.
pub(super) fn lines(drafts: &[Draft], people: &[Person]) -> Vec<TicketLine> {
    let line = |draft: &Draft, (coupon, person): (usize, usize), ticket: &str, status| {
        Some(TicketLine {
            coupon_id: CouponId::parse(draft.coupons.get(coupon)?).ok()?,
            user_id: UserId::parse(&people.get(person)?.user_id).ok()?,
            request_id: Ticket::parse(ticket).ok()?,
            status,
        })
    };
    let of = |draft: &Draft| -> Vec<TicketLine> {
        let given = draft.driven.samples.iter().filter_map(|sample| match &sample.answer {
            Answered::Accepted { ticket } => line(draft, (sample.coupon, sample.person), ticket, None),
            Answered::Issued { .. } | Answered::Refused { .. } | Answered::Failed { .. } => None,
        });
        let told = draft.driven.told.iter().filter_map(|told| {
            let status = match told.outcome? {
                Outcome::Issued => Told::Issued,
                Outcome::Rejected => Told::Rejected,
            };
            line(draft, (told.coupon, told.person), &told.ticket, Some(status))
        });
        given.chain(told).collect()
    };
    drafts.iter().flat_map(of).collect()
}

/// An audit that cannot be made has found nothing to be right.
pub(super) async fn check(session: &Session, tickets: Vec<TicketLine>) -> Check {
    let (held, found) = match audited(session, tickets).await {
        Ok(told) => told,
        Err(error) => (false, format!("{error:#}")),
    };
    Check { name: "the log replayed gives the tables, the results and what people were told".into(), held, found }
}

async fn audited(session: &Session, tickets: Vec<TicketLine>) -> anyhow::Result<(bool, String)> {
    let options = AuditOptions {
        kafka: session.kafka()?.to_owned(),
        kafka_config: None,
        dynamodb: session.addresses.dynamodb.clone(),
        tickets: None,
        deployed: crate::settings::TemplateOptions::default(),
        patience: PATIENCE_SECONDS,
        json: false,
    };
    let report = command::audit_with(&options, Some(tickets)).await?;
    let offences: Vec<String> = report
        .invariants
        .iter()
        .filter_map(|(invariant, finding)| Some(format!("{invariant} {}", finding.offending.first()?.what)))
        .collect();
    let found = if offences.is_empty() { "nothing is violated".to_owned() } else { offences.join("; ") };
    Ok((report.ok(), found))
}
