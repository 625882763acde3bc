//! A system that runs for a while: a child process of ours with its own children, its addresses, and what is needed to
//! look behind it. Metered, its store is ours, behind a proxy that counts.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aws_sdk_dynamodb::Client;
use bytes::Bytes;
use hyper::Method;
use kafka::{Connection, Reader, Span};
use load_generator::api::Api;
use load_generator::processes::{Process, of_tree};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::compared::Compared;
use super::settle::pause;
use super::signals::Signals;
use crate::broker::Progress;
use crate::data::DataDir;
use crate::embedded::{Embedded, Order};
use crate::fault_proxy::FaultProxy;
use crate::lambda::{USAGE_PATH, Usage};
use crate::parts::{self, Parts};
use crate::process::{Child, LineSink, Program, Spawner};
use crate::{dynamodb, ports};

/// A start may build first.
const READY_MAX: Duration = Duration::from_secs(1200);
/// How long a system may take to end its own children.
const STOP_GRACE: Duration = Duration::from_secs(15);
/// Lines of a failed start that go into the error.
const LAST_LINES: usize = 6;
/// No answer of Redis to INFO is near this size.
const INFO_BYTES_MAX: u64 = 64 * 1024;
const INFO_MAX: Duration = Duration::from_secs(5);

/// The ready line.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Addresses {
    pub(super) api: String,
    pub(super) kafka: Option<String>,
    pub(super) dynamodb: String,
    pub(super) redis: Option<String>,
    pub(super) functions: Option<String>,
}

/// A running system. Dropped, it is killed with everything it started.
pub(super) struct Session {
    pub(super) system: Compared,
    pub(super) api: Api,
    pub(super) addresses: Addresses,
    /// Reads the store itself, past any proxy.
    pub(super) tables: Client,
    child: Child,
    meter: Option<Meter>,
    reader: Option<Reader>,
    consumers: Option<Consumers>,
}

/// Who decides what is in the log, for a system with one.
struct Consumers {
    progress: Progress,
    topic: &'static str,
}

/// The store in front of which units are counted.
struct Meter {
    proxy: FaultProxy,
    store: Embedded,
    _data: DataDir,
}

impl Session {
    /// Starts a system and waits for its ready line; nothing when somebody ends the benchmark meanwhile.
    pub(super) async fn start(
        system: Compared,
        metered: bool,
        release: bool,
        signals: &mut Signals,
    ) -> anyhow::Result<Option<Self>> {
        let spawner = Spawner::start()?;
        let mut meter = None;
        let mut engine = None;
        if metered {
            let Some((started, url)) = signals.unless_come(Meter::start(&spawner)).await? else { return Ok(None) };
            (meter, engine) = (Some(started), Some(url));
        }
        let mut program = Program::new(system.id(), std::env::current_exe()?);
        program.args = system.arguments(release).into_iter().map(Into::into).collect();
        if let Some(meter) = &meter {
            program.args.extend(["--dynamodb".into(), format!("http://{}", meter.proxy.address()).into()]);
        }
        let said = Arc::new(Said::default());
        program.lines = Some(said.sink());
        let child = spawner.spawn(&program).await?;
        let addresses = tokio::select! {
            addresses = said.addresses() => addresses,
            status = child.wait() => bail!("it ended with {status}: {}", said.last()),
            () = signals.come() => {
                child.stop(STOP_GRACE).await;
                return Ok(None);
            }
            () = tokio::time::sleep(READY_MAX) => bail!("not ready after {} s: {}", READY_MAX.as_secs(), said.last()),
        };
        let engine = engine.unwrap_or_else(|| addresses.dynamodb.clone());
        let kafka = addresses.kafka.as_deref().map(Connection::plaintext);
        let reader = kafka.as_ref().map(Reader::new).transpose()?;
        let consumers = kafka.zip(system.stores_as().consumers()).map(|(kafka, (group, topic))| {
            anyhow::Ok(Consumers { progress: Progress::new(&kafka, group, topic)?, topic })
        });
        let (consumers, tables) = (consumers.transpose()?, dynamodb::patient_client(&engine).await);
        let api = Api::new(&addresses.api)?;
        Ok(Some(Self { system, api, addresses, tables, child, meter, reader, consumers }))
    }

    pub(super) fn is_metered(&self) -> bool {
        self.meter.is_some()
    }

    /// Its brokers.
    pub(super) fn kafka(&self) -> anyhow::Result<&str> {
        self.addresses.kafka.as_deref().context("no broker in the ready line")
    }

    /// Whether it still runs.
    pub(super) fn runs(&self) -> bool {
        self.child.exit().is_none()
    }

    /// What its processes have taken so far.
    pub(super) fn processes(&self) -> anyhow::Result<Vec<Process>> {
        of_tree(u32::try_from(self.child.pid())?)
    }

    /// Units that the store has charged so far.
    pub(super) fn units(&self) -> Option<bench_report::Units> {
        self.meter.as_ref().map(|meter| meter.proxy.units())
    }

    /// What is in its topics, topic by topic; nothing of a system without.
    pub(super) async fn spans(&self) -> anyhow::Result<Vec<(&'static str, Vec<Span>)>> {
        let mut spans = Vec::new();
        if let Some(reader) = &self.reader {
            for topic in self.system.stores_as().topics() {
                spans.push((topic.name, reader.spans(topic.name).await?));
            }
        }
        Ok(spans)
    }

