//! Things break: processes are killed, the database and the broker go away. Nothing is lost,
//! nothing counts twice, and nobody has to do anything.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use beanstock::db;
use beanstock::domain::{
    Bags, BeanId, BeanType, InventoryUpdate, StockChange, SupplierId, UpdateId, UpdateState,
};
use beanstock::local::aws::{Keeping, LocalAws};
use beanstock::local::database::{Durability, PrivateDatabase};
use beanstock::messaging::{Publication, Publisher as _, sns::SnsPublisher, wire};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::fake_topic::FakeTopic;
use crate::support::process::{Program, settings_for, until};
use crate::support::{ARABICA, EXCELSA, Kind, TestApp, free_port};

/// The bean that is only counted: Robusta of supplier 5.
const COUNTED: (BeanId, i64, &str) = (BeanId(8), 5, "Robusta");

/// The beans that are delivered and returned: number, supplier and type.
const MOVED: [(BeanId, i64, &str); 6] = [
    (BeanId(1), 1, "Arabica"),
    (BeanId(3), 2, "Robusta"),
    (EXCELSA, 3, "Excelsa"),
    (BeanId(6), 4, "Arabica"),
    (ARABICA, 6, "Arabica"),
    (BeanId(14), 8, "Excelsa"),
];

/// The type of a bean that is not on the list at first.
const LATECOMER: &str = "Latecomer";

fn update(supplier: i64, bean_type: &str, change: StockChange) -> InventoryUpdate {
    InventoryUpdate {
        id: UpdateId::generate(),
        supplier: SupplierId(supplier),
        bean_type: BeanType::parse(bean_type).unwrap(),
        change,
        occurred_at: None,
        sent_at: None,
        reference: None,
        note: None,
    }
}

/// What the test itself expects, computed without any of the program's rules.
#[derive(Default)]
struct Oracle {
    stock: HashMap<BeanId, i64>,
    newest_count: Option<(DateTime<Utc>, i64)>,
    ends: HashMap<UpdateId, UpdateState>,
    dead_letters: usize,
}

/// Messages in random order, some of them twice or three times.
struct Workload {
    /// Bodies for the topic, each with its group.
    published: Vec<(String, String)>,
    /// Bodies that come again once the bean they name is on the list.
    again: Vec<(String, String)>,
    /// Updates for the website's way in.
    accepted: Vec<InventoryUpdate>,
    oracle: Oracle,
}

fn workload(messages: usize, seed: u64, opened: DateTime<Utc>) -> Workload {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut work = Workload {
        published: Vec::new(),
        again: Vec::new(),
        accepted: Vec::new(),
        oracle: Oracle::default(),
    };
    while work.published.len() + work.accepted.len() < messages {
        add_message(&mut work, &mut random, opened);
    }
    random.shuffle(&mut work.published);
    work
}

fn add_message(work: &mut Workload, random: &mut fastrand::Rng, opened: DateTime<Utc>) {
    let (bean, supplier, bean_type) = MOVED[random.usize(..MOVED.len())];
    let bags = Bags::new(random.i64(1..50)).unwrap();
    let mut change = StockChange::Delivery(bags);
    match random.u8(..100) {
        0..=3 => return add_bad(work, random),
        4..=9 => return add_count(work, random, opened),
        10..=14 => change = StockChange::OutOfStock,
        // One bag each: never more than there are.
        15..=24 => change = StockChange::Return(Bags::new(1).unwrap()),
        _ => {}
    }
    let update = update(supplier, bean_type, change);
    let change_by = match change {
        StockChange::Return(bags) => -bags.get(),
        change => change.bags(),
    };
    *work.oracle.stock.entry(bean).or_default() += change_by;
    work.oracle.ends.insert(update.id, UpdateState::Applied);
    if random.u8(..5) == 0 {
        work.accepted.push(update);
        return;
    }
    let message = (update.message_group(), wire::encode(&update));
    if random.u8(..8) == 0 {
        work.published.push(message.clone());
    }
    work.published.push(message);
}

fn add_count(work: &mut Workload, random: &mut fastrand::Rng, opened: DateTime<Utc>) {
    let (_, supplier, bean_type) = COUNTED;
    let counted_at = opened - TimeDelta::milliseconds(random.i64(1..100_000));
    let bags = random.i64(0..5_000);
    let count = StockChange::Count {
        bags: Bags::counted(bags).unwrap(),
        counted_at,
    };
    let update = update(supplier, bean_type, count);
    work.oracle.newest_count = work.oracle.newest_count.max(Some((counted_at, bags)));
    work.published
        .push((update.message_group(), wire::encode(&update)));
}

