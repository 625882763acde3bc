//! How each part of a sandbox starts, and what it waits for until it counts as ready. Nothing of this is left once the
//! sandbox runs.
//!
//! The order, and what runs side by side, is `sandbox.rs`'s.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kafka::Connection;
use tokio::net::TcpListener;

use crate::cli::{Part, UpOptions};
use crate::data::DataDir;
use crate::delay_proxy::DelayProxy;
use crate::embedded::Embedded;
use crate::fault_proxy::FaultProxy;
use crate::faults::{FaultServer, Targets};
use crate::gateway::{Authorizer, Gateway, GatewaySettings, Throttle};
use crate::keys::Keys;
use crate::lambda::{FunctionSpec, LambdaHost};
use crate::parts::{self, Parts};
use crate::ports::{self, Ports};
use crate::process::Spawner;
use crate::secrets::{Login, SecretsManager};
use crate::settings::{Deployment, Function, Settings};
use crate::{broker, dynamodb, elsewhere};

/// How long joining the group may take. A sandbox that was killed is still a member of it until its session ends, and a
/// newcomer may have to wait for that.
const MAPPING_MAX: Duration = Duration::from_secs(90);

/// An environment that fails its init phase is started again for the next request; a few of them tell a slow machine from
/// a function that cannot start.
const ANSWER_MAX: Duration = Duration::from_secs(15);
const ANSWER_POLL: Duration = Duration::from_millis(200);
/// How many calls the gateway has under way at our host: many more than that has environments.
const CALLS_MAX: usize = 512;
/// And at somebody else's. `cargo lambda watch` 1.9 stands still for good once 100 invocations of a function wait: who
/// adds the next one holds the lock that is needed to take one away.
/// <https://github.com/cargo-lambda/cargo-lambda/blob/main/crates/cargo-lambda-watch/src/state.rs>
const CALLS_ELSEWHERE_MAX: usize = 64;

/// What stands for a variable of a path when the functions are asked whether they answer.
const NOBODY: &str = "ready";
/// Stands for the broker's port until there is one; a mapping of a broker without one is refused.
const PORT_MEANWHILE: u16 = 9092;

/// What the start of each part needs to know.
pub(crate) struct Starting<'a> {
    options: &'a UpOptions,
    /// Taken over by the sandbox, as the data are.
    pub(crate) settings: Settings,
    built: Parts,
    ports: Ports,
    spawner: Spawner,
    connection: Connection,
    login: Login,
    pub(crate) data: DataDir,
}

/// The log, ready to be produced to.
pub(crate) struct Log {
    pub(crate) address: String,
    pub(crate) part: Option<Embedded>,
    pub(crate) delay: Option<Arc<DelayProxy>>,
}

/// The tables, ready to be written to.
pub(crate) struct Tables {
    pub(crate) address: String,
    pub(crate) part: Option<Embedded>,
    pub(crate) calls: Option<Arc<FaultProxy>>,
    client: aws_sdk_dynamodb::Client,
}

/// The functions, ready to be invoked.
pub(crate) struct Functions {
    pub(crate) address: String,
    pub(crate) host: Option<LambdaHost>,
}

impl Functions {
    /// The names of those that are ours to harm.
    pub(crate) fn names(&self, settings: &Settings) -> Vec<String> {
        match self.host {
            Some(_) => settings.functions.iter().map(|function| function.name.clone()).collect(),
            None => Vec::new(),
        }
    }
}

impl<'a> Starting<'a> {
    /// What comes before any part: the template, the data, the builds, the ports.
    pub(crate) async fn prepare(options: &'a UpOptions, deployment: &Deployment) -> anyhow::Result<Self> {
        // Whatever is wrong with the template is told before a build that may take minutes; only ports are missing yet.
        let (_, login) = reached(options, PORT_MEANWHILE)?;
        let planned = deployment.settings(&login.machine)?;
        planned.check()?;
        let data = DataDir::open(options.parts.data.as_deref())?;
        let (embedded, functions) = needed(options, &planned);
        let built = if options.release {
            Parts::build(&embedded).await?.build_deployed(&functions).await?
        } else {
            Parts::build(&[embedded, functions].concat()).await?
        };
        // After the builds, which may take minutes, in which a port that was free is taken.
        let ports = Ports::choose(options.port).await?;
        let (connection, login) = reached(options, ports.kafka)?;
        let settings = deployment.settings(&login.machine)?;
        for objection in &settings.objections {
            tracing::warn!("this runs here, and could not be deployed: {objection}");
        }
        Ok(Self { options, settings, built, ports, spawner: Spawner::start()?, connection, login, data })
    }

