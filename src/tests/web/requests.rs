//! Visitors who leave, come from elsewhere or ask all at once, and a database that goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request;
use beanstock::clock::SystemClock;
use beanstock::db;
use beanstock::local::database::{Durability, PrivateDatabase};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{NEW_BEAN, changed};
use crate::support::process::PATIENCE;
use crate::support::site::{Answer, borrowed, form, with};
use crate::support::{EXCELSA, EXCELSA_FORM, OtherClient, Site, server};

#[tokio::test]
async fn what_a_visitor_sent_is_saved_though_they_leave() {
    let site = Site::open().await;
    let fields = site.get(EXCELSA_FORM).await.form();
    let fields = with(&fields, &[("quantity", "190"), ("quantity_reason", "Torn")]);
    let mut other = OtherClient::begin(&site.pool).await;
    db::beans::lock_beans(&mut other, &[EXCELSA]).await.unwrap();

    let fields = borrowed(&fields);
    tokio::select! {
        _ = site.post("/bean-update", &fields) => panic!("the bean is locked"),
        () = server::until_transactions(&site.pool, "LOCK WAIT", 1) => {}
    }
    other.rollback().await;
    site.tasks.close();
    site.tasks.wait().await;

    assert_eq!(site.movements_of(EXCELSA).await[0].quantity_after, 190);
    server::until_transactions(&site.pool, "%", 0).await;
}

/// A form that says where it comes from.
async fn post_from(site: &Site, header: &str, value: &str) -> Answer {
    let mut request = form("/bean-add", &NEW_BEAN);
    request
        .headers_mut()
        .insert("host", "localhost".parse().unwrap());
    let name: axum::http::HeaderName = header.parse().unwrap();
    request.headers_mut().insert(name, value.parse().unwrap());
    site.send(request).await
}

#[tokio::test]
async fn forms_of_other_sites_change_nothing() {
    let site = Site::open().await;

    let cross_site = post_from(&site, "sec-fetch-site", "cross-site").await;
    let foreign = post_from(&site, "origin", "https://evil.example").await;

    assert_eq!((cross_site.status(), foreign.status()), (403, 403));
    assert_eq!(foreign.text_of("h1"), "The form came from another site");
    assert_eq!(site.rows_of("beans").await, 14);
}

#[tokio::test]
async fn forms_of_this_site_and_of_programs_are_taken() {
    let site = Site::open().await;

    let ours = post_from(&site, "origin", "http://localhost").await;
    let program = site
        .post("/bean-add", &changed(NEW_BEAN, "supplier_id", "1"))
        .await;

    assert_eq!((ours.status(), program.status()), (303, 303));
}

#[tokio::test]
async fn readiness_waits_for_every_part() {
    let site = Site::open().await;
    site.readiness.expect("poller");

    let before = site.get("/readyz").await;
    site.readiness.is_up("poller");
    let after = site.get("/readyz").await;

    assert_eq!(before.status(), 503);
    assert_eq!(before.body, "not ready: poller");
    assert_eq!((after.status(), after.body.as_str()), (200, "ready"));
}

#[tokio::test]
async fn the_site_survives_its_database_and_says_what_it_knows() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let database = PrivateDatabase::start(folder.path(), Durability::Full)
        .await
        .unwrap();
    let pool = server::pool(database.options(), 4);
    db::migrate(&pool).await.unwrap();
    let site = Site::on(pool, Arc::new(SystemClock));
    let ready = site.get("/readyz").await;
    database.kill().await.unwrap();

    let not_ready = site.get("/readyz").await;
    let page = site.get("/beans").await;
    let json = site.get("/beans.json").await;
    let saved = site.post("/supplier-add", &super::NEW_SUPPLIER).await;

    assert_eq!(ready.status(), 200);
    assert_eq!(not_ready.body, "not ready: database");
    for answer in [&not_ready, &page, &json, &saved] {
        assert_eq!(answer.status(), 503);
        assert_safe(answer);
    }
    assert_eq!(json.body, r#"{"error":"the database does not answer"}"#);
    assert_eq!(json.header("access-control-allow-origin"), "*");
    assert!(saved.text_of(".lead").contains("so nothing was saved"));
    let database = PrivateDatabase::start(folder.path(), Durability::Fast)
        .await
        .unwrap();
    assert_eq!(site.get("/beans").await.status(), 200, "back by itself");
    database.stop().await.unwrap();
}

/// Fails unless an answer carries what every answer must.
#[track_caller]
fn assert_safe(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{answer:?}");
    assert!(policy.contains("frame-ancestors 'none'"), "{answer:?}");
    assert!(!policy.contains("unsafe"), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("referrer-policy"), "same-origin");
    assert!(!answer.header("cache-control").is_empty(), "{answer:?}");
    assert!(!answer.header("x-request-id").is_empty(), "{answer:?}");
    assert_eq!(answer.header("server"), "", "nobody's business");
}

