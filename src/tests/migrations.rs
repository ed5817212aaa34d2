//! The migrations: one statement each, portable, and safe on a database with data.

use std::path::Path;

use beanstock::db;
use sqlx::ConnectOptions as _;

use crate::support::{Kind, TestApp, server};

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
