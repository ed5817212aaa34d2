//! `beanstock serve`: what it needs, what it waits for, and what it says when it cannot go on.

use std::collections::BTreeMap;

use beanstock::db;
use beanstock::messaging::DEAD_LETTERS;
use sqlx::{ConnectOptions as _, Executor as _};

use crate::support::process::{Program, settings_for, until};
use crate::support::{EXCELSA, Kind, TestApp, free_port, server};

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
        app.stock_of(EXCELSA).await == 209
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

/// Starting must not depend on who starts first.
#[tokio::test]
async fn a_server_that_provisions_waits_for_its_broker() {
    let app = TestApp::start(Kind::Fifo).await;
    let port = free_port().to_string();
    let mut settings = settings_for(&app);
    settings.insert("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
    settings.insert("PROVISION", "true".to_owned());
    settings.insert("RUST_LOG", "info".to_owned());
    let mut server = Program::start(&["serve"], &settings);
    server.logs("the queue does not answer yet").await;

    let broker = BTreeMap::from([("LOCAL_AWS_PORT", port)]);
    let broker = Program::start(&["local-aws"], &broker);
    let said = server.terminate_after("everything is up").await;

    assert!(said.status.success(), "{}", said.err);
    broker.terminate().await;
}

/// Where no redrive policy takes a bad message away, it comes back later and later.
#[tokio::test]
async fn a_bad_message_in_a_queue_without_a_redrive_policy_is_not_tried_all_the_time() {
    let app = TestApp::start(Kind::Fifo).await;
    let create = app.sqs.create_queue().queue_name("plain");
    let plain = create.send().await.unwrap().queue_url.unwrap();
    let send = app.sqs.send_message().queue_url(&plain);
    send.message_body("777:Nope:3").send().await.unwrap();
    let mut settings = settings_for(&app);
    settings.insert("UNDELIVERED_QUEUE_URL", plain);
    let server = Program::start(&["serve"], &settings);
    let attempts = || async {
        let mut conn = app.pool.acquire().await.unwrap();
        let count = "SELECT COUNT(*) FROM update_events WHERE event = 'refused'";
        sqlx::query_scalar::<_, i64>(count)
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    };
    until("it was tried again", || async { attempts().await > 1 }).await;

    let mut conn = app.pool.acquire().await.unwrap();
    let pause = "SELECT TIMESTAMPDIFF(MICROSECOND, MIN(at), MAX(at)) FROM update_events \
                 WHERE event = 'refused'";
    let pause: i64 = sqlx::query_scalar(pause)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert!(pause >= 1_000_000, "after {pause} µs");
    server.terminate().await;
}

#[tokio::test]
async fn no_queue_is_both_the_undelivered_and_the_dead_letter_queue() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.remove("DEAD_LETTER_QUEUE_URL");
    let dead_letters = app.resources.queue_url(DEAD_LETTERS).to_owned();
    settings.insert("UNDELIVERED_QUEUE_URL", dead_letters);

    let said = Program::start(&["serve"], &settings).end().await;
    let check = Program::start(&["check"], &settings).end().await;

    assert_eq!(said.status.code(), Some(1));
    assert!(said.err.contains("UNDELIVERED_QUEUE_URL"), "{}", said.err);
    assert!(
        check.out.contains("BROKEN undelivered queue"),
        "{}",
        check.out
    );
}

#[tokio::test]
async fn an_idle_server_stops_within_its_grace_period() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("LONG_POLL_WAIT_IN_SEC", "20".to_owned());
    let server = Program::start(&["serve"], &settings);
    app.publish_line("3:Excelsa:9").await;
    until("it polls", || async { app.stock_of(EXCELSA).await == 209 }).await;

    let said = server.terminate().await;

    assert!(said.status.success(), "{}", said.err);
    assert!(!said.err.contains("did not stop in time"), "{}", said.err);
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

/// A wait whose answer is thrown away goes round and round.
#[tokio::test]
async fn a_server_that_waits_for_its_database_or_broker_stops_at_once() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut no_database = settings_for(&app);
    let socket = "mysql://root@localhost/beanstock?socket=/nowhere/socket";
    no_database.insert("DATABASE_URL", socket.to_owned());
    let mut no_broker = settings_for(&app);
    let nobody = format!("http://127.0.0.1:{}", free_port());
    no_broker.insert("AWS_ENDPOINT_URL", nobody);
    no_broker.insert("PROVISION", "yes".to_owned());
    for (settings, waits) in [
        (no_database, "reaching the database"),
        (no_broker, "does not answer yet"),
    ] {
        for _ in 0..3 {
            let mut server = Program::start(&["serve"], &settings);
            server.logs(waits).await;

            let said = server.terminate().await;

            assert!(said.status.success(), "{waits}: {}", said.err);
            assert!(!said.err.contains("did not stop in time"), "{}", said.err);
        }
    }
}

