//! A DynamoDB of a test's own, the embedded one or, in a run with `FIRSTCOME_PARTS=real`, one that is not ours, and stores
//! on it.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use coupon::{CouponId, UserId};
use coupon_dynamodb::{DynamoStore, Tables};
use coupon_store_contract::{Damage, Spoil};
use local::data::DataDir;
use local::embedded::{Embedded, Order};
use local::fault_proxy::FaultProxy;
use local::parts::{DYNAMODB, Parts};
use local::process::Spawner;
use local::settings::{Deployment, Machine, Table};
use local::{dynamodb, ports};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

use crate::part::{Part, real_parts, url_of};

const COUPONS: &str = "contract-coupons";
const USER_COUPONS: &str = "contract-user-coupons";

/// Built once for all tests of this process.
static BINARY: OnceCell<PathBuf> = OnceCell::const_new();

async fn binary() -> PathBuf {
    let build = async || Parts::build(&[DYNAMODB]).await.unwrap().path(DYNAMODB).unwrap().to_owned();
    BINARY.get_or_init(build).await.clone()
}

/// The template's, by names of the suite's own.
fn tables() -> Vec<Table> {
    let settings = Deployment::of_checkout().unwrap().settings(&Machine::default()).unwrap();
    let names = settings.names().unwrap();
    let renamed = |table: Table| match table.name {
        name if name == names.coupons => Table { name: COUPONS.into(), ..table },
        _ => Table { name: USER_COUPONS.into(), ..table },
    };
    settings.tables.into_iter().map(renamed).collect()
}

/// A running engine with empty tables; both end with the value.
pub(crate) struct Dynamo {
    url: String,
    client: Client,
    engine: Engine,
}

/// Its process, to be frozen or killed.
pub(crate) enum Engine {
    /// The embedded one, with its data.
    Ours(Embedded, DataDir),
    /// One that is not ours.
    Real(Part),
}

impl Engine {
    async fn start() -> (String, Self) {
        if real_parts() {
            let part = Part::start("dynamodb", &[]).await;
            return (url_of(&part).to_owned(), Self::Real(part));
        }
        let data = DataDir::open(None).unwrap();
        let port = ports::internal().unwrap();
        let spawner = Spawner::through(env!("CARGO_BIN_EXE_local")).unwrap();
        let engine = dynamodb::start(spawner, &binary().await, port, &data).await.unwrap();
        (format!("http://127.0.0.1:{port}"), Self::Ours(engine, data))
    }

    /// Carries out an order and waits until it holds.
    pub(crate) async fn order(&self, order: Order) {
        match (self, order) {
            (Self::Ours(engine, _data), order) => engine.order(order).await.unwrap(),
            (Self::Real(part), Order::Freeze) => part.order("freeze").await,
            (Self::Real(part), Order::Thaw) => part.order("thaw").await,
            (Self::Real(_), Order::Start | Order::Kill | Order::Stop) => {
                panic!("its tables would not survive {order:?}")
            }
        }
    }
}

impl Dynamo {
    pub(crate) async fn start() -> Self {
        let (url, engine) = Engine::start().await;
        let client = patient(&dynamodb::client(&url).await);
        dynamodb::ensure(&client, &tables()).await.unwrap();
        Self { url, client, engine }
    }

    /// A store whose attempts may take long: what it is asked is not about time, and the machine may be busy.
    pub(crate) fn store(&self) -> DynamoStore {
        store(self.client.clone())
    }

    /// The engine's process, to be frozen or killed.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The store as the functions have it: attempts end after their second.
    pub(crate) async fn hasty_store(&self) -> DynamoStore {
        hasty(&self.url).await
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// A proxy in front, without a fault, with dice of this seed.
    pub(crate) async fn proxy(&self, seed: u64) -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        FaultProxy::start_seeded(listener, &self.url, seed).unwrap()
    }

    /// Writes an item past the store's port.
    async fn put(&self, table: &str, item: std::collections::HashMap<String, AttributeValue>) {
        self.client.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }

    async fn damage(&self, table: &str, key: &[(&str, &str)], damage: Damage) {
        let key = key.iter().map(|(name, value)| ((*name).to_owned(), AttributeValue::S((*value).to_owned())));
        let get = self.client.get_item().table_name(table).set_key(Some(key.collect())).consistent_read(true);
        let mut item = get.send().await.unwrap().item.unwrap();
        let name = damage.attribute().to_owned();
        match damage {
            Damage::Missing(_) => item.remove(&name),
            Damage::Text(_) => item.insert(name, AttributeValue::S("?".into())),
            Damage::Number(_, number) => item.insert(name, AttributeValue::N(number.to_string())),
            Damage::Epochs(epochs) => item.insert(name, self::epochs(epochs)),
        };
        self.put(table, item).await;
    }
}

impl Spoil for Dynamo {
    async fn head(&self, coupon_id: &CouponId, damage: Damage) {
        self.damage(COUPONS, &[("couponId", coupon_id.as_str())], damage).await;
    }

    async fn issued(&self, user_id: &UserId, coupon_id: &CouponId, damage: Damage) {
        let key = [("userId", user_id.as_str()), ("couponId", coupon_id.as_str())];
        self.damage(USER_COUPONS, &key, damage).await;
    }
}

fn epochs(epochs: &[(i64, &str)]) -> AttributeValue {
    let epoch = |(offset, phase): &(i64, &str)| {
        let members =
            [("offset", AttributeValue::N(offset.to_string())), ("phase", AttributeValue::S((*phase).into()))];
        AttributeValue::M(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    AttributeValue::L(epochs.iter().map(epoch).collect())
}

/// The store as the functions have it, through a proxy: attempts end after their second.
pub(crate) async fn through(proxy: &FaultProxy) -> DynamoStore {
    hasty(&format!("http://{}", proxy.address())).await
}

/// The store as the functions have it, on this URL.
pub(crate) async fn hasty(url: &str) -> DynamoStore {
    store(dynamodb::client(url).await)
}

/// A store through a proxy whose attempts may take long.
pub(crate) async fn patient_through(proxy: &FaultProxy) -> DynamoStore {
    store(patient(&dynamodb::client(&format!("http://{}", proxy.address())).await))
}

fn store(client: Client) -> DynamoStore {
    DynamoStore::new(client, Tables { coupons: COUPONS.into(), user_coupons: USER_COUPONS.into() })
}

fn patient(client: &Client) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(30)).build();
    Client::from_conf(client.config().to_builder().timeout_config(timeouts).build())
}