    /// Waits until the consumers have worked off what is in their topic at this moment; whether they did in time. The
    /// broker is asked, past API and store; a system without a topic has nothing to wait for.
    pub(super) async fn caught_up(&self, within: Duration) -> anyhow::Result<bool> {
        let (Some(reader), Some(consumers)) = (&self.reader, &self.consumers) else { return Ok(true) };
        let (start, ends) = (Instant::now(), reader.spans(consumers.topic).await?);
        loop {
            // An answer that does not come is asked for again.
            if let Ok(committed) = consumers.progress.committed(ends.iter().map(|span| span.partition)).await
                && ends.iter().all(|span| committed.get(&span.partition).is_some_and(|next| *next >= span.end))
            {
                return Ok(true);
            }
            if start.elapsed() > within {
                return Ok(false);
            }
            tokio::time::sleep(pause(start.elapsed())).await;
        }
    }

    /// What its functions have taken so far, as Lambda bills it; nothing of a system without.
    pub(super) async fn functions(&self) -> anyhow::Result<BTreeMap<String, Usage>> {
        let Some(host) = &self.addresses.functions else { return Ok(BTreeMap::new()) };
        let answer = Api::new(host)?.call(Method::GET, USAGE_PATH, None, Bytes::new()).await?;
        serde_json::from_slice(&answer.body).with_context(|| format!("no usage: {}", answer.shown()))
    }

    /// Records and bytes that came into the topics since.
    pub(super) async fn log_since(
        &self,
        before: &[(&'static str, Vec<Span>)],
    ) -> anyhow::Result<Option<bench_report::Log>> {
        let Some(reader) = &self.reader else { return Ok(None) };
        let mut log = bench_report::Log::default();
        for (topic, spans) in self.spans().await? {
            let old = before.iter().find(|(name, _)| *name == topic).map(|(_, spans)| spans.as_slice());
            let end = |partition| old.and_then(|old| Some(old.iter().find(|span| span.partition == partition)?.end));
            let new: Vec<Span> =
                spans.iter().map(|span| Span { start: end(span.partition).unwrap_or(span.start), ..*span }).collect();
            reader
                .read(topic, &new, |record| {
                    let headers: usize = record
                        .headers
                        .iter()
                        .map(|one| one.name.len() + one.value.as_ref().map_or(0, |v| v.len()))
                        .sum();
                    let bytes = record.key.map_or(0, |key| key.len()) + record.value.map_or(0, |v| v.len()) + headers;
                    log.records = log.records.saturating_add(1);
                    log.bytes = log.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
                })
                .await?;
        }
        Ok(Some(log))
    }

    /// Commands that its Redis has carried out; none of a system without.
    pub(super) async fn redis_commands(&self) -> anyhow::Result<Option<u64>> {
        let Some(address) = &self.addresses.redis else { return Ok(None) };
        let info = tokio::time::timeout(INFO_MAX, redis_info(address)).await.context("no answer to INFO")??;
        Ok(commands(&info))
    }

    /// Ends it in good order.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        // Its client would complain of a broker that goes.
        drop(self.consumers);
        self.child.stop(STOP_GRACE).await;
        match self.meter {
            Some(meter) => meter.store.order(Order::Stop).await,
            None => Ok(()),
        }
    }
}

impl Meter {
    /// The embedded DynamoDB and a counting proxy in front of it; the engine's own URL too.
    async fn start(spawner: &Spawner) -> anyhow::Result<(Self, String)> {
        let built = Parts::build(&[parts::DYNAMODB]).await?;
        let (data, port) = (DataDir::open(None)?, ports::internal()?);
        let store = dynamodb::start(spawner.clone(), built.path(parts::DYNAMODB)?, port, &data).await?;
        let engine = format!("http://127.0.0.1:{port}");
        let proxy = FaultProxy::start_counting(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, &engine)?;
        Ok((Self { proxy, store, _data: data }, engine))
    }
}

/// What a starting system has said.
#[derive(Default)]
struct Said {
    addresses: Mutex<Option<Addresses>>,
    lines: Mutex<Vec<String>>,
    ready: Notify,
}

impl Said {
    fn sink(self: &Arc<Self>) -> LineSink {
        let said = Arc::clone(self);
        Arc::new(move |line| {
            if let Ok(addresses) = serde_json::from_str(line) {
                *said.addresses.lock().unwrap_or_else(PoisonError::into_inner) = Some(addresses);
                said.ready.notify_one();
                return;
            }
            tracing::debug!(line);
            let mut lines = said.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() >= LAST_LINES {
                lines.remove(0);
            }
            lines.push(line.to_owned());
        })
    }

    async fn addresses(&self) -> Addresses {
        loop {
            let known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match known {
                Some(addresses) => return addresses,
                None => self.ready.notified().await,
            }
        }
    }

    fn last(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("; ")
    }
}

/// The one command that is needed, in the protocol's own words: a client would be a dependency for a line.
async fn redis_info(address: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"INFO stats\r\nQUIT\r\n").await?;
    let mut info = String::new();
    stream.take(INFO_BYTES_MAX).read_to_string(&mut info).await?;
    Ok(info)
}

fn commands(info: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix("total_commands_processed:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_out_of_what_redis_says() {
        let info = "$80\r\n# Stats\r\ntotal_connections_received:3\r\ntotal_commands_processed:4711\r\n\r\n+OK\r\n";
        assert_eq!(commands(info), Some(4711));
        assert_eq!(commands("-NOAUTH"), None);
    }

    #[tokio::test]
    async fn the_ready_line_is_found_among_others_and_the_last_lines_are_kept() {
        let said = Arc::new(Said::default());
        let sink = said.sink();
        sink("building …");
        sink(r#"{"api":"http://127.0.0.1:1","dynamodb":"http://127.0.0.1:2","kafka":"127.0.0.1:3"}"#);
        let addresses = said.addresses().await;
        assert_eq!((addresses.kafka.as_deref(), addresses.redis), (Some("127.0.0.1:3"), None));
        assert_eq!(said.last(), "building …");
    }
}
