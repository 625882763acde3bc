//! An embedded part of the sandbox, broker or DynamoDB, kept alive: started until it is ready, started again when it
//! ends by itself, and killed, stopped, frozen or thawed on demand. Its data lie in a directory, so each start goes on
//! where the last one ended.
//!
//! Knows no protocol; readiness is a line that the part prints when it listens. What it is for: `broker.rs`,
//! `dynamodb.rs`, `redis.rs`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::{mpsc, oneshot, watch};

use crate::process::{Child, Program, Spawner};

/// A cold start opens one file and one socket; this is for a machine under full load.
const READY_MAX: Duration = Duration::from_secs(30);
/// How the line begins that a part of ours prints when it listens.
const READY: &str = "ready ";
/// How long a stop may take before it becomes a kill.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// A part that ends by itself is started again this often; then it is a fault of its own.
const RESTARTS_MAX: u32 = 3;
/// The lines of a failed start that go into the error.
const LAST_LINES: usize = 8;

/// What can be done to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Start it unless it runs; answered when it is ready.
    Start,
    /// SIGKILL; it stays down until started.
    Kill,
    /// SIGTERM; it stays down until started.
    Stop,
    /// SIGSTOP.
    Freeze,
    /// SIGCONT.
    Thaw,
}

type Job = (Order, oneshot::Sender<anyhow::Result<()>>);

/// A handle to a part; the part ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Embedded {
    name: String,
    orders: mpsc::Sender<Job>,
    pid: watch::Receiver<Option<i32>>,
}

impl Embedded {
    /// Starts the program and waits until it prints its ready line.
    ///
    /// # Errors
    /// It ends or is not ready in time; its last lines are in the error.
    pub async fn start(spawner: Spawner, program: Program) -> anyhow::Result<Self> {
        Self::start_when(spawner, program, |line| line.starts_with(READY)).await
    }

    /// The same for somebody else's program, which says in its own words that it listens.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_when(spawner: Spawner, program: Program, is_ready: fn(&str) -> bool) -> anyhow::Result<Self> {
        let (orders, received) = mpsc::channel(4);
        let (pid, watched) = watch::channel(None);
        let name = program.name.clone();
        let keeper = Keeper { spawner, program, is_ready, pid, child: None, restarts: 0 };
        tokio::spawn(keeper.run(received));
        let part = Self { name, orders, pid: watched };
        part.order(Order::Start).await?;
        Ok(part)
    }

    /// Carries out an order and waits until it holds.
    ///
    /// # Errors
    /// A start fails; a freeze or a thaw of a part that is down.
    pub async fn order(&self, order: Order) -> anyhow::Result<()> {
        let (answer, answered) = oneshot::channel();
        self.orders.send((order, answer)).await.ok().with_context(|| format!("{} has ended", self.name))?;
        answered.await.with_context(|| format!("{} has ended", self.name))?
    }

    /// Its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        *self.pid.borrow()
    }
}

struct Keeper {
    spawner: Spawner,
    program: Program,
    is_ready: fn(&str) -> bool,
    pid: watch::Sender<Option<i32>>,
    child: Option<Child>,
    restarts: u32,
}

impl Keeper {
    async fn run(mut self, mut orders: mpsc::Receiver<Job>) {
        loop {
            tokio::select! {
                job = orders.recv() => match job {
                    Some((order, answer)) => {
                        let carried_out = self.carry_out(order).await;
                        self.pid.send_replace(self.child.as_ref().map(Child::pid));
                        drop(answer.send(carried_out));
                    }
                    None => return,
                },
                status = ended(self.child.as_ref()) => {
                    tracing::error!(part = self.program.name, %status, "ended by itself");
                    self.child = None;
                    self.restart().await;
                    self.pid.send_replace(self.child.as_ref().map(Child::pid));
                }
            }
        }
    }

    async fn carry_out(&mut self, order: Order) -> anyhow::Result<()> {
        match (order, &self.child) {
            (Order::Start, Some(_)) | (Order::Kill | Order::Stop, None) => {}
            (Order::Start, None) => self.child = Some(self.started().await?),
            (Order::Kill, Some(child)) => {
                child.kill().await;
                self.child = None;
            }
            (Order::Stop, Some(child)) => {
                child.stop(STOP_GRACE).await;
                self.child = None;
            }
            (Order::Freeze, Some(child)) if child.freeze().await => {}
            (Order::Thaw, Some(child)) if child.thaw().await => {}
            (Order::Freeze | Order::Thaw, _) => bail!("{} is down", self.program.name),
        }
        Ok(())
    }

    async fn restart(&mut self) {
        while self.child.is_none() && self.restarts < RESTARTS_MAX {
            self.restarts = self.restarts.saturating_add(1);
            match self.started().await {
                Ok(child) => self.child = Some(child),
                Err(error) => tracing::error!(part = self.program.name, "{error:#}"),
            }
        }
        if self.child.is_none() {
            tracing::error!(part = self.program.name, "stays down: it ended by itself {RESTARTS_MAX} times");
        }
    }

    async fn started(&self) -> anyhow::Result<Child> {
        let (output, is_ready) = (Output::default(), self.is_ready);
        let mut program = self.program.clone();
        let (name, sink) = (program.name.clone(), output.clone());
        program.lines = Some(Arc::new(move |line| {
            // That it is ready is for us to know; what it says beside that is for everybody.
            if !is_ready(line) {
                eprintln!("{name} | {line}");
            }
            sink.take(line, is_ready(line));
        }));
        let child = self.spawner.spawn(&program).await?;
        tokio::select! {
            () = output.ready() => Ok(child),
            status = child.wait() => bail!("{} did not start ({status}): {}", program.name, output.last()),
            () = tokio::time::sleep(READY_MAX) => {
                bail!("{} is not ready after {} s: {}", program.name, READY_MAX.as_secs(), output.last())
            }
        }
    }
}

/// Never, while there is no child.
async fn ended(child: Option<&Child>) -> std::process::ExitStatus {
    match child {
        Some(child) => child.wait().await,
        None => std::future::pending().await,
    }
}

/// What a starting part has printed: whether it is ready, and its last lines in case it never is.
#[derive(Clone)]
struct Output {
    ready: Arc<watch::Sender<bool>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Default for Output {
    fn default() -> Self {
        Self { ready: Arc::new(watch::Sender::new(false)), lines: Arc::default() }
    }
}

impl Output {
    fn take(&self, line: &str, is_ready: bool) {
        if is_ready {
            self.ready.send_replace(true);
        }
        let Ok(mut lines) = self.lines.lock() else { return };
        if lines.len() >= LAST_LINES {
            lines.remove(0);
        }
        lines.push(line.to_owned());
    }

    async fn ready(&self) {
        // The sender lives in `self`, so this ends with the value and not before.
        drop(self.ready.subscribe().wait_for(|ready| *ready).await);
    }

    fn last(&self) -> String {
        self.lines.lock().map(|lines| lines.join("; ")).unwrap_or_default()
    }
}
