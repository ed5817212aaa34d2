//! The outbox and its relays, by destination.

use std::sync::Arc;

use beanstock::domain::Origin;
use beanstock::domain::{UpdateId, UpdateState};
use beanstock::inventory::accept_update;
use beanstock::messaging::{FailedEntry, Publication, Publisher, ServiceError};

use crate::support::app::delivery;
use crate::support::fake_topic::FakeTopic;
use crate::support::{EXCELSA, Kind, Site, TestApp};

/// A relay has one publisher; what goes elsewhere is not for it.
#[tokio::test]
async fn a_relay_leaves_what_goes_elsewhere_alone() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = delivery(UpdateId::generate(), 9);
    app.accept(&update).await;
    app.execute(
        "INSERT INTO outbox_messages (id, destination, message_group, body, due_at) \
         VALUES (UNHEX(REPEAT('00', 16)), 'alerts', 'g', 'Low on beans', '2026-01-01')",
    )
    .await;
    let relay = app.relay();

    let relayed = relay.relay_once().await.unwrap();
    let after = relay.relay_once().await.unwrap();

    assert_eq!((relayed.published, after.published), (1, 0));
    app.drain().await;
    assert_eq!(app.stock_of(EXCELSA).await, 209);
}

/// Nobody reports its arrival, so it must not wait for that.
#[tokio::test]
async fn a_message_of_no_update_is_published_once() {
    let app = TestApp::start(Kind::Fifo).await;
    app.execute(
        "INSERT INTO outbox_messages (id, destination, message_group, body, due_at) \
         VALUES (UNHEX(REPEAT('00', 16)), 'updates', 'g', '3:Excelsa:9', '2026-01-01')",
    )
    .await;

    let relayed = app.relay().relay_once().await.unwrap();
    let mut conn = app.pool.acquire().await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM outbox_messages")
        .fetch_one(&mut *conn)
        .await
        .unwrap();

    assert_eq!((relayed.published, left), (1, 0));
}

#[tokio::test]
async fn accepting_an_update_wakes_the_relays_of_the_process() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut filled = app.pool.watch_outbox();
    let update = delivery(UpdateId::generate(), 9);

    accept_update(&app.pool, &*app.clock, &update, Origin::Web)
        .await
        .unwrap();
    let woken = filled.has_changed().unwrap();
    filled.mark_unchanged();
    let again = accept_update(&app.pool, &*app.clock, &update, Origin::Web).await;

    assert!(woken && again.is_err());
    assert!(!filled.has_changed().unwrap(), "nothing was added");
}

/// A topic that takes a message just when its sender cancels it.
struct CancelledMeanwhile {
    site: Site,
    update: UpdateId,
}

impl Publisher for CancelledMeanwhile {
    fn keeps_order(&self) -> bool {
        true
    }

    async fn publish(&self, _: &[Publication]) -> Result<Vec<FailedEntry>, ServiceError> {
        let cancel = format!("/updates/{}/cancel", self.update);
        assert_eq!(self.site.post(&cancel, &[]).await.status(), 303);
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn an_update_that_is_cancelled_while_it_is_published_ends_as_cancelled() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = delivery(UpdateId::generate(), 9);
    app.accept(&update).await;
    let topic = CancelledMeanwhile {
        site: Site::of(&app),
        update: update.id,
    };

    let relay = app.relay_to(topic, Arc::clone(&app.clock));
    relay.relay_once().await.unwrap();

    let steps = app.steps_of(update.id).await;
    assert_eq!(steps, [UpdateState::Accepted, UpdateState::Cancelled]);
}

/// Locks are for relays that have something to do.
#[tokio::test]
async fn a_relay_that_finds_nothing_waits_for_no_other() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut other = crate::support::OtherClient::begin(&app.pool).await;
    beanstock::db::outbox::lock_claims(&mut other)
        .await
        .unwrap();
    let relay = app.relay_to(FakeTopic::default(), Arc::clone(&app.clock));

    let relayed = relay.relay_once().await.unwrap();

    assert_eq!(relayed.published, 0);
    other.rollback().await;
}
