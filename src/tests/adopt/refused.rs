//! What is not taken over, and what else is refused until it is.

use beanstock::db;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::{Found, LAB, assert_refused};

#[tokio::test]
async fn nothing_else_touches_the_labs_tables() {
    let mut found = Found::with(LAB).await;
    let before = found.contents().await;

    for command in ["serve", "migrate"] {
        let said = found.run(&[command]).await;

        assert_refused(&said, "run `beanstock adopt --dry-run`");
    }
    assert_eq!(found.contents().await, before);
}

#[tokio::test]
async fn what_is_not_the_labs_is_refused_and_stays_as_it_is() {
    for (change, words) in [
        (
            "DROP TABLE beans, suppliers",
            "no tables `suppliers` and `beans`",
        ),
        ("DROP TABLE beans", "no table `beans`"),
        (
            "ALTER TABLE beans DROP COLUMN price",
            "the table `beans` has no column `price`",
        ),
        (
            "CREATE TABLE lab_suppliers (id INT)",
            "both `suppliers` and `lab_suppliers`",
        ),
        (
            "CREATE TABLE inbox (id INT)",
            "a table `inbox` that beanstock did not make",
        ),
        (
            "CREATE TABLE adoptions (id INT)",
            "a table `adoptions` that beanstock did not make",
        ),
        (
            "CREATE TABLE _sqlx_migrations (version BIGINT, success BOOLEAN, checksum BLOB) \
             SELECT 99990101000000 AS version, TRUE AS success, '' AS checksum",
            "a newer version of beanstock",
        ),
    ] {
        let mut found = Found::with(LAB).await;
        found.execute(change).await;
        let before = found.contents().await;

        for args in [["adopt", "--dry-run"].as_slice(), &["adopt"]] {
            assert_refused(&found.run(args).await, words);
        }
        assert_eq!(found.contents().await, before, "{change}");
    }
}

#[tokio::test]
async fn a_database_of_ours_is_left_alone() {
    let found = Found::empty().await;
    db::migrate(&found.pool()).await.unwrap();

    for args in [["adopt", "--dry-run"].as_slice(), &["adopt"]] {
        assert_refused(&found.run(args).await, "beanstock's already");
    }
}

#[tokio::test]
async fn the_labs_tables_that_come_back_are_not_taken_over_twice() {
    let mut found = Found::with(LAB).await;
    found.run(&["adopt"]).await;
    for step in [
        "RENAME TABLE suppliers TO adopted_suppliers",
        "CREATE TABLE suppliers LIKE lab_suppliers",
    ] {
        found.execute(step).await;
    }

    assert_refused(&found.run(&["adopt"]).await, "taken over already");
    assert_refused(&found.run(&["migrate"]).await, "adopt --dry-run");
}

/// The lab's app is in the middle of a change.
#[tokio::test]
async fn tables_that_are_in_use_are_not_moved() {
    let found = Found::with(LAB).await;
    let mut busy = found.options.connect().await.unwrap();
    let mut change = busy.begin().await.unwrap();
    change
        .execute("UPDATE suppliers SET name = 'Half' WHERE id = 1")
        .await
        .unwrap();

    let refused = found.run(&["adopt"]).await;
    change.rollback().await.unwrap();
    let said = found.run(&["adopt"]).await;

    assert_refused(&refused, "stop the lab's app");
    assert!(said.status.success(), "{}", said.err);
}
