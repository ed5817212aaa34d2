//! The way to the database: failover, a full pool, encryption, and credentials that change.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::Router;
use beanstock::catalogue::add_supplier;
use beanstock::clock::FixedClock;
use beanstock::db::activity::Actor;
use beanstock::db::{self, DbError, Pool, PoolSettings};
use beanstock::local::database::{Durability, PrivateDatabase};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::support::process::{Program, Said, until};
use crate::support::{drop_a_transaction, free_port, server, supplier};

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

async fn add(pool: &Pool) -> bool {
    let clock = FixedClock(chrono::DateTime::UNIX_EPOCH);
    add_supplier(pool, &clock, &supplier("a"), None, Actor::OPERATOR)
        .await
        .is_ok()
}

/// The cluster's address: it leads new connections to whichever is the writer, and leaves open ones
/// alone, as DNS does.
fn writer_endpoint(place: &Path, members: [PathBuf; 2], second: Arc<AtomicBool>) {
    let listener = UnixListener::bind(place).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let member = members[usize::from(second.load(SeqCst))].clone();
            tokio::spawn(async move {
                let mut server = UnixStream::connect(member).await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server)
                    .await
                    .ok();
            });
        }
    });
}

/// All connections lead to the old writer, and one is busy until the failover is over; only the
/// first write may notice.
#[tokio::test]
async fn after_a_failover_one_write_fails_and_the_next_ones_reach_the_new_writer() {
    const CONNECTIONS: usize = 8;
    let (old_folder, new_folder) = (folder(), folder());
    let (old, mut old_admin) = server::cluster_member(old_folder.path()).await;
    let (new, _new_admin) = server::cluster_member(new_folder.path()).await;
    let place = old_folder.path().join("writer");
    let moved = Arc::new(AtomicBool::new(false));
    let members = [old.socket().to_owned(), new.socket().to_owned()];
    writer_endpoint(&place, members, Arc::clone(&moved));
    let options = MySqlConnectOptions::new()
        .socket(&place)
        .username("app")
        .database("beanstock");
    let pool = server::pool(options, 8);
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(pool.acquire().await.unwrap());
    }
    let busy = open.pop();
    drop(open);
    assert!(add(&pool).await);

    old_admin.execute("SET GLOBAL read_only = 1").await.unwrap();
    moved.store(true, SeqCst);
    let first = add(&pool).await;
    drop(busy);
    let mut later = Vec::new();
    for _ in 0..CONNECTIONS {
        later.push(add(&pool).await);
    }

    assert!(!first, "the old writer refuses");
    assert_eq!(later, [true; CONNECTIONS]);
    pool.close().await;
    old.kill().await.unwrap();
    new.kill().await.unwrap();
}

/// A way to a server, like the network, that can fall silent: connections that are open then stay
/// open and hear nothing more.
#[derive(Clone, Default)]
struct Wire {
    silence: Arc<Mutex<CancellationToken>>,
    /// Connections on which something was asked in vain.
    asked_in_vain: Arc<AtomicUsize>,
}

/// How a client of `MySQL` takes its leave.
const COM_QUIT: u8 = 1;

impl Wire {
    fn to(server: PathBuf, place: &Path) -> Self {
        let wire = Self::default();
        let listener = UnixListener::bind(place).unwrap();
        let (current, in_vain) = (Arc::clone(&wire.silence), Arc::clone(&wire.asked_in_vain));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let silent = current.lock().unwrap().clone();
                let mut server = UnixStream::connect(&server).await.unwrap();
                let in_vain = Arc::clone(&in_vain);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
                        () = silent.cancelled() => {}
                    }
                    // A packet's length, its number, and the command.
                    let mut begin = [0; 5];
                    if client.read_exact(&mut begin).await.is_ok() && begin[4] != COM_QUIT {
                        in_vain.fetch_add(1, SeqCst);
                    }
                    std::future::pending::<()>().await;
                });
            }
        });
        wire
    }

    /// Connections to come work again.
    fn falls_silent(&self) {
        std::mem::take(&mut *self.silence.lock().unwrap()).cancel();
    }
}

struct SilentServer {
    _folder: TempDir,
    database: PrivateDatabase,
    wire: Wire,
    pool: Pool,
}

