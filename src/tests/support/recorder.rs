//! A way to the embedded SNS and SQS that remembers which operations were asked for.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
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
        Self::hiding_queues(endpoint, 0).await
    }

    /// The same, but the first questions for a queue's attributes are told that there is no such
    /// queue.
    pub(crate) async fn hiding_queues(endpoint: &str, questions: usize) -> Self {
        let hidden = Arc::new(AtomicUsize::new(questions));
        let target = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let recording = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (heard, hidden) = (Arc::clone(&recording), Arc::clone(&hidden));
                tokio::spawn(pass_on(client, target.clone(), heard, hidden));
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
        actions.extend(named("Kinesis_20131202.", "kinesis"));
        actions
    }
}

async fn pass_on(
    client: TcpStream,
    target: String,
    heard: Arc<Mutex<Vec<u8>>>,
    hidden: Arc<AtomicUsize>,
) {
    let server = TcpStream::connect(target).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (answers, mut own_answers) = tokio::sync::mpsc::channel::<&str>(1);
    tokio::spawn(async move {
        let mut part = vec![0; 64 * 1024];
        loop {
            let answer = tokio::select! {
                Ok(length @ 1..) = from_server.read(&mut part) => &part[..length],
                Some(answer) = own_answers.recv() => answer.as_bytes(),
                else => break,
            };
            if to_client.write_all(answer).await.is_err() {
                break;
            }
        }
    });
    let mut part = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from_client.read(&mut part).await {
        heard.lock().unwrap().extend_from_slice(&part[..length]);
        let asks =
            String::from_utf8_lossy(&part[..length]).contains("AmazonSQS.GetQueueAttributes");
        let hides = |left: usize| left.checked_sub(usize::from(asks)).filter(|_| asks);
        if hidden.fetch_update(SeqCst, SeqCst, hides).is_ok() {
            answers.send(NO_SUCH_QUEUE).await.unwrap();
        } else if to_server.write_all(&part[..length]).await.is_err() {
            break;
        }
    }
}

/// What SQS says of a queue that it does not know (yet).
const NO_SUCH_QUEUE: &str = concat!(
    "HTTP/1.1 400 Bad Request\r\n",
    "Content-Type: application/x-amz-json-1.0\r\n",
    "Content-Length: 77\r\n\r\n",
    r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"There is no such"}"#,
);
