//! Traps that were measured before this was built. Each test fails without its cure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use beanstock::aws;
use beanstock::catalogue::{CatalogueError, Change, change_bean, change_supplier};
use beanstock::clock::SystemClock;
use beanstock::db;
use beanstock::db::activity::Actor;
use beanstock::domain::SupplierId;
use sqlx::{ConnectOptions as _, Executor as _};

use crate::support::app::batch_size;
use crate::support::{
    ARABICA, EXCELSA, Kind, OtherClient, TestApp, bean, drop_a_transaction, server, supplier,
};

/// sqlx 0.9 gives a connection back inside its transaction when `begin` is cancelled; without the
/// pool's hook the next borrower's write is seen by nobody.
#[tokio::test]
async fn a_connection_given_back_inside_a_transaction_does_not_swallow_the_next_write() {
    let options = server::new_database().await;
    let pool = server::pool(options.clone(), 1);
    db::migrate(&pool).await.unwrap();
    let mut cancelled = pool.acquire().await.unwrap();
    cancelled.execute("BEGIN").await.unwrap();
    drop(cancelled);

    let mut next = pool.acquire().await.unwrap();
    let now = chrono::DateTime::UNIX_EPOCH;
    db::suppliers::insert_supplier(&mut next, &supplier("Bean Bros"), now)
        .await
        .unwrap();

    let mut witness = options.connect().await.unwrap();
    let seen = db::suppliers::list_suppliers(&mut witness).await.unwrap();
    assert_eq!(seen.len(), 1);
}

/// A transaction that is dropped half-way must not leave its connection to anybody.
#[tokio::test]
async fn a_dropped_transaction_is_rolled_back_and_its_connection_closed() {
    let options = server::new_database().await;
    let pool = server::pool(options, 1);
    db::migrate(&pool).await.unwrap();
    let now = chrono::DateTime::UNIX_EPOCH;

    let first = AtomicU64::new(0);
    drop_a_transaction(&pool, async |tx| {
        first.store(connection_id(tx).await, Ordering::Relaxed);
        db::suppliers::insert_supplier(tx, &supplier("Bean Bros"), now)
            .await
            .unwrap();
    })
    .await;

    let mut next = pool.acquire().await.unwrap();
    let first = first.load(Ordering::Relaxed);
    assert_ne!(connection_id(&mut next).await, first);
    let left = db::suppliers::list_suppliers(&mut next).await.unwrap();
    assert!(left.is_empty());
}

/// A page that reads an update and then its steps must not tell of two moments; sqlx's sessions here run under READ
/// COMMITTED, where each query has its own.
#[tokio::test]
async fn what_is_read_together_stands_for_one_moment_and_writes_nothing() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut pooled = app.pool.acquire().await.unwrap();
    let same = connection_id(&mut pooled).await;

    let mut conn = db::snapshot(&mut pooled).await.unwrap();
    let before = db::beans::find_bean(&mut conn, EXCELSA).await.unwrap();
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    let after = db::beans::find_bean(&mut conn, EXCELSA).await.unwrap();
    let written = conn.execute("UPDATE beans SET quantity = 0").await;
    drop(conn);

    assert_eq!(before.unwrap().quantity, 200);
    assert_eq!(after.unwrap().quantity, 200);
    assert!(written.is_err());
    let now = db::beans::find_bean(&mut pooled, EXCELSA).await.unwrap();
    assert_eq!(now.unwrap().quantity, 209, "it is over when it is dropped");
    assert_eq!(connection_id(&mut pooled).await, same);
    drop(pooled);
    let pool = server::pool(app.database.clone(), 1);
    let mut pooled = pool.acquire().await.unwrap();
    let same = connection_id(&mut pooled).await;
    drop(db::snapshot(&mut pooled).await.unwrap());
    drop(pooled);
    let mut next = pool.acquire().await.unwrap();
    assert_eq!(connection_id(&mut next).await, same, "it is used again");
}

async fn connection_id(conn: &mut sqlx::MySqlConnection) -> u64 {
    sqlx::query_scalar::<_, u64>("SELECT CONNECTION_ID()")
        .fetch_one(conn)
        .await
        .unwrap()
}

