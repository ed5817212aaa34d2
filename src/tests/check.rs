//! `beanstock check`: one line for each thing, with what to do, and nothing changed.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::QueueAttributeName;
use beanstock::messaging::{ALERTS, ALERTS_TOPIC, UNDELIVERED};

use crate::support::process::{Program, Said, settings_for};
use crate::support::smtp::MailServer;
use crate::support::{EXCELSA, Kind, TestApp, server};

async fn check(settings: &BTreeMap<&str, String>) -> Said {
    Program::start(&["check"], settings).end().await
}

#[track_caller]
fn assert_line(said: &Said, beginning: &str, words: &[&str]) {
    let found = said
        .out
        .lines()
        .any(|line| line.starts_with(beginning) && words.iter().all(|word| line.contains(word)));
    assert!(found, "no {beginning} with {words:?} in\n{}", said.out);
}

fn all_settings(app: &TestApp) -> BTreeMap<&'static str, String> {
    let mut settings = settings_for(app);
    let resources = &app.resources;
    settings.insert(
        "UNDELIVERED_QUEUE_URL",
        resources.queue_url(UNDELIVERED).to_owned(),
    );
    settings.insert("ALERTS_QUEUE_URL", resources.queue_url(ALERTS).to_owned());
    let alerts = resources.topic(ALERTS_TOPIC).to_owned();
    settings.insert("ALERTS_TOPIC_ARN", alerts);
    settings
}

#[tokio::test]
async fn all_is_well_and_nothing_was_changed() {
    for kind in [Kind::Fifo, Kind::Standard] {
        let app = TestApp::start(kind).await;
        app.publish_line("3:Excelsa:9").await;

        let said = check(&all_settings(&app)).await;

        assert_eq!(said.status.code(), Some(0), "{}{}", said.out, said.err);
        for subject in [
            "database ",
            "database TLS",
            "schema",
            "database writes",
            "clock",
            "redrive policy",
            "queue",
            "dead-letter queue",
            "undelivered queue",
            "alerts queue",
            "topic",
            "alerts topic",
            "subscription",
            "alerts subscription",
        ] {
            assert_line(&said, &format!("ok     {subject}"), &[]);
        }
        let depth = app.queue().depth().await.unwrap();
        assert_eq!(
            (depth.visible, depth.in_flight),
            (1, 0),
            "nothing was received"
        );
        assert_eq!(app.stock_of(EXCELSA).await, 200);
    }
}

#[tokio::test]
async fn a_mail_server_is_signed_in_to_and_gets_nothing() {
    let app = TestApp::start(Kind::Fifo).await;
    let server = MailServer::start().await;
    let mut settings = all_settings(&app);
    let without = check(&settings).await;
    settings.insert("SMTP_URL", server.url.to_string());
    let from_nobody = check(&settings).await;
    settings.insert("MAIL_FROM", "beans@example.com".to_owned());
    let there = check(&settings).await;
    let mut strange = server.url.clone();
    strange.set_username("beans").unwrap();
    strange.set_password(Some("hunter2hunter2")).unwrap();
    settings.insert("SMTP_URL", strange.to_string());
    let refused = check(&settings).await;

    assert_line(&without, "note   mail server", &["not emailed"]);
    assert_line(&from_nobody, "BROKEN mail server", &["MAIL_FROM"]);
    assert_line(&there, "ok     mail server", &["127.0.0.1 lets us in"]);
    assert_eq!(there.status.code(), Some(0), "{}", there.out);
    assert_line(&refused, "BROKEN mail server", &["SMTP_URL"]);
    assert!(!refused.out.contains("hunter2"), "{}", refused.out);
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_is_set_but_empty_is_none() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = all_settings(&app);
    settings.insert("AWS_ENDPOINT_URL", String::new());
    settings.insert("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1".to_owned());
    settings.insert("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1:1".to_owned());

    let said = check(&settings).await;

    assert_line(
        &said,
        "BROKEN queue",
        &["AWS_REGION", "the SQS queue updated_beans"],
    );
}

#[tokio::test]
async fn the_wrong_dead_letter_queue_is_told() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = all_settings(&app);
    let undelivered = settings.remove("UNDELIVERED_QUEUE_URL").unwrap();
    settings.insert("DEAD_LETTER_QUEUE_URL", undelivered);

    let other = check(&settings).await;
    settings.insert("DEAD_LETTER_QUEUE_URL", settings["QUEUE_URL"].clone());
    let same = check(&settings).await;
    let serve = Program::start(&["serve"], &settings).end().await;

    assert_line(
        &other,
        "BROKEN dead-letter queue",
        &["DeadLetterQueue.fifo"],
    );
    assert_line(
        &same,
        "BROKEN queues",
        &["QUEUE_URL", "DEAD_LETTER_QUEUE_URL"],
    );
    assert!(serve.err.contains("name the same queue"), "{}", serve.err);
}

