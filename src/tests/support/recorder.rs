//! A way to the embedded SNS and SQS that remembers which operations were asked for.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Listens and passes everything on.
pub(crate) struct Recorder {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Recorder {
    /// Starts in front of an endpoint.
    pub(crate) async fn before(endpoint: &str) -> Self {
        let target = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let recording = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, target.clone(), Arc::clone(&recording)));
            }
        });
        Self { url, heard }
    }

    /// Where AWS clients find it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The IAM actions that the calls so far need. Batches need those of their single calls.
    pub(crate) fn actions(&self) -> BTreeSet<String> {
        let heard = self.heard.lock().unwrap();
        let heard = String::from_utf8_lossy(&heard);
        let named = |mark: &str, service: &str| -> BTreeSet<String> {
            heard
                .split(mark)
                .skip(1)
                .map(|rest| {
                    let name: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
                    format!("{service}:{}", name.trim_end_matches("Batch"))
                })
                .collect()
        };
        let mut actions = named("AmazonSQS.", "sqs");
        actions.extend(named("Action=", "sns"));
        actions
    }
}

async fn pass_on(client: TcpStream, target: String, heard: Arc<Mutex<Vec<u8>>>) {
    let server = TcpStream::connect(target).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await.ok() });
    let mut part = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from_client.read(&mut part).await {
        heard.lock().unwrap().extend_from_slice(&part[..length]);
        if to_server.write_all(&part[..length]).await.is_err() {
            break;
        }
    }
}
