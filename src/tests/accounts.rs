//! `beanstock account`, and what `serve` says about accounts.

use std::process::Stdio;

use beanstock::accounts::{Passwords, demo};
use beanstock::clock::SystemClock;
use beanstock::domain::NewPassword;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::process::{Program, settings_for};
use crate::support::{Kind, Site, TestApp};

const PASSWORD: &str = "correct horse battery";

/// Runs `beanstock account` with what somebody types into it; gives its success, and what it said.
async fn account(app: &TestApp, args: &[&str], typed: &str) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_beanstock"))
        .arg("account")
        .args(args)
        .env_clear()
        .envs(settings_for(app))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that reads nothing may have ended already.
    let _unread = stdin.write_all(typed.as_bytes()).await;
    drop(stdin);
    let said = child.wait_with_output().await.unwrap();
    let text = [said.stdout, said.stderr].concat();
    (said.status.success(), String::from_utf8(text).unwrap())
}

const MANAGER: [&str; 7] = [
    "create",
    "--role",
    "manager",
    "--email",
    "ana@example.com",
    "--name",
    "Ana Lopes",
];

#[tokio::test]
async fn the_first_manager_is_made_on_the_command_line_and_rescued_there() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(None);
    let sign_in = async |password: &str| {
        let fields = [("email", "ana@example.com"), ("password", password)];
        site.post("/sign-in", &fields).await.status()
    };

    let short = account(&app, &MANAGER, "short\n").await;
    assert!(
        !short.0 && short.1.contains("12 characters or more"),
        "{}",
        short.1
    );
    let made = account(&app, &MANAGER, &format!("{PASSWORD}\n")).await;
    assert!(made.0, "{}", made.1);
    assert!(!made.1.contains(PASSWORD));
    assert_eq!(sign_in(PASSWORD).await, 303);

    let again = account(&app, &MANAGER, &format!("{PASSWORD}\n")).await;
    assert!(
        !again.0 && again.1.contains("has an account already"),
        "{}",
        again.1
    );
    let last = account(&app, &["disable", "ana@example.com"], "").await;
    assert!(!last.0 && last.1.contains("last manager"), "{}", last.1);
    let reset = account(&app, &["reset", "ANA@example.com"], "").await;
    let link = reset
        .1
        .lines()
        .find_map(|line| line.trim().strip_prefix("/welcome/"));
    let path = format!("/welcome/{}", link.expect("a link"));
    let chosen = site.post(&path, &[("password", "a better password")]).await;
    assert_eq!(chosen.status(), 303);
    assert_eq!(
        (sign_in(PASSWORD).await, sign_in("a better password").await),
        (422, 303)
    );
    let listed = account(&app, &["list"], "").await.1;
    assert!(
        listed.contains("active     manager      ana@example.com"),
        "{listed}"
    );
}

#[tokio::test]
async fn a_suppliers_account_needs_its_supplier() {
    let app = TestApp::start(Kind::Fifo).await;
    let invite = |supplier: &'static [&'static str]| {
        let person = [
            "invite",
            "--email",
            "s@example.com",
            "--name",
            "Sam",
            "--role",
        ];
        [&person[..], supplier].concat()
    };

    let without = account(&app, &invite(&["supplier"]), "").await;
    let unknown = account(&app, &invite(&["supplier", "--supplier", "99"]), "").await;
    let beside = account(&app, &invite(&["staff", "--supplier", "3"]), "").await;
    let right = account(&app, &invite(&["supplier", "--supplier", "3"]), "").await;

    assert!(
        !without.0 && without.1.contains("--supplier"),
        "{}",
        without.1
    );
    assert!(
        !unknown.0 && unknown.1.contains("no such supplier"),
        "{}",
        unknown.1
    );
    assert!(
        !beside.0 && beside.1.contains("--role supplier alone"),
        "{}",
        beside.1
    );
    assert!(right.0 && right.1.contains("/welcome/"), "{}", right.1);
}

#[tokio::test]
async fn serve_says_how_to_begin_as_long_as_nobody_can_sign_in() {
    let app = TestApp::start(Kind::Fifo).await;
    let server = Program::start(&["serve"], &settings_for(&app));

    let said = server
        .terminate_after("account create --role manager")
        .await;

    assert!(said.status.success(), "{}", said.err);
}

/// Their password may be known to others.
#[tokio::test]
async fn demonstration_accounts_are_not_let_out_into_the_world() {
    let app = TestApp::start(Kind::Fifo).await;
    let password = NewPassword::parse(PASSWORD, &[]).unwrap();
    demo::provide(&app.pool, &SystemClock, &Passwords::default(), &password)
        .await
        .unwrap();
    for (variable, value) in [
        ("LISTEN_ADDRESS", "0.0.0.0"),
        ("PUBLIC_URL", "https://beans.example.com"),
    ] {
        let mut settings = settings_for(&app);
        settings.insert(variable, value.to_owned());

        let said = Program::start(&["serve"], &settings).end().await;

        assert_eq!(said.status.code(), Some(1), "{variable}");
        assert!(
            said.err.contains("11 demonstration accounts"),
            "{}",
            said.err
        );
    }
}
