//! How many requests a second the website answers.

use std::time::{Duration, Instant};

use beanstock::accounts::{self, Passwords, Person, Token};
use beanstock::clock::SystemClock;
use beanstock::db::activity::Actor;
use beanstock::db::{self, Pool};
use beanstock::domain::{EmailAddress, NewPassword, Role, ShortText};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// As the reference app was measured.
pub(crate) const CONNECTIONS: usize = 16;

const DURATION: Duration = Duration::from_secs(6);

/// Asks for the same page again and again on kept connections.
pub(crate) async fn requests_per_second(port: u16, path: &'static str, session: &str) -> f64 {
    let since = Instant::now();
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: beanstock-session={session}\r\n\r\n"
        );
        connections.spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut answered = 0.0;
            while since.elapsed() < DURATION {
                stream.write_all(request.as_bytes()).await.unwrap();
                read_answer(&mut stream).await;
                answered += 1.0;
            }
            answered
        });
    }
    let answered: f64 = connections.join_all().await.into_iter().sum();
    answered / since.elapsed().as_secs_f64()
}

/// Makes accounts with the same password; gives their addresses.
pub(crate) async fn make_accounts(pool: &Pool, number: usize) -> Vec<String> {
    let password = NewPassword::parse("correct horse battery", &[]).unwrap();
    let hash = Passwords::default().hash(&password).await.unwrap();
    let mut emails = Vec::new();
    for n in 0..number {
        let email = format!("bench{n}@example.com");
        let person = Person {
            email: EmailAddress::parse(&email).unwrap(),
            name: ShortText::parse("Bench").unwrap(),
            role: Role::Staff,
        };
        accounts::create(pool, &SystemClock, Actor::OPERATOR, &person, &hash)
            .await
            .unwrap();
        emails.push(email);
    }
    emails
}

/// Signs somebody in; gives the session's token.
pub(crate) async fn sign_in(pool: &Pool, email: &str) -> String {
    let mut conn = pool.acquire().await.unwrap();
    let login = db::accounts::find_login(&mut conn, email).await.unwrap();
    let session = Token::generate();
    db::sessions::insert_session(&mut conn, &session.hash(), login.unwrap().id, "", "")
        .await
        .unwrap();
    session.expose().to_owned()
}

/// Reads one answer, head and body.
async fn read_answer(stream: &mut TcpStream) {
    let mut answer = Vec::with_capacity(32 * 1024);
    loop {
        assert!(
            stream.read_buf(&mut answer).await.unwrap() > 0,
            "the server hung up"
        );
        let Some(head) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
            continue;
        };
        let text = std::str::from_utf8(&answer[..head])
            .unwrap()
            .to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 200"), "{text}");
        let length = text.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().trim().parse().unwrap();
        if answer.len() >= head + 4 + length {
            return;
        }
    }
}

/// The request of somebody who is signed in.
pub(crate) fn page_request(path: &str, session: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Cookie: beanstock-session={session}\r\n\r\n"
    )
}

/// Asks once and gives the whole answer; nothing if the server hangs up.
pub(crate) async fn ask(port: u16, request: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await
        && stream.write_all(request.as_bytes()).await.is_ok()
    {
        let _what_came_counts = stream.read_to_string(&mut answer).await;
    }
    answer
}