fn add_bad(work: &mut Workload, random: &mut fastrand::Rng) {
    let body = match random.u8(..6) {
        4 => return add_refused_copies(work),
        5 => return add_revived(work),
        0 => format!("{{\"version\":1,\"nonsense\":{}}}", random.u64(..)),
        1 => format!("99{}:Arabica:1", random.u32(..)),
        2 => format!("1:Unobtainium {}:1", random.u64(..)),
        _ => format!("1:Arabica:{}.5", random.u64(..)),
    };
    work.oracle.dead_letters += 1;
    work.published
        .push((format!("bad-{}", random.u8(..5)), body));
}

/// Three copies of one update that is refused: one letter.
fn add_refused_copies(work: &mut Workload) {
    let update = update(1, "Unobtainium", StockChange::OutOfStock);
    work.oracle
        .ends
        .insert(update.id, UpdateState::DeadLettered);
    work.oracle.dead_letters += 1;
    for copy in 0..3 {
        let group = format!("copy-{copy}");
        work.published.push((group, wire::encode(&update)));
    }
}

/// An update of a bean that is added later: refused or not at first, applied in the end.
fn add_revived(work: &mut Workload) {
    let bags = Bags::new(1).unwrap();
    let update = update(2, LATECOMER, StockChange::Delivery(bags));
    work.oracle.ends.insert(update.id, UpdateState::Applied);
    let message = (update.message_group(), wire::encode(&update));
    work.published.push(message.clone());
    work.again.push(message);
}

async fn publish(app: &TestApp, messages: &[(String, String)]) {
    let publisher = SnsPublisher::new(app.sns.clone(), app.resources.topic_arn().to_owned());
    for batch in messages.chunks(10) {
        let batch: Vec<Publication> = batch
            .iter()
            .map(|(group, body)| Publication {
                body: body.clone(),
                group: group.clone(),
                deduplication_id: Some(uuid::Uuid::now_v7().to_string()),
                ..Publication::default()
            })
            .collect();
        let failed = publisher.publish(&batch).await.unwrap();
        assert!(failed.is_empty(), "{failed:?}");
    }
}

async fn is_done(app: &TestApp) -> bool {
    let mut conn = app.pool.acquire().await.unwrap();
    let counts = db::update_counts::count_updates(&mut conn).await.unwrap();
    drop(conn);
    counts.waiting == 0 && app.queued().await == 0
}

async fn assert_oracle_agrees(app: &TestApp, oracle: &Oracle, before: &HashMap<BeanId, i64>) {
    for (bean, change) in &oracle.stock {
        assert_eq!(
            app.stock_of(*bean).await,
            before[bean] + change,
            "bean {bean}"
        );
    }
    if let Some((_, bags)) = oracle.newest_count {
        assert_eq!(app.stock_of(COUNTED.0).await, bags, "the counted bean");
    }
    for (id, state) in &oracle.ends {
        assert_eq!(app.standing_of(*id).await, *state, "update {id}");
    }
    assert_eq!(app.dead_letters().await.len(), oracle.dead_letters);
    app.assert_audit_is_clean().await;
}

