//! What the site says when there is no database, or nothing sensible is asked of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Method, Request, Response, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use chrono::DateTime;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::http::layers::{keep_running, limit_time, surround};
use super::ui::error_page;
use super::{AppState, router};
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

fn posted(path: &str, form: impl Into<Body>) -> Request<Body> {
    Request::post(path)
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
async fn an_address_that_names_nothing_possible_is_not_found() {
    for path in [
        "/beans/abc",
        "/beans/99999999999999999999",
        "/beans/%ff",
        "/updates/1",
        "/supplier-update/x",
        "/static/../Cargo.toml",
    ] {
        assert_eq!(visit(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_page_without_its_database_says_so_and_when_to_come_back() {
    let response = visit("/beans").await;

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

#[tokio::test]
async fn a_form_with_mistakes_keeps_what_was_typed() {
    let response = ask(posted("/supplier-add", "name=%3Cb%3E%22&email=nope")).await;

    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = text(response).await;
    assert!(page.contains("<title>Error: Add a supplier"));
    assert!(page.contains("There is a problem"));
    assert!(page.contains(r##"<a href="#city">Enter a city</a>"##));
    assert!(page.contains(r#"aria-describedby="email-error" aria-invalid="true""#));
    assert!(page.contains(r#"value="&#60;b&#62;&#34;""#));
}

#[tokio::test]
async fn a_form_that_cannot_be_read_gets_a_page() {
    for (form, status) in [
        ("name=a&name=b".to_owned(), StatusCode::BAD_REQUEST),
        ("a".repeat(64 * 1024 + 1), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let response = ask(posted("/supplier-add", form)).await;

        assert_eq!(response.status(), status);
        assert!(text(response).await.contains("Nothing was saved"));
    }
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
    let pages = axum::Router::new().route("/", get(async || -> &str { panic!("secret") }));
    let request = Request::get("/").body(Body::empty()).unwrap();

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
        .route("/beans", get(async || std::future::pending::<()>().await))
        .layer(from_fn_with_state(Duration::from_millis(1), limit_time));

    let request = Request::get("/beans").body(Body::empty()).unwrap();
    let response = whole(pages).oneshot(request).await.unwrap();

    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(response).await.contains("Try again in a minute"));
}
