//! An HTTP endpoint that subscribes to topics: it notes what it gets, and answers as it is told to.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct Noted {
    received: Vec<Received>,
    answers: VecDeque<u16>,
}

#[derive(Debug, Clone)]
pub(crate) struct HttpEndpoint {
    pub(crate) url: String,
    noted: Arc<Mutex<Noted>>,
}

impl HttpEndpoint {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/sns", listener.local_addr().unwrap());
        let noted: Arc<Mutex<Noted>> = Arc::default();
        let router = Router::new().fallback(note).with_state(Arc::clone(&noted));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, noted }
    }

    /// Answers the next requests so, and then with 200 again.
    pub(crate) fn answer(&self, statuses: &[u16]) {
        self.noted.lock().unwrap().answers.extend(statuses);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.noted.lock().unwrap().received.clone()
    }

    /// What came of a type.
    pub(crate) fn received_of(&self, kind: &str) -> Vec<Received> {
        let all = self.received().into_iter();
        all.filter(|one| one.header("x-amz-sns-message-type") == kind)
            .collect()
    }
}

async fn note(
    State(noted): State<Arc<Mutex<Noted>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut noted = noted.lock().unwrap();
    noted.received.push(Received {
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let status = noted.answers.pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}
