//! Lab 10.1, step by step, through real sockets with the AWS SDK.

use crate::support::process::{Program, settings_for, until};
use crate::support::{ARABICA, EXCELSA, Kind, TestApp};
use beanstock::messaging::UPDATES;

/// Step 1 of the lab: the third line repeats the first.
const STEP_1: [&str; 4] = [
    "333333333:Unprocessable:1",
    "333333333:Unprocessable:2",
    "333333333:Unprocessable:1",
    "333333333:Unprocessable:0",
];

/// Step 2: three lines that can never be applied.
const STEP_2: [&str; 3] = [
    "666666:Unprocessable:2",
    "777777:Unprocessable:3",
    "888888:Unprocessable:0",
];

/// Whether these stories are told on moto's server (`make test-moto`). Its topics do not deduplicate
/// by content, and its FIFO queues, like those of AWS and unlike the embedded ones, give several
/// messages of a group at once: those behind a bad one are then tried at their last receive only.
fn on_moto() -> bool {
    std::env::var("TEST_AWS_ENDPOINT_URL").is_ok()
}

#[tokio::test]
async fn step_1_queues_three_of_four_lines() {
    let app = TestApp::start(Kind::Fifo).await;

    for line in STEP_1 {
        app.publish_line(line).await;
    }

    let queued = app.queue().depth().await.unwrap().visible;
    assert_eq!(queued, if on_moto() { 4 } else { 3 });
}

#[tokio::test]
async fn the_out_of_stock_line_carries_its_alert() {
    let app = TestApp::start(Kind::Fifo).await;

    app.publish_line("333333333:Unprocessable:0").await;

    let received = app
        .sqs
        .receive_message()
        .queue_url(app.resources.queue_url(UPDATES));
    let body = received.send().await.unwrap().messages()[0]
        .body()
        .unwrap()
        .to_owned();
    let envelope: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(envelope["Type"], "Notification");
    assert_eq!(envelope["Subject"], "New bean delivery");
    assert_eq!(
        envelope["MessageAttributes"]["inventory_alert"]["Value"],
        "out_of_stock"
    );
}

async fn step_2_dead_letters_what_can_never_be_applied(kind: Kind) {
    let app = TestApp::start(kind).await;
    let before = app.total_stock().await;
    for line in STEP_2 {
        app.publish_line(line).await;
    }

    app.drain().await;

    let letters = app.dead_letters().await;
    let reasons: Vec<(&str, &str)> = letters
        .iter()
        .map(|(reason, explanation, _)| (reason.as_str(), explanation.as_str()))
        .collect();
    let expected =
        ["666666", "777777", "888888"].map(|supplier| format!("There is no supplier {supplier}."));
    let expected = expected
        .each_ref()
        .map(|text| ("unknown_supplier", text.as_str()));
    assert_eq!(reasons, expected);
    let tried: Vec<i32> = letters.iter().filter_map(|(_, _, tried)| *tried).collect();
    assert_eq!(tried, [5, 5, 5]);
    assert_eq!(app.total_stock().await, before);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn step_2_leaves_three_dead_letters_after_five_receives_each() {
    step_2_dead_letters_what_can_never_be_applied(Kind::Fifo).await;
}

#[tokio::test]
async fn step_2_works_with_standard_queues_too() {
    step_2_dead_letters_what_can_never_be_applied(Kind::Standard).await;
}

async fn step_3_adds_what_was_delivered(kind: Kind) {
    let app = TestApp::start(kind).await;
    for line in ["3:Excelsa:9", "6:Arabica:6", "4:liberica:0"] {
        app.publish_line(line).await;
    }

    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    assert_eq!(app.stock_of(ARABICA).await, 306);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn step_3_gives_209_and_306() {
    step_3_adds_what_was_delivered(Kind::Fifo).await;
}

#[tokio::test]
async fn step_3_works_with_standard_queues_too() {
    step_3_adds_what_was_delivered(Kind::Standard).await;
}

#[tokio::test]
async fn a_misspelt_bean_says_which_one_may_have_been_meant() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelza:9").await;

    app.drain().await;

    let (reason, explanation, receives) = app.dead_letters().await.remove(0);
    assert_eq!(reason, "unknown_bean");
    assert_eq!(
        explanation,
        "Cordillera Direct has no bean of type “Excelza”. Did you mean “Excelsa”?"
    );
    assert_eq!(receives, Some(5));
}

/// The program itself, from an empty queue to the last step.
#[tokio::test]
async fn the_program_does_the_whole_lab() {
    let app = TestApp::start(Kind::Fifo).await;
    for line in STEP_2 {
        app.publish_line(line).await;
    }

    let server = Program::start(&["serve"], &settings_for(&app));
    until("step 2 has its final state", || async {
        app.dead_letters().await.len() == 3
    })
    .await;
    assert_eq!(app.total_stock().await, 8_450);
    for line in ["3:Excelsa:9", "6:Arabica:6"] {
        app.publish_line(line).await;
    }
    until("step 3 has its final state", || async {
        (app.stock_of(EXCELSA).await, app.stock_of(ARABICA).await) == (209, 306)
    })
    .await;

    assert!(server.terminate().await.status.success());
    assert_eq!(app.queued().await, 0);
    app.assert_audit_is_clean().await;
}
