//! `beanstock serve`: what it needs, what it waits for, and what it says when it cannot go on.

use std::collections::BTreeMap;
use std::time::Duration;

use beanstock::db;
use sqlx::ConnectOptions as _;
use tokio::time::Instant;

use crate::support::process::{Program, settings_for, until};
use crate::support::{Kind, TestApp, server};

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    for name in [
        "APP_PORT",
        "POLLERS",
        "COLLECT_DEAD_LETTERS",
        "LOG_FORMAT",
        "QUEUE_NAME",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_ENDPOINT_URL_SNS",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
    ] {
        settings.insert(name, String::new());
    }

    let said = Program::start(&["audit"], &settings).end().await;
    let server = Program::start(&["serve"], &settings);
    app.publish_line("3:Excelsa:9").await;
    until("the update is applied", || async {
        app.stock_of(5).await == 209
    })
    .await;

    assert!(said.status.success(), "{}", said.err);
    assert!(server.terminate().await.status.success());
}

#[tokio::test]
async fn a_part_asked_for_by_name_says_which_setting_it_lacks() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.remove("QUEUE_URL");
    settings.remove("TOPIC_ARN");

    let poller = Program::start(&["serve", "--only", "poller"], &settings)
        .end()
        .await;
    let relay = Program::start(&["serve", "--only", "relay"], &settings)
        .end()
        .await;

    assert!(poller.err.contains("QUEUE_URL"), "{}", poller.err);
    assert!(relay.err.contains("TOPIC_ARN"), "{}", relay.err);
}

#[tokio::test]
async fn a_database_that_refuses_is_named_and_the_password_is_not() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    let url = settings["DATABASE_URL"].replace("root@", "nobody:hunter2@");
    settings.insert("DATABASE_URL", url);

    for command in ["serve", "audit", "status", "migrate"] {
        let said = Program::start(&[command], &settings).end().await;

        assert_eq!(said.status.code(), Some(1), "{command}: {}", said.err);
        assert!(said.err.contains("DATABASE_URL"), "{command}: {}", said.err);
        assert!(!said.err.contains("hunter2"), "{command}: {}", said.err);
    }
}

#[tokio::test]
async fn an_error_is_told_even_if_nothing_is_to_be_logged() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.remove("DATABASE_URL");
    settings.insert("RUST_LOG", "off".to_owned());

    let said = Program::start(&["serve"], &settings).end().await;

    assert!(said.err.contains("DATABASE_URL"), "{}", said.err);
}

#[tokio::test]
async fn demonstration_data_is_for_empty_databases_and_only_if_asked_for() {
    let database = server::new_database().await;
    let mut settings = BTreeMap::from([("DATABASE_URL", database.to_url_lossy().to_string())]);
    let beans = || async {
        let mut conn = database.connect().await.unwrap();
        let beans = db::beans::list_beans(&mut conn).await.unwrap();
        beans.len()
    };

    let plain = Program::start(&["migrate"], &settings).end().await;
    assert!(plain.status.success(), "{}", plain.err);
    assert_eq!(beans().await, 0);
    settings.insert("DEMO_DATA", "true".to_owned());
    for _ in 0..2 {
        let filled = Program::start(&["migrate"], &settings).end().await;
        assert!(filled.status.success(), "{}", filled.err);
        assert_eq!(beans().await, 14);
    }
}

#[tokio::test]
async fn an_idle_server_stops_within_ten_seconds() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("LONG_POLL_WAIT_IN_SEC", "20".to_owned());
    let server = Program::start(&["serve"], &settings);
    app.publish_line("3:Excelsa:9").await;
    until("it polls", || async { app.stock_of(5).await == 209 }).await;

    let since = Instant::now();
    let said = server.terminate().await;

    assert!(said.status.success(), "{}", said.err);
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "{:?}",
        since.elapsed()
    );
}

#[tokio::test]
async fn publishing_a_folder_ends_with_a_word() {
    let app = TestApp::start(Kind::Fifo).await;

    let said = Program::start(&["publish", "/"], &settings_for(&app))
        .end()
        .await;

    assert_eq!(said.status.code(), Some(1));
    assert!(said.err.contains("reading line 1"), "{}", said.err);
}
