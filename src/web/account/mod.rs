//! Pages for everybody's own account: signing in and out, choosing a password, and what is shown how.

mod alerts;
mod feed;
mod own;
mod place;
mod sign_in;
mod welcome;

use axum::Router;
use axum::routing::{get, post};

use super::paths;
use super::state::AppState;

pub(crate) use self::sign_in::ask_to_sign_in;

pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route(
            paths::SIGN_IN,
            get(sign_in::show_sign_in).post(sign_in::sign_in),
        )
        .route(
            paths::SIGN_IN_DEMONSTRATION,
            post(sign_in::sign_in_as_demonstration),
        )
        .route(paths::SIGN_OUT, post(sign_in::sign_out))
        .route(
            paths::WELCOME,
            get(welcome::show_welcome).post(welcome::choose_password),
        )
        .route(paths::OWN, get(own::show_own))
        .route(
            paths::OWN_ALERTS,
            get(alerts::show_preferences).post(alerts::change_preferences),
        )
        .route(paths::OWN_ALERTS_FEED, post(alerts::change_feed))
        .route(paths::OWN_ALERTS_SEEN, post(alerts::acknowledge_failures))
        .route(paths::OWN_ALERTS_TEST, post(alerts::send_test))
        .route(paths::FEED, get(feed::show_feed))
        .route(paths::OWN_PASSWORD, post(own::change_password))
        .route(paths::OWN_DISPLAY, post(own::change_display))
        .route(paths::OWN_NEEDS, post(own::change_needs))
        .route(paths::OWN_SESSION, post(own::end_session))
}
