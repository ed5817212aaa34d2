//! The site behind a proxy: who is visiting, under which name, and how encrypted.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use beanstock::web::Ingress;

use crate::support::site::Answer;
use crate::support::{EXCELSA_PAGE, Site};

const PROXY: &str = "10.0.0.7:40000";
const STRANGER: &str = "203.0.113.9:40000";

async fn public_site() -> Site {
    Site::open().await.behind(Ingress {
        public_url: Some("https://beans.example.com".parse().unwrap()),
        trusted_proxies: ["10.0.0.0/8".parse().unwrap()].into(),
    })
}

async fn ask(site: &Site, peer: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let peer: SocketAddr = peer.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    site.send(request).await
}

const PUBLIC: (&str, &str) = ("host", "beans.example.com");

#[tokio::test]
async fn the_public_name_is_answered_and_others_are_told_which_setting_is_missing() {
    let site = public_site().await;

    let known = ask(&site, PROXY, "/beans", &[PUBLIC]).await;
    let unknown = ask(&site, PROXY, "/beans", &[("host", "other.example.com")]).await;

    assert_eq!(known.status(), 200);
    assert_eq!(unknown.status(), 421);
    assert!(unknown.body.contains("PUBLIC_URL"), "{}", unknown.body);
    let sheet = unknown
        .body
        .split("href=\"")
        .find(|part| part.contains(".css"));
    let sheet = sheet.unwrap().split('"').next().unwrap();
    let styled = ask(&site, PROXY, sheet, &[("host", "other.example.com")]).await;
    assert_eq!(styled.status(), 200, "the refusal has its style");
}

#[tokio::test]
async fn probes_by_address_are_answered() {
    let site = public_site().await;

    for path in ["/healthz", "/readyz"] {
        let plain = [("host", "10.0.3.4:8080"), ("x-forwarded-proto", "http")];
        assert_eq!(
            ask(&site, PROXY, path, &plain).await.status(),
            200,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_public_site_asks_browsers_to_stay_with_https_and_a_private_one_does_not() {
    const HSTS: &str = "strict-transport-security";
    let public = ask(&public_site().await, PROXY, "/beans", &[PUBLIC]).await;
    let private = Site::open().await.get("/beans").await;

    assert_eq!(public.headers[HSTS], "max-age=31536000");
    assert!(!private.headers.contains_key(HSTS));
}

#[tokio::test]
async fn who_came_unencrypted_through_the_proxy_is_sent_to_https() {
    let site = public_site().await;
    let plain = [PUBLIC, ("x-forwarded-proto", "http, HTTP")];
    let encrypted_before = [PUBLIC, ("x-forwarded-proto", "https, http")];

    let sent_on = ask(&site, PROXY, &format!("{EXCELSA_PAGE}?a=b"), &plain).await;
    let let_in = ask(&site, PROXY, EXCELSA_PAGE, &encrypted_before).await;
    let unbelieved = ask(&site, STRANGER, EXCELSA_PAGE, &plain).await;

    assert_eq!(sent_on.status(), StatusCode::PERMANENT_REDIRECT.as_u16());
    assert_eq!(
        sent_on.headers["location"],
        format!("https://beans.example.com{EXCELSA_PAGE}?a=b")
    );
    assert_eq!((let_in.status(), unbelieved.status()), (200, 200));
}

#[tokio::test]
async fn a_request_keeps_the_id_that_a_trusted_proxy_gave_it() {
    let site = public_site().await;
    let named = [PUBLIC, ("x-request-id", "edge-4711")];

    let believed = ask(&site, PROXY, "/beans", &named).await;
    let unbelieved = ask(&site, STRANGER, "/beans", &named).await;

    assert_eq!(believed.headers["x-request-id"], "edge-4711");
    assert_ne!(unbelieved.headers["x-request-id"], "edge-4711");
}

/// The browser's Origin says https, and the request comes from the proxy without it.
#[tokio::test]
async fn forms_of_the_public_site_are_taken_behind_its_proxy() {
    let site = public_site().await;
    let form = "name=a&address=b&city=c&state=d&email=e%40f&phone=555-555-0100";
    let post = |origin: &str| {
        let mut request = Request::post("/supplier-add")
            .header("host", "beans.example.com")
            .header("origin", origin)
            .header("x-forwarded-proto", "https")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap();
        let peer: SocketAddr = PROXY.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        site.send(request)
    };

    let ours = post("https://beans.example.com").await;
    let theirs = post("https://evil.example").await;

    assert_eq!((ours.status(), theirs.status()), (303, 403));
}

/// Browsers say where a form came from; proxies often ask for the site under another name.
#[tokio::test]
async fn forms_are_taken_though_the_proxy_asks_for_another_host() {
    let site = Site::open().await.behind(Ingress {
        public_url: Some("http://beans.example.com:8080".parse().unwrap()),
        ..Ingress::default()
    });
    let request = Request::post("/supplier-add")
        .header("host", "127.0.0.1:9000")
        .header("origin", "http://beans.example.com:8080")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(
            "name=a&address=b&city=c&state=d&email=e%40f&phone=555-555-0100",
        ))
        .unwrap();

    assert_eq!(site.send(request).await.status(), 303);
}
