//! Lab 10.1, step by step, through real sockets with the AWS SDK.

use crate::support::{Kind, TestApp};

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

#[tokio::test]
async fn step_1_queues_three_of_four_lines() {
    let app = TestApp::start(Kind::Fifo).await;

    for line in STEP_1 {
        app.publish_line(line).await;
    }

    assert_eq!(app.queue().depth().await.unwrap().visible, 3);
}

#[tokio::test]
async fn the_out_of_stock_line_carries_its_alert() {
    let app = TestApp::start(Kind::Fifo).await;

    app.publish_line("333333333:Unprocessable:0").await;

    let received = app
        .sqs
        .receive_message()
        .queue_url(&app.resources.queue_url);
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

    let expected = ["666666", "777777", "888888"].map(|supplier| {
        let reason = "unknown_supplier".to_owned();
        (reason, format!("There is no supplier {supplier}."), 5)
    });
    assert_eq!(app.dead_letters().await, expected);
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

    assert_eq!(app.stock_of(5).await, 209);
    assert_eq!(app.stock_of(10).await, 306);
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
        "Cordillera Direct has no bean of the type “Excelza”. Did you mean “Excelsa”?"
    );
    assert_eq!(receives, 5);
}
