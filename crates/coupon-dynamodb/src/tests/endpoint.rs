//! An endpoint on a free port that answers from a script and remembers what it was asked. One request a connection.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    Client,
    config::{Credentials, SharedCredentialsProvider},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{DynamoStore, Tables};

/// What the endpoint does with the next request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Answers with this status and body.
    Json(u16, Value),
    /// Closes the connection without an answer.
    Close,
    /// Leaves the request unanswered, the connection open.
    Hang,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self::Json(200, body)
    }

    pub(super) fn error(status: u16, name: &str) -> Self {
        let kind = format!("com.amazonaws.dynamodb.v20120810#{name}");
        Self::Json(status, json!({ "__type": kind, "message": "by the script" }))
    }

    /// A cancelled transaction with these codes; a code with a user has that user's item.
    pub(super) fn cancelled(codes: &[(&str, Option<&str>)]) -> Self {
        let reason = |(code, user): &(&str, Option<&str>)| match user {
            Some(user) => json!({ "Code": code, "Item": { "userId": { "S": user } }, "Message": "by the script" }),
            None => json!({ "Code": code }),
        };
        Self::Json(
            400,
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": "Transaction cancelled",
                "CancellationReasons": codes.iter().map(reason).collect::<Vec<_>>(),
            }),
        )
    }
}

/// Operation and body of a request.
pub(super) type Asked = (String, Value);

/// The endpoint; it stops when it is dropped.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// A store whose attempts may take long: what is tested is not about time, and the machine may be busy.
    pub(super) store: DynamoStore,
    /// The store as it is deployed.
    pub(super) hasty: DynamoStore,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: JoinSet<()>,
}

impl Endpoint {
    /// Answers one request after the other from the script, and the ones after it with its last reply.
    pub(super) async fn replying(script: impl IntoIterator<Item = Reply>) -> Self {
        let script: Vec<Reply> = script.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
            .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
            .build();
        let tables = Tables { coupons: "the-coupons".into(), user_coupons: "the-items".into() };
        let hasty = DynamoStore::client(&config);
        let patient = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(60)).build();
        let patient = Client::from_conf(hasty.config().to_builder().timeout_config(patient).build());
        let [hasty, store] = [hasty, patient].map(|client| DynamoStore::new(client, tables.clone()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let memory = Arc::clone(&asked);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let reply = script.get(number).or(script.last()).cloned().unwrap();
                connections.spawn(answer(stream, reply, Arc::clone(&memory)));
            }
        });
        Self { store, hasty, asked, _serving: serving }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(super) fn asked_once(&self) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.pop().unwrap()
    }
}

async fn answer(mut stream: TcpStream, reply: Reply, asked: Arc<Mutex<Vec<Asked>>>) {
    let request = read(&mut stream).await;
    asked.lock().unwrap().push(request);
    match reply {
        Reply::Json(status, body) => {
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
        Reply::Close => {}
        Reply::Hang => {
            // Until the client gives up.
            stream.read_u8().await.ok();
        }
    }
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
            let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            let body = &bytes[end + 4..];
            if body.len() == field("content-length:").parse::<usize>().unwrap() {
                let operation = field("x-amz-target: dynamodb_20120810.").to_owned();
                return (operation, serde_json::from_slice(body).unwrap());
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request ends early");
    }
}
