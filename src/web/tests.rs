//! What the site says when there is no database, or nothing sensible is asked of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, RETRY_AFTER,
};
use axum::http::{Method, Request, Response, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use chrono::DateTime;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::http::layers::{keep_running, limit_time, surround};
use super::ui::error_page;
use super::{AppState, HEALTHZ, router};
use crate::accounts::Token;
use crate::clock::FixedClock;
use crate::db::{self, PoolSettings};
use crate::readiness::Readiness;

/// A site whose database is at an address where nobody listens.
fn site_without_database() -> AppState {
    let pool = db::connect(&PoolSettings {
        options: "mysql://nobody@127.0.0.1:1/none".parse().unwrap(),
        max_connections: 1,
        acquire_timeout: Duration::from_millis(50),
        lock_wait: db::LOCK_WAIT,
    });
    let clock = Arc::new(FixedClock(DateTime::UNIX_EPOCH));
    AppState::new(pool, clock, Readiness::default(), TaskTracker::new())
}

async fn ask(request: Request<Body>) -> Response<Body> {
    router(site_without_database())
        .oneshot(request)
        .await
        .unwrap()
}

fn whole(pages: Router<AppState>) -> Router {
    let state = site_without_database();
    let pages = surround(pages, error_page::render, &state);
    keep_running(pages, &state).with_state(state)
}

async fn visit(path: &str) -> Response<Body> {
    ask(Request::get(path).body(Body::empty()).unwrap()).await
}

/// What somebody brings who was signed in when the database was still there.
fn cookie() -> String {
    format!("beanstock-session={}", Token::generate().expose())
}

fn posted(path: &str, form: impl Into<Body>) -> Request<Body> {
    Request::post(path)
        .header(COOKIE, cookie())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.into())
        .unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn an_unknown_address_gets_a_page_with_a_way_home() {
    let response = visit("/nowhere").await;

    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    assert!(response.headers().contains_key(CONTENT_SECURITY_POLICY));
    assert!(response.headers().contains_key("x-request-id"));
    let page = text(response).await;
    assert!(page.contains("<h1>Page not found</h1>"));
    assert!(page.contains(r#"href="/""#));
}

#[tokio::test]
async fn a_page_without_its_database_says_so_and_when_to_come_back() {
    let request = Request::get("/beans").header(COOKIE, cookie());
    let response = ask(request.body(Body::empty()).unwrap()).await;

    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "10");
    let page = text(response).await;
    assert!(page.contains("Try again in a minute"));
    assert!(!page.contains("127.0.0.1"), "no addresses of ours");
}

#[tokio::test]
async fn a_form_that_met_no_database_is_not_saved_and_the_page_says_so() {
    let form = "name=a&address=b&city=c&state=d&email=e@f&phone=555-555-0100";

    let response = ask(posted("/supplier-add", form)).await;

    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = text(response).await;
    assert!(page.contains("so nothing was saved"));
    assert!(page.contains(r#"<form method="post" action="/supplier-add""#));
    assert!(page.contains(r#"<input type="hidden" name="phone" value="555-555-0100">"#));
}

#[tokio::test]
async fn programs_get_errors_they_can_read() {
    let response = visit("/beans.json").await;

    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(
        response.headers()["content-type"],
        "application/json; charset=utf-8"
    );
    let json = text(response).await;
    assert_eq!(json, r#"{"error":"the database does not answer"}"#);
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_difference() {
    let without = visit("/healthz").await;
    let with = visit("/healthz/").await;

    assert_eq!(without.status(), StatusCode::OK);
    assert_eq!(text(with).await, text(without).await);
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let response = visit("/readyz").await;

    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(response).await, "not ready: database");
    assert_eq!(visit("/healthz").await.status(), StatusCode::OK);
}

/// It cannot be sent again as it is, but nobody has to type it again.
#[tokio::test]
async fn a_form_that_is_too_large_shows_what_was_typed() {
    let form = format!("name=a&address={}", "b".repeat(64 * 1024));

    let response = ask(posted("/supplier-add", form)).await;

    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let page = text(response).await;
    assert!(page.contains("Nothing was saved"));
    assert!(page.contains("bbbb</textarea>"));
}

#[tokio::test]
async fn a_form_from_another_site_is_refused() {
    let mut request = posted("/supplier-add", "name=x");
    let cross_site = "cross-site".parse().unwrap();
    request.headers_mut().insert("sec-fetch-site", cross_site);

    let response = ask(request).await;

    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(text(response).await.contains("came from another site"));
}

#[tokio::test]
async fn a_method_nobody_expects_gets_a_page() {
    let mut request = posted("/suppliers", "");
    *request.method_mut() = Method::DELETE;

    let response = ask(request).await;

    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(response.headers().contains_key("allow"));
}

#[tokio::test]
async fn a_panic_becomes_a_page_without_its_text() {
    let pages = axum::Router::new().route(HEALTHZ, get(async || -> &str { panic!("secret") }));
    let request = Request::get(HEALTHZ).body(Body::empty()).unwrap();

    let response = whole(pages).oneshot(request).await.unwrap();

    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let page = text(response).await;
    assert!(page.contains("Something went wrong on our side"));
    assert!(!page.contains("secret"));
}

/// One request that hung would hold up everybody who shares its read.
#[tokio::test]
async fn a_database_that_never_answers_is_not_waited_for_for_ever() {
    let pages = axum::Router::new()
        .route(HEALTHZ, get(async || std::future::pending::<()>().await))
        .layer(from_fn_with_state(Duration::from_millis(1), limit_time));

    let request = Request::get(HEALTHZ).body(Body::empty()).unwrap();
    let response = whole(pages).oneshot(request).await.unwrap();

    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(response).await.contains("Try again in a minute"));
}
