//! The real program, as a process that can be killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use beanstock::messaging::UPDATES;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::ConnectOptions as _;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::TestApp;
use super::app::batch_size;

/// Longer than anything here takes, so that a failing test ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A running `beanstock`.
pub(crate) struct Program {
    child: Child,
    /// What it has said so far.
    out: String,
    /// And logged.
    err: String,
}

/// What a `beanstock` that has ended said.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    /// Starts the program without anything from this process's environment but the way to others.
    pub(crate) fn start(args: &[&str], settings: &BTreeMap<&str, String>) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_beanstock"))
            .args(args)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .envs(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            child,
            out: String::new(),
            err: String::new(),
        }
    }

    /// Waits until it says something, and gives all that it has said.
    pub(crate) async fn says(&mut self, words: &str) -> &str {
        let mut stdout = self.child.stdout.take().unwrap();
        let listening = async {
            while !self.out.contains(words) {
                let mut part = [0; 4096];
                let length = stdout.read(&mut part).await.unwrap();
                assert!(length > 0, "it ended and had said: {}", self.out);
                self.out += &String::from_utf8_lossy(&part[..length]);
            }
        };
        tokio::time::timeout(PATIENCE, listening).await.unwrap();
        self.child.stdout = Some(stdout);
        &self.out
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Has it stand still in the middle of whatever it does.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Has it go on as if no time had passed.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn terminate(self) -> Said {
        self.signal(Signal::TERM);
        self.end().await
    }

    /// Waits until its log has these words, and gives all of it so far.
    pub(crate) async fn logs(&mut self, words: &str) -> &str {
        let mut stderr = self.child.stderr.take().unwrap();
        let listening = async {
            while !self.err.contains(words) {
                let mut part = [0; 4096];
                let length = stderr.read(&mut part).await.unwrap();
                assert!(length > 0, "it ended and had said: {}", self.err);
                self.err += &String::from_utf8_lossy(&part[..length]);
            }
        };
        tokio::time::timeout(PATIENCE, listening).await.unwrap();
        self.child.stderr = Some(stderr);
        &self.err
    }

    /// Waits until its log has these words, and then asks it to stop.
    pub(crate) async fn terminate_after(mut self, words: &str) -> Said {
        self.logs(words).await;
        self.terminate().await
    }

    /// Waits until it ends by itself.
    pub(crate) async fn end(mut self) -> Said {
        let (mut out, mut err) = (std::mem::take(&mut self.out), std::mem::take(&mut self.err));
        let mut stdout = self.child.stdout.take().unwrap();
        let mut stderr = self.child.stderr.take().unwrap();
        let all = async {
            let status = self.child.wait();
            let read_out = stdout.read_to_string(&mut out);
            let read_err = stderr.read_to_string(&mut err);
            tokio::join!(status, read_out, read_err).0.unwrap()
        };
        let status = tokio::time::timeout(PATIENCE, all).await.unwrap();
        Said { status, out, err }
    }
}

/// The settings with which a program works on an app's database, queue and topic.
pub(crate) fn settings_for(app: &TestApp) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("DATABASE_URL", app.database.to_url_lossy().to_string()),
        (
            "AWS_ENDPOINT_URL",
            app.sdk.endpoint_url().unwrap().to_owned(),
        ),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("QUEUE_URL", app.resources.queue_url(UPDATES).to_owned()),
        ("TOPIC_ARN", app.resources.topic_arn().to_owned()),
        ("PORT", "0".to_owned()),
        ("VISIBILITY_TIMEOUT_IN_SEC", "5".to_owned()),
        ("LONG_POLL_WAIT_IN_SEC", "1".to_owned()),
        ("BATCH_SIZE", batch_size().to_string()),
        ("RUST_LOG", "warn".to_owned()),
    ])
}

/// Waits for a condition, looking often.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    until_looking_every(Duration::from_millis(50), what, condition).await;
}

/// Waits for a condition, looking as often as is told.
pub(crate) async fn until_looking_every<F: Future<Output = bool>>(
    pause: Duration,
    what: &str,
    condition: impl Fn() -> F,
) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(pause).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waiting).await.is_ok(),
        "still not: {what}"
    );
}

/// Says whether the process whose id is in this file is still there.
pub(crate) fn is_running(pid_file: &Path) -> bool {
    let pid = std::fs::read_to_string(pid_file).unwrap_or_default();
    if pid.trim().is_empty() {
        return false;
    }
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    // A zombie has ended; only its parent has not asked yet.
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
