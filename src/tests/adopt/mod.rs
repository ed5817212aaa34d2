//! `beanstock adopt`: a database of the lab's app becomes ours, whatever is in it.

mod interrupted;
mod nasty;
mod refused;

use std::collections::BTreeMap;

use beanstock::clock::SystemClock;
use beanstock::db::activity::Actor;
use beanstock::db::{self, Pool};
use beanstock::domain::SupplierId;
use beanstock::{adopt, catalogue};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, MySqlConnection};

use crate::support::process::{Program, Said, until};
use crate::support::{EXCELSA, Kind, Site, TestApp, server};

const LAB: &str = include_str!("../dumps/lab.sql");
const NASTY: &str = include_str!("../dumps/nasty.sql");

/// What the lab's app answers to `/beans.json` with the data of `lab.sql`.
const LAB_JSON: &str = include_str!("../dumps/lab.json");

/// A database somebody else made, and a connection to look at it from outside.
struct Found {
    options: MySqlConnectOptions,
    conn: MySqlConnection,
}

impl Found {
    async fn empty() -> Self {
        let options = server::new_database().await;
        let conn = options.connect().await.unwrap();
        Self { options, conn }
    }

    async fn with(dump: &'static str) -> Self {
        let mut found = Self::empty().await;
        sqlx::raw_sql(dump).execute(&mut found.conn).await.unwrap();
        found
    }

    async fn execute(&mut self, sql: impl Into<String>) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        sql.execute(&mut self.conn).await.unwrap();
    }

    fn pool(&self) -> Pool {
        server::pool(self.options.clone(), 4)
    }

    fn program(&self, args: &[&str]) -> Program {
        Program::start(args, &settings(&self.options))
    }

    async fn run(&self, args: &[&str]) -> Said {
        self.program(args).end().await
    }

    /// Waits until the program waits for others to leave a table that it renames.
    async fn waits_for_a_table(&self) {
        let pool = self.pool();
        until("the program waits for a table", || async {
            let renaming: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                 WHERE DB = DATABASE() AND STATE LIKE 'Waiting for table%' \
                 AND INFO LIKE 'RENAME TABLE%'",
            )
            .fetch_one(&mut *pool.acquire().await.unwrap())
            .await
            .unwrap();
            renaming > 0
        })
        .await;
    }

    async fn app(&self) -> TestApp {
        TestApp::start_on(self.options.clone(), Kind::Fifo).await
    }

    /// Every table with its columns and rows, but for moments and most of sqlx's bookkeeping.
    async fn contents(&mut self) -> BTreeMap<String, String> {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT CAST(TABLE_NAME AS CHAR), CAST(CONCAT('COALESCE(CAST(`', COLUMN_NAME, \
             '` AS CHAR), ''NULL'')') AS CHAR) FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME NOT LIKE '%\\_at' \
             AND (TABLE_NAME <> '_sqlx_migrations' OR COLUMN_NAME IN ('version', 'success')) \
             ORDER BY TABLE_NAME, ORDINAL_POSITION",
        )
        .fetch_all(&mut self.conn)
        .await
        .unwrap();
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (table, column) in columns {
            tables.entry(table).or_default().push(column);
        }
        let mut contents = BTreeMap::new();
        for (table, columns) in tables {
            let select = format!("SELECT CONCAT_WS('|', {}) FROM {table}", columns.join(", "));
            let mut rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(select.clone()))
                .fetch_all(&mut self.conn)
                .await
                .unwrap();
            rows.sort();
            contents.insert(table, format!("{select}\n{}", rows.join("\n")));
        }
        contents
    }
}

fn settings(options: &MySqlConnectOptions) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("DATABASE_URL", options.to_url_lossy().to_string()),
        ("PORT", "0".to_owned()),
        ("RUST_LOG", "warn".to_owned()),
    ])
}

/// What a database with this dump becomes.
async fn adopted(dump: &'static str) -> BTreeMap<String, String> {
    let mut found = Found::with(dump).await;
    let said = found.run(&["adopt"]).await;
    assert!(said.status.success(), "{}", said.err);
    found.contents().await
}

#[track_caller]
fn assert_refused(said: &Said, words: &str) {
    assert_eq!(said.status.code(), Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains(words), "{}", said.err);
}

