//! Child processes: how they start, how they are stopped, killed, frozen and thawed, and where their lines go. No child
//! outlives the sandbox, not even one that is killed with -9 itself.
//!
//! Knows nothing of what a child is. `broker.rs` and `dynamodb.rs` supervise the embedded parts, `lambda/` the
//! environments of a function.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::{mpsc, oneshot, watch};

use crate::cli::ExecOptions;

/// Takes a child's output, line by line without the line end, from stdout and stderr alike.
pub type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// What to start.
#[derive(Clone)]
pub struct Program {
    /// Who it is, in front of its lines and in errors: `broker`, `issue-api[3]`.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables to set, after what is inherited.
    pub env: Vec<(String, String)>,
    /// Whether it sees this process's own variables too.
    pub inherit_env: bool,
    /// Where it runs; `None` is where this process does.
    pub directory: Option<PathBuf>,
    /// Where its lines go; `None` is this process's stderr, with the name in front.
    pub lines: Option<LineSink>,
}

impl Program {
    /// A program with arguments, this process's environment, and its lines on stderr.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let (name, path) = (name.into(), path.into());
        Self { name, path, args: Vec::new(), env: Vec::new(), inherit_env: true, directory: None, lines: None }
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the variables: they may hold a secret.
        f.debug_struct("Program").field("name", &self.name).field("path", &self.path).field("args", &self.args).finish()
    }
}

/// The thread that starts children. Linux sends the parent-death signal when the *thread* that forked ends, so children
/// may not start from a runtime's worker; this thread lives as long as any spawner or child.
#[derive(Debug, Clone)]
pub struct Spawner {
    jobs: std_mpsc::Sender<Job>,
    /// The `local` binary, whose `__exec` ties a child to its parent's life.
    local: PathBuf,
}

struct Job {
    command: tokio::process::Command,
    runtime: tokio::runtime::Handle,
    answer: oneshot::Sender<io::Result<tokio::process::Child>>,
}

impl Spawner {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start() -> io::Result<Self> {
        Self::through(this_executable())
    }

    /// The same for a process that is not `local` itself, such as a test binary: children start through the `local`
    /// binary at this path.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn through(local: impl Into<PathBuf>) -> io::Result<Self> {
        let (jobs, received) = std_mpsc::channel::<Job>();
        std::thread::Builder::new().name("spawner".into()).spawn(move || {
            for mut job in received {
                let _context = job.runtime.enter();
                // A caller that went away does not want its child: dropping it kills it.
                drop(job.answer.send(job.command.spawn()));
            }
        })?;
        Ok(Self { jobs, local: local.into() })
    }

    /// Starts a child in a process group of its own, so that a Ctrl-C in the terminal reaches the sandbox alone, which
    /// then stops its children in order.
    ///
    /// # Errors
    /// The program does not start; that it cannot be executed shows as its exit.
    pub async fn spawn(&self, program: &Program) -> anyhow::Result<Child> {
        let child = self
            .fork(command_of(&self.local, program))
            .await
            .with_context(|| format!("{} did not start", program.name))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).context("a child without a pid")?;
        let (signals, received) = mpsc::channel(8);
        let (exit, exited) = watch::channel(None);
        let spawner = self.clone();
        let sink = program.lines.clone().unwrap_or_else(|| stderr_sink(&program.name));
        tokio::spawn(async move {
            supervise(child, received, exit, sink).await;
            drop(spawner);
        });
        Ok(Child { name: program.name.clone(), pid, signals, exited })
    }

    async fn fork(&self, command: tokio::process::Command) -> io::Result<tokio::process::Child> {
        let gone = || io::Error::other("the thread that starts children is gone");
        let (answer, answered) = oneshot::channel();
        let job = Job { command, runtime: tokio::runtime::Handle::current(), answer };
        self.jobs.send(job).ok().ok_or_else(gone)?;
        answered.await.ok().ok_or_else(gone)?
    }
}

/// `local __exec --parent PID -- PROGRAM ARGS…`: see [`become_program`].
fn command_of(local: &Path, program: &Program) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(local);
    if !program.inherit_env {
        command.env_clear();
    }
    if let Some(directory) = &program.directory {
        command.current_dir(directory);
    }
    command
        .args(["__exec", "--parent", &std::process::id().to_string(), "--"])
        .arg(&program.path)
        .args(&program.args)
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// On Linux the running image itself, which a rebuild during the run cannot take away or replace.
fn this_executable() -> PathBuf {
    let image = PathBuf::from("/proc/self/exe");
    if image.exists() { image } else { std::env::current_exe().unwrap_or(image) }
}

