//! What the poller does to messages, with a queue that fails on purpose and a real database.

use std::time::Duration;

use beanstock::consumer::{self, Consumer, ConsumerSettings, Gate, Handler, Tally};
use beanstock::db::{self, DbResult};
use beanstock::inventory::{Apply, BusyBeans, Incoming, Outcome, apply_batch};
use beanstock::messaging::ReceivedMessage;
use beanstock::messaging::wire::Decoder;
use beanstock::shutdown::Shutdown;

use crate::support::fake_queue::{Call, FakeQueue};
use crate::support::process::until;
use crate::support::{ARABICA, EXCELSA, Kind, OtherClient, TestApp, server};

const SETTINGS: ConsumerSettings = ConsumerSettings {
    name: "poller",
    receivers: 1,
    batch: 10,
    wait: Duration::ZERO,
    visibility: Duration::from_secs(30),
    max_receive_count: Some(5),
};

type Poller = Consumer<FakeQueue, Apply>;

async fn poller_on(queue: &FakeQueue) -> (TestApp, Poller) {
    let app = TestApp::start(Kind::Fifo).await;
    let poller = poller_with(&app, queue, Shutdown::default());
    (app, poller)
}

fn poller_with(app: &TestApp, queue: &FakeQueue, shutdown: Shutdown) -> Poller {
    poller_set_to(SETTINGS, app, queue, shutdown)
}

fn poller_set_to(
    settings: ConsumerSettings,
    app: &TestApp,
    queue: &FakeQueue,
    shutdown: Shutdown,
) -> Poller {
    let pool = app.pool.clone();
    let handler = Apply::new(pool.clone(), Decoder::default(), settings.max_receive_count);
    Consumer::new(queue.clone(), handler, Gate::new(pool), settings, shutdown)
}

#[tokio::test]
async fn ten_updates_take_one_receive_and_one_delete() {
    let queue = FakeQueue::new(5);
    let (app, poller) = poller_on(&queue).await;
    for group in 0..10 {
        queue.push(&format!("g{group}"), "3:Excelsa:1");
    }

    let tally = poller.poll_once().await.unwrap();

    assert_eq!(tally.done, 10);
    assert_eq!(
        (queue.receives(), queue.calls().len(), queue.left()),
        (1, 1, 0)
    );
    assert_eq!(app.stock_of(EXCELSA).await, 210);
}

#[tokio::test]
async fn only_the_failed_entries_of_a_delete_are_tried_again() {
    let queue = FakeQueue::new(5);
    let (app, poller) = poller_on(&queue).await;
    for group in ["a", "b", "c"] {
        queue.push(group, "3:Excelsa:1");
    }
    queue.fail_next_delete(&[(1, true)]);

    poller.poll_once().await.unwrap();

    let sizes: Vec<usize> = queue
        .calls()
        .iter()
        .map(|call| match call {
            Call::Delete(receipts) => receipts.len(),
            Call::Visibility(_) => panic!("nothing is to be released"),
        })
        .collect();
    assert_eq!(sizes, [3, 1]);
    assert_eq!((queue.left(), app.stock_of(EXCELSA).await), (0, 203));
}

#[tokio::test]
async fn an_expired_receipt_is_left_to_redelivery_and_the_update_counts_once() {
    let queue = FakeQueue::new(5);
    let (app, poller) = poller_on(&queue).await;
    queue.push("a", "3:Excelsa:1");
    queue.fail_next_delete(&[(0, false)]);

    poller.poll_once().await.unwrap();
    queue.expire();
    let again = poller.poll_once().await.unwrap();

    assert_eq!(again.done, 1);
    assert_eq!((queue.left(), app.stock_of(EXCELSA).await), (0, 201));
}

#[tokio::test]
async fn a_refused_message_is_released_before_the_ones_behind_it_and_they_wait() {
    let queue = FakeQueue::new(5);
    let (app, poller) = poller_on(&queue).await;
    queue.push("lab", "3:Excelsa:1");
    queue.push("lab", "777:Excelsa:1");
    queue.push("lab", "3:Excelsa:1");
    queue.push("other", "6:Arabica:1");

    let tally = poller.poll_once().await.unwrap();

    let expected = Tally {
        received: 4,
        done: 2,
        refused: 1,
        released: 1,
    };
    assert_eq!(tally, expected);
    let released: Vec<usize> = queue
        .calls()
        .iter()
        .filter_map(|call| match call {
            Call::Visibility(entries) => Some(entries.len()),
            Call::Delete(_) => None,
        })
        .collect();
    assert_eq!(
        released,
        [1, 1],
        "the refused one alone, then those behind it"
    );
    assert_eq!(
        (app.stock_of(EXCELSA).await, app.stock_of(ARABICA).await),
        (201, 301)
    );
}

