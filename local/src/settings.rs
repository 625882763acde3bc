//! What is deployed, as `infra/template.yaml` declares it, for this machine. The template is the only place where any of
//! it is said; here stands what of it a sandbox runs, and what the machine itself gives as parameters.
//!
//! How a template is read is the crate `template`; `sandbox.rs` turns this into running parts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use kafka_esm::{Emulator, EsmError};
pub use template::{Api, Function, KeyAttribute, Place, Table, Topic};
use template::{Given, Mapping, Stack, Template, Whereabouts};

use crate::audit::Names;
use crate::cli::Misused;
use crate::keys::{AUDIENCE, ISSUER};
use crate::lambda::{ACCOUNT_ID, REGION};

/// What a deployment of this machine is called.
const STACK: &str = "sandbox";
/// Where the template is in a checkout.
const TEMPLATE: &str = "infra/template.yaml";

/// Which template, and what is chosen in it.
#[derive(Debug, Clone, Default, Args)]
pub struct TemplateOptions {
    /// What is deployed, as an AWS SAM template: routes, functions, variables, tables, topics, mapping
    /// [default: infra/template.yaml of this checkout]
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// A parameter of the template, such as BatchSize=10; once for each
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

/// A template and what was chosen in it: everything but what only the machine knows.
#[derive(Debug, Clone)]
pub struct Deployment {
    template: Template,
    chosen: BTreeMap<String, String>,
    /// Binaries other than those that the template names, by function.
    instead: BTreeMap<String, String>,
}

/// What only the machine knows. Its `Default` is a machine before its ports are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `host:port,…`
    pub bootstrap_servers: String,
    /// As Kafka's clients call it.
    pub security_protocol: String,
    /// Empty without SASL.
    pub sasl_mechanism: String,
    /// Empty without SASL.
    pub sasl_secret_arn: String,
    /// Empty without a private CA.
    pub ca_secret_arn: String,
}

/// Everything that is deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The functions that a route or the mapping leads to; one that only CloudFormation calls does nothing here.
    pub functions: Vec<Function>,
    /// What the gateway answers to.
    pub api: Api,
    /// The tables.
    pub tables: Vec<Table>,
    /// The topics.
    pub topics: Vec<Topic>,
    /// How records reach the worker.
    pub mapping: kafka_esm::Mapping,
    /// The function that the mapping invokes.
    pub worker: Function,
    /// What of the machine would keep this from being deployed in AWS.
    pub objections: Vec<String>,
    declared: Mapping,
    file: String,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            bootstrap_servers: "127.0.0.1:9092".into(),
            security_protocol: "PLAINTEXT".into(),
            sasl_mechanism: String::new(),
            sasl_secret_arn: String::new(),
            ca_secret_arn: String::new(),
        }
    }
}

