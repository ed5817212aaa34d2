//! Stub until the website arrives.
#![allow(missing_docs, dead_code, clippy::all)]
pub struct AppState {
    pub pool: crate::db::Pool,
    pub clock: std::sync::Arc<dyn crate::clock::Clock>,
    pub tasks: tokio_util::task::TaskTracker,
}
pub async fn serve(
    listener: tokio::net::TcpListener,
    state: AppState,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = axum::Router::new().route("/readyz", axum::routing::get(|| async { "ok" }));
    let _ = state.pool;
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
}
