//! Many messages in one transaction: what one of them cannot spoil for the others.

use std::time::Duration;

use beanstock::consumer::{self, Consumer, ConsumerSettings, Gate, Handler};
use beanstock::db::{self, DbResult};
use beanstock::inventory::Apply;
use beanstock::local::database::{Durability, PrivateDatabase};
use beanstock::messaging::ReceivedMessage;
use beanstock::messaging::wire::Decoder;
use beanstock::shutdown::Shutdown;
use tokio::sync::Semaphore;

use crate::support::fake_queue::{Call, FakeQueue};
use crate::support::process::until;
use crate::support::{ARABICA, EXCELSA, Kind, OtherClient, TestApp};

const HUNDRED: ConsumerSettings = ConsumerSettings {
    name: "poller",
    receivers: 20,
    batch: 100,
    wait: Duration::ZERO,
    visibility: Duration::from_secs(30),
    max_receive_count: Some(5),
};

/// One bag for each of the 14 beans.
const ONE_OF_EACH: [&str; 14] = [
    "1:Arabica:1",
    "1:Robusta:1",
    "2:Robusta:1",
    "2:Liberica:1",
    "3:Excelsa:1",
    "4:Arabica:1",
    "4:Robusta:1",
    "5:Robusta:1",
    "5:Liberica:1",
    "6:Arabica:1",
    "7:Robusta:1",
    "7:Liberica:1",
    "8:Liberica:1",
    "8:Excelsa:1",
];

fn apply(app: &TestApp) -> Apply {
    Apply::new(
        app.pool.clone(),
        Decoder::default(),
        HUNDRED.max_receive_count,
    )
}

fn poller(app: &TestApp, queue: &FakeQueue, shutdown: &Shutdown) -> Consumer<FakeQueue, Apply> {
    let gate = Gate::new(app.pool.clone());
    Consumer::new(queue.clone(), apply(app), gate, HUNDRED, shutdown.clone())
}

/// Whether messages were given back; extending their invisibility is no such thing.
fn were_handed_back(queue: &FakeQueue, visibility: Duration) -> bool {
    queue.calls().iter().any(|call| match call {
        Call::Visibility(entries) => entries.iter().any(|(_, time)| *time != visibility),
        Call::Delete(_) => false,
    })
}

/// Deliveries of one bag, each in a group of its own.
fn push_hundred(queue: &FakeQueue) {
    for number in 0..100 {
        queue.push(&format!("g{number}"), "3:Excelsa:1");
    }
}