async fn server_that_may_fall_silent(connections: u32) -> SilentServer {
    let folder = folder();
    let database = PrivateDatabase::start(folder.path(), Durability::Fast)
        .await
        .unwrap();
    let place = folder.path().join("wire");
    let wire = Wire::to(database.socket().to_owned(), &place);
    let pool = db::connect(&PoolSettings {
        options: database.options().socket(&place),
        max_connections: connections,
        acquire_timeout: Duration::from_mins(1),
        lock_wait: db::LOCK_WAIT,
    });
    SilentServer {
        _folder: folder,
        database,
        wire,
        pool,
    }
}

/// The machine of the old writer may be gone without a word. Waiting for each idle connection would
/// take a second each time; after the first that gives no answer the others are left too.
#[tokio::test]
async fn after_a_silent_failover_one_borrower_waits_and_the_next_ones_do_not() {
    const CONNECTIONS: usize = 16;
    let server = server_that_may_fall_silent(16).await;
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(server.pool.acquire().await.unwrap());
    }
    // A transaction without its end has all connections prove themselves, as lying idle does.
    drop(open);
    drop_a_transaction(&server.pool, async |_| {}).await;
    until("all others lie idle", || async {
        server.pool.idle() == CONNECTIONS - 1
    })
    .await;

    server.wire.falls_silent();

    let mut borrowed = Vec::new();
    for _ in 0..CONNECTIONS {
        borrowed.push(server.pool.acquire().await.unwrap());
    }
    assert_eq!(server.wire.asked_in_vain.load(SeqCst), 1);
    server.database.kill().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_gives_no_answer_does_not_keep_its_place_in_the_pool() {
    let server = server_that_may_fall_silent(1).await;
    let mut only = server.pool.acquire().await.unwrap();
    only.execute("SELECT 1").await.unwrap();
    server.wire.falls_silent();
    drop(only);

    db::ping(&server.pool).await.unwrap();
    server.database.kill().await.unwrap();
}

/// The default is eight hours, for which a vanished machine would keep its locks.
#[tokio::test]
async fn the_server_gives_up_a_connection_of_a_machine_that_vanished() {
    let pool = server::pool(server::new_database().await, 2);
    let mut connection = pool.acquire().await.unwrap();

    let seconds: i64 = sqlx::query_scalar("SELECT CAST(@@wait_timeout AS SIGNED)")
        .fetch_one(&mut *connection)
        .await
        .unwrap();

    assert_eq!(seconds, 90);
}

