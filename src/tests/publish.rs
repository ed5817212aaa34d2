//! `beanstock publish`: what it sends, what it refuses, and how it says so.

use crate::support::process::{Program, Said, settings_for};
use crate::support::{ARABICA, EXCELSA, Kind, TestApp};

async fn publish(app: &TestApp, args: &[&str], lines: &str) -> Said {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    let path = file.path().display().to_string();
    let args = [&["publish"], args, &[path.as_str()]].concat();
    Program::start(&args, &settings_for(app)).end().await
}

#[tokio::test]
async fn the_labs_file_and_json_lines_become_stock() {
    let app = TestApp::start(Kind::Fifo).await;
    let lines = concat!(
        "3:Excelsa:9\r\n\n",
        r#"{"version":1,"supplier_id":6,"bean_type":"arabica","kind":"delivery","quantity":6}"#,
    );

    let said = publish(&app, &[], lines).await;
    app.drain().await;

    assert!(said.status.success(), "{}", said.err);
    assert_eq!(said.out, "2 published, 0 refused.\n");
    assert_eq!(
        (app.stock_of(EXCELSA).await, app.stock_of(ARABICA).await),
        (209, 306)
    );
}

#[tokio::test]
async fn refused_lines_are_named_by_number_and_the_others_are_sent() {
    let app = TestApp::start(Kind::Fifo).await;

    let said = publish(&app, &[], "3:Excelsa:9\n3:Excelsa\n3:Excelsa:many\n").await;
    app.drain().await;

    assert_eq!(said.status.code(), Some(1));
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(
        lines[0].starts_with("line 2: “3:Excelsa” is not of the form"),
        "{}",
        said.out
    );
    assert_eq!(lines[1], "line 3: “many” is not a whole number of bags.");
    assert_eq!(lines[2], "1 published, 2 refused.");
    assert_eq!(app.stock_of(EXCELSA).await, 209);
}

#[tokio::test]
async fn a_repeated_line_counts_twice_unless_it_is_sent_as_the_lab_does() {
    let app = TestApp::start(Kind::Fifo).await;

    publish(&app, &[], "3:Excelsa:9\n3:Excelsa:9\n").await;
    publish(&app, &["--as-is"], "6:Arabica:6\n6:Arabica:6\n").await;
    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 218);
    assert_eq!(app.stock_of(ARABICA).await, 306);
}

#[tokio::test]
async fn a_topic_that_is_not_there_refuses_every_line() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    let nowhere = "arn:aws:sns:us-east-1:000000000000:nowhere.fifo";
    settings.insert("TOPIC_ARN", nowhere.to_owned());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "3:Excelsa:9\n").unwrap();
    let path = file.path().display().to_string();

    let said = Program::start(&["publish", &path], &settings).end().await;

    assert_eq!(said.status.code(), Some(1));
    assert!(
        said.out
            .starts_with("line 1: the SNS topic nowhere.fifo refused: NotFound"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn a_missing_setting_is_named() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.remove("TOPIC_ARN");
    settings.remove("DATABASE_URL");

    let no_topic = Program::start(&["publish"], &settings).end().await;
    let no_database = Program::start(&["serve"], &settings).end().await;

    assert!(no_topic.err.contains("TOPIC_ARN"), "{}", no_topic.err);
    assert!(
        no_database.err.contains("DATABASE_URL"),
        "{}",
        no_database.err
    );
}

/// SNS drops a repeat within five minutes and reports success; whoever publishes a file again means it.
#[tokio::test]
async fn a_file_that_is_published_again_arrives_again_and_counts_once() {
    let app = TestApp::start(Kind::Fifo).await;
    let line = r#"{"version":1,"update_id":"0192f3c4-7e0a-7c63-9d53-0a2f1f4c8a11","supplier_id":3,"bean_type":"Geisha","kind":"delivery","quantity":9}"#;
    publish(&app, &[], line).await;
    app.drain().await;
    let geisha = app.add_bean(3, "Geisha").await;

    publish(&app, &[], line).await;
    app.drain().await;
    publish(&app, &[], line).await;
    app.drain().await;

    assert_eq!(app.stock_of(geisha).await, 9);
    assert!(app.dead_letters().await.is_empty());
}

/// As spreadsheets of old Macs save it.
#[tokio::test]
async fn a_file_whose_lines_end_with_cr_alone_is_read() {
    let app = TestApp::start(Kind::Fifo).await;

    let said = publish(&app, &[], "3:Excelsa:9\r6:Arabica:6\r").await;
    app.drain().await;

    assert_eq!(said.out, "2 published, 0 refused.\n");
    assert_eq!(
        (app.stock_of(EXCELSA).await, app.stock_of(ARABICA).await),
        (209, 306)
    );
}
