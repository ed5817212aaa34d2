//! What is not taken over, and what else is refused until it is.

use beanstock::db;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::{Found, LAB, assert_refused, settings};
use crate::support::process::Program;

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
            "RENAME TABLE beans TO BEANS",
            "RENAME TABLE `BEANS` TO `beans`",
        ),
        (
            "RENAME TABLE beans TO Beans, suppliers TO Suppliers",
            "RENAME TABLE `Suppliers` TO `suppliers`",
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

/// After the renaming, a view that joins `suppliers` would read ours, which are empty.
#[tokio::test]
async fn a_view_in_the_place_of_a_table_is_refused() {
    const MAKE: [&str; 2] = [
        "RENAME TABLE beans TO base",
        "CREATE VIEW beans AS SELECT b.* FROM base b JOIN suppliers s ON s.id = b.supplier_id",
    ];
    let mut found = Found::with(LAB).await;
    for step in MAKE {
        found.execute(step).await;
    }
    let before = found.contents().await;

    for args in [["adopt", "--dry-run"].as_slice(), &["adopt"]] {
        assert_refused(&found.run(args).await, "`beans` is a view");
    }
    assert_eq!(found.contents().await, before);

    found.execute("RENAME TABLE beans TO beans_view").await;
    found
        .execute("CREATE TABLE beans AS SELECT * FROM beans_view")
        .await;
    let said = found.run(&["adopt"]).await;
    assert!(said.out.contains("14 beans and 8450 bags"), "{}", said.err);
}

#[tokio::test]
async fn a_broken_view_and_one_that_was_moved_are_refused_too() {
    for (steps, words) in [
        (
            [
                "RENAME TABLE suppliers TO base",
                "CREATE VIEW suppliers AS SELECT * FROM base",
                "DROP TABLE beans, base",
            ],
            "`suppliers` is a view",
        ),
        (
            [
                "RENAME TABLE beans TO base",
                "CREATE VIEW lab_beans AS SELECT * FROM base",
                "RENAME TABLE suppliers TO lab_suppliers",
            ],
            "`lab_beans` is a view",
        ),
    ] {
        let mut found = Found::with(LAB).await;
        for step in steps {
            found.execute(step).await;
        }
        found
            .execute("CREATE TABLE IF NOT EXISTS lab_beans (id INT)")
            .await;

        assert_refused(&found.run(&["adopt"]).await, words);
    }
}

/// Names of foreign keys are taken for the whole database.
#[tokio::test]
async fn constraints_named_like_ours_are_refused_before_anything_is_moved() {
    for (change, words, remedy) in [
        (
            "ALTER TABLE beans ADD CONSTRAINT fk_beans_supplier_id \
             FOREIGN KEY (supplier_id) REFERENCES suppliers (id)",
            "the table `beans` has a constraint `fk_beans_supplier_id`",
            "ALTER TABLE `beans` DROP FOREIGN KEY `fk_beans_supplier_id`",
        ),
        (
            "CREATE TABLE notes (bean_id INT, CONSTRAINT FK_outbox_update_id \
             FOREIGN KEY (bean_id) REFERENCES beans (id))",
            "the table `notes` has a constraint `FK_outbox_update_id`",
            "ALTER TABLE `notes` DROP FOREIGN KEY `FK_outbox_update_id`",
        ),
    ] {
        let mut found = Found::with(LAB).await;
        found.execute(change).await;
        let before = found.contents().await;

        for args in [["adopt", "--dry-run"].as_slice(), &["adopt"]] {
            let said = found.run(args).await;
            assert_refused(&said, words);
            assert_refused(&said, remedy);
        }
        assert_eq!(found.contents().await, before);

        found.execute(remedy).await;
        let said = found.run(&["adopt"]).await;
        assert!(said.status.success(), "{}", said.err);
    }
}

/// `MySQL` takes the names of checks for the whole database, `MariaDB` for their table.
#[tokio::test]
async fn a_check_named_like_ours_stops_nothing_half_way() {
    let mut found = Found::with(LAB).await;
    found
        .execute("ALTER TABLE beans ADD CONSTRAINT ck_beans_price CHECK (price >= 0)")
        .await;
    let before = found.contents().await;

    let said = found.run(&["adopt"]).await;

    if said.status.success() {
        return;
    }
    assert_refused(&said, "ALTER TABLE `beans` DROP CHECK `ck_beans_price`");
    assert_eq!(found.contents().await, before);
    found
        .execute("ALTER TABLE beans DROP CHECK ck_beans_price")
        .await;
    let said = found.run(&["adopt"]).await;
    assert!(said.status.success(), "{}", said.err);
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
async fn tables_that_are_in_use_are_not_moved_nor_is_one_of_them() {
    for change in [
        "UPDATE suppliers SET name = 'Half' WHERE id = 1",
        "UPDATE beans SET quantity = 1 WHERE id = 1",
    ] {
        let mut found = Found::with(LAB).await;
        let before = found.contents().await;
        let mut busy = found.options.connect().await.unwrap();
        let mut transaction = busy.begin().await.unwrap();
        transaction.execute(change).await.unwrap();

        let refused = found.run(&["adopt"]).await;
        transaction.rollback().await.unwrap();
        let after = found.contents().await;
        let said = found.run(&["adopt"]).await;

        assert_refused(&refused, "stop the lab's app");
        assert!(refused.err.contains("are connected"), "{}", refused.err);
        assert_eq!(after, before);
        assert!(said.status.success(), "{}", said.err);
    }
}

/// A right that is missing is missed before anything is moved: one to move the second table, or one
/// that only the copying takes.
#[tokio::test]
async fn a_user_with_too_few_rights_moves_nothing() {
    too_few_rights("INSERT, CREATE", "ALTER, DROP").await;
    too_few_rights("INSERT, DELETE, CREATE, ALTER, DROP, REFERENCES", "UPDATE").await;
}

async fn too_few_rights(on_all: &str, on_suppliers: &str) {
    let mut found = Found::with(LAB).await;
    let name = format!("half_{}", &uuid::Uuid::now_v7().simple().to_string()[16..]);
    let database = found.options.get_database().unwrap().to_owned();
    for sql in [
        format!("CREATE USER {name} IDENTIFIED BY 'half'"),
        format!("GRANT SELECT, {on_all} ON {database}.* TO {name}"),
        format!("GRANT {on_suppliers} ON {database}.suppliers TO {name}"),
    ] {
        let granted = found.conn.execute(AssertSqlSafe(sql)).await;
        granted.unwrap();
    }
    let before = found.contents().await;
    let user = found.options.clone().username(&name).password("half");

    let refused = Program::start(&["adopt"], &settings(&user)).end().await;

    let drop = format!("DROP USER {name}");
    found.conn.execute(AssertSqlSafe(drop)).await.unwrap();
    assert_refused(&refused, "this user may not rename the lab's tables");
    assert_eq!(found.contents().await, before);
}
