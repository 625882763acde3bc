//! CloudFormation's end: an address that takes answers, and requests as the template makes them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Method, StatusCode},
    routing::any,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What was put to the address, in order.
#[derive(Clone, Default)]
pub(crate) struct Answers {
    taken: Arc<Mutex<Vec<(Method, HeaderMap, String)>>>,
    refusals: Arc<Mutex<VecDeque<StatusCode>>>,
    pub(crate) url: String,
}

impl Answers {
    /// Listens; the first answers are refused with these.
    pub(crate) async fn listen(refusals: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/stack?X-Amz-Signature=a%2Fb", listener.local_addr().unwrap());
        let refusals = refusals.iter().map(|code| StatusCode::from_u16(*code).unwrap()).collect();
        let answers = Self { url, refusals: Arc::new(Mutex::new(refusals)), ..Self::default() };
        let router = Router::new().fallback(any(take)).with_state(answers.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        answers
    }

    pub(crate) fn count(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// The only answer that was taken.
    pub(crate) fn only(&self) -> Value {
        assert_eq!(self.count(), 1, "answers");
        let taken = self.taken.lock().unwrap();
        let (method, headers, body) = &taken[0];
        assert_eq!(method, Method::PUT);
        assert_eq!(headers["content-type"], "", "the address is signed for an empty one");
        assert!(body.len() <= topic_setup::ANSWER_BYTES_MAX);
        serde_json::from_str(body).unwrap()
    }
}

async fn take(State(answers): State<Answers>, method: Method, headers: HeaderMap, body: String) -> StatusCode {
    if let Some(refusal) = answers.refusals.lock().unwrap().pop_front() {
        return refusal;
    }
    answers.taken.lock().unwrap().push((method, headers, body));
    StatusCode::OK
}

/// A request as CloudFormation sends it: numbers as text.
pub(crate) fn request(kind: &str, url: &str, topics: &Value) -> Value {
    json!({
        "RequestType": kind,
        "ResponseURL": url,
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/shop/1",
        "RequestId": "7b1c7a5e",
        "ResourceType": "Custom::KafkaTopics",
        "LogicalResourceId": "Topics",
        "ResourceProperties": { "ServiceToken": "arn:aws:lambda:…", "Revision": "1", "Topics": topics },
    })
}