    pub(crate) async fn log(&self) -> anyhow::Result<Log> {
        let (address, part, delay) = match &self.options.parts.broker {
            Part::External(address) => (address.clone(), None, None),
            Part::Embedded => {
                let advertised_port = self.ports.kafka;
                let port = if self.options.faults { ports::internal()? } else { advertised_port };
                let data = self.data.broker();
                let place = broker::Place { port, advertised_port, data: &data };
                let part = broker::start(self.spawner.clone(), self.built.path(parts::BROKER)?, place).await?;
                let delay = match self.options.faults {
                    true => Some(Arc::new(DelayProxy::start(listen(advertised_port).await?, port))),
                    false => None,
                };
                (format!("127.0.0.1:{advertised_port}"), Some(part), delay)
            }
        };
        if part.is_none() {
            let answers = broker::answers(&self.connection, &self.settings.names()?.requests).await;
            answers.with_context(|| format!("no Kafka to use at --broker {address}"))?;
        }
        let ensured = broker::ensure(&self.connection, &self.settings.topics).await;
        ensured.with_context(|| format!("no Kafka to use at {address}"))?;
        Ok(Log { address, part, delay })
    }

    pub(crate) async fn tables(&self) -> anyhow::Result<Tables> {
        let (mut address, part) = match &self.options.parts.dynamodb {
            Part::External(url) => (url.clone(), None),
            Part::Embedded => {
                let port = if self.options.faults { ports::internal()? } else { self.ports.dynamodb };
                let binary = self.built.path(parts::DYNAMODB)?;
                let part = dynamodb::start(self.spawner.clone(), binary, port, &self.data).await?;
                (format!("http://127.0.0.1:{port}"), Some(part))
            }
        };
        let client = dynamodb::patient_client(&address).await;
        let ensured = dynamodb::ensure(&client, &self.settings.tables).await;
        ensured.with_context(|| match &part {
            Some(_) => format!("no DynamoDB to use at {address}"),
            None => format!("no DynamoDB to use at --dynamodb {address}"),
        })?;
        let mut calls = None;
        if self.options.faults {
            let proxy = FaultProxy::start(listen(self.ports.dynamodb).await?, &address)?;
            address = format!("http://{}", proxy.address());
            calls = Some(Arc::new(proxy));
        }
        Ok(Tables { address, part, calls, client })
    }

    /// Whether tables and log belong together.
    pub(crate) async fn check(&self, tables: &Tables) -> anyhow::Result<()> {
        let names = self.settings.names()?;
        let ends = broker::ends(&self.connection, &names.requests).await?;
        dynamodb::belongs_to(&tables.client, &names.coupons, &names.requests, &ends).await
    }

    /// A Secrets Manager with the broker's login, whoever runs the functions.
    pub(crate) async fn secrets(&self) -> anyhow::Result<SecretsManager> {
        SecretsManager::start(&self.login).await
    }

