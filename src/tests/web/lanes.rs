//! The message groups that wait for one of theirs, as staff see them.

use beanstock::domain::{Bags, InventoryUpdate, Role, StockChange, UpdateId};
use beanstock::messaging::UPDATES;

use crate::support::app::delivery;
use crate::support::{Kind, Site, TestApp};

fn staff(app: &TestApp) -> Site {
    Site::of(app).seen_by(Role::Staff)
}

/// Takes back more than there is.
fn impossible() -> InventoryUpdate {
    InventoryUpdate {
        change: StockChange::Return(Bags::new(999).unwrap()),
        ..delivery(UpdateId::generate(), 1)
    }
}

async fn publish(app: &TestApp) {
    while app.relay().relay_once().await.unwrap().published > 0 {}
}

async fn refuse_one(app: &TestApp) {
    app.accept(&impossible()).await;
    publish(app).await;
    app.poller().poll_once().await.unwrap();
}

/// The head of a group fails once and is then held up; two of ours wait behind it.
#[tokio::test]
async fn a_lane_that_waits_tells_its_first_message_and_what_is_behind_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = staff(&app);
    app.accept(&impossible()).await;
    for bags in [2, 3] {
        app.accept(&delivery(UpdateId::generate(), bags)).await;
    }
    publish(&app).await;
    let before = site.get("/consumers").await;
    app.poller().poll_once().await.unwrap();

    let page = site.get("/consumers").await;

    assert!(
        before
            .text_of("section")
            .contains("No message is being tried again")
    );
    let lanes = page.text_of("section table");
    assert!(lanes.contains("999 bags sent back"), "{lanes}");
    assert!(lanes.contains("1 of 5"), "{lanes}");
    assert!(lanes.contains("2 of ours"), "{lanes}");
    app.drain().await;
    let after = site.get("/consumers").await;
    assert!(after.all("section table").is_empty());
}

#[tokio::test]
async fn a_dead_letter_that_is_sent_again_and_fails_holds_its_lane_up_until_it_is_back() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = staff(&app);
    app.accept(&impossible()).await;
    app.drain().await;
    let update = site.get("/updates").await.attributes("td.first a", "href");
    site.post(&format!("{}/resend", update[0]), &[]).await;
    app.accept(&delivery(UpdateId::generate(), 2)).await;
    publish(&app).await;
    let sent = site.get("/consumers").await;
    app.poller().poll_once().await.unwrap();

    let refused = site.get("/consumers").await;
    app.drain().await;
    let back = site.get("/consumers").await;

    assert!(sent.all("section table").is_empty(), "nobody has tried it");
    let lanes = refused.text_of("section table");
    assert!(lanes.contains("1 of 5"), "{lanes}");
    assert!(lanes.contains("1 of ours"), "{lanes}");
    assert!(back.all("section table").is_empty());
    app.assert_audit_is_clean().await;
}

/// The message of an update that stays refused for good has got lost: its group does not wait for it.
#[tokio::test]
async fn a_group_is_one_lane_and_waits_for_what_was_tried_last() {
    let app = TestApp::start(Kind::Fifo).await;
    refuse_one(&app).await;
    let queue = app.resources.queue_url(UPDATES);
    let purging = app.sqs.purge_queue().queue_url(queue);
    purging.send().await.unwrap();
    refuse_one(&app).await;

    let page = staff(&app).get("/consumers").await;

    assert_eq!(page.all("section tbody tr").len(), 1, "{}", page.body);
    let newest = staff(&app).get("/updates").await;
    assert_eq!(
        page.attributes("section tbody a", "href"),
        newest.attributes("td.first a", "href")[..1]
    );
}

#[tokio::test]
async fn in_a_standard_queue_nothing_waits_behind_what_is_tried_again() {
    let app = TestApp::start(Kind::Standard).await;
    app.execute(
        "INSERT INTO consumers (instance, queue, version, started_at, seen_at, in_hand, is_fifo) VALUES \
         (UNHEX(REPEAT('07', 16)), 'updates', '1', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 0, FALSE)",
    )
    .await;
    refuse_one(&app).await;

    let page = staff(&app).get("/consumers").await;

    let section = page.text_of("section");
    assert!(section.contains("nothing waits behind"), "{section}");
    assert!(!section.contains("Behind it"), "{section}");
}
