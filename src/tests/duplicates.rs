//! An update counts once, however often and wherever it arrives.

use beanstock::domain::UpdateId;
use beanstock::messaging::wire;
use serde_json::json;

use crate::support::app::delivery;
use crate::support::{Kind, TestApp};

async fn fifty_deliveries_to_four_pollers_count_once(kind: Kind) {
    let app = TestApp::start(kind).await;
    let body = wire::encode(&delivery(UpdateId::generate(), 9));
    for copy in 0..50 {
        app.send_raw(&body, &format!("group-{copy}")).await;
    }

    let pollers: Vec<_> = (0..4)
        .map(|_| {
            let poller = app.poller();
            tokio::task::spawn(
                async move { while poller.poll_once().await.unwrap().received > 0 {} },
            )
        })
        .collect();
    for poller in pollers {
        poller.await.unwrap();
    }
    app.drain().await;

    assert_eq!(app.stock_of(5).await, 209);
    assert!(app.dead_letters().await.is_empty());
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn the_same_message_delivered_fifty_times_to_four_pollers_changes_stock_once() {
    fifty_deliveries_to_four_pollers_count_once(Kind::Fifo).await;
}

#[tokio::test]
async fn a_standard_queue_may_deliver_fifty_times_too() {
    fifty_deliveries_to_four_pollers_count_once(Kind::Standard).await;
}

#[tokio::test]
async fn an_id_used_again_for_something_else_changes_nothing_and_says_so() {
    let app = TestApp::start(Kind::Fifo).await;
    let id = UpdateId::generate();
    app.send_raw(&wire::encode(&delivery(id, 9)), "a").await;
    app.drain().await;

    app.send_raw(&wire::encode(&delivery(id, 90)), "b").await;
    app.drain().await;

    assert_eq!(app.stock_of(5).await, 209);
    let (reason, explanation, _) = app.dead_letters().await.remove(0);
    assert_eq!(reason, "malformed");
    assert!(explanation.contains("was already used"), "{explanation}");
    app.assert_audit_is_clean().await;
}

/// A case-insensitive text key would take these for one.
#[tokio::test]
async fn message_ids_that_differ_only_in_case_or_accents_are_different_updates() {
    let app = TestApp::start(Kind::Standard).await;
    for message_id in ["abc", "ABC", "abc ", "äbc"] {
        let envelope = json!({
            "Type": "Notification", "MessageId": message_id, "Message": "3:Excelsa:1",
        });
        app.send_raw(&envelope.to_string(), "").await;
    }

    app.drain().await;

    assert_eq!(app.stock_of(5).await, 204);
}

/// Content-based deduplication would swallow the second one.
#[tokio::test]
async fn two_honest_deliveries_of_the_same_amount_both_count() {
    let app = TestApp::start(Kind::Fifo).await;
    for _ in 0..2 {
        app.accept(&delivery(UpdateId::generate(), 9)).await;
    }

    app.drain().await;

    assert_eq!(app.stock_of(5).await, 218);
    app.assert_audit_is_clean().await;
}
