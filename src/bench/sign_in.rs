//! How long signing in takes, and what the site is like while somebody guesses passwords.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::interval;

use crate::website::{self, ask};

/// Wrong passwords a minute in the attack.
pub(crate) const PER_MINUTE: u32 = 10_000;

const ATTACK: Duration = Duration::from_secs(10);

/// Attempts of each kind.
const ATTEMPTS: u32 = 40;

/// How often the page is asked for, as somebody does who clicks fast.
const CLICK_EVERY: Duration = Duration::from_millis(50);

/// Milliseconds in the middle of many.
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

impl Times {
    fn of(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        let at = |percent| milliseconds[milliseconds.len() * percent / 100];
        Self {
            p50: at(50),
            p95: at(95),
        }
    }
}

/// A wrong password for an account that exists, and for one that does not, in turn.
pub(crate) async fn wrong_passwords(port: u16, emails: &[String]) -> (Times, Times) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for n in 0..ATTEMPTS {
        let email = &emails[n as usize % emails.len()];
        known.push(milliseconds(guess(port, n, email)).await);
        let nobody = format!("nobody{n}@example.com");
        unknown.push(milliseconds(guess(port, ATTEMPTS + n, &nobody)).await);
    }
    (Times::of(known), Times::of(unknown))
}

async fn milliseconds(work: impl Future<Output = u16>) -> f64 {
    let since = Instant::now();
    assert_eq!(work.await, 422, "it was looked at");
    since.elapsed().as_secs_f64() * 1_000.0
}

/// What the site answered to an attack, by status.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) wrong: u32,
    pub(crate) too_many: u32,
    pub(crate) busy: u32,
}

/// Guesses at a steady rate from ever other addresses, half of the time for accounts that exist.
pub(crate) async fn attack(port: u16, emails: &[String]) -> Answers {
    let mut ticks = interval(Duration::from_mins(1) / PER_MINUTE);
    let (since, mut guesses) = (Instant::now(), JoinSet::new());
    for n in 0.. {
        if since.elapsed() > ATTACK {
            break;
        }
        ticks.tick().await;
        let email = match n % 2 {
            0 => emails[n as usize / 2 % emails.len()].clone(),
            _ => format!("nobody{n}@example.com"),
        };
        guesses.spawn(async move { guess(port, 1_000 + n, &email).await });
    }
    let mut answers = Answers::default();
    for status in guesses.join_all().await {
        match status {
            422 => answers.wrong += 1,
            429 => answers.too_many += 1,
            _ => answers.busy += 1,
        }
    }
    answers
}

/// Tries a wrong password from the n-th address; gives the status.
async fn guess(port: u16, n: u32, email: &str) -> u16 {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(203, 0, 0, 0)) + n);
    let form = format!("email={email}&password=a+wild+guess+{n}");
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: {address}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = ask(port, &request).await;
    let status = answer.split(' ').nth(1);
    status.and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// How long a signed-in page takes while nothing, or `meanwhile`, goes on.
pub(crate) async fn page_times<T>(
    port: u16,
    session: &str,
    meanwhile: impl Future<Output = T>,
) -> (Times, T) {
    let mut milliseconds = Vec::new();
    let clicks = async {
        let mut ticks = interval(CLICK_EVERY);
        while milliseconds.len() < 180 {
            ticks.tick().await;
            let since = Instant::now();
            let answer = ask(port, &website::page_request("/beans", session)).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            milliseconds.push(since.elapsed().as_secs_f64() * 1_000.0);
        }
    };
    let (outcome, ()) = tokio::join!(meanwhile, clicks);
    (Times::of(milliseconds), outcome)
}
