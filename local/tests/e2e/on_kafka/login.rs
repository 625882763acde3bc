//! SASL/SCRAM-512 over TLS with a private CA, against Apache Kafka: the functions read both secrets as they would from
//! Secrets Manager, and say what is wrong within the init phase when a broker or a login is not what it should be.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kafka::Connection;
use local::audit::AuditOptions;
use local::parts::Parts;
use local::secrets::{Login, SecretsManager};
use local::settings::{Deployment, Function, TemplateOptions};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::authority::Authority;
use crate::home::{Home, Real};
use crate::part::{KafkaAt, url_of};
use crate::sandbox::{Sandbox, local};

const USER: &str = "firstcome";
const PASSWORD: &str = "correct horse";
/// A broker is tried for 3 s of the 10 that Lambda gives an init phase; as much again is for the start of an unoptimised
/// process and its two secrets, beside the broker's own work.
const INIT_MAX: Duration = Duration::from_secs(3 + 3);

/// A broker that wants a login, and who may trust it.
struct Guarded {
    home: Home,
    directory: tempfile::TempDir,
}

impl Guarded {
    /// With a certificate of this authority until the given year.
    async fn start(authority: &Authority, until_year: i32) -> Self {
        let directory = authority.directory(until_year);
        let user = format!("{USER}={PASSWORD}");
        let login = ["--login", directory.path().to_str().unwrap(), "--user", &user];
        Self { home: Home::Real(Real::start_with(&login, &[]).await), directory }
    }

    fn real(&self) -> &Real {
        let Home::Real(real) = &self.home else { panic!("it was made so") };
        real
    }

    fn bootstrap(&self) -> String {
        KafkaAt::of(&self.real().kafka).bootstrap
    }

    /// A file of properties as somebody has them who knows this password and trusts this CA.
    fn properties(&self, password: &str, ca: &Path) -> PathBuf {
        let file = self.directory.path().join(format!("client-{}.properties", fastrand::u64(..)));
        let text = format!(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nsasl.username={USER}\nsasl.password={password}\n\
             ssl.ca.location={}\n",
            ca.display()
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }
}

/// The functions' binaries, built once.
static FUNCTIONS: OnceCell<Parts> = OnceCell::const_new();

/// Starts a function as Lambda's init phase does, with secrets made of these properties, and asserts that it ends by
/// itself, in time, and says this.
async fn init_ends(guarded: &Guarded, function: &Function, login: &Login, said: &str) {
    let built = FUNCTIONS.get_or_init(async || Parts::build(&["issue-api", "issue-worker"]).await.unwrap()).await;
    let secrets = SecretsManager::start(login).await.unwrap();
    let mut command = Command::new(built.path(&function.binary).unwrap());
    command.envs(&function.variables);
    command.envs(local::dynamodb::sdk_variables(url_of(&guarded.real().dynamodb)));
    command.env("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets.url());
    // Nobody listens there: a function that gets so far has not ended its init.
    command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").kill_on_drop(true);
    let start = Instant::now();
    let output = tokio::time::timeout(INIT_MAX, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{} hangs: {said} expected", function.name)).unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && printed.contains(said), "{}: {said} expected: {printed}", function.name);
    assert!(printed.contains(&guarded.bootstrap()), "the broker is named: {printed}");
    assert!(!printed.contains(PASSWORD), "{printed}");
    eprintln!("{} ended its init after {:?}: {said}", function.name, start.elapsed());
}

/// Both functions, and `up` itself, which tells it in one sentence.
async fn all_refuse(guarded: &Guarded, properties: &Path, said: &str) {
    let text = std::fs::read_to_string(properties).unwrap();
    let connection = Connection::from_properties(&text, Some(&guarded.bootstrap())).unwrap();
    let login = Login::new(&guarded.bootstrap(), &connection).unwrap();
    for function in Deployment::of_checkout().unwrap().settings(&login.machine).unwrap().functions {
        init_ends(guarded, &function, &login, said).await;
    }
    let (broker, config) = (guarded.bootstrap(), properties.to_str().unwrap());
    let up = local(&["up", "--port", "0", "--broker", &broker, "--kafka-config", config]).await;
    let told = String::from_utf8_lossy(&up.stderr);
    assert_eq!(up.status.code(), Some(1), "{told}");
    let sentence = told.lines().rfind(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("{told}"));
    assert!(sentence.contains(&broker) && sentence.contains(said) && sentence.contains("--kafka-config"), "{told}");
}

#[tokio::test]
#[ignore = "wants Java and Maven: local/real/check"]
async fn the_functions_log_in_by_scram_over_tls_of_a_private_ca() {
    let guarded = Guarded::start(&Authority::new(), 2099).await;
    let properties = guarded.properties(PASSWORD, &guarded.ca());
    let config = properties.to_str().unwrap();
    let dynamodb = url_of(&guarded.real().dynamodb).to_owned();
    let bootstrap = guarded.bootstrap();
    let Guarded { home, directory: _directory } = guarded;
    let sandbox = Sandbox::start_in(&home.into(), &["--kafka-config", config]).await;
    let coupon = sandbox.coupon("guarded", 1).await;
    assert_eq!(sandbox.asks(&coupon, "ann").await["rank"], 1);
    let options = AuditOptions {
        kafka: bootstrap,
        kafka_config: Some(properties.clone()),
        dynamodb,
        tickets: None,
        deployed: TemplateOptions::default(),
        patience: 60,
        json: false,
    };
    let report = local::audit::command::audit(&options).await.unwrap();
    assert!(report.ok() && report.looked.issued == 1, "{report}");
}

#[tokio::test]
#[ignore = "wants Java and Maven: local/real/check"]
async fn a_wrong_password_or_a_wrong_ca_ends_the_init_with_the_reason() {
    let guarded = Guarded::start(&Authority::new(), 2099).await;
    all_refuse(&guarded, &guarded.properties("wrong", &guarded.ca()), "Authentication failed").await;

    let stranger = Authority::new().directory(2099);
    let trusts_another = guarded.properties(PASSWORD, &stranger.path().join("ca.pem"));
    all_refuse(&guarded, &trusts_another, "of another CA").await;
}

#[tokio::test]
#[ignore = "wants Java and Maven: local/real/check"]
async fn an_expired_certificate_ends_the_init_with_the_reason() {
    let guarded = Guarded::start(&Authority::new(), 2021).await;
    all_refuse(&guarded, &guarded.properties(PASSWORD, &guarded.ca()), "it may have expired").await;
}
