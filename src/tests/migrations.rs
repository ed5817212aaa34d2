//! The migrations: one statement each, portable, and safe on a database with data.

use std::path::Path;

use beanstock::db;
use beanstock::domain::{BeanType, InventoryUpdate, UpdateId};
use beanstock::messaging::wire;
use beanstock::operations::audit::audit;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};

use crate::support::app::delivery;
use crate::support::{EXCELSA, Kind, TestApp, server};

fn migrations() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// `MySQL` commits DDL at once, so a migration of two statements could stop half-way.
#[test]
fn every_migration_is_one_statement_with_a_reason() {
    for (name, text) in migrations() {
        assert!(text.starts_with("-- "), "{name} does not say why");
        assert_eq!(text.matches(";\n").count(), 1, "{name}");
    }
}

/// Some servers' default is latin1, which has no ☕.
#[test]
fn every_table_states_its_character_set() {
    for (name, text) in migrations() {
        if text.contains("CREATE TABLE") {
            assert!(
                text.contains("DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci"),
                "{name}"
            );
            assert!(text.contains("ENGINE = InnoDB"), "{name}");
        }
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let app = TestApp::start(Kind::Fifo).await;

    db::migrate(&app.pool).await.unwrap();

    assert_eq!(app.total_stock().await, 8_450);
}

#[tokio::test]
async fn the_demonstration_data_is_the_labs() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut conn = app.pool.acquire().await.unwrap();

    let suppliers = db::suppliers::list_suppliers(&mut conn).await.unwrap();
    let beans = db::beans::list_beans(&mut conn).await.unwrap();

    assert_eq!((suppliers.len(), beans.len()), (8, 14));
    let excelsa = &beans[4];
    assert_eq!((excelsa.id.0, excelsa.supplier.0), (5, 3));
    assert_eq!(
        (excelsa.bean_type.as_str(), excelsa.quantity),
        ("Excelsa", 200)
    );
    assert_eq!(excelsa.price.to_string(), "18.00");
}

/// A killed migration leaves its lock with the connection that held it, which is gone.
#[tokio::test]
async fn a_lock_of_a_migration_that_died_does_not_last() {
    let options = server::new_database().await;
    let lock = "SELECT GET_LOCK(CONCAT('beanstock.migrate.', LEFT(SHA2(DATABASE(), 256), 32)), 1)";
    let mut dead = options.connect().await.unwrap();
    sqlx::query(lock).execute(&mut dead).await.unwrap();
    drop(dead);

    db::migrate(&server::pool(options, 2)).await.unwrap();
}

/// The last migration of version 0.1.
const VERSION_0_1: i64 = 20_261_122_001_100;

/// A database as version 0.1 leaves it, with the lab's beans.
async fn database_of_version_0_1() -> MySqlConnectOptions {
    let options = server::new_database().await;
    let mut conn = options.connect().await.unwrap();
    server::migrate_to(VERSION_0_1, &mut conn).await;
    for statement in [
        "INSERT INTO suppliers (id, name, address, city, state, email, phone, created_at, updated_at) \
         VALUES (3, 'S', '', '', '', '', '', NOW(6), NOW(6))",
        "INSERT INTO beans (id, supplier_id, type, type_key, product_name, price, description, quantity, \
         last_movement, created_at, updated_at) VALUES \
         (5, 3, 'Excelsa', 'excelsa', 'House', 1, '', 209, 2, NOW(6), NOW(6)), \
         (6, 3, 'Cafe\u{301}', 'cafe\u{301}', 'House', 1, '', 0, 0, NOW(6), NOW(6))",
        "INSERT INTO stock_movements (bean_id, sequence, kind, change_by, quantity_after, update_id, created_at) \
         VALUES (5, 1, 'opening', 200, 200, NULL, NOW(6)), (5, 2, 'delivery', 9, 209, REPEAT('a', 16), NOW(6))",
        // What a late refusal made of an applied, a superseded and a dead-lettered update.
        "INSERT INTO inventory_updates (id, payload_hash, origin, supplier_id, bean_type, kind, quantity, state, \
         reason, explanation, attempts, accepted_at) VALUES \
         (REPEAT('a', 16), REPEAT('x', 32), 'external', 3, 'Excelsa', 'delivery', 9, 'refused', 'unknown_bean', 'w', 1, NOW(6)), \
         (REPEAT('b', 16), REPEAT('x', 32), 'external', 3, 'Excelsa', 'delivery', 9, 'refused', 'unknown_bean', 'w', 1, NOW(6)), \
         (REPEAT('c', 16), REPEAT('x', 32), 'external', 3, 'Geisha', 'delivery', 9, 'refused', 'unknown_bean', 'w', 1, NOW(6))",
        "INSERT INTO update_events (update_id, at, event, reason, explanation) VALUES \
         (REPEAT('b', 16), NOW(6), 'superseded', 'superseded', 'a count'), \
         (REPEAT('b', 16), NOW(6), 'refused', 'unknown_bean', 'w')",
        "INSERT INTO inbox (update_id, payload_hash, outcome, finished_at) VALUES \
         (REPEAT('a', 16), REPEAT('x', 32), 'applied', NOW(6)), \
         (REPEAT('b', 16), REPEAT('x', 32), 'superseded', NOW(6)), \
         (REPEAT('c', 16), REPEAT('x', 32), 'dead_lettered', NOW(6))",
        "INSERT INTO dead_letters (id, message_id, update_id, body, attributes, receive_count, reason, explanation, \
         collected_at) VALUES (REPEAT('l', 16), 'm', REPEAT('c', 16), '3:Geisha:9', '{}', 5, 'unknown_bean', 'w', NOW(6))",
    ] {
        conn.execute(statement).await.unwrap();
    }
    options
}