/// The application may be a user who can change rows and not the schema.
#[tokio::test]
async fn a_user_who_may_write_rows_is_enough_and_one_who_may_only_read_is_not() {
    let app = TestApp::start(Kind::Fifo).await;
    let name = format!("rows_{}", &uuid::Uuid::now_v7().simple().to_string()[16..]);
    let database = app.database.get_database().unwrap().to_owned();
    let mut admin = sqlx::ConnectOptions::connect(&app.database).await.unwrap();
    let mut as_admin = async |statement: String| {
        let statement = sqlx::AssertSqlSafe(statement);
        sqlx::Executor::execute(&mut admin, statement)
            .await
            .unwrap();
    };
    let mut settings = all_settings(&app);
    let url = settings["DATABASE_URL"].replace("root@", &format!("{name}@"));
    settings.insert("DATABASE_URL", url);

    as_admin(format!("CREATE USER {name}")).await;
    as_admin(format!("GRANT SELECT ON {database}.* TO {name}")).await;
    let reader = check(&settings).await;
    as_admin(format!("GRANT INSERT ON {database}.* TO {name}")).await;
    let adder = check(&settings).await;
    as_admin(format!("GRANT UPDATE, DELETE ON {database}.* TO {name}")).await;
    let writer = check(&settings).await;
    let migrate = Program::start(&["migrate"], &settings).end().await;
    as_admin(format!("DROP USER {name}")).await;

    for half in [reader, adder] {
        assert_line(&half, "BROKEN database writes", &["INSERT"]);
    }
    assert_eq!(writer.status.code(), Some(0), "{}", writer.out);
    assert!(migrate.status.success(), "{}", migrate.err);
}

#[tokio::test]
async fn an_empty_database_and_missing_settings_are_only_noted() {
    let mut settings = BTreeMap::new();
    let database = server::new_database().await;
    let url = sqlx::ConnectOptions::to_url_lossy(&database).to_string();
    settings.insert("DATABASE_URL", url);

    let said = check(&settings).await;

    assert_eq!(said.status.code(), Some(0), "{}", said.out);
    assert_line(&said, "note   schema", &["beanstock migrate"]);
    assert_line(&said, "note   queue", &["QUEUE_URL", "SQS_ENDPOINT"]);
    assert_line(&said, "note   topic", &["TOPIC_ARN"]);
}

#[tokio::test]
async fn each_thing_that_is_broken_is_told_with_its_remedy() {
    let app = TestApp::start(Kind::Fifo).await;
    let fine = all_settings(&app);
    let with = |name: &'static str, value: &str| {
        let mut settings = fine.clone();
        settings.insert(name, value.to_owned());
        settings
    };
    let elsewhere = fine["QUEUE_URL"].replace("updated_beans", "nowhere");
    let topic = fine["TOPIC_ARN"].replace("updated_beans_sns", "nowhere");
    let user = fine["DATABASE_URL"].replace("root@", "nobody:hunter2@");
    let database = fine["DATABASE_URL"].replace("beanstock_test_", "nothing_");
    for (settings, subject, words) in [
        (
            with("DATABASE_URL", ""),
            "database",
            ["DATABASE_URL", "mysql://"],
        ),
        (
            with("DATABASE_URL", &user),
            "database",
            ["user and password", "DATABASE_URL"],
        ),
        (
            with("DATABASE_URL", &database),
            "database",
            ["CREATE DATABASE", "Unknown"],
        ),
        (
            with("DATABASE_URL", "mysql://root@127.0.0.1:1/x"),
            "database",
            ["host and port", "security group"],
        ),
        (
            with("QUEUE_URL", &elsewhere),
            "queue",
            ["does not exist", "--print iam"],
        ),
        (
            with("DEAD_LETTER_QUEUE_URL", &elsewhere),
            "dead-letter queue",
            ["does not exist", "--print iam"],
        ),
        (
            with("TOPIC_ARN", &topic),
            "topic",
            ["NotFound", "--print iam"],
        ),
        (
            with("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            "queue",
            ["AWS_REGION", "VPC endpoint"],
        ),
    ] {
        let said = check(&settings).await;

        assert_eq!(said.status.code(), Some(1), "{subject}: {}", said.out);
        assert_line(&said, &format!("BROKEN {subject}"), &words);
        assert!(!said.out.contains("hunter2"), "{}", said.out);
    }
}

#[tokio::test]
async fn the_labs_database_is_told_what_to_do_with() {
    let database = server::new_database().await;
    let mut connection = sqlx::ConnectOptions::connect(&database).await.unwrap();
    for table in ["suppliers", "beans"] {
        let create = format!("CREATE TABLE {table} (id INT PRIMARY KEY)");
        let create = sqlx::AssertSqlSafe(create);
        sqlx::Executor::execute(&mut connection, create)
            .await
            .unwrap();
    }
    let url = sqlx::ConnectOptions::to_url_lossy(&database).to_string();

    let said = check(&BTreeMap::from([("DATABASE_URL", url)])).await;

    assert_eq!(said.status.code(), Some(1));
    assert_line(&said, "BROKEN schema", &["beanstock adopt --dry-run"]);
}

#[tokio::test]
async fn a_queue_that_nothing_arrives_in_or_leaves_is_broken() {
    let app = TestApp::start(Kind::Fifo).await;
    let found = app.sns.list_subscriptions().send().await.unwrap();
    let arn = found.subscriptions()[0].subscription_arn().unwrap();
    app.sns
        .unsubscribe()
        .subscription_arn(arn)
        .send()
        .await
        .unwrap();
    let lone = app.sqs.create_queue().queue_name("lone.fifo");
    let lone = lone
        .attributes(QueueAttributeName::FifoQueue, "true")
        .send()
        .await;
    let mut settings = all_settings(&app);

    let unsubscribed = check(&settings).await;
    settings.insert("QUEUE_URL", lone.unwrap().queue_url.unwrap());
    let lone = check(&settings).await;

    assert_line(
        &unsubscribed,
        "BROKEN subscription",
        &["beanstock provision"],
    );
    assert_line(&lone, "BROKEN redrive policy", &["beanstock provision"]);
}