#[tokio::test]
async fn the_labs_database_becomes_ours_and_the_public_site_sees_no_difference() {
    let found = Found::with(LAB).await;

    let said = found.run(&["adopt"]).await;
    let audit = found.run(&["audit"]).await;

    assert!(said.status.success(), "{}", said.err);
    assert!(audit.status.success(), "{}{}", audit.out, audit.err);
    insta::assert_snapshot!(said.out, @r"
    Decisions:
    - texts that were stored HTML-escaped: 11; they are stored as typed now, and /beans.json escapes them once

    Took over 8 suppliers, 14 beans and 8450 bags.
    The lab's tables are kept as lab_suppliers and lab_beans. If the lab's app still runs, stop it: what it changes now
    is explained by no movement. `beanstock audit` checks the stock against its movements; `beanstock serve` goes on from here.
    ");
    let app = found.app().await;
    let site = Site::of(&app);
    assert_eq!(site.get("/beans.json").await.body, LAB_JSON.trim_end());
    assert_eq!(app.total_stock().await, 8_450);
    assert_eq!(site.movements_of(EXCELSA).await.len(), 1);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn updates_find_the_beans_that_were_taken_over() {
    let found = Found::with(LAB).await;
    found.run(&["adopt"]).await;
    let app = found.app().await;

    app.publish_line("3:Excelsa:9").await;
    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn new_rows_get_numbers_after_those_that_were_taken_over() {
    let found = Found::with(LAB).await;
    found.run(&["adopt"]).await;
    let pool = found.pool();
    let mut conn = pool.acquire().await.unwrap();

    let second = db::suppliers::find_supplier(&mut conn, SupplierId(2)).await;
    let name = second.unwrap().unwrap().name;
    let added = catalogue::add_supplier(
        &pool,
        &SystemClock,
        &crate::support::supplier(&name),
        None,
        Actor::OPERATOR,
    )
    .await;

    assert_eq!(name, "O'Malley & Sons");
    assert_eq!(added.unwrap(), SupplierId(9));
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    for dump in [LAB, NASTY] {
        let mut found = Found::with(dump).await;
        let before = found.contents().await;

        let said = found.run(&["adopt", "--dry-run"]).await;

        assert!(said.status.success(), "{}", said.err);
        assert!(said.out.ends_with("Nothing was changed.\n"), "{}", said.out);
        assert_eq!(found.contents().await, before);
    }
}

#[tokio::test]
async fn a_dry_run_lists_the_steps() {
    let found = Found::with(LAB).await;

    let said = found.run(&["adopt", "--dry-run"]).await;

    insta::assert_snapshot!(said.out, @r"
    Stop the lab's app before the real run.

    Decisions:
    - texts that were stored HTML-escaped: 11; they are stored as typed now, and /beans.json escapes them once

    A real run would, in this order,
    - rename the lab's table suppliers to lab_suppliers, and keep it,
    - rename the lab's table beans to lab_beans, and keep it,
    - create the tables of beanstock that are missing,
    - copy the rows into them in one transaction, each bean with its bags as its first movement,
    which makes 8 suppliers, 14 beans and 8450 bags.

    Nothing was changed.
    ");
}

#[tokio::test]
async fn a_user_who_may_only_read_can_do_a_dry_run() {
    let mut found = Found::with(LAB).await;
    let before = found.contents().await;
    let name = found.options.get_database().unwrap().to_owned();
    let user = format!("reader_{}", &name[name.len() - 12..]);
    for host in ["'%'", "localhost"] {
        let create = format!("CREATE USER {user}@{host} IDENTIFIED BY 'hunter2'");
        let grant = format!("GRANT SELECT ON {name}.* TO {user}@{host}");
        found.conn.execute(AssertSqlSafe(create)).await.unwrap();
        found.conn.execute(AssertSqlSafe(grant)).await.unwrap();
    }
    let reader = settings(&found.options.clone().username(&user).password("hunter2"));

    let dry = Program::start(&["adopt", "--dry-run"], &reader).end().await;
    let real = Program::start(&["adopt"], &reader).end().await;

    let drop = format!("DROP USER {user}@'%', {user}@localhost");
    found.conn.execute(AssertSqlSafe(drop)).await.unwrap();
    assert!(dry.status.success(), "{}", dry.err);
    assert_refused(&real, "may not rename");
    assert_eq!(found.contents().await, before);
}

#[tokio::test]
async fn another_program_gets_the_report_as_text() {
    let pool = Found::with(LAB).await.pool();

    let preview = adopt::preview(&pool).await.unwrap().to_string();
    let done = adopt::adopt(&pool).await.unwrap().to_string();

    assert!(preview.contains("8 suppliers, 14 beans and 8450 bags"));
    assert!(done.contains("8 suppliers, 14 beans and 8450 bags"));
}