/// SQS counts a receive for every message of the batch, also for those that only waited.
#[tokio::test]
async fn good_messages_behind_a_bad_one_are_not_dead_lettered_with_it() {
    let queue = FakeQueue::new(5);
    let (app, poller) = poller_on(&queue).await;
    queue.push("lab", "777:Excelsa:1");
    for _ in 0..4 {
        queue.push("lab", "3:Excelsa:1");
    }

    while queue.left() > 0 {
        poller.poll_once().await.unwrap();
    }

    assert_eq!(queue.state_of_dead(), ["777:Excelsa:1"]);
    assert_eq!(app.stock_of(EXCELSA).await, 204);
}

#[tokio::test]
async fn a_bad_message_at_any_place_of_a_batch_spoils_no_other() {
    for place in 0..10 {
        let queue = FakeQueue::new(5);
        let (app, poller) = poller_on(&queue).await;
        for message in 0..10 {
            let bad = if message == place {
                "3:Excelsa:many"
            } else {
                "3:Excelsa:1"
            };
            queue.push(&format!("g{message}"), bad);
        }

        let tally = poller.poll_once().await.unwrap();

        assert_eq!((tally.done, tally.refused), (9, 1), "place {place}");
        assert_eq!(app.stock_of(EXCELSA).await, 209);
    }
}

#[tokio::test]
async fn failed_receives_do_not_stop_the_loop() {
    let queue = FakeQueue::new(5);
    let app = TestApp::start(Kind::Fifo).await;
    let shutdown = Shutdown::default();
    queue.push("a", "3:Excelsa:1");
    queue.fail_next_receives(2);

    poller_with(&app, &queue, shutdown.clone()).start();
    until("the update is applied", || async {
        app.stock_of(EXCELSA).await == 201
    })
    .await;

    shutdown.finish(Duration::from_secs(5)).await;
    assert_eq!(queue.left(), 0);
}

#[tokio::test]
async fn stopping_finishes_what_is_in_hand_and_receives_nothing_more() {
    let queue = FakeQueue::new(5);
    let app = TestApp::start(Kind::Fifo).await;
    let shutdown = Shutdown::default();
    let mut other = OtherClient::begin(&app.pool).await;
    db::beans::lock_beans(&mut other, &[EXCELSA]).await.unwrap();
    queue.push("a", "3:Excelsa:1");
    poller_with(&app, &queue, shutdown.clone()).start();
    server::until_transactions(&app.pool, "LOCK WAIT", 1).await;

    shutdown.soft.cancel();
    other.rollback().await;
    queue.push("b", "3:Excelsa:1");
    shutdown.finish(Duration::from_secs(30)).await;

    assert_eq!((app.stock_of(EXCELSA).await, queue.left()), (201, 1));
}

/// A handler for a queue in which there is nothing.
struct Idle;

impl Handler for Idle {
    async fn handle(&self, _: &[ReceivedMessage]) -> DbResult<Vec<consumer::Outcome>> {
        panic!("there is nothing to handle")
    }
}