async fn stock_before(app: &TestApp) -> HashMap<BeanId, i64> {
    let mut conn = app.pool.acquire().await.unwrap();
    let beans = db::beans::list_beans(&mut conn).await.unwrap();
    beans.iter().map(|bean| (bean.id, bean.quantity)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_mixed_updates_survive_three_kills_of_a_server() {
    let app = TestApp::start(Kind::Fifo).await;
    let before = stock_before(&app).await;
    // Counts of the last minutes, on beans whose stock has not moved since.
    let long_ago = "UPDATE beans SET moved_at = moved_at - INTERVAL 1 HOUR";
    app.execute(long_ago).await;
    let work = workload(2_000, 7, app.clock.now());
    let settings = settings_for(&app);
    let steady = Program::start(&["serve"], &settings);
    let mut victim = Program::start(&["serve"], &settings);

    // A quarter of the work, then a kill in the middle of it; three times, and the rest.
    let quarter = work.published.len().div_ceil(4);
    for (round, messages) in work.published.chunks(quarter).enumerate() {
        for update in work.accepted.iter().skip(round).step_by(4) {
            app.accept(update).await;
        }
        let target = applied(&app).await + 50;
        publish(&app, messages).await;
        if round < 3 {
            until("some of it is applied", || async {
                applied(&app).await >= target
            })
            .await;
            victim.kill().await;
            victim = Program::start(&["serve"], &settings);
        }
    }
    until("everything has its final state", || is_done(&app)).await;
    let latecomer = app.add_bean(2, LATECOMER).await;
    publish(&app, &work.again).await;
    until("what came again has its final state", || is_done(&app)).await;

    let revived = i64::try_from(work.again.len()).unwrap();
    assert!(revived > 0);
    assert_eq!(app.stock_of(latecomer).await, revived, "each once");
    assert_oracle_agrees(&app, &work.oracle, &before).await;
    let (first, second) = tokio::join!(steady.terminate(), victim.terminate());
    assert!(first.status.success() && second.status.success());
}

async fn applied(app: &TestApp) -> i64 {
    let mut conn = app.pool.acquire().await.unwrap();
    let counts = db::update_counts::count_updates(&mut conn).await.unwrap();
    counts.applied
}

/// Publishes deliveries of one bag, one after the other, until told to stop; counts them.
async fn steady_load(app: &TestApp, sent: &AtomicI64, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let delivery = update(3, "Excelsa", StockChange::Delivery(Bags::new(1).unwrap()));
        let number = sent.fetch_add(1, SeqCst);
        let group = format!("load-{}", number % 50);
        publish(app, &[(group, wire::encode(&delivery))]).await;
    }
}

fn start_parts(app: &TestApp) {
    app.poller().start();
    app.collector().start();
    let relay = app.relay();
    app.shutdown.tasks.spawn(async move { relay.run().await });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_outage_under_load_dead_letters_nothing() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let database = PrivateDatabase::start(folder.path(), Durability::Full)
        .await
        .unwrap();
    let app = TestApp::start_on(database.options(), Kind::Fifo).await;
    start_parts(&app);
    let (sent, stop) = (AtomicI64::new(0), CancellationToken::new());

    let outage = async {
        until("the load is being applied", || async {
            app.stock_of(EXCELSA).await > 210
        })
        .await;
        database.kill().await.unwrap();
        let enough = sent.load(SeqCst) + 500;
        until("much more is sent", || async { sent.load(SeqCst) > enough }).await;
        let database = PrivateDatabase::start(folder.path(), Durability::Full)
            .await
            .unwrap();
        stop.cancel();
        database
    };
    let ((), database) = tokio::join!(steady_load(&app, &sent, &stop), outage);
    until("everything is applied", || async {
        app.stock_of(EXCELSA).await == 200 + sent.load(SeqCst)
    })
    .await;

    assert!(app.dead_letters().await.is_empty());
    app.assert_audit_is_clean().await;
    app.shutdown.finish(Duration::from_secs(5)).await;
    database.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_outage_loses_nothing_that_was_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("messages.jsonl");
    let app = TestApp::start(Kind::Fifo).await;
    let broker = Broker::start(free_port(), &journal).await;
    let port = broker.port;
    let app = app.at(&broker.endpoint).await;
    broker.endpoint.open();
    start_parts(&app);
    for _ in 0..20 {
        app.accept(&update(
            3,
            "Excelsa",
            StockChange::Delivery(Bags::new(1).unwrap()),
        ))
        .await;
    }
    until("some are applied", || async {
        app.stock_of(EXCELSA).await > 205
    })
    .await;

    broker.stop().await;
    for _ in 0..20 {
        app.accept(&update(
            6,
            "Arabica",
            StockChange::Delivery(Bags::new(1).unwrap()),
        ))
        .await;
    }
    until("publishing failed more than once", || async {
        let mut conn = app.pool.acquire().await.unwrap();
        let most = "SELECT MAX(attempts) FROM outbox_messages";
        let most: i32 = sqlx::query_scalar(most)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        most > 2
    })
    .await;
    let broker = Broker::start(port, &journal).await;
    // What AWS does by itself: queues and topic are there again, with what was in them.
    beanstock::local::provision_at(&app.sdk, &Kind::Fifo.resources())
        .await
        .unwrap();
    broker.endpoint.open();

    until("everything is applied", || async {
        app.stock_of(EXCELSA).await == 220 && app.stock_of(ARABICA).await == 320
    })
    .await;
    assert!(app.dead_letters().await.is_empty());
    app.assert_audit_is_clean().await;
    app.shutdown.finish(Duration::from_secs(5)).await;
}

/// SNS and SQS that can be stopped and started again with what was in them.
struct Broker {
    endpoint: LocalAws,
    port: u16,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Broker {
    async fn start(port: u16, journal: &std::path::Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let (soft, hard) = (stopping.clone(), stopping.clone());
        let keeping = Keeping {
            messages: Some(journal.to_owned()),
            ..Keeping::default()
        };
        let endpoint = LocalAws::start(listener, keeping, &tasks, soft, hard)
            .await
            .unwrap();
        Self {
            endpoint,
            port,
            tasks,
            stopping,
        }
    }

    async fn stop(self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_line_does_not_hold_up_the_lines_behind_it() {
    let app = TestApp::start(Kind::Fifo).await;
    start_parts(&app);
    app.publish_line("777777:Unprocessable:1").await;
    app.publish_line("6:Arabica:6").await;

    // This waits for less than five visibility timeouts of the first one, 30 s each.
    until("the good line is applied", || async {
        app.stock_of(ARABICA).await == 306
    })
    .await;
    app.shutdown.finish(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn many_pollers_with_crossing_beans_do_not_lose_or_double_anything() {
    let app = TestApp::start(Kind::Standard).await;
    let mut sums: HashMap<BeanId, i64> = HashMap::new();
    let mut random = fastrand::Rng::with_seed(11);
    let mut messages = Vec::new();
    for _ in 0..400 {
        let (bean, supplier, bean_type) = MOVED[random.usize(..MOVED.len())];
        let delivery = update(
            supplier,
            bean_type,
            StockChange::Delivery(Bags::new(1).unwrap()),
        );
        *sums.entry(bean).or_default() += 1;
        messages.push((String::new(), wire::encode(&delivery)));
        messages.extend(messages.last().cloned());
    }
    random.shuffle(&mut messages);
    let before = stock_before(&app).await;
    publish(&app, &messages).await;

    app.poll_with(8).await;
    app.drain().await;

    for (bean, sum) in sums {
        assert_eq!(app.stock_of(bean).await, before[&bean] + sum, "bean {bean}");
    }
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_relay_that_dies_after_publishing_causes_a_repeat_and_no_second_effect() {
    let app = TestApp::start(Kind::Standard).await;
    let accepted = update(3, "Excelsa", StockChange::Delivery(Bags::new(9).unwrap()));
    app.accept(&accepted).await;
    app.relay().relay_once().await.unwrap();

    // Nobody has seen it finished, and the relay's memory of it is gone with its lease.
    let later = Arc::new(beanstock::clock::FixedClock(
        app.clock.now() + TimeDelta::hours(2),
    ));
    let relayed = app.relay_at(later).relay_once().await.unwrap();
    app.drain().await;

    assert_eq!(relayed.published, 1, "it was published again");
    assert_eq!(app.stock_of(EXCELSA).await, 209);
    app.assert_audit_is_clean().await;
}

/// A return must not overtake the delivery it belongs to.
#[tokio::test]
async fn what_is_behind_a_refused_message_of_its_group_waits_with_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let bags = |bags| Bags::new(bags).unwrap();
    let mut sent = Vec::new();
    for change in [
        StockChange::Delivery(bags(9)),
        StockChange::Return(bags(4)),
        StockChange::Return(bags(5)),
    ] {
        let update = update(3, "Excelsa", change);
        app.accept(&update).await;
        sent.push(wire::encode(&update));
    }
    let other = update(6, "Arabica", StockChange::Delivery(bags(6)));
    app.accept(&other).await;
    let topic = FakeTopic::default();

    let first = app.relay_to(topic.clone(), Arc::clone(&app.clock));
    let first = first.relay_once().await.unwrap();
    assert_eq!((first.published, first.failed), (1, 3));
    assert_eq!(topic.taken(), [wire::encode(&other)]);
    let later = Arc::new(beanstock::clock::FixedClock(
        app.clock.now() + TimeDelta::minutes(1),
    ));
    let second = app.relay_to(topic.clone(), later);
    let second = second.relay_once().await.unwrap();

    assert_eq!((second.published, second.failed), (3, 0));
    assert_eq!(topic.taken()[1..], sent);
}

#[tokio::test]
async fn several_relays_publish_every_update_once() {
    let app = TestApp::start(Kind::Standard).await;
    for _ in 0..60 {
        app.accept(&update(
            3,
            "Excelsa",
            StockChange::Delivery(Bags::new(1).unwrap()),
        ))
        .await;
    }

    let published = Arc::new(AtomicUsize::new(0));
    let relays: Vec<_> = (0..4)
        .map(|_| {
            let (relay, published) = (app.relay(), Arc::clone(&published));
            tokio::task::spawn(async move {
                while published.load(Ordering::SeqCst) < 60 {
                    let relayed = relay.relay_once().await.unwrap();
                    published.fetch_add(relayed.published, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for relay in relays {
        relay.await.unwrap();
    }

    assert_eq!(published.load(Ordering::SeqCst), 60);
    assert_eq!(app.queue().depth().await.unwrap().visible, 60);
}