/// Becomes the program that `__exec` names, tied to the life of its parent; returns only when that fails.
pub fn become_program(options: &ExecOptions) -> anyhow::Error {
    if let Err(error) = die_with_parent() {
        return error;
    }
    // The parent may have died before the tie was made; then nobody sends the signal any more.
    if std::os::unix::process::parent_id() != options.parent {
        return anyhow::anyhow!("process {} that wanted this one is gone", options.parent);
    }
    let Some((program, arguments)) = options.command.split_first() else {
        return anyhow::anyhow!("`__exec` needs a program after `--`");
    };
    let error = std::process::Command::new(program).args(arguments).exec();
    anyhow::Error::new(error).context(format!("cannot execute {}", program.display()))
}

#[cfg(target_os = "linux")]
fn die_with_parent() -> anyhow::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).context("prctl(PR_SET_PDEATHSIG)")
}

/// Elsewhere there is no such signal: a sandbox killed with -9 leaves its children to be ended by hand.
#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> anyhow::Result<()> {
    Ok(())
}

fn stderr_sink(name: &str) -> LineSink {
    let name = name.to_owned();
    Arc::new(move |line| {
        // A function's runtime tells three lines of its end; a sandbox ends all of its functions.
        if !line.starts_with("[runtime] ") {
            eprintln!("{name} | {line}");
        }
    })
}

/// A signal to send, and where to say that it was sent: `false` when the child had ended already.
type SignalJob = (Signal, oneshot::Sender<bool>);

/// A running child. When the handle is dropped, the child is killed.
#[derive(Debug)]
pub struct Child {
    name: String,
    pid: i32,
    signals: mpsc::Sender<SignalJob>,
    exited: watch::Receiver<Option<ExitStatus>>,
}

impl Child {
    /// Who it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<ExitStatus> {
        *self.exited.borrow()
    }

    /// Waits until it has ended; any number of callers may wait.
    pub async fn wait(&self) -> ExitStatus {
        let mut exited = self.exited.clone();
        match exited.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // The supervising task ends without a status only with the runtime.
            Err(_) => ExitStatus::default(),
        }
    }

    /// SIGKILL, and waits until it has ended.
    pub async fn kill(&self) -> ExitStatus {
        self.signal(Signal::SIGKILL).await;
        self.wait().await
    }

    /// SIGTERM; does not wait.
    pub async fn terminate(&self) -> bool {
        self.signal(Signal::SIGTERM).await
    }

    /// SIGSTOP: it keeps its memory and its sockets and does nothing. `false` when it has ended.
    pub async fn freeze(&self) -> bool {
        self.signal(Signal::SIGSTOP).await
    }

    /// SIGCONT after a freeze. `false` when it has ended.
    pub async fn thaw(&self) -> bool {
        self.signal(Signal::SIGCONT).await
    }

    /// SIGTERM, and SIGKILL to one that has not ended after `grace`. A frozen one is thawed, or it would not hear.
    pub async fn stop(&self, grace: Duration) -> ExitStatus {
        self.terminate().await;
        self.thaw().await;
        match tokio::time::timeout(grace, self.wait()).await {
            Ok(status) => status,
            Err(_) => self.kill().await,
        }
    }

    /// Sent by the task that reaps the child, so that no signal ever reaches somebody else's reused pid.
    async fn signal(&self, signal: Signal) -> bool {
        let (answer, answered) = oneshot::channel();
        self.signals.send((signal, answer)).await.is_ok() && answered.await.unwrap_or(false)
    }
}

async fn supervise(
    mut child: tokio::process::Child,
    mut signals: mpsc::Receiver<SignalJob>,
    exit: watch::Sender<Option<ExitStatus>>,
    sink: LineSink,
) {
    let lines =
        [child.stdout.take().map(|out| forward(out, &sink)), child.stderr.take().map(|out| forward(out, &sink))];
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            job = signals.recv() => match job {
                Some((signal, answer)) => drop(answer.send(send(child.id(), signal))),
                None => drop(child.start_kill()),
            },
        }
        if signals.is_closed() && signals.is_empty() {
            break child.wait().await;
        }
    };
    // Its last lines are often the reason of its end; a grandchild that holds the pipe must not delay it, though.
    for task in lines.into_iter().flatten() {
        drop(tokio::time::timeout(Duration::from_millis(200), task).await);
    }
    exit.send_replace(Some(status.unwrap_or_default()));
}

fn send(pid: Option<u32>, signal: Signal) -> bool {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok());
    pid.is_some_and(|pid| nix::sys::signal::kill(Pid::from_raw(pid), signal).is_ok())
}

fn forward(output: impl AsyncRead + Send + Unpin + 'static, sink: &LineSink) -> tokio::task::JoinHandle<()> {
    let sink = Arc::clone(sink);
    tokio::spawn(async move {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            sink(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
            line.clear();
        }
    })
}