    pub(crate) async fn functions(&self, tables: &Tables, secrets: &SecretsManager) -> anyhow::Result<Functions> {
        let mut aws = dynamodb::sdk_variables(&tables.address);
        if self.login.has_secrets() {
            aws.push(("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), secrets.url()));
        }
        if let Part::External(url) = &self.options.parts.functions {
            for function in &self.settings.functions {
                let variables = function.variables.clone().into_iter().chain(aws.iter().cloned());
                // Credentials are the host's own, and may be a developer's real ones here.
                let told = variables.filter(|(name, _)| !name.contains("KEY") && !name.contains("TOKEN"));
                let told: Vec<_> = told.map(|(name, value)| format!("{name}={value}")).collect();
                eprintln!("{url} has to run {} with {}", function.name, told.join(" "));
            }
            let worker = &self.settings.worker.name;
            let look = |function: &Function| match &function.name {
                name if name == worker => elsewhere::EMPTY_BATCH,
                _ => elsewhere::LOOK,
            };
            let asked = self.settings.functions.iter().map(|one| elsewhere::is_lambda_host(url, &one.name, look(one)));
            futures_util::future::try_join_all(asked).await?;
            return Ok(Functions { address: url.clone(), host: None });
        }
        let specs = self.settings.functions.iter().map(|function| self.function(function, &aws));
        let specs = specs.collect::<anyhow::Result<_>>()?;
        let host = LambdaHost::start(listen(self.ports.functions).await?, specs, &self.spawner)?;
        Ok(Functions { address: format!("http://{}", host.address()), host: Some(host) })
    }

    fn function(&self, function: &Function, aws: &[(String, String)]) -> anyhow::Result<FunctionSpec> {
        let mut spec = FunctionSpec::new(&function.name, self.built.path(&function.binary)?, function.timeout);
        spec.variables = function.variables.clone().into_iter().chain(aws.iter().cloned()).collect();
        spec.memory_mb = function.memory_mb;
        let reserved =
            function.concurrency.map_or(usize::MAX, |reserved| usize::try_from(reserved).unwrap_or(usize::MAX));
        spec.environments = reserved.min(usize::from(self.options.parts.environments));
        Ok(spec)
    }

    pub(crate) async fn gateway(&self, functions: &Functions) -> anyhow::Result<Gateway> {
        let keys = Keys::of_checkout()?;
        let api = self.settings.api.clone();
        // Where no route asks for a token, nobody's is good, and nobody looks.
        let (issuer, audiences) = api.authorizer.map(|one| (one.issuer, one.audiences)).unwrap_or_default();
        let authorizer = Authorizer::new(issuer, audiences, [(keys.kid().to_owned(), keys.public())]);
        let calls_max = if functions.host.is_some() { CALLS_MAX } else { CALLS_ELSEWHERE_MAX };
        let settings = GatewaySettings {
            routes: api.routes.into_iter().map(Into::into).collect(),
            host: functions.address.clone(),
            calls_max,
            authorizer,
            cors: api.cors,
            throttle: Throttle { rate: api.rate, burst: api.burst },
        };
        Gateway::start(listen(self.ports.api).await?, settings)
    }

    /// Waits until the API function answers: a function that cannot start is told of now, not by somebody's first request.
    /// Somebody else's host may build its functions first, so it is not asked.
    pub(crate) async fn answers(&self, gateway: &Gateway, functions: &Functions) -> anyhow::Result<()> {
        if functions.host.is_none() {
            return Ok(());
        }
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        // Open to anyone, and answered by the function whether there is such a thing or not.
        let Some((name, path)) = self.settings.api.routes.iter().find_map(open) else { return Ok(()) };
        let uri: hyper::Uri = format!("http://{}{path}", gateway.address()).parse()?;
        let start = Instant::now();
        loop {
            let status = client.get(uri.clone()).await?.status();
            match status {
                _ if !status.is_server_error() => return Ok(()),
                _ if start.elapsed() < ANSWER_MAX => tokio::time::sleep(ANSWER_POLL).await,
                _ => bail!("{name} does not answer but {status}; its lines above tell why"),
            }
        }
    }

    /// The mapping, a member of its group.
    pub(crate) async fn mapping(&self, functions: &Functions) -> anyhow::Result<kafka_esm::Running> {
        let worker = &self.settings.worker.name;
        let invoke = format!("{}/2015-03-31/functions/{worker}/invocations", functions.address);
        let client = self.connection.clone().for_consumer().properties().clone();
        let started = kafka_esm::start(&self.settings.mapping, &self.settings.emulator(), client, &invoke).await;
        let running = started.map_err(|error| self.settings.refusal(error))?;
        match tokio::time::timeout(MAPPING_MAX, running.ready()).await {
            Ok(ready) => ready?,
            Err(_) => bail!("the mapping is no member of its group after {} s", MAPPING_MAX.as_secs()),
        }
        Ok(running)
    }

    pub(crate) async fn faults(&self, targets: Targets) -> anyhow::Result<FaultServer> {
        FaultServer::start(listen(self.ports.faults).await?, targets)
    }
}

/// The binaries that these options need: embedded parts, and functions.
fn needed<'a>(options: &UpOptions, settings: &'a Settings) -> (Vec<&'a str>, Vec<&'a str>) {
    let embedded = |part: &Part, binary: &'a str| (*part == Part::Embedded).then_some(binary);
    let parts = [embedded(&options.parts.broker, parts::BROKER), embedded(&options.parts.dynamodb, parts::DYNAMODB)];
    let functions =
        settings.functions.iter().filter_map(|function| embedded(&options.parts.functions, &function.binary));
    (parts.into_iter().flatten().collect(), functions.collect())
}

/// How to reach the broker, which is at this port if it is ours, and what that is to the functions.
fn reached(options: &UpOptions, port: u16) -> anyhow::Result<(Connection, Login)> {
    let address = match &options.parts.broker {
        Part::External(address) => address.clone(),
        Part::Embedded => format!("127.0.0.1:{port}"),
    };
    let connection = broker::connection(&address, options.parts.kafka_config.as_deref())?;
    let login = Login::new(&address, &connection)?;
    Ok((connection, login))
}

/// The function and the path of a route that takes a GET by anybody.
fn open(route: &template::Route) -> Option<(&str, String)> {
    let path = route.key.strip_prefix("GET ").filter(|_| !route.authorized)?;
    let segment = |segment: &str| if segment.starts_with('{') { NOBODY.to_owned() } else { segment.to_owned() };
    Some((&route.function, path.split('/').map(segment).collect::<Vec<_>>().join("/")))
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.with_context(|| format!("port {port} was taken meanwhile; try again, or give another --port"))
}
