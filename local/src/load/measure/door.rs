//! The door: accepting and refusing against a handler that does nothing, on the same host and gateway, and one accepted
//! request by itself against what it consists of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use bytes::Bytes;
use coupon::{CouponId, IssueRequest, Timestamp, UserId};
use hyper::{Method, StatusCode};
use kafka::{Connection, Header, Log, Producer, ProducerSettings, Record};
use load_generator::processes::{cpu_each, median, of_tree};
use tokio::task::JoinSet;

use super::{AT_LEAST, AT_MOST, Measure, MeasureOptions};
use crate::load::api::Api;
use crate::load::figures::Latencies;
use crate::load::people::admin;
use crate::load::rush::Person;
use crate::load::{fresh_id, now_ms};
use crate::sandbox::Sandbox;

/// As many as there are environments: more would measure the queue in front of them.
const CLIENTS: usize = 16;
/// Requests one after the other, for a latency without any queue.
const SINGLE: usize = 300;
/// Nobody is refused for want of a coupon.
const STOCK: u64 = 1_000_000;
/// How long a cached head may be wrong about the end of the stock.
const SETTLED: Duration = Duration::from_secs(20);
/// How long the worker may be behind, and how often it is asked.
const DECIDED: Duration = Duration::from_secs(60);
const ASKED: Duration = Duration::from_millis(20);

/// The two doors and who knocks.
pub(super) struct Door<'a> {
    pub(super) ours: &'a Sandbox,
    pub(super) bare: Api,
    pub(super) people: &'a [Person],
    pub(super) options: &'a MeasureOptions,
}

/// Answers a second, and how long each took.
struct Knocked {
    rate: f64,
    latencies: Latencies,
}