/// Each receive costs money, and one that does not wait finds nothing at once. The time is virtual.
#[tokio::test(start_paused = true)]
async fn an_empty_queue_that_is_not_waited_for_is_asked_once_a_second() {
    let queue = FakeQueue::new(5);
    let shutdown = Shutdown::default();
    let gate = Gate::new(server::pool(
        "mysql://nobody@127.0.0.1:1/none".parse().unwrap(),
        1,
    ));
    Consumer::new(queue.clone(), Idle, gate, SETTINGS, shutdown.clone()).start();

    tokio::time::sleep(Duration::from_millis(10_500)).await;

    assert_eq!(queue.receives(), 11);
    shutdown.finish(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn messages_are_kept_invisible_while_a_batch_waits_for_a_lock() {
    let queue = FakeQueue::new(5);
    let app = TestApp::start(Kind::Fifo).await;
    let settings = ConsumerSettings {
        visibility: Duration::from_millis(100),
        ..SETTINGS
    };
    let poller = poller_set_to(settings, &app, &queue, Shutdown::default());
    queue.push("a", "3:Excelsa:1");
    let mut holder = OtherClient::begin(&app.pool).await;
    let excelsa = EXCELSA;
    beanstock::db::beans::lock_beans(&mut holder, &[excelsa])
        .await
        .unwrap();

    let polling = tokio::task::spawn(async move { poller.poll_once().await.unwrap() });
    until("visibility was extended twice", || async {
        queue.calls().len() >= 2
    })
    .await;
    holder.rollback().await;

    assert_eq!(polling.await.unwrap().done, 1);
    let last = queue.calls().pop();
    assert!(matches!(last, Some(Call::Delete(_))), "{last:?}");
}

/// The database takes writes and goes on refusing this one, as it would for a fault nobody foresaw.
#[tokio::test]
async fn a_batch_that_is_refused_for_ever_is_given_back_even_at_its_last_receive() {
    let queue = FakeQueue::new(5);
    let app = TestApp::start(Kind::Fifo).await;
    app.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON beans FOR EACH ROW \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'",
    )
    .await;
    let settings = ConsumerSettings {
        visibility: Duration::from_millis(100),
        ..SETTINGS
    };
    let poller = poller_set_to(settings, &app, &queue, Shutdown::default());
    queue.push("a", "3:Excelsa:1");
    queue.received_before(4);

    let tally = poller.poll_once().await.unwrap();

    assert_eq!((tally.released, app.stock_of(EXCELSA).await), (1, 200));
}

/// Without a redrive policy, releasing a bad message at once would go on for ever.
#[tokio::test]
async fn a_queue_that_never_gives_up_gets_a_bad_message_back_with_a_delay() {
    let queue = FakeQueue::new(u32::MAX);
    let app = TestApp::start(Kind::Fifo).await;
    let settings = ConsumerSettings {
        max_receive_count: None,
        ..SETTINGS
    };
    let poller = poller_set_to(settings, &app, &queue, Shutdown::default());
    queue.push("a", "777:Excelsa:1");

    poller.poll_once().await.unwrap();

    let Some(Call::Visibility(entries)) = queue.calls().pop() else {
        panic!("it is to be handed back");
    };
    assert!(entries[0].1 >= Duration::from_secs(1), "{entries:?}");
}

/// Each stop of ours is a receive; several in a row must not dead-letter a good message.
#[tokio::test]
async fn the_fewer_receives_a_message_has_left_the_longer_a_stop_keeps_it_back() {
    for (received, at_least) in [(1, Some(1)), (3, Some(30)), (4, Some(300)), (5, None)] {
        let queue = FakeQueue::new(5);
        let app = TestApp::start(Kind::Fifo).await;
        let shutdown = Shutdown::default();
        queue.push("a", "3:Excelsa:1");
        queue.received_before(received - 1);
        let mut holder = OtherClient::begin(&app.pool).await;
        db::beans::lock_beans(&mut holder, &[EXCELSA])
            .await
            .unwrap();
        let poller = poller_with(&app, &queue, shutdown.clone());
        let polling = tokio::spawn(async move { poller.poll_once().await.unwrap() });
        server::until_transactions(&app.pool, "LOCK WAIT", 1).await;

        shutdown.soft.cancel();
        shutdown.hard.cancel();
        let tally = polling.await.unwrap();

        holder.rollback().await;
        assert_eq!((tally.released, app.stock_of(EXCELSA).await), (1, 200));
        let kept_for = match queue.calls().pop() {
            Some(Call::Visibility(entries)) => Some(entries[0].1.as_secs()),
            _ => None,
        };
        assert!(
            kept_for.is_some() == at_least.is_some() && kept_for >= at_least,
            "at receive {received}: {kept_for:?}"
        );
    }
}

/// Two receives of one bad message are two lines on its timeline and one in the log.
#[tokio::test]
async fn a_message_that_is_refused_again_is_known_as_such() {
    let app = TestApp::start(Kind::Fifo).await;
    let incoming = |receive_count| Incoming {
        content: Decoder::default().decode("m", "3:Geisha:1", None),
        message_id: "m".to_owned(),
        receive_count,
        group: None,
        receive_limit: None,
    };

    let busy = BusyBeans::default();

    let first = apply_batch(&app.pool, &busy, &[incoming(1)]).await.unwrap();
    let second = apply_batch(&app.pool, &busy, &[incoming(2)]).await.unwrap();

    let again = |outcomes: &[Outcome]| match outcomes {
        [Outcome::Refused { again, .. }] => *again,
        other => panic!("{other:?}"),
    };
    assert_eq!((again(&first), again(&second)), (false, true));
}
