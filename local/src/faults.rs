//! Faults on demand: an address that makes a part of the sandbox fail for a while, and brings it back with its data.
//!
//! What a fault is on the wire, and when it ends; how a part is killed, frozen or delayed is the part's own business.
//! Calls to DynamoDB fail in `fault_proxy/`, answers of the broker are late in `delay_proxy.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::delay_proxy::{Delay, DelayProxy};
use crate::embedded::{Embedded, Order};
use crate::fault_proxy::{Fault, FaultProxy, Kind};
use crate::lambda::LambdaHost;

/// A fault holds no longer than this: an hour is a stuck test, not a fault.
const SECONDS_MAX: f64 = 3600.0;

/// What can fail. A part that is somebody else's is absent.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// The embedded broker.
    pub broker: Option<Embedded>,
    /// What delays its answers.
    pub delay: Option<Arc<DelayProxy>>,
    /// The embedded DynamoDB.
    pub dynamodb: Option<Embedded>,
    /// What spoils calls to DynamoDB, the embedded one or another.
    pub calls: Option<Arc<FaultProxy>>,
    /// What runs the functions.
    pub host: Arc<tokio::sync::RwLock<Option<LambdaHost>>>,
    /// The functions' names; none when the host is somebody else's.
    pub functions: Vec<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    target: String,
    kind: String,
    #[serde(default)]
    seconds: f64,
    rate: Option<f64>,
    ms: Option<u64>,
}

/// A fault that this sandbox can make.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Process(Process, Harm),
    Function(String, Harm),
    Calls(Fault),
    Late(Delay),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    Broker,
    Dynamodb,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Kill,
    Freeze,
    Down,
}

impl Targets {
    /// The fault that a request asks for, or why there is none.
    fn understand(&self, request: &Request) -> Result<(Wanted, Duration), String> {
        if !(0.0..=SECONDS_MAX).contains(&request.seconds) {
            return Err(format!("seconds: {} is not in 0 to {SECONDS_MAX}", request.seconds));
        }
        let rate = request.rate.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&rate) {
            return Err(format!("rate: {rate} is not in 0 to 1"));
        }
        let known = self.known();
        let kinds = known.get(request.target.as_str()).ok_or_else(|| {
            let targets: Vec<_> = known.keys().copied().collect();
            format!("target: {:?} is none of this sandbox's: {}", request.target, targets.join(", "))
        })?;
        if !kinds.contains(&request.kind.as_str()) {
            return Err(format!("kind: {} knows {}, not {:?}", request.target, kinds.join(", "), request.kind));
        }
        Ok((wanted(request, rate)?, Duration::from_secs_f64(request.seconds)))
    }

    /// The kinds of fault by target, as far as the parts are ours.
    fn known(&self) -> BTreeMap<&str, Vec<&'static str>> {
        let harms = |there: bool| if there { vec!["kill", "freeze", "down"] } else { Vec::new() };
        let mut broker = harms(self.broker.is_some());
        broker.extend(self.delay.is_some().then_some("latency"));
        let mut dynamodb = harms(self.dynamodb.is_some());
        if self.calls.is_some() {
            dynamodb.extend(["latency", "throttle", "conflict", "lost-answer"]);
        }
        let functions = self.functions.iter().map(|name| (name.as_str(), harms(true)));
        let known = [("broker", broker), ("dynamodb", dynamodb)].into_iter().chain(functions);
        known.filter(|(_, kinds)| !kinds.is_empty()).collect()
    }

    /// Makes it hold.
    async fn begin(&self, wanted: &Wanted, duration: Duration) -> anyhow::Result<()> {
        match wanted {
            Wanted::Process(process, harm) => self.order(*process, harm.order()).await?,
            Wanted::Function(name, harm) => {
                if let Some(host) = self.host.read().await.as_ref() {
                    match harm {
                        Harm::Freeze => host.freeze(name, duration).await?,
                        Harm::Kill | Harm::Down => host.down(name, duration).await?,
                    }
                }
            }
            Wanted::Calls(fault) => self.calls.iter().for_each(|calls| calls.set(*fault)),
            Wanted::Late(delay) => self.delay.iter().for_each(|proxy| proxy.set(Some(*delay))),
        }
        Ok(())
    }

    /// Brings the part back.
    async fn end(&self, wanted: &Wanted) -> anyhow::Result<()> {
        match wanted {
            Wanted::Process(process, Harm::Freeze) => self.order(*process, Order::Thaw).await,
            Wanted::Process(process, Harm::Kill | Harm::Down) => self.order(*process, Order::Start).await,
            // The host does that by itself.
            Wanted::Function(..) => Ok(()),
            Wanted::Calls(fault) => {
                self.calls.iter().for_each(|calls| calls.clear(fault.kind));
                Ok(())
            }
            Wanted::Late(_) => {
                self.delay.iter().for_each(|proxy| proxy.set(None));
                Ok(())
            }
        }
    }

    async fn order(&self, process: Process, order: Order) -> anyhow::Result<()> {
        let part = match process {
            Process::Broker => &self.broker,
            Process::Dynamodb => &self.dynamodb,
        };
        match part {
            Some(part) => part.order(order).await,
            None => Ok(()),
        }
    }
}

impl Harm {
    fn order(self) -> Order {
        match self {
            Self::Kill => Order::Kill,
            Self::Freeze => Order::Freeze,
            Self::Down => Order::Stop,
        }
    }
}

