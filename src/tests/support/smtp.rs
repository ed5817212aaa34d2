//! A mail server: a real one as far as its protocol goes, which keeps what it takes.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use mailin::response::{NO_MAILBOX, OK};
use mailin::{Action, Handler, Response, SessionBuilder};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A mail server that listens until it is dropped.
pub(crate) struct MailServer {
    pub(crate) url: Url,
    taken: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What one client says.
struct Conversation {
    taken: Arc<Mutex<Vec<String>>>,
    refuses: bool,
    mail: Vec<u8>,
}

impl Handler for Conversation {
    fn rcpt(&mut self, _to: &str) -> Response {
        if self.refuses { NO_MAILBOX } else { OK }
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.mail.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let mail = String::from_utf8(std::mem::take(&mut self.mail)).unwrap();
        self.taken.lock().unwrap().push(mail);
        OK
    }
}

impl MailServer {
    /// One that takes everything.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::start_on(listener, false)
    }

    /// One that knows nobody.
    pub(crate) async fn that_refuses() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::start_on(listener, true)
    }

    /// One that takes calls and says nothing.
    pub(crate) async fn that_hangs() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut calls = Vec::new();
            while let Ok(call) = listener.accept().await {
                calls.push(call);
            }
        });
        Self {
            url: url.parse().unwrap(),
            taken: Arc::default(),
            task,
        }
    }

    pub(crate) fn start_on(listener: TcpListener, refuses: bool) -> Self {
        let taken = Arc::default();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(listen(listener, Arc::clone(&taken), refuses));
        Self {
            url: url.parse().unwrap(),
            taken,
            task,
        }
    }

    /// The mails that it has taken, with their headers.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

async fn listen(listener: TcpListener, taken: Arc<Mutex<Vec<String>>>, refuses: bool) {
    while let Ok((stream, _)) = listener.accept().await {
        let conversation = Conversation {
            taken: Arc::clone(&taken),
            refuses,
            mail: Vec::new(),
        };
        tokio::spawn(converse(stream, conversation));
    }
}

async fn converse(stream: TcpStream, conversation: Conversation) {
    let (reading, mut writing) = stream.into_split();
    let builder = SessionBuilder::new("mail.example.com");
    let mut session = builder.build(IpAddr::V4(Ipv4Addr::LOCALHOST), conversation);
    let mut answer = Vec::new();
    session.greeting().write_to(&mut answer).unwrap();
    let mut lines = BufReader::new(reading);
    loop {
        if writing.write_all(&answer).await.is_err() {
            return;
        }
        answer.clear();
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let response = session.process(&line);
        if !matches!(response.action, Action::NoReply) {
            response.write_to(&mut answer).unwrap();
        }
    }
}
