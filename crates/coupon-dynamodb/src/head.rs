//! The head as an item of the table `coupons`: its attributes, its creation, its reading. How it is moved on is
//! `commit.rs`.

use aws_sdk_dynamodb::types::AttributeValue;
use coupon::{CouponId, CouponName, Epoch, Head, Offset, Partition, Phase, Timestamp, Total, Version, Window};
use coupon_store::{Consistency, Creation, StoreError};

use crate::{
    DynamoStore,
    attribute::{Item, Stored, number, text},
    fault,
};

/// The stored `applied` of a head that has decided nothing.
const NOTHING_APPLIED: i64 = -1;

impl DynamoStore {
    pub(crate) async fn put_head(&self, head: &Head) -> Result<Creation, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.coupons)
            .set_item(Some(to_item(head)))
            .condition_expression("attribute_not_exists(couponId)")
            .set_return_consumed_capacity(self.reported());
        match put.send().await {
            Ok(done) => {
                self.count(|meter| meter.wrote(done.consumed_capacity()));
                Ok(Creation::Created)
            }
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Creation::Exists)
            }
            Err(error) => Err(fault::of(&self.tables.coupons, error)),
        }
    }

    pub(crate) async fn get_head(&self, id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        let table = &self.tables.coupons;
        let get = self
            .client
            .get_item()
            .table_name(table)
            .set_key(Some(key(id)))
            .consistent_read(consistency == Consistency::Strong)
            .set_return_consumed_capacity(self.reported());
        let got = get.send().await.map_err(|error| fault::of(table, error))?;
        self.count(|meter| meter.read(got.consumed_capacity()));
        got.item().map(|item| from_item(table, item)).transpose()
    }
}

/// The key of a head.
pub(crate) fn key(id: &CouponId) -> Item {
    Item::from([("couponId".into(), text(id.as_str()))])
}

fn to_item(head: &Head) -> Item {
    let mut item = Item::from([
        ("couponId".into(), text(head.coupon_id.as_str())),
        ("name".into(), text(head.name.as_str())),
        ("total".into(), number(head.total.get())),
        ("remaining".into(), number(head.remaining)),
        ("issued".into(), number(head.issued)),
        ("log".into(), text(&head.log)),
        ("partition".into(), number(head.partition)),
        ("version".into(), number(head.version.get())),
        ("applied".into(), applied(head)),
        ("epochs".into(), epochs(head)),
        ("clock".into(), clock(head)),
    ]);
    let ends = [("opensAt", head.window.opens_at()), ("closesAt", head.window.closes_at())];
    item.extend(ends.into_iter().filter_map(|(name, at)| at.map(|at| (name.into(), text(at)))));
    item
}

/// The attribute `applied`.
pub(crate) fn applied(head: &Head) -> AttributeValue {
    number(head.applied.map_or(NOTHING_APPLIED, Offset::get))
}

/// The attribute `clock`, in milliseconds.
pub(crate) fn clock(head: &Head) -> AttributeValue {
    number(head.clock.millis())
}

/// The attribute `epochs`.
pub(crate) fn epochs(head: &Head) -> AttributeValue {
    let epoch = |epoch: &Epoch| {
        AttributeValue::M(Item::from([
            ("offset".into(), number(epoch.offset)),
            ("phase".into(), text(phase_name(epoch.phase))),
        ]))
    };
    AttributeValue::L(head.epochs.iter().map(epoch).collect())
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::NotOpen => "NOT_OPEN",
        Phase::Open => "OPEN",
        Phase::SoldOut => "SOLD_OUT",
        Phase::Closed => "CLOSED",
    }
}

/// What an item says.
pub(crate) fn from_item(table: &str, item: &Item) -> Result<Head, StoreError> {
    let stored = Stored::new(table, item);
    let window = Window::new(
        stored.parsed_if_present("opensAt", Timestamp::parse)?,
        stored.parsed_if_present("closesAt", Timestamp::parse)?,
    );
    let head = Head {
        coupon_id: stored.parsed("couponId", CouponId::parse)?,
        name: stored.parsed("name", CouponName::parse)?,
        total: stored.numbered("total", Total::new)?,
        remaining: stored.number("remaining")?,
        issued: stored.number("issued")?,
        window: window.map_err(|error| stored.corrupt("opensAt", error))?,
        log: stored.text("log")?.to_owned(),
        partition: stored.numbered("partition", Partition::new)?,
        version: Version::new(stored.number("version")?),
        applied: read_applied(&stored)?,
        epochs: read_epochs(&stored)?,
        clock: read_clock(&stored)?,
    };
    check(&stored, &head)?;
    Ok(head)
}

fn read_applied(stored: &Stored<'_>) -> Result<Option<Offset>, StoreError> {
    match stored.number("applied")? {
        NOTHING_APPLIED => Ok(None),
        offset => Offset::new(offset).map(Some).map_err(|error| stored.corrupt("applied", error)),
    }
}

fn read_epochs(stored: &Stored<'_>) -> Result<Vec<Epoch>, StoreError> {
    let epoch = |stored: Stored<'_>| {
        let phase = match stored.text("phase")? {
            "NOT_OPEN" => Phase::NotOpen,
            "OPEN" => Phase::Open,
            "SOLD_OUT" => Phase::SoldOut,
            "CLOSED" => Phase::Closed,
            other => return Err(stored.corrupt("phase", format_args!("no phase is called {other:?}"))),
        };
        Ok(Epoch { offset: stored.numbered("offset", Offset::new)?, phase })
    };
    stored.maps("epochs")?.into_iter().map(epoch).collect()
}

fn read_clock(stored: &Stored<'_>) -> Result<Timestamp, StoreError> {
    let millis = stored.number("clock")?;
    let clock = Timestamp::from_millis_clamped(millis);
    if clock.millis() == millis {
        Ok(clock)
    } else {
        Err(stored.corrupt("clock", format_args!("{millis} ms lies outside the years 1970 to 9999")))
    }
}

/// What must hold between attributes, since every outcome is derived from them.
fn check(stored: &Stored<'_>, head: &Head) -> Result<(), StoreError> {
    let Head { total, remaining, issued, epochs, applied, .. } = head;
    if remaining.checked_add(*issued) != Some(total.get()) {
        let total = total.get();
        return Err(
            stored.corrupt("remaining", format_args!("{remaining} + issued {issued} is not the total, {total}"))
        );
    }
    let ascending = epochs.iter().zip(epochs.iter().skip(1)).all(|(one, next)| one.offset < next.offset);
    let decided = epochs.last().is_none_or(|last| applied.is_some_and(|applied| last.offset <= applied));
    if ascending && decided {
        Ok(())
    } else {
        Err(stored.corrupt("epochs", "offsets do not ascend, or reach beyond applied"))
    }
}