/// A request whose target and kind are known to go together.
fn wanted(request: &Request, rate: f64) -> Result<Wanted, String> {
    let ms = || request.ms.ok_or_else(|| "ms: latency needs milliseconds, such as 200".to_owned());
    let harm = match request.kind.as_str() {
        "kill" => Harm::Kill,
        "freeze" => Harm::Freeze,
        "down" => Harm::Down,
        "latency" if request.target == "broker" => {
            return Ok(Wanted::Late(Delay { duration: Duration::from_millis(ms()?), rate }));
        }
        "latency" => return Ok(Wanted::Calls(Fault { kind: Kind::Latency, rate, ms: ms()? })),
        "throttle" => return Ok(Wanted::Calls(Fault::new(Kind::Throttle, rate))),
        "conflict" => return Ok(Wanted::Calls(Fault::new(Kind::Conflict, rate))),
        _ => return Ok(Wanted::Calls(Fault::new(Kind::LostAnswer, rate))),
    };
    Ok(match request.target.as_str() {
        "broker" => Wanted::Process(Process::Broker, harm),
        "dynamodb" => Wanted::Process(Process::Dynamodb, harm),
        function => Wanted::Function(function.to_owned(), harm),
    })
}

/// The address where faults are asked for. Dropped, it ends, and no fault that holds is ended by it any more.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    serving: AbortHandle,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    targets: Targets,
    /// What will end the faults that hold, by what they harm: a newer one of the same sort takes the older one's place.
    ends: Mutex<BTreeMap<String, AbortHandle>>,
}

impl FaultServer {
    /// Serves the listener; no fault holds.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn start(listener: TcpListener, targets: Targets) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { targets, ends: Mutex::default() });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { address, serving, shared })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.serving.abort();
        for (_, end) in std::mem::take(&mut *self.shared.ends()) {
            end.abort();
        }
    }
}

impl Shared {
    fn ends(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, AbortHandle>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a fault end after its time, unless a newer one of its sort does.
    fn end_after(self: &Arc<Self>, sort: String, wanted: Wanted, duration: Duration) {
        let shared = Arc::clone(self);
        let end = tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            match shared.targets.end(&wanted).await {
                Ok(()) => tracing::info!(?wanted, "the fault is over"),
                Err(error) => tracing::error!(?wanted, "the fault does not end: {error:#}"),
            }
        });
        if let Some(older) = self.ends().insert(sort, end.abort_handle()) {
            older.abort();
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, method: axum::http::Method, body: String) -> Response {
    if method != axum::http::Method::POST {
        return reply(StatusCode::METHOD_NOT_ALLOWED, "POST {\"target\", \"kind\", \"seconds\", \"rate\", \"ms\"}");
    }
    let request: Request = match serde_json::from_str(&body) {
        Ok(request) => request,
        Err(error) => return reply(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let (wanted, duration) = match shared.targets.understand(&request) {
        Ok(understood) => understood,
        Err(why) => return reply(StatusCode::BAD_REQUEST, &why),
    };
    if let Err(error) = shared.targets.begin(&wanted, duration).await {
        return reply(StatusCode::CONFLICT, &format!("{error:#}"));
    }
    tracing::info!(?wanted, ?duration, "a fault holds");
    let sort = match &wanted {
        Wanted::Process(process, _) => format!("{process:?}"),
        Wanted::Function(name, _) => name.clone(),
        Wanted::Calls(fault) => format!("{:?}", fault.kind),
        Wanted::Late(_) => "late".to_owned(),
    };
    shared.end_after(sort, wanted, duration);
    (StatusCode::ACCEPTED, axum::Json(json!({ "target": request.target, "kind": request.kind }))).into_response()
}

fn reply(status: StatusCode, detail: &str) -> Response {
    (status, axum::Json(json!({ "detail": detail }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        serde_json::from_str(text).expect("a request")
    }

    fn functions_alone() -> Targets {
        Targets { functions: vec!["issue-api".into(), "issue-worker".into()], ..Targets::default() }
    }

    #[test]
    fn an_unknown_target_is_told_which_exist() {
        let why = functions_alone().understand(&request(r#"{"target":"broker","kind":"kill"}"#)).expect_err("not ours");
        assert!(why.contains("issue-api, issue-worker"), "{why}");
    }

    #[test]
    fn a_kind_that_its_target_cannot_meet_is_told_which_it_can() {
        let asked = request(r#"{"target":"issue-api","kind":"throttle","seconds":1}"#);
        let why = functions_alone().understand(&asked).expect_err("no such kind");
        assert!(why.contains("kill, freeze, down"), "{why}");
    }

    #[test]
    fn a_time_or_a_share_out_of_bounds_is_named() {
        for (text, named) in [
            (r#"{"target":"issue-api","kind":"kill","seconds":-1}"#, "seconds"),
            (r#"{"target":"issue-api","kind":"kill","seconds":1e9}"#, "seconds"),
            (r#"{"target":"issue-api","kind":"kill","rate":1.5}"#, "rate"),
        ] {
            let why = functions_alone().understand(&request(text)).expect_err("out of bounds");
            assert!(why.starts_with(named), "{why}");
        }
    }

    #[test]
    fn a_member_that_nobody_knows_is_refused() {
        assert!(serde_json::from_str::<Request>(r#"{"target":"broker","kind":"kill","second":1}"#).is_err());
    }

    #[test]
    fn what_is_asked_for_is_what_happens() {
        let asked = request(r#"{"target":"issue-worker","kind":"freeze","seconds":1.5}"#);
        let understood = functions_alone().understand(&asked).expect("known");
        assert_eq!(understood, (Wanted::Function("issue-worker".into(), Harm::Freeze), Duration::from_millis(1500)));
    }
}