/// Has the database refuse to store movements of 13 bags, as it would for a fault nobody foresaw.
async fn thirteen_cannot_be_stored(app: &TestApp) {
    app.execute(
        "CREATE TRIGGER thirteen BEFORE INSERT ON stock_movements FOR EACH ROW \
         BEGIN IF NEW.change_by = 13 THEN \
         SIGNAL SQLSTATE '22001' SET MESSAGE_TEXT = 'not this one'; END IF; END",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_bean_holds_up_none_of_the_thirteen_others() {
    let app = TestApp::start(Kind::Fifo).await;
    let (queue, shutdown) = (FakeQueue::new(5), Shutdown::default());
    let before = app.total_stock().await;
    let mut holder = OtherClient::begin(&app.pool).await;
    db::beans::lock_beans(&mut holder, &[EXCELSA])
        .await
        .unwrap();
    for line in ONE_OF_EACH {
        queue.push(line, line);
    }
    queue.push("3:Excelsa:1", "6:Arabica:100");

    poller(&app, &queue, &shutdown).start();
    until("the others are applied", || async {
        app.total_stock().await == before + 13
    })
    .await;
    for line in ONE_OF_EACH
        .into_iter()
        .filter(|line| !line.contains("Excelsa"))
    {
        queue.push(line, line);
    }
    until("more of the others are applied", || async {
        app.total_stock().await == before + 25
    })
    .await;

    assert_eq!(app.stock_of(EXCELSA).await, 200, "it is locked");
    assert_eq!(app.stock_of(ARABICA).await, 302, "the one behind it waits");
    holder.rollback().await;
    until(
        "the locked one and the one behind it are applied",
        || async { app.total_stock().await == before + 126 },
    )
    .await;
    shutdown.finish(Duration::from_secs(30)).await;
    assert!(!were_handed_back(&queue, HUNDRED.visibility));
    assert_eq!(queue.left(), 0);
    app.assert_audit_is_clean().await;
}

/// Without groups ever more messages may come that need the locked bean.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_messages_of_a_locked_bean_than_there_is_room_for_hold_up_nobody() {
    let app = TestApp::start(Kind::Standard).await;
    let (queue, shutdown) = (FakeQueue::new(5), Shutdown::default());
    let mut holder = OtherClient::begin(&app.pool).await;
    db::beans::lock_beans(&mut holder, &[EXCELSA])
        .await
        .unwrap();
    for number in 0..400 {
        queue.push(&format!("g{number}"), "3:Excelsa:1");
    }
    queue.push("other", "6:Arabica:1");

    poller(&app, &queue, &shutdown).start();
    until("the others are applied", || async {
        app.stock_of(ARABICA).await == 301
    })
    .await;
    holder.rollback().await;
    shutdown.finish(Duration::from_secs(30)).await;
    let shutdown = Shutdown::default();
    while queue.left() > 0 {
        queue.expire();
        poller(&app, &queue, &shutdown).poll_once().await.unwrap();
    }

    assert_eq!(app.stock_of(EXCELSA).await, 600);
    assert!(queue.state_of_dead().is_empty());
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_culprit_in_the_middle_of_a_hundred_is_refused_alone() {
    let app = TestApp::start(Kind::Fifo).await;
    let (queue, shutdown) = (FakeQueue::new(5), Shutdown::default());
    thirteen_cannot_be_stored(&app).await;
    for number in 0..100 {
        let bags = if number == 50 { 13 } else { 1 };
        queue.push(&format!("g{number}"), &format!("3:Excelsa:{bags}"));
    }

    let tally = poller(&app, &queue, &shutdown).poll_once().await.unwrap();

    assert_eq!((tally.done, tally.refused), (99, 1));
    assert_eq!(app.stock_of(EXCELSA).await, 299);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn an_update_whose_row_a_newer_version_wrote_holds_up_nobody_and_comes_again() {
    let app = TestApp::start(Kind::Fifo).await;
    let (queue, shutdown) = (FakeQueue::new(5), Shutdown::default());
    queue.push("old", "777:Excelsa:1");
    let poller = poller(&app, &queue, &shutdown);
    poller.poll_once().await.unwrap();
    app.execute("UPDATE inventory_updates SET state = 'of_tomorrow'")
        .await;
    push_hundred(&queue);

    let tally = poller.poll_once().await.unwrap();

    assert_eq!((tally.done, tally.refused, tally.released), (99, 0, 1));
    assert_eq!(app.stock_of(EXCELSA).await, 299);
    app.execute("UPDATE inventory_updates SET state = 'refused' WHERE state = 'of_tomorrow'")
        .await;
    queue.expire();
    let tally = poller.poll_once().await.unwrap();
    assert_eq!((tally.done, tally.refused), (1, 1));
    app.assert_audit_is_clean().await;
}

/// The culprit has the hundred split before and behind it, at the twelfth among other places.
#[tokio::test]
async fn a_group_that_stopped_in_one_half_stays_stopped_in_the_other() {
    let app = TestApp::start(Kind::Fifo).await;
    let (queue, shutdown) = (FakeQueue::new(5), Shutdown::default());
    thirteen_cannot_be_stored(&app).await;
    for number in 0..100 {
        let (group, line) = match number {
            10 => ("stopped".to_owned(), "777:Excelsa:1"),
            13 => ("culprit".to_owned(), "3:Excelsa:13"),
            14 | 15 => ("stopped".to_owned(), "3:Excelsa:1000"),
            number => (format!("g{number}"), "3:Excelsa:1"),
        };
        queue.push(&group, line);
    }

    let tally = poller(&app, &queue, &shutdown).poll_once().await.unwrap();

    assert_eq!((tally.done, tally.refused, tally.released), (96, 2, 2));
    assert_eq!(app.stock_of(EXCELSA).await, 296);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_kill_between_the_commit_and_the_delete_of_a_hundred_changes_stock_once() {
    let app = TestApp::start(Kind::Fifo).await;
    let (queue, shutdown) = (FakeQueue::new(5), Shutdown::default());
    push_hundred(&queue);
    queue.answers_no_deletes();
    let victim = poller(&app, &queue, &shutdown);

    let victim = tokio::spawn(async move { victim.poll_once().await.unwrap() });
    until("it is committed", || async {
        app.stock_of(EXCELSA).await == 300
    })
    .await;
    victim.abort();
    assert!(victim.await.unwrap_err().is_cancelled());
    queue.answers_deletes();
    queue.expire();
    let tally = poller(&app, &queue, &shutdown).poll_once().await.unwrap();

    assert_eq!((tally.done, queue.left()), (100, 0));
    assert_eq!(app.stock_of(EXCELSA).await, 300);
    app.assert_audit_is_clean().await;
}

/// Applies updates once it may.
struct Patient {
    apply: Apply,
    may: Semaphore,
}

impl Handler for &'static Patient {
    async fn handle(&self, batch: &[ReceivedMessage]) -> DbResult<Vec<consumer::Outcome>> {
        let _may = self.may.acquire().await.unwrap();
        self.apply.handle(batch).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_in_hand_outlast_an_outage_longer_than_their_visibility_timeout() {
    const VISIBILITY: Duration = Duration::from_millis(400);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let database = PrivateDatabase::start(folder.path(), Durability::Full)
        .await
        .unwrap();
    let app = TestApp::start_on(database.options(), Kind::Fifo).await;
    let (queue, shutdown) = (FakeQueue::new(5), Shutdown::default());
    push_hundred(&queue);
    for number in 100..300 {
        queue.push(&format!("g{number}"), "3:Excelsa:1");
    }
    let handler: &'static Patient = Box::leak(Box::new(Patient {
        apply: apply(&app),
        may: Semaphore::new(0),
    }));
    let settings = ConsumerSettings {
        visibility: VISIBILITY,
        ..HUNDRED
    };
    let gate = Gate::new(app.pool.clone());
    Consumer::new(queue.clone(), handler, gate, settings, shutdown.clone()).start();
    until("200 are in hand", || async { queue.in_flight() == 200 }).await;

    database.kill().await.unwrap();
    handler.may.add_permits(1);
    let extensions = queue.calls().len();
    // 20 calls extend them all, four times in a visibility timeout.
    until("two visibility timeouts have passed", || async {
        queue.calls().len() >= extensions + 160
    })
    .await;
    assert_eq!(queue.in_flight(), 200, "no more than 20 receives' worth");
    let database = PrivateDatabase::start(folder.path(), Durability::Full)
        .await
        .unwrap();
    until("all are applied", || async {
        app.stock_of(EXCELSA).await == 500
    })
    .await;

    shutdown.finish(Duration::from_secs(30)).await;
    assert!(!were_handed_back(&queue, VISIBILITY));
    assert_eq!(queue.left(), 0);
    app.assert_audit_is_clean().await;
    database.stop().await.unwrap();
}