#[tokio::test]
async fn a_full_pool_says_so_and_names_its_setting() {
    let pool = db::connect(&PoolSettings {
        options: server::new_database().await,
        max_connections: 2,
        acquire_timeout: Duration::from_secs(2),
        lock_wait: db::LOCK_WAIT,
    });
    let _one = pool.acquire().await.unwrap();
    let _two = pool.acquire().await.unwrap();

    let error = pool.acquire().await.unwrap_err();

    assert!(
        matches!(error, DbError::Exhausted { limit: 2, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("DATABASE_POOL_SIZE"), "{error}");
}

/// A server on a port with a certificate of an authority of its own.
struct EncryptedServer {
    database: PrivateDatabase,
    port: u16,
    authority: PathBuf,
}

async fn encrypted_server(folder: &Path, name: &str) -> EncryptedServer {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_file = folder.join("authority.pem");
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    std::fs::write(&authority_file, pem).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap();
    let port = free_port();
    let files = [
        ("--ssl-ca=", authority_file.clone()),
        ("--ssl-cert=", folder.join("server.pem")),
        ("--ssl-key=", folder.join("server.key")),
    ];
    std::fs::write(&files[1].1, certificate.pem()).unwrap();
    std::fs::write(&files[2].1, key.serialize_pem()).unwrap();
    let mut options = files
        .map(|(option, file)| {
            let mut option = OsString::from(option);
            option.push(file);
            option
        })
        .to_vec();
    options.push(format!("--port={port}").into());
    options.extend(["--skip-networking=0", "--bind-address=127.0.0.1"].map(OsString::from));
    let place = folder.join("database");
    let database = PrivateDatabase::start_with(&place, Durability::Fast, &options).await;
    EncryptedServer {
        database: database.unwrap(),
        port,
        authority: authority_file,
    }
}

async fn check(server: &EncryptedServer, settings: &[(&'static str, String)]) -> Said {
    let url = format!("mysql://root@localhost:{}/beanstock", server.port);
    let mut settings: BTreeMap<_, _> = settings.iter().cloned().collect();
    settings.insert("DATABASE_URL", url);
    Program::start(&["check"], &settings).end().await
}

#[tokio::test]
async fn a_server_is_verified_by_the_file_of_its_authority_and_by_its_name() {
    let (ours, other) = (folder(), folder());
    let named = encrypted_server(ours.path(), "localhost").await;
    let misnamed = encrypted_server(other.path(), "db.example.com").await;
    let trusting = |server: &EncryptedServer| {
        let file = server.authority.display().to_string();
        ("DATABASE_CA", file)
    };
    let public_authorities = ("DATABASE_TLS", "verify-identity".to_owned());

    let verified = check(&named, &[trusting(&named)]).await;
    let stranger = check(&named, &[trusting(&misnamed)]).await;
    let wrong_name = check(&misnamed, &[trusting(&misnamed)]).await;
    let unknown = check(&named, &[public_authorities]).await;

    assert!(verified.out.contains("server verified"), "{}", verified.out);
    for refused in [stranger, wrong_name, unknown] {
        assert_eq!(refused.status.code(), Some(1), "{}", refused.out);
        assert!(refused.out.contains("set DATABASE_CA"), "{}", refused.out);
    }
    named.database.stop().await.unwrap();
    misnamed.database.stop().await.unwrap();
}

/// The lab's app has them already.
#[tokio::test]
async fn the_labs_variables_lead_to_the_database() {
    let folder = folder();
    let server = encrypted_server(folder.path(), "localhost").await;
    let mut admin = server.database.options().connect().await.unwrap();
    for statement in [
        "CREATE DATABASE COFFEE CHARACTER SET utf8mb4",
        "CREATE USER nodeapp IDENTIFIED BY 'coffee'",
        "GRANT ALL ON COFFEE.* TO nodeapp",
    ] {
        admin.execute(statement).await.unwrap();
    }
    let settings = BTreeMap::from([
        ("APP_DB_HOST", format!("127.0.0.1:{}", server.port)),
        ("APP_DB_USER", "nodeapp".to_owned()),
        ("APP_DB_PASSWORD", "coffee".to_owned()),
        ("APP_DB_NAME", "COFFEE".to_owned()),
    ]);

    let said = Program::start(&["migrate"], &settings).end().await;

    assert!(said.status.success(), "{}", said.err);
    let tables = "SELECT COUNT(*) FROM COFFEE.stock_movements";
    let rows: i64 = sqlx::query_scalar(tables)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(rows, 0);
    server.database.stop().await.unwrap();
}

/// Users of this server with this password, who may do everything.
async fn user(name: &str, password: &str) -> MySqlConnectOptions {
    let options = server::new_database().await;
    let mut admin = options.connect().await.unwrap();
    for statement in [
        format!("CREATE USER {name} IDENTIFIED BY '{password}'"),
        format!("GRANT ALL ON *.* TO {name}"),
    ] {
        admin.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    options
}

fn unique(name: &str) -> String {
    format!(
        "{name}_{}",
        &uuid::Uuid::now_v7().simple().to_string()[16..]
    )
}

#[tokio::test]
async fn connections_to_come_use_the_password_that_is_valid_now() {
    let name = unique("rotated");
    let root = user(&name, "before").await;
    let pool = server::pool(root.clone().username(&name).password("before"), 2);
    let first = pool.acquire().await.unwrap();
    let mut admin = root.connect().await.unwrap();
    let change = format!("ALTER USER {name} IDENTIFIED BY 'after'");
    admin.execute(AssertSqlSafe(change)).await.unwrap();
    assert!(pool.acquire().await.is_err(), "the old password");

    pool.sign_in_as(&name, "after");

    assert!(pool.acquire().await.is_ok());
    drop(first);
    let gone = format!("DROP USER {name}");
    admin.execute(AssertSqlSafe(gone)).await.unwrap();
}

/// Answers every request as Secrets Manager answers one for this secret.
async fn secrets_manager(secret: String) -> String {
    let answer = serde_json::json!({
        "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf",
        "Name": "db",
        "SecretString": secret,
    });
    let router = Router::new().fallback(async move || Json(answer.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// Secrets Manager has an endpoint of its own, before the one for all services.
fn with_secret(database: &MySqlConnectOptions, url: String) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("DATABASE_URL", database.to_url_lossy().to_string()),
        ("DATABASE_SECRET", "db".to_owned()),
        ("SQS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1".to_owned()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url),
        ("PORT", "0".to_owned()),
    ])
}

async fn migrate_with_secret(database: &MySqlConnectOptions, secret: &str) -> Said {
    let url = secrets_manager(secret.to_owned()).await;
    let settings = with_secret(database, url);
    Program::start(&["migrate"], &settings).end().await
}

#[tokio::test]
async fn user_and_password_come_from_secrets_manager() {
    let name = unique("secret");
    let root = user(&name, "from the secret").await;
    let database = root.clone().username("nobody").password("wrong");
    let secret = format!(r#"{{"username":"{name}","password":"from the secret","port":3306}}"#);

    let let_in = migrate_with_secret(&database, &secret).await;
    let odd = migrate_with_secret(&database, r#"{"user":"hunter2"}"#).await;

    assert!(let_in.status.success(), "{}", let_in.err);
    assert!(
        odd.err
            .contains("DATABASE_SECRET db is not what RDS writes"),
        "{}",
        odd.err
    );
    assert!(!odd.err.contains("hunter2"), "{}", odd.err);
    let mut admin = root.connect().await.unwrap();
    let gone = format!("DROP USER {name}");
    admin.execute(AssertSqlSafe(gone)).await.unwrap();
}

/// A Secrets Manager that gives the old password for a while, as during a rotation.
async fn rotating_secrets_manager(name: &str, port: u16) {
    let asked = Arc::new(AtomicUsize::new(0));
    let name = name.to_owned();
    let router = Router::new().fallback(async move || {
        let password = match asked.fetch_add(1, SeqCst) {
            0 | 1 => "before",
            _ => "after",
        };
        let secret = format!(r#"{{"username":"{name}","password":"{password}"}}"#);
        Json(serde_json::json!({"Name": "db", "SecretString": secret}))
    });
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
}

/// Neither that Secrets Manager is not there yet nor that it has the old password ends the start.
#[tokio::test]
async fn a_start_waits_for_secrets_manager_and_through_a_rotation() {
    let name = unique("rotated");
    let root = user(&name, "after").await;
    let database = server::new_database()
        .await
        .username("nobody")
        .password("wrong");
    let port = free_port();
    let settings = with_secret(&database, format!("http://127.0.0.1:{port}"));
    let mut program = Program::start(&["serve"], &settings);
    program.logs("reaching the database failed").await;

    rotating_secrets_manager(&name, port).await;
    let said = program.terminate_after("everything is up").await;

    assert!(said.status.success(), "{}", said.err);
    let mut admin = root.connect().await.unwrap();
    let gone = format!("DROP USER {name}");
    admin.execute(AssertSqlSafe(gone)).await.unwrap();
}

/// The token is the password, so it must not go through a connection that anybody can read.
#[tokio::test]
async fn a_token_is_asked_for_only_where_it_can_be_made_and_kept() {
    let settings = |extra: (&'static str, &str)| {
        BTreeMap::from([
            ("APP_DB_HOST", "db.example.com".to_owned()),
            ("DATABASE_AUTH", "iam".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            (extra.0, extra.1.to_owned()),
        ])
    };

    let open = Program::start(&["audit"], &settings(("DATABASE_TLS", "disabled")))
        .end()
        .await;
    let no_region = Program::start(&["audit"], &settings(("APP_DB_USER", "a")))
        .end()
        .await;
    let no_keys = Program::start(&["audit"], &settings(("AWS_REGION", "us-east-1")))
        .end()
        .await;

    assert!(open.err.contains("DATABASE_TLS=required"), "{}", open.err);
    assert!(no_region.err.contains("AWS_REGION"), "{}", no_region.err);
    assert!(no_keys.err.contains("AWS credentials"), "{}", no_keys.err);
}