/// sqlx's own lock does nothing on `MariaDB`; ten instances would migrate at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_instances_that_start_together_migrate_once() {
    let options = server::new_database().await;
    let instances: Vec<_> = (0..10)
        .map(|_| {
            let pool = server::pool(options.clone(), 1);
            tokio::task::spawn(async move { db::migrate(&pool).await })
        })
        .collect();

    for instance in instances {
        instance.await.unwrap().unwrap();
    }
}

/// sqlx sets `FOUND_ROWS`, so an edit that changes nothing still counts one row.
#[tokio::test]
async fn saving_a_form_without_changes_is_not_mistaken_for_a_missing_row() {
    let app = TestApp::start(Kind::Fifo).await;
    let clock = beanstock::clock::FixedClock(chrono::DateTime::UNIX_EPOCH);
    let save = async |id| {
        change_supplier(
            &app.pool,
            &clock,
            SupplierId(id),
            &supplier("Bean Bros"),
            None,
            Actor::OPERATOR,
        )
        .await
    };

    save(1).await.unwrap();
    save(1).await.unwrap();
    let missing = save(99).await.unwrap_err();

    assert!(matches!(missing, CatalogueError::NotFound));
}

/// After an Aurora failover, connections to the old writer answer pings and refuse writes (1290).
#[tokio::test]
async fn a_connection_to_a_writer_that_became_read_only_is_left_at_once() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (database, mut admin) = server::cluster_member(folder.path()).await;
    let pool = server::pool(database.options().username("app"), 1);
    let clock = beanstock::clock::FixedClock(chrono::DateTime::UNIX_EPOCH);
    let add = async || {
        beanstock::catalogue::add_supplier(
            &pool,
            &clock,
            &supplier("Bean Bros"),
            None,
            Actor::OPERATOR,
        )
        .await
    };
    add().await.unwrap();
    let before = connection_id(&mut pool.acquire().await.unwrap()).await;

    admin.execute("SET GLOBAL read_only = 1").await.unwrap();
    let refused = add().await;
    let probe = db::probe_writer(&pool).await;
    admin.execute("SET GLOBAL read_only = 0").await.unwrap();

    assert!(refused.is_err(), "the server was read-only");
    assert!(
        probe.is_err(),
        "a probe must notice, though the server answers"
    );
    add().await.unwrap();
    assert_ne!(
        connection_id(&mut pool.acquire().await.unwrap()).await,
        before
    );
    database.stop().await.unwrap();
}

/// After 1213 the server has rolled back everything; what follows would run outside of any
/// transaction. The whole batch has to be done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_loses_a_deadlock_is_applied_as_a_whole_afterwards() {
    if batch_size() < 2 {
        return; // An update alone locks one bean, and no deadlock comes of that.
    }
    let app = TestApp::start(Kind::Fifo).await;
    // A heavy transaction, which the server will not choose as the victim, holds bean 10 …
    let mut other = OtherClient::begin(&app.pool).await;
    for second in 0..200 {
        let now = chrono::DateTime::from_timestamp(second, 0).unwrap();
        db::suppliers::insert_supplier(&mut other, &supplier("Bean Bros"), now)
            .await
            .unwrap();
    }
    let (excelsa, arabica) = (EXCELSA, ARABICA);
    db::beans::lock_beans(&mut other, &[arabica]).await.unwrap();
    app.send_raw("3:Excelsa:9", "a").await;
    app.send_raw("6:Arabica:6", "b").await;

    // … the batch locks bean 5 and waits for bean 10 …
    let poller = app.poller();
    let polling = tokio::task::spawn(async move { poller.poll_once().await.unwrap() });
    server::until_transactions(&app.pool, "LOCK WAIT", 1).await;
    // … and now the heavy one wants bean 5.
    db::beans::lock_beans(&mut other, &[excelsa]).await.unwrap();
    other.rollback().await;

    assert_eq!(polling.await.unwrap().done, 2);
    assert_eq!(
        (app.stock_of(EXCELSA).await, app.stock_of(ARABICA).await),
        (209, 306)
    );
    app.assert_audit_is_clean().await;
}

