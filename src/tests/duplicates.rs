//! An update counts once, however often and wherever it arrives.

use beanstock::domain::{BeanId, BeanType, InventoryUpdate, SupplierId, UpdateId};
use beanstock::messaging::wire;
use serde_json::json;

use crate::support::app::delivery;
use crate::support::{EXCELSA, Kind, TestApp};

async fn fifty_deliveries_to_four_pollers_count_once(kind: Kind) {
    let app = TestApp::start(kind).await;
    let body = wire::encode(&delivery(UpdateId::generate(), 9));
    for copy in 0..50 {
        app.send_raw(&body, &format!("group-{copy}")).await;
    }

    app.poll_with(4).await;
    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 209);
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

    assert_eq!(app.stock_of(EXCELSA).await, 209);
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

    assert_eq!(app.stock_of(EXCELSA).await, 204);
}

/// Content-based deduplication would swallow the second one.
#[tokio::test]
async fn two_honest_deliveries_of_the_same_amount_both_count() {
    let app = TestApp::start(Kind::Fifo).await;
    for _ in 0..2 {
        app.accept(&delivery(UpdateId::generate(), 9)).await;
    }

    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 218);
    app.assert_audit_is_clean().await;
}

/// The id of an update that waits in the outbox, used once more for something else.
#[tokio::test]
async fn another_message_cannot_take_over_an_accepted_update() {
    let app = TestApp::start(Kind::Fifo).await;
    let accepted = delivery(UpdateId::generate(), 40);
    app.accept(&accepted).await;
    let foreign = delivery(accepted.id, 1);

    app.send_raw(&wire::encode(&foreign), "a").await;
    let poller = app.poller();
    poller.poll_once().await.unwrap();
    app.drain().await;

    assert_eq!(
        app.stock_of(EXCELSA).await,
        240,
        "the accepted one is applied"
    );
    assert_eq!(app.dead_letters().await.len(), 1);
    app.assert_audit_is_clean().await;
}

/// Supplier 5 uses the id first, even in a message that is refused; supplier 3's update is its own.
#[tokio::test]
async fn an_id_belongs_to_its_supplier() {
    let app = TestApp::start(Kind::Fifo).await;
    let id = UpdateId::generate();
    let robusta = BeanId(8);
    let of_supplier_5 = of(5, "Unobtainium", id, 5);
    app.send_raw(&wire::encode(&of_supplier_5), "a").await;
    app.drain().await;

    app.send_raw(&wire::encode(&delivery(id, 7)), "b").await;
    app.send_raw(&wire::encode(&of(5, "Robusta", id, 2)), "c")
        .await;
    app.drain().await;

    assert_eq!(
        (app.stock_of(EXCELSA).await, app.stock_of(robusta).await),
        (207, 702)
    );
    assert!(
        app.dead_letters().await.is_empty(),
        "the first was corrected"
    );
    app.assert_audit_is_clean().await;
}

fn of(supplier: i64, bean_type: &str, id: UpdateId, bags: i64) -> InventoryUpdate {
    InventoryUpdate {
        supplier: SupplierId(supplier),
        bean_type: BeanType::parse(bean_type).unwrap(),
        ..delivery(id, bags)
    }
}

#[tokio::test]
async fn a_conflicting_message_that_comes_again_is_a_repeat_of_itself() {
    let app = TestApp::start(Kind::Fifo).await;
    let id = UpdateId::generate();
    app.send_raw(&wire::encode(&delivery(id, 9)), "a").await;
    app.drain().await;

    for _ in 0..2 {
        app.send_raw(&wire::encode(&delivery(id, 90)), "b").await;
        app.drain().await;
    }

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    assert_eq!(app.dead_letters().await.len(), 1);
    app.assert_audit_is_clean().await;
}

/// Both find nothing, both write; the row belongs to one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_used_for_two_things_at_the_same_moment_belongs_to_one_of_them() {
    let app = TestApp::start(Kind::Standard).await;
    for _ in 0..40 {
        let id = UpdateId::generate();
        for bean_type in ["Arabica", "Robusta"] {
            let body = wire::encode(&of(4, bean_type, id, 1));
            app.send_raw(&body, "").await;
        }
    }

    app.poll_with(8).await;
    app.drain().await;

    let (arabica, robusta) = (BeanId(6), BeanId(7));
    let moved = app.stock_of(arabica).await - 900 + app.stock_of(robusta).await - 350;
    assert_eq!(moved, 40, "one of each two");
    assert_eq!(app.dead_letters().await.len(), 40);
    app.assert_audit_is_clean().await;
}