impl Door<'_> {
    pub(super) async fn measure(&self) -> anyhow::Result<(Vec<Measure>, BTreeMap<String, f64>)> {
        let api = Api::new(&self.ours.addresses().api)?;
        let count = usize::try_from(self.options.requests)?;
        let sold_out = self.sold_out(&api).await?;
        let (mut accepting, mut refusing, mut single, mut cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        // The first turn warms environments and connections up, and does not count.
        for turn in 0..=self.options.turns {
            let coupon = self.coupon(&api, STOCK).await?;
            let before = of_tree(std::process::id())?;
            let accepted = self.knock(&api, &coupon, StatusCode::ACCEPTED, (CLIENTS, count)).await?.rate;
            self.decided(&api, &coupon, count).await?;
            let spent = cpu_each(&before, &of_tree(std::process::id())?, count);
            let empty = self.knock(&self.bare, &coupon, StatusCode::ACCEPTED, (CLIENTS, count)).await?.rate;
            let refused = self.knock(&api, &sold_out, StatusCode::GONE, (CLIENTS, count)).await?.rate;
            let (one, alone) = self.alone(&api).await?;
            if turn > 0 {
                accepting.push((accepted, empty));
                refusing.push((refused, empty));
                single.push((one, alone));
                cpu.push(spent);
            }
        }
        let per_second = "requests/s";
        let measures = vec![
            Measure::of("accepting, against an empty handler", (AT_LEAST, 0.5), per_second, &accepting),
            Measure::of("refusing when sold out, against an empty handler", (AT_LEAST, 0.9), per_second, &refusing),
            Measure::of(
                "one accepted request less an empty handler, against a bare acknowledged produce",
                (AT_MOST, 1.5),
                "ms p50",
                &single,
            ),
        ];
        Ok((measures, median(&cpu)))
    }

    /// The median of one accepted request, without what an empty handler takes as well, and of a bare produce.
    async fn alone(&self, api: &Api) -> anyhow::Result<(f64, f64)> {
        let [coupon, other] = [self.coupon(api, STOCK).await?, self.coupon(api, STOCK).await?];
        let accepted = self.knock(api, &coupon, StatusCode::ACCEPTED, (1, SINGLE)).await?;
        self.decided(api, &coupon, SINGLE).await?;
        let produced = self.produce(&other).await?;
        self.decided(api, &other, SINGLE).await?;
        let empty = self.knock(&self.bare, &coupon, StatusCode::ACCEPTED, (1, SINGLE)).await?;
        let p50 = |latencies: &Latencies| latencies.percentile_ms(50.0);
        Ok((p50(&accepted.latencies) - p50(&empty.latencies), p50(&produced)))
    }

    /// Acknowledged produces of the same records, one after the other: they are decided meanwhile, as those of the API.
    async fn produce(&self, coupon: &str) -> anyhow::Result<Latencies> {
        let connection = Connection::plaintext(&self.ours.addresses().kafka);
        let producer = Producer::new(&connection, ProducerSettings::default())?;
        let coupon_id = CouponId::parse(coupon)?;
        let topic = self.ours.settings().names()?.requests;
        let mut latencies = Latencies::new()?;
        for person in self.people.iter().take(SINGLE) {
            let request = IssueRequest {
                coupon_id: coupon_id.clone(),
                user_id: UserId::parse(&person.user_id)?,
                requested_at: Timestamp::from_millis_clamped(now_ms()),
            };
            let record = Record {
                topic: topic.clone(),
                key: Some(coupon.to_owned().into()),
                value: Some(serde_json::to_vec(&request.to_record())?.into()),
                // As many bytes as a trace's context has.
                headers: vec![Header { name: "traceparent".into(), value: Some(vec![b'0'; 55].into()) }],
                ..Record::default()
            };
            let start = Instant::now();
            producer.produce(record).await?;
            latencies.record(start.elapsed());
        }
        Ok(latencies)
    }

    /// Waits until so many of a coupon were issued: what the worker still has to do would slow down what comes next.
    async fn decided(&self, api: &Api, coupon: &str, count: usize) -> anyhow::Result<()> {
        let (left, end) = (STOCK - u64::try_from(count)?, Instant::now() + DECIDED);
        loop {
            let answer = api.call(Method::GET, &format!("/coupons/{coupon}"), None, Bytes::new()).await?;
            let shown: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if shown.get("remaining").and_then(serde_json::Value::as_u64) == Some(left) {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("{count} requests are not decided after {} s: {}", DECIDED.as_secs(), answer.shown());
            }
            tokio::time::sleep(ASKED).await;
        }
    }

    async fn coupon(&self, api: &Api, stock: u64) -> anyhow::Result<String> {
        let id = fresh_id("measure");
        api.create(&id, "Measure", stock, &admin()?).await?;
        Ok(id)
    }

    /// A coupon of which every environment knows that it is sold out.
    async fn sold_out(&self, api: &Api) -> anyhow::Result<String> {
        let coupon = self.coupon(api, 1).await?;
        let end = Instant::now() + SETTLED;
        let mut refused_in_a_row = 0;
        for person in self.people.iter().cycle() {
            let answer = api.issue(&coupon, &person.token).await?;
            refused_in_a_row = if answer.status == StatusCode::GONE { refused_in_a_row + 1 } else { 0 };
            if refused_in_a_row == 10 * CLIENTS {
                return Ok(coupon);
            }
            if Instant::now() > end {
                bail!("a coupon is not sold out after {} s: {}", SETTLED.as_secs(), answer.shown());
            }
        }
        bail!("nobody asks");
    }

    /// So many requests by so many clients, each expected to be answered this way.
    async fn knock(
        &self,
        api: &Api,
        coupon: &str,
        expected: StatusCode,
        (clients, count): (usize, usize),
    ) -> anyhow::Result<Knocked> {
        let next = Arc::new(AtomicUsize::new(0));
        let tokens: Arc<[_]> = self.people.iter().map(|person| person.token.clone()).collect();
        let start = Instant::now();
        let mut knocking = JoinSet::new();
        for _ in 0..clients {
            let (api, coupon, tokens, next) = (api.clone(), coupon.to_owned(), Arc::clone(&tokens), Arc::clone(&next));
            knocking.spawn(async move {
                let mut taken = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let token = tokens.get(index % tokens.len().max(1)).filter(|_| index < count);
                    let Some(token) = token else { return anyhow::Ok(taken) };
                    let start = Instant::now();
                    let answer = api.issue(&coupon, token).await?;
                    taken.push(start.elapsed());
                    if answer.status != expected {
                        bail!("{expected} was expected, not {}", answer.shown());
                    }
                }
            });
        }
        let mut latencies = Latencies::new()?;
        while let Some(taken) = knocking.join_next().await {
            taken??.into_iter().for_each(|latency| latencies.record(latency));
        }
        let answered = f64::from(u32::try_from(latencies.count())?);
        Ok(Knocked { rate: answered / start.elapsed().as_secs_f64(), latencies })
    }
}