#[tokio::test]
async fn what_version_0_1_left_broken_is_mended() {
    let options = database_of_version_0_1().await;
    let pool = server::pool(options, 2);

    db::migrate(&pool).await.unwrap();

    let broken: Vec<_> = audit(&pool)
        .await
        .unwrap()
        .into_iter()
        .filter(|finding| !finding.broken_by.is_empty())
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let mut conn = pool.acquire().await.unwrap();
    let states: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT state, explanation FROM inventory_updates ORDER BY id")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    let state = |state: &str, why: Option<&str>| (state.to_owned(), why.map(str::to_owned));
    assert_eq!(
        states,
        [
            state("applied", None),
            state("superseded", Some("a count")),
            state("dead_lettered", Some("w")),
        ]
    );
    let keys: Vec<String> = sqlx::query_scalar("SELECT type_key FROM beans ORDER BY id")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(keys, ["excelsa", "café"]);
}

/// An update that version 0.1 gave up, and one that it applied, come again.
#[tokio::test]
async fn what_comes_again_after_an_upgrade_is_known() {
    let options = database_of_version_0_1().await;
    let app = TestApp::start_on(options, Kind::Fifo).await;
    let given_up = |bags| InventoryUpdate {
        id: UpdateId(uuid::Uuid::from_bytes([b'c'; 16])),
        bean_type: BeanType::parse("Geisha").unwrap(),
        ..delivery(UpdateId::generate(), bags)
    };
    let geisha = app.add_bean(3, "Geisha").await;

    app.send_raw(&wire::encode(&given_up(9)), "a").await;
    let applied = InventoryUpdate {
        id: UpdateId(uuid::Uuid::from_bytes([b'a'; 16])),
        ..delivery(UpdateId::generate(), 9)
    };
    app.execute(
        "UPDATE inventory_updates SET payload_hash = UNHEX(REPEAT('00', 32)) WHERE id = REPEAT('a', 16)",
    )
    .await;
    let mut conn = app.pool.acquire().await.unwrap();
    sqlx::query("UPDATE inventory_updates SET payload_hash = ? WHERE id = REPEAT('a', 16)")
        .bind(applied.fingerprint().as_slice())
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    app.send_raw(&wire::encode(&applied), "b").await;
    app.drain().await;

    assert_eq!(app.stock_of(geisha).await, 9, "the letter revived");
    assert_eq!(
        app.stock_of(EXCELSA).await,
        209,
        "the applied one is a duplicate"
    );
    assert!(app.dead_letters().await.is_empty());
    app.assert_audit_is_clean().await;
}

/// ALTER TABLE commits before sqlx can note that it succeeded.
#[tokio::test]
async fn a_change_of_a_table_that_was_killed_is_settled() {
    for was_made in [true, false] {
        let options = database_of_version_0_1().await;
        let mut conn = options.connect().await.unwrap();
        if was_made {
            let (_, alter) = migrations()
                .into_iter()
                .find(|(name, _)| name.starts_with("20261125000100"))
                .unwrap();
            sqlx::raw_sql(AssertSqlSafe(alter))
                .execute(&mut conn)
                .await
                .unwrap();
        }
        conn.execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 20261125000100, 'x', FALSE, checksum, 0 FROM _sqlx_migrations LIMIT 1",
        )
        .await
        .unwrap();
        let checksum = sqlx::migrate!()
            .iter()
            .find(|one| one.version == 20_261_125_000_100)
            .unwrap()
            .checksum
            .to_vec();
        sqlx::query("UPDATE _sqlx_migrations SET checksum = ? WHERE version = 20261125000100")
            .bind(checksum)
            .execute(&mut conn)
            .await
            .unwrap();

        let pool = server::pool(options, 2);
        db::migrate(&pool).await.unwrap();

        assert!(
            audit(&pool)
                .await
                .unwrap()
                .iter()
                .all(|f| f.broken_by.is_empty())
        );
    }
}
