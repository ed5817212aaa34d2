//! One database server for all tests of a run, and a database of its own for each.
//!
//! `DATABASE_URL` names a server to use; without it a private one is started, which ends with the
//! test process.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::OnceLock;
use std::time::Duration;

use beanstock::db::{self, Pool, PoolSettings};
use beanstock::local::database::{Durability, PrivateDatabase};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::process::until_looking_every;

/// Makes an empty database and gives the way to it.
pub(crate) async fn new_database() -> MySqlConnectOptions {
    let server = server();
    let name = format!("beanstock_test_{}", Uuid::now_v7().simple());
    let mut connection = server.connect().await.unwrap();
    let create = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4");
    connection.execute(AssertSqlSafe(create)).await.unwrap();
    server.clone().database(&name)
}

/// Makes a database with the program's schema: a copy of one that was migrated once, because eighty migrations for each
/// test would be most of what it takes.
pub(crate) async fn migrated_database() -> MySqlConnectOptions {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let copy = TEMPLATE.get_or_init(migrate_once).await;
    let database = new_database().await;
    let mut connection = database.connect().await.unwrap();
    let copied = sqlx::raw_sql(AssertSqlSafe(copy.as_str()));
    copied.execute(&mut connection).await.unwrap();
    database
}

/// Migrates a database, and gives the statements that make another one the same.
async fn migrate_once() -> String {
    let template = new_database().await;
    db::migrate(&pool(template.clone(), 1)).await.unwrap();
    let mut connection = template.connect().await.unwrap();
    let from: String = sqlx::query_scalar("SELECT DATABASE()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let tables = sqlx::query_scalar(
        "SELECT CONVERT(table_name USING utf8mb4) FROM information_schema.tables WHERE table_schema = DATABASE()",
    );
    let tables: Vec<String> = tables.fetch_all(&mut connection).await.unwrap();
    let mut copy = vec!["SET SESSION foreign_key_checks = 0".to_owned()];
    for table in tables {
        let create = format!("SHOW CREATE TABLE `{table}`");
        let create = sqlx::query(AssertSqlSafe(create));
        let create = create.fetch_one(&mut connection).await.unwrap();
        copy.push(create.get(1));
        let any = format!("SELECT EXISTS (SELECT 1 FROM `{table}`)");
        let any = sqlx::query_scalar(AssertSqlSafe(any));
        if any.fetch_one(&mut connection).await.unwrap() {
            let rows = format!("INSERT INTO `{table}` SELECT * FROM `{from}`.`{table}`");
            copy.push(rows);
        }
    }
    copy.push("SET SESSION foreign_key_checks = 1".to_owned());
    copy.join(";\n")
}

/// A pool as the program makes it.
pub(crate) fn pool(options: MySqlConnectOptions, max_connections: u32) -> Pool {
    db::connect(&PoolSettings {
        options,
        max_connections,
        acquire_timeout: Duration::from_secs(5),
        // Long enough to be seen waiting.
        lock_wait: Duration::from_secs(5),
    })
}

/// Applies the migrations up to a version, as a program that knew no later ones.
pub(crate) async fn migrate_to(version: i64, connection: &mut MySqlConnection) {
    let mut migrations = sqlx::migrate!();
    migrations
        .set_locking(false)
        .run_direct(Some(version), connection, false)
        .await
        .unwrap();
}

/// A server of its own, like one of a cluster: the user `app` is bound by `read_only`, as an
/// application is and root is not. Gives root's connection too.
pub(crate) async fn cluster_member(folder: &Path) -> (PrivateDatabase, MySqlConnection) {
    let database = PrivateDatabase::start(folder, Durability::Fast)
        .await
        .unwrap();
    let mut admin = database.options().connect().await.unwrap();
    admin.execute("CREATE USER app").await.unwrap();
    admin
        .execute("GRANT ALL ON beanstock.* TO app")
        .await
        .unwrap();
    let pool = pool(database.options(), 2);
    db::migrate(&pool).await.unwrap();
    pool.close().await;
    (database, admin)
}

/// Transactions on this database that are in a state.
async fn transactions(pool: &Pool, in_state: &str) -> i64 {
    let count = "SELECT COUNT(*) FROM information_schema.innodb_trx AS t \
                 JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id \
                 WHERE p.db = DATABASE() AND t.trx_state LIKE ?";
    sqlx::query_scalar(count)
        .bind(in_state)
        .fetch_one(&mut *pool.acquire().await.unwrap())
        .await
        .unwrap()
}

/// Waits for it. The server refreshes its list only if nobody has read it for 100 ms.
pub(crate) async fn until_transactions(pool: &Pool, in_state: &str, number: i64) {
    let what = format!("{number} transactions in {in_state}");
    until_looking_every(Duration::from_millis(150), &what, || async {
        transactions(pool, in_state).await == number
    })
    .await;
}

fn server() -> &'static MySqlConnectOptions {
    static SERVER: OnceLock<MySqlConnectOptions> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("DATABASE_URL") {
        Ok(url) => given_server(&url),
        Err(_) => start_server(),
    })
}

/// Uses the server that was named, and removes what runs of an hour ago and more have left there.
fn given_server(url: &str) -> MySqlConnectOptions {
    let server = MySqlConnectOptions::from_str(url).unwrap();
    let clean = async move |server: MySqlConnectOptions| {
        let mut connection = server.connect().await.unwrap();
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata \
             WHERE schema_name LIKE 'beanstock\\_test\\_%'",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        // Tables of one may refer to those of another.
        connection
            .execute("SET FOREIGN_KEY_CHECKS = 0")
            .await
            .unwrap();
        for name in names.iter().filter(|name| is_old(name)) {
            let drop = format!("DROP DATABASE IF EXISTS {name}");
            connection.execute(AssertSqlSafe(drop)).await.unwrap();
        }
    };
    let options = server.clone();
    let cleaning = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(clean(options));
    });
    cleaning.join().unwrap();
    server
}

/// The names end with a UUID that begins with the time.
fn is_old(name: &str) -> bool {
    let id = name
        .rsplit('_')
        .next()
        .and_then(|id| Uuid::parse_str(id).ok());
    let made = id.and_then(|id| id.get_timestamp());
    let now = Uuid::now_v7().get_timestamp().unwrap().to_unix().0;
    made.is_some_and(|made| made.to_unix().0 + 3600 < now)
}

/// Starts a server on a thread that stays, because the server ends with the thread it came from.
fn start_server() -> MySqlConnectOptions {
    let (started, options) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let folder = run_folder();
            let database = PrivateDatabase::start(&folder, Durability::Fast)
                .await
                .unwrap();
            started.send(database.server_options()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    options.recv().unwrap()
}

/// A folder for this run; those of runs that have ended are removed.
fn run_folder() -> PathBuf {
    let runs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("databases");
    std::fs::create_dir_all(&runs).unwrap();
    for run in std::fs::read_dir(&runs).unwrap().flatten() {
        let process = Path::new("/proc").join(run.file_name());
        if !process.exists() {
            // Another run may be removing it too.
            std::fs::remove_dir_all(run.path()).ok();
        }
    }
    runs.join(std::process::id().to_string())
}