/// The SDK for Rust has no timeout for an attempt: a long poll on a dead connection would hang.
#[tokio::test]
async fn no_call_to_aws_can_hang_and_none_is_cut_short_while_it_waits() {
    let app = TestApp::start(Kind::Fifo).await;
    let wait = Duration::from_secs(20);

    let sqs = aws::sqs_client(&app.sdk, wait);
    let sns = aws::sns_client(&app.sdk);

    let sqs = sqs
        .config()
        .timeout_config()
        .unwrap()
        .operation_attempt_timeout();
    let sns = sns
        .config()
        .timeout_config()
        .unwrap()
        .operation_attempt_timeout();
    assert!(
        sqs.is_some_and(|timeout| timeout > wait && timeout < wait * 2),
        "{sqs:?}"
    );
    assert!(sns.is_some_and(|timeout| timeout < wait), "{sns:?}");
}

/// What the strict mode is for: a text that is too long must fail and not be cut.
#[tokio::test]
async fn what_does_not_fit_is_refused_and_not_cut() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut conn = app.pool.acquire().await.unwrap();
    let too_long = supplier(&"x".repeat(300));

    let error = db::suppliers::insert_supplier(&mut conn, &too_long, chrono::DateTime::UNIX_EPOCH)
        .await
        .unwrap_err();

    assert_eq!(error.trouble(), db::Trouble::BadData);
}

/// What staff save meets what suppliers deliver; the loser of a deadlock is rolled back and done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_that_loses_a_deadlock_is_done_again() {
    if batch_size() < 2 {
        return; // An update alone locks one bean, and no deadlock comes of that.
    }
    let app = TestApp::start(Kind::Fifo).await;
    // A heavy transaction, which the server will not choose as the victim, holds supplier 3 …
    let mut other = OtherClient::begin(&app.pool).await;
    for second in 0..200 {
        let now = chrono::DateTime::from_timestamp(second, 0).unwrap();
        db::suppliers::insert_supplier(&mut other, &supplier("Bean Bros"), now)
            .await
            .unwrap();
    }
    db::suppliers::lock_supplier(&mut other, SupplierId(3))
        .await
        .unwrap();

    // … the save locks bean 5 and waits for its supplier, whose types it compares …
    let (pool, details) = (app.pool.clone(), bean(3, "Geisha"));
    let saving = tokio::task::spawn(async move {
        let change = Change {
            details: &details,
            correction: None,
            seen: None,
        };
        change_bean(&pool, &SystemClock, EXCELSA, change, Actor::OPERATOR).await
    });
    server::until_transactions(&app.pool, "LOCK WAIT", 1).await;
    // … and now the heavy one wants bean 5.
    db::beans::lock_beans(&mut other, &[EXCELSA]).await.unwrap();
    other.rollback().await;

    saving.await.unwrap().unwrap();
    let mut conn = app.pool.acquire().await.unwrap();
    let saved = db::beans::find_bean(&mut conn, EXCELSA).await.unwrap();
    assert_eq!(saved.unwrap().bean_type, "Geisha");
}

#[tokio::test]
async fn work_that_fails_changes_nothing_and_its_connection_is_used_again() {
    let app = TestApp::start(Kind::Fifo).await;
    let pool = server::pool(app.database.clone(), 1);
    let used = AtomicU64::new(0);

    let failed: Result<(), CatalogueError> = db::in_transaction(&pool, async |tx| {
        used.store(connection_id(tx).await, Ordering::Relaxed);
        let now = chrono::DateTime::UNIX_EPOCH;
        db::suppliers::insert_supplier(tx, &supplier("Bean Bros"), now).await?;
        Err(CatalogueError::NotFound)
    })
    .await;

    assert!(matches!(failed, Err(CatalogueError::NotFound)));
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(connection_id(&mut conn).await, used.load(Ordering::Relaxed));
    let suppliers = db::suppliers::list_suppliers(&mut conn).await.unwrap();
    assert_eq!(suppliers.len(), 8);
}
