//! How many updates a second are accepted through the form, and how long one takes from pressing Send until the
//! status page says that it is applied.

use std::time::{Duration, Instant};

use beanstock::accounts::{self, Passwords, Person};
use beanstock::clock::SystemClock;
use beanstock::db::activity::Actor;
use beanstock::db::{self, Pool};
use beanstock::domain::{EmailAddress, NewPassword, Role, ShortText};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::website::{self, CONNECTIONS};

const DURATION: Duration = Duration::from_secs(6);

/// As many are sent one after the other, each watched until it is applied.
const WATCHED: usize = 200;

/// Somebody of the café who is signed in, and what may be chosen in the form.
pub(crate) struct Sender {
    session: String,
    /// Suppliers and beans.
    beans: Vec<(i64, i64)>,
}

impl Sender {
    pub(crate) async fn sign_in(pool: &Pool) -> Self {
        let password = NewPassword::parse("correct horse battery", &[]).unwrap();
        let person = Person {
            email: EmailAddress::parse("staff@example.com").unwrap(),
            name: ShortText::parse("Bench").unwrap(),
            role: Role::Staff,
        };
        let hash = Passwords::default().hash(&password).await.unwrap();
        accounts::create(pool, &SystemClock, Actor::OPERATOR, &person, &hash)
            .await
            .unwrap();
        let mut conn = pool.acquire().await.unwrap();
        let beans = db::beans::list_beans(&mut conn).await.unwrap();
        Self {
            session: website::sign_in(pool, "staff@example.com").await,
            beans: beans
                .iter()
                .map(|bean| (bean.supplier.0, bean.id.0))
                .collect(),
        }
    }

    fn request(&self, key: &str, n: usize) -> String {
        let (supplier, bean) = self.beans[n % self.beans.len()];
        let form = format!(
            "do=send&form_key={key}&supplier={supplier}&bean-1={bean}&kind-1=delivery&bags-1=1"
        );
        format!(
            "POST /updates/new HTTP/1.1\r\nHost: localhost\r\nCookie: beanstock-session={}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            self.session,
            form.len()
        )
    }
}

/// Sends one form after the other on kept connections; gives how many were accepted a second.
pub(crate) async fn accepted_per_second(port: u16, sender: &Sender) -> f64 {
    let since = Instant::now();
    let mut connections = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let requests: Vec<String> = (0..20_000)
            .map(|n| sender.request(&format!("c{connection}-{n}"), n))
            .collect();
        connections.spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut accepted = 0.0;
            let in_time = |_: &String| since.elapsed() < DURATION;
            for request in requests.into_iter().take_while(in_time) {
                stream.write_all(request.as_bytes()).await.unwrap();
                read_location(&mut stream).await;
                accepted += 1.0;
            }
            accepted
        });
    }
    let accepted: f64 = connections.join_all().await.into_iter().sum();
    accepted / since.elapsed().as_secs_f64()
}

/// Milliseconds in the middle and at the end of many.
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Presses Send and watches the page it leads to, again and again.
pub(crate) async fn from_send_to_applied(port: u16, sender: &Sender) -> Times {
    let mut milliseconds = Vec::new();
    for n in 0..WATCHED {
        let since = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = sender.request(&format!("w{n}"), n);
        stream.write_all(request.as_bytes()).await.unwrap();
        let slip = read_location(&mut stream).await;
        watch_until_applied(port, &sender.session, &slip).await;
        milliseconds.push(since.elapsed().as_secs_f64() * 1_000.0);
    }
    milliseconds.sort_by(f64::total_cmp);
    let at = |percent| milliseconds[milliseconds.len() * percent / 100];
    Times {
        p50: at(50),
        p99: at(99),
    }
}

async fn watch_until_applied(port: u16, session: &str, slip: &str) {
    let number = slip.trim_start_matches("/updates/");
    let request = website::page_request(&format!("/live?slip={number}"), session);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    while !said.windows(7).any(|part| part == b"Applied") {
        assert!(stream.read_buf(&mut said).await.unwrap() > 0, "it ended");
    }
}

/// Reads one answer, which leads elsewhere.
async fn read_location(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert!(
            stream.read_buf(&mut answer).await.unwrap() > 0,
            "it hung up"
        );
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let location = answer.split("location: ").nth(1).unwrap();
    location.split("\r\n").next().unwrap().to_owned()
}
