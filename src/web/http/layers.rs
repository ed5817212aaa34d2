//! What every request passes on its way to a handler and its answer on the way back.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_http::normalize_path::NormalizePath;

use super::error::WebError;
use super::headers;
use super::ingress::{Client, Ingress, check_host, identify_client};
use super::kept_form::{self, KeptForm, MAX_FORM_BYTES};
use crate::telemetry::chain;
use crate::web::access::{self, Viewer};
use crate::web::paths;
use crate::web::state::AppState;

/// An error, and what its page tells of the request.
pub(crate) struct Failure<'a> {
    pub(crate) error: &'a WebError,
    /// The id by which the log knows the request.
    pub(crate) request_id: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    /// Who asked, if they are signed in.
    pub(crate) viewer: Option<Viewer>,
    /// What they had typed.
    pub(crate) kept: Option<KeptForm>,
    pub(crate) state: &'a AppState,
}

/// Shows an error to whoever uses a router: as a page, or as JSON.
pub(crate) type RenderError = fn(Failure<'_>) -> Response;

/// Puts around the routes of one audience what each of its requests goes through, from the outside in.
pub(crate) fn surround(
    routes: Router<AppState>,
    render_error: RenderError,
    state: &AppState,
) -> Router<AppState> {
    let finishing = Finishing {
        state: state.clone(),
        render_error,
    };
    // Another site's form is refused before anything keeps a copy of it.
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(finishing, finish))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.ingress.clone(), check_host))
        .layer(cross_site_guard(&state.ingress).with_rejection_response(refuse_cross_site))
        .layer(from_fn(kept_form::receive))
        .layer(from_fn_with_state(state.clone(), limit_requests))
        .layer(from_fn_with_state(TIME_TO_ANSWER, limit_time))
        .layer(from_fn_with_state(state.clone(), access::guard))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES));
    routes
        .method_not_allowed_fallback(async || WebError::MethodNotAllowed)
        .layer(layers)
}

/// Puts around the whole site what comes before routing: the request gets a task of its own and a
/// client, and its address is tidied.
pub(crate) fn keep_running(site: Router<AppState>, state: &AppState) -> Router<AppState> {
    let site = NormalizePath::trim_trailing_slash(site.with_state(state.clone()));
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(state.clone(), outlive_connection))
        .layer(from_fn_with_state(state.ingress.clone(), identify_client));
    Router::new().fallback_service(site).layer(layers)
}

#[derive(Debug, Clone)]
struct Finishing {
    state: AppState,
    render_error: RenderError,
}

/// Gives every response its request id and headers; turns an error into a line in the log and what its
/// audience can read.
async fn finish(State(finishing): State<Finishing>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>().cloned();
    let client = client.expect("every request was identified");
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(mut error) = response.extensions_mut().remove::<WebError>() {
        if !method.is_safe() {
            error = error.when_saving();
        }
        log(&error, &client, &method, path.as_ref());
        let failure = Failure {
            error: &error,
            request_id: &client.request_id,
            method: &method,
            uri: &uri,
            viewer: response.extensions_mut().remove(),
            kept: response.extensions_mut().remove(),
            state: &finishing.state,
        };
        response = show(failure, finishing.render_error, response);
    }
    let https = finishing.state.ingress.is_https();
    headers::complete(response.headers_mut(), &client.request_id, https);
    response
}

/// The status is the error's, unless the page for it is somewhere else.
fn show(failure: Failure<'_>, render_error: RenderError, bare: Response) -> Response {
    let error = failure.error;
    let mut response = render_error(failure);
    if !response.status().is_redirection() {
        *response.status_mut() = error.status();
    }
    // A router that refuses a method says which ones it takes.
    response.headers_mut().extend(bare.into_parts().0.headers);
    if error.is_passing() {
        let later = HeaderValue::from_static("10");
        response.headers_mut().insert(RETRY_AFTER, later);
    }
    response
}

fn log(error: &WebError, visitor: &Client, method: &Method, path: Option<&MatchedPath>) {
    let status = error.status().as_u16();
    let path = path.map_or("(none)", MatchedPath::as_str);
    let chain = chain(error);
    let Client {
        address,
        request_id,
        ..
    } = visitor;
    let address = address.map(tracing::field::display);
    if error.status().is_server_error() {
        tracing::error!(request.id = request_id, client.address = address, %method, path, status, error = chain, "request failed");
    } else {
        tracing::debug!(request.id = request_id, client.address = address, %method, path, status, error = chain, "request refused");
    }
}

/// Clients behind a proxy share its connections, so their requests are counted instead.
async fn limit_requests(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>();
    let counted = client.filter(|client| client.behind_proxy);
    let Some(address) = counted.and_then(|client| client.address) else {
        return next.run(request).await;
    };
    match state.request_limits.admit(address) {
        Some(_place) => next.run(request).await,
        // SNS takes 429 for a refusal, and tries again after 503.
        None if request.uri().path() == paths::SNS => {
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        None => WebError::TooMany.into_response(),
    }
}

/// Carries a request through to its end, even if its client disconnects in the middle.
///
/// The server drops what it runs for a connection that closes. A database future must not be
/// dropped (a transaction could stay open on a pooled connection), so it runs on a task of its own.
async fn outlive_connection(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    match state.tasks.spawn(next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// More than a form takes to arrive, a connection to be had and locks to be waited for.
const TIME_TO_ANSWER: Duration = Duration::from_secs(40);

/// Ends what waits for a database that gives no answer. Its connection is undone or closed, which
/// the pool and [`crate::db::in_transaction`] see to.
pub(crate) async fn limit_time(
    State(limit): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    let answer = tokio::time::timeout(limit, next.run(request)).await;
    answer.unwrap_or_else(|elapsed| WebError::NoAnswer(Arc::new(elapsed)).into_response())
}

/// Forms come from this site alone. A proxy may ask for it under another name than the client's
/// browser does, so the public name counts as well.
fn cross_site_guard(ingress: &Ingress) -> CsrfLayer {
    let guard = CsrfLayer::new();
    match ingress
        .origin()
        .map(|origin| guard.clone().add_trusted_origin(origin))
    {
        Some(Ok(guard)) => guard,
        _ => guard,
    }
}

fn refuse_cross_site(_: ProtectionError) -> Response {
    WebError::CrossSite.into_response()
}

/// A panic in a handler.
#[derive(Debug, thiserror::Error)]
#[error("panic: {0}")]
struct Panicked(String);

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is the layer's"
)]
fn panicked(payload: Box<dyn std::any::Any + Send>) -> Response {
    let text = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "unknown".to_owned(),
    };
    WebError::internal(Panicked(text)).into_response()
}