#[tokio::test]
async fn a_server_fills_an_empty_database_if_asked_to() {
    let app = TestApp::start(Kind::Fifo).await;
    let empty = server::new_database().await;
    let mut settings = settings_for(&app);
    settings.insert("DATABASE_URL", empty.to_url_lossy().to_string());
    settings.insert("DEMO_DATA", "true".to_owned());
    settings.insert("RUST_LOG", "info".to_owned());

    let said = Program::start(&["serve"], &settings)
        .terminate_after("everything is up")
        .await;

    assert!(said.status.success(), "{}", said.err);
    let mut conn = empty.connect().await.unwrap();
    let beans = db::beans::list_beans(&mut conn).await.unwrap();
    assert_eq!(beans.len(), 14);
}

#[tokio::test]
async fn readiness_is_lost_while_the_database_is_read_only_and_comes_back_by_itself() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (database, mut admin) = server::cluster_member(folder.path()).await;
    let options = database.options().username("app");
    let port = free_port().to_string();
    let settings = BTreeMap::from([
        ("DATABASE_URL", options.to_url_lossy().to_string()),
        ("PORT", port.clone()),
        ("UNREADY_AFTER_IN_SEC", "0".to_owned()),
    ]);
    let server = Program::start(&["serve", "--only", "web"], &settings);
    let probe = BTreeMap::from([("PORT", port)]);
    let answers = async |words: &str| {
        let said = Program::start(&["probe", "--ready"], &probe).end().await;
        said.out.starts_with(words)
    };
    until("it is ready", || answers("ready")).await;

    admin.execute("SET GLOBAL read_only = 1").await.unwrap();
    until("it says so", || answers("not ready: database")).await;
    admin.execute("SET GLOBAL read_only = 0").await.unwrap();
    until("it is ready again", || answers("ready")).await;

    assert!(server.terminate().await.status.success());
    database.stop().await.unwrap();
}

/// Whoever reads the stream in processes of their own gives them no queue.
#[tokio::test]
async fn a_process_that_only_reads_the_stream_is_ready_without_a_queue() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.remove("QUEUE_URL");
    settings.insert("STREAM_NAME", "stock_movements".to_owned());
    let port = free_port().to_string();
    settings.insert("PORT", port.clone());
    let server = Program::start(&["serve", "--only", "web,stream"], &settings);

    let probe = BTreeMap::from([("PORT", port)]);
    until("it is ready", || async {
        let said = Program::start(&["probe", "--ready"], &probe).end().await;
        said.out.starts_with("ready")
    })
    .await;

    let said = server.terminate().await.err;
    assert!(!said.contains("nothing is polled"), "{said}");
}

#[tokio::test]
async fn readiness_is_lost_while_the_queue_is_away() {
    let app = TestApp::start(Kind::Fifo).await;
    let port = free_port().to_string();
    let broker_port = free_port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let broker = async || {
        let settings = BTreeMap::from([
            ("LOCAL_AWS_PORT", broker_port.clone()),
            ("BEANSTOCK_DATA", folder.path().display().to_string()),
            ("PROVISION", "true".to_owned()),
        ]);
        let mut broker = Program::start(&["local-aws"], &settings);
        broker.logs("SNS, SQS and Kinesis are at").await;
        broker
    };
    let first = broker().await;
    let mut settings = settings_for(&app);
    let url = format!("http://127.0.0.1:{broker_port}");
    settings.insert(
        "QUEUE_URL",
        format!("{url}/000000000000/updated_beans.fifo"),
    );
    settings.insert("AWS_ENDPOINT_URL", url);
    settings.insert("PORT", port.clone());
    settings.insert("UNREADY_AFTER_IN_SEC", "0".to_owned());
    let server = Program::start(&["serve"], &settings);
    let probe = BTreeMap::from([("PORT", port)]);
    let answers = async |words: &str| {
        let said = Program::start(&["probe", "--ready"], &probe).end().await;
        said.out.starts_with(words)
    };
    until("it is ready", || answers("ready")).await;

    first.kill().await;
    until("it says so", || answers("not ready: queue")).await;
    let second = broker().await;
    until("it is ready again", || answers("ready")).await;

    server.kill().await;
    second.kill().await;
}