#[tokio::test]
async fn every_kind_of_answer_is_safe_to_show() {
    let site = Site::open().await;
    let remove = Request::delete("/beans").body(Body::empty()).unwrap();
    let long = "a".repeat(64 * 1024);

    let answers = [
        (200, site.get("/beans").await),
        (200, site.get("/beans.json").await),
        (200, site.get("/healthz").await),
        (200, site.get("/static/beanstock.css").await),
        (303, site.post("/bean-add", &NEW_BEAN).await),
        (404, site.get("/nowhere").await),
        (404, site.get("/static/nothing.js").await),
        (405, site.send(remove).await),
        (
            413,
            site.post("/bean-add", &[("type", long.as_str())]).await,
        ),
        (422, site.post("/bean-add", &[]).await),
    ];

    for (status, answer) in &answers {
        assert_eq!(answer.status(), *status, "{answer:?}");
        assert_safe(answer);
    }
    assert_eq!(answers[7].1.header("allow"), "GET,HEAD");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_saves_sees_it_however_many_are_reading() {
    let site = Site::open().await;
    let stop = Arc::new(AtomicBool::new(false));
    let pages = Arc::new(AtomicUsize::new(0));
    let read = async |site: Site, stop: Arc<AtomicBool>, pages: Arc<AtomicUsize>| {
        while !stop.load(Ordering::Relaxed) {
            assert_eq!(site.get("/beans").await.status(), 200);
            assert_eq!(site.get("/beans.json").await.status(), 200);
            pages.fetch_add(2, Ordering::Relaxed);
        }
    };
    let mut readers = JoinSet::new();
    for _ in 0..8 {
        readers.spawn(read(site.clone(), Arc::clone(&stop), Arc::clone(&pages)));
    }

    for round in 0..30 {
        let fields = site.get("/bean-update/1").await.form();
        let name = format!("Round {round}");
        let fields = with(&fields, &[("product_name", name.as_str())]);
        let saved = site.post("/bean-update", &borrowed(&fields)).await;
        let list = site.get("/beans").await;
        let json = site.get("/beans.json").await;

        assert_eq!(saved.status(), 303);
        assert_eq!(list.all("td.first a")[0], name);
        let bean = format!("\"product_name\": \"{name}\"");
        assert!(json.body.contains(&bean), "{}", json.body);
    }

    stop.store(true, Ordering::Relaxed);
    readers.join_all().await;
    assert!(pages.load(Ordering::Relaxed) > 0);
}

/// A name on the internet that is made to point at this machine is not this site.
#[tokio::test]
async fn a_name_that_is_not_this_machines_is_refused() {
    let site = Site::open().await;

    let evil = post_from(&site, "host", "evil.example").await;
    let here = post_from(&site, "host", "localhost:8080").await;
    let v6 = post_from(&site, "host", "[::1]:8080").await;

    assert_eq!((evil.status(), here.status(), v6.status()), (421, 303, 303));
    assert_eq!(
        site.rows_of("beans").await,
        15,
        "the same form twice adds one bean"
    );
}

/// Half a request holds a descriptor that the database and the queue need too.
#[tokio::test]
async fn a_visitor_who_sends_half_a_request_is_not_waited_for_for_ever() {
    let site = Site::open().await;
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(site.serve(listener, stop.clone()));
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /beans HTTP/1.1\r\nHost: localhost\r\n")
        .await
        .unwrap();
    let mut quick = TcpStream::connect(address).await.unwrap();
    let whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    quick.write_all(whole).await.unwrap();
    let mut answer = String::new();
    quick.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let closed = tokio::time::timeout(PATIENCE, slow.read_to_string(&mut answer)).await;

    assert!(closed.is_ok(), "it is still open");
    stop.cancel();
    serving.await.unwrap();
}

/// Asks on a connection that stays open, and gives the first line of the answer.
async fn ask(connection: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut part = [0; 16];
    connection.read_exact(&mut part).await.unwrap();
    let mut rest = vec![0; 1 << 16];
    let _body = connection.read(&mut rest).await.unwrap();
    String::from_utf8_lossy(&part).trim_end().to_owned()
}

/// A hundred from one address, idle or with half a request each, and still everybody is answered.
#[tokio::test]
async fn a_crowd_of_idle_connections_silences_neither_the_site_nor_its_probes() {
    let site = Site::open().await;
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(site.serve(listener, stop.clone()));
    let mut crowd = Vec::new();
    for number in 0..100 {
        let mut idle = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            idle.write_all(b"GET /beans HTTP/1.1\r\nHost: loc")
                .await
                .unwrap();
        }
        crowd.push(idle);
    }

    for path in ["/healthz", "/readyz", "/beans.json"] {
        let mut visitor = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(&mut visitor, path).await, "HTTP/1.1 200 OK", "{path}");
    }

    stop.cancel();
    drop(crowd);
    serving.await.unwrap();
}

/// Load balancers keep connections for a minute and use them again.
#[tokio::test]
async fn a_connection_that_rests_between_requests_outlives_one_that_sends_half_a_request() {
    let site = Site::open().await;
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(site.serve(listener, stop.clone()));
    let mut resting = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(&mut resting, "/healthz").await, "HTTP/1.1 200 OK");
    let mut half = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(&mut half, "/healthz").await, "HTTP/1.1 200 OK");
    half.write_all(b"GET /beans HTTP/1.1\r\n").await.unwrap();

    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, half.read_to_end(&mut rest));
    let _reset_is_closed_too = closed.await.expect("it is still open");

    assert_eq!(ask(&mut resting, "/healthz").await, "HTTP/1.1 200 OK");
    stop.cancel();
    drop(resting);
    serving.await.unwrap();
}
