//! What a function is to the host, and the variables that Lambda promises it.
//!
//! Pure: no process starts here, see `environment.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::process::{LineSink, Program};

/// The account of every ARN.
pub const ACCOUNT_ID: &str = "123456789012";
/// The region of every ARN, and of the embedded DynamoDB.
pub const REGION: &str = "us-east-1";
/// The only version there is.
pub const VERSION: &str = "$LATEST";

/// Lambda ends an init phase after ten seconds.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// What API Gateway waits for an HTTP API's integration, at most.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);

/// A function as it would be deployed.
#[derive(Clone)]
pub struct FunctionSpec {
    /// Its name, by which it is invoked.
    pub name: String,
    /// The executable, what Lambda calls `bootstrap`.
    pub binary: PathBuf,
    /// Its variables, beside those that Lambda sets.
    pub variables: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// How long the init phase may take; Lambda's ten seconds, unless a test has no patience.
    pub init_timeout: Duration,
    /// Its memory in MB. Only told to the function, not enforced.
    pub memory_mb: u32,
    /// How many environments may run at once.
    pub environments: usize,
    /// How long a request waits for an environment; as long as API Gateway waits for a function.
    pub queue_timeout: Duration,
    /// Where its lines go; `None` is this process's stderr.
    pub lines: Option<LineSink>,
}

impl FunctionSpec {
    /// A function with Lambda's default memory, the usual pool of 16 environments, and no variables of its own.
    pub fn new(name: impl Into<String>, binary: impl Into<PathBuf>, timeout: Duration) -> Self {
        Self {
            name: name.into(),
            binary: binary.into(),
            variables: BTreeMap::new(),
            timeout,
            init_timeout: INIT_TIMEOUT,
            memory_mb: 128,
            environments: 16,
            queue_timeout: QUEUE_TIMEOUT,
            lines: None,
        }
    }
}

impl std::fmt::Debug for FunctionSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the variables: a developer's may hold a secret.
        f.debug_struct("FunctionSpec").field("name", &self.name).field("binary", &self.binary).finish_non_exhaustive()
    }
}

/// A function with what is derived from it once.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) spec: FunctionSpec,
    pub(super) arn: String,
}

impl Function {
    pub(super) fn new(spec: FunctionSpec) -> Self {
        let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{}", spec.name);
        Self { spec, arn }
    }

    /// The process of one environment, whose Runtime API is at this address.
    pub(super) fn program(&self, number: u64, runtime_api: SocketAddr) -> Program {
        let mut program = Program::new(format!("{}[{number}]", self.spec.name), &self.spec.binary);
        program.env = self.variables(number, runtime_api).into_iter().collect();
        program.inherit_env = false;
        program.lines.clone_from(&self.spec.lines);
        program
    }

    /// A function sees what Lambda sets and its own variables, nothing of the developer's shell: what works here must
    /// not work because of an `AWS_PROFILE`.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
    fn variables(&self, number: u64, runtime_api: SocketAddr) -> BTreeMap<String, String> {
        let name = &self.spec.name;
        let defaults = [
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_SESSION_TOKEN", "local".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("LANG", "en_US.UTF-8".to_owned()),
            // Their lines end up behind a name, in a pipe or a file: no place for escape codes.
            ("NO_COLOR", "1".to_owned()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("TZ", ":UTC".to_owned()),
        ];
        let reserved = [
            ("_HANDLER", "bootstrap".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", VERSION.to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.spec.memory_mb.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[{VERSION}]{number:032x}")),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
            ("LAMBDA_TASK_ROOT", self.spec.binary.parent().map(|path| path.display().to_string()).unwrap_or_default()),
        ];
        let own = self.spec.variables.iter().map(|(name, value)| (name.clone(), value.clone()));
        let named = |(name, value): (&str, String)| (name.to_owned(), value);
        defaults.map(named).into_iter().chain(own).chain(reserved.map(named)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_may_change_the_credentials_but_not_its_name() {
        let mut spec = FunctionSpec::new("echo", "/opt/echo", Duration::from_secs(3));
        spec.variables.insert("AWS_ACCESS_KEY_ID".into(), "mine".into());
        spec.variables.insert("AWS_LAMBDA_FUNCTION_NAME".into(), "other".into());
        let variables = Function::new(spec).variables(7, ([127, 0, 0, 1], 9001).into());
        assert_eq!(variables["AWS_ACCESS_KEY_ID"], "mine");
        assert_eq!(variables["AWS_LAMBDA_FUNCTION_NAME"], "echo");
        assert_eq!(variables["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:9001");
        assert_eq!(variables["LAMBDA_TASK_ROOT"], "/opt");
    }
}