impl Machine {
    /// Its values for the template's parameters.
    fn parameters(&self) -> BTreeMap<String, String> {
        let pairs = [
            ("JwtIssuer", ISSUER),
            ("JwtAudience", AUDIENCE),
            ("BootstrapServers", &self.bootstrap_servers),
            ("SecurityProtocol", &self.security_protocol),
            ("SaslMechanism", &self.sasl_mechanism),
            ("SaslSecretArn", &self.sasl_secret_arn),
            ("CaSecretArn", &self.ca_secret_arn),
            // A line for each call, for CloudWatch's eyes: nobody reads it here.
            ("EmitMetrics", "false"),
            // Loopback is as closed as a VPC, which is what brokers without TLS need around them.
            ("SubnetA", "subnet-00000000"),
            ("SecurityGroup", "sg-00000000"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

impl Deployment {
    /// Reads the template and takes the choices; what they come to is told by [`Deployment::settings`].
    ///
    /// # Errors
    /// There is no such file, or it is no template; a parameter was chosen twice.
    pub fn read(options: &TemplateOptions) -> anyhow::Result<Self> {
        let path = options.template.clone().map_or_else(|| checkout().map(|root| root.join(TEMPLATE)), Ok)?;
        let template = Template::open(&path)?;
        let mut chosen = BTreeMap::new();
        for (name, value) in &options.parameters {
            if let Some(before) = chosen.insert(name.clone(), value.clone()) {
                return Err(Misused(format!("--parameter {name} is given twice, as {before} and as {value}")).into());
            }
        }
        Ok(Self { template, chosen, instead: BTreeMap::new() })
    }

    /// The checkout's own, with nothing chosen.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of_checkout() -> anyhow::Result<Self> {
        Self::read(&TemplateOptions::default())
    }

    /// The same with another binary for a function.
    #[must_use]
    pub fn with_binary(mut self, function: &str, binary: &str) -> Self {
        self.instead.insert(function.to_owned(), binary.to_owned());
        self
    }

    /// What it comes to on a machine.
    ///
    /// # Errors
    /// Something in the template is wrong, or not understood and needed: with file, line and column.
    pub fn settings(&self, machine: &Machine) -> anyhow::Result<Settings> {
        let given = Given { chosen: self.chosen.clone(), machine: machine.parameters() };
        let whereabouts =
            Whereabouts { region: REGION.to_owned(), account_id: ACCOUNT_ID.to_owned(), stack_name: STACK.to_owned() };
        let mut stack = self.template.resolve(&given, &whereabouts)?;
        for function in &mut stack.functions {
            if let Some(binary) = self.instead.get(&function.name) {
                function.binary.clone_from(binary);
            }
        }
        self.run(stack)
    }

    fn run(&self, stack: Stack) -> anyhow::Result<Settings> {
        let file = self.template.file().to_owned();
        let mut mappings = stack.mappings.into_iter();
        let declared = mappings.next().with_context(|| format!("{file}: no AWS::Lambda::EventSourceMapping"))?;
        if let Some(second) = mappings.next() {
            return Err(self.template.refusal(second.place, "a second mapping; a sandbox runs one").into());
        }
        let api = stack.api.with_context(|| format!("{file}: no AWS::ApiGatewayV2::Api"))?;
        let is_called = |name: &str| declared.function == name || api.routes.iter().any(|route| route.function == name);
        let functions: Vec<_> = stack.functions.into_iter().filter(|function| is_called(&function.name)).collect();
        let worker = functions.iter().find(|function| function.name == declared.function).cloned();
        Ok(Settings {
            worker: worker.with_context(|| format!("{file}: no function {}", declared.function))?,
            mapping: declared.properties.read(&file)?,
            functions,
            api,
            tables: stack.tables,
            topics: stack.topics,
            objections: stack.objections,
            declared,
            file,
        })
    }
}

impl Settings {
    /// The names by which the worker knows tables and topics.
    ///
    /// # Errors
    /// The worker lacks one of its variables.
    pub fn names(&self) -> anyhow::Result<Names> {
        let variable = |name: &str| {
            let value = self.worker.variables.get(name).cloned();
            let (file, place, worker) = (&self.file, self.worker.place, &self.worker.name);
            value.with_context(|| format!("{file}:{place}: {worker} has no variable {name}"))
        };
        Ok(Names {
            requests: variable("REQUEST_TOPIC")?,
            results: variable("RESULT_TOPIC")?,
            dead_letters: variable("DEAD_LETTER_TOPIC")?,
            coupons: variable("COUPONS_TABLE")?,
            user_coupons: variable("USER_COUPONS_TABLE")?,
        })
    }

    /// How the mapping is emulated: as the managed one, but for the function's own time limit.
    #[must_use]
    pub fn emulator(&self) -> Emulator {
        Emulator { function_timeout_seconds: self.worker.timeout.as_secs(), ..Emulator::default() }
    }

    /// Whether all of it can be run.
    ///
    /// # Errors
    /// A property of the mapping cannot be, or the worker lacks a variable: with the place in the template.
    pub fn check(&self) -> anyhow::Result<()> {
        self.names()?;
        kafka_esm::check(&self.mapping, &self.emulator()).map_err(|error| self.refusal(error))
    }

    /// Why the mapping does not start, with the places of its properties in the template.
    #[must_use]
    pub fn refusal(&self, error: EsmError) -> anyhow::Error {
        let EsmError::Refused(problems) = error else { return error.into() };
        let placed = problems.iter().map(|problem| {
            let path = problem.split_once(':').map_or("", |(path, _)| path);
            format!("{}:{}: {problem}", self.file, self.declared.properties.place(path))
        });
        anyhow::anyhow!("the mapping is refused\n{}", placed.collect::<Vec<_>>().join("\n"))
    }
}

/// The directory of the checkout that this binary was built from.
///
/// # Errors
/// It is not there any more.
pub fn checkout() -> anyhow::Result<PathBuf> {
    let local = Path::new(env!("CARGO_MANIFEST_DIR"));
    match local.parent() {
        Some(root) if root.join("Cargo.toml").is_file() => Ok(root.to_owned()),
        _ => anyhow::bail!("{} is no checkout any more; run `cargo local` inside the present one", local.display()),
    }
}
