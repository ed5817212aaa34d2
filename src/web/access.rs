//! Who may use which route: one table, and the guard that holds every request to it.
//!
//! What the table does not list does not exist. Whoever is not signed in is sent to sign in, and what they
//! had typed is kept; what is not theirs is not found.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::http::cookies;
use super::http::error::{Missing, WebError};
use super::paths::{
    ACCOUNT, ACCOUNT_DISABLE, ACCOUNT_ENABLE, ACCOUNT_INVITE, ACCOUNT_LINK, ACCOUNT_ROLE,
    ACCOUNT_SESSIONS, ACCOUNTS, ACTIVITY, ACTIVITY_CSV, ALERT_ACKNOWLEDGE, ALERT_MUTE,
    ALERT_TARGETS_SEEN, ALERTS, BEAN, BEAN_ADD, BEAN_ADJUST, BEAN_COUNT, BEAN_LINE, BEAN_REMOVE,
    BEAN_UNDO, BEAN_UPDATE, BEAN_UPDATE_FORM, BEAN_USE, BEANS, BEANS_EDIT, BEANS_JSON, BULK_ACTION,
    BULK_ACTION_STOP, BULK_ACTIONS, BULK_EDIT, BULK_EDIT_UNDO, CONSUMERS, DEAD_LETTER_BODY,
    DEAD_LETTERS, DEAD_LETTERS_DISCARD, DEAD_LETTERS_NOTE, DEAD_LETTERS_RESEND, FAVICON, FEED,
    HEALTHZ, HOME, LIVE, MAIL, MAILBOX, OWN, OWN_ALERTS, OWN_ALERTS_FEED, OWN_ALERTS_SEEN,
    OWN_ALERTS_TEST, OWN_DISPLAY, OWN_NEEDS, OWN_PASSWORD, OWN_SESSION, QUEUE_PAUSE, QUEUE_RESUME,
    READYZ, SIGN_IN, SIGN_IN_DEMONSTRATION, SIGN_OUT, SNS, STATIC, STOCK_CSV, STOCK_JSON,
    STOCKTAKE, STOCKTAKE_COUNT, STOCKTAKE_FINISH, STOCKTAKES, STREAM, STREAM_AGAIN, STREAM_EXPIRED,
    STREAM_MERGE, STREAM_SEEN, STREAM_SPLIT, SUBSCRIPTIONS, SUPPLIER, SUPPLIER_ADD, SUPPLIER_ALIAS,
    SUPPLIER_ALIAS_REMOVE, SUPPLIER_REMOVE, SUPPLIER_SWITCH, SUPPLIER_UPDATE, SUPPLIER_UPDATE_FORM,
    SUPPLIERS, UPDATE, UPDATE_ANYWAY, UPDATE_CANCEL, UPDATE_CORRECT, UPDATE_DISCARD, UPDATE_EFFECT,
    UPDATE_FIX, UPDATE_LEAVE, UPDATE_NEW, UPDATE_RESEND, UPDATE_RESTORE, UPDATES, UPDATES_CSV, USE,
    WELCOME, WHAT_IF,
};
use super::state::AppState;
use crate::accounts;
use crate::db::sessions::SignedIn;
use crate::domain::{Role, SupplierId};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Nobody is asked who they are.
    Everyone,
    /// Everyone, unless the café keeps its beans to itself (`PUBLIC_BEANS_JSON`).
    PublicIfAllowed,
    /// Whoever has an account; what they see there depends on who they are.
    SignedIn,
    /// Suppliers for themselves, and staff and managers for any of them.
    Senders,
    Suppliers,
    /// The café: viewers, staff and managers.
    Cafe,
    Staff,
    Managers,
}

impl Who {
    /// Whether somebody with this role is among them.
    pub fn includes(self, role: Role) -> bool {
        match self {
            Self::Everyone | Self::PublicIfAllowed | Self::SignedIn => true,
            Self::Senders => role != Role::Viewer,
            Self::Suppliers => role.supplier().is_some(),
            Self::Cafe => role.supplier().is_none(),
            Self::Staff => matches!(role, Role::Staff | Role::Manager),
            Self::Managers => role == Role::Manager,
        }
    }
}

const READ: Method = Method::GET;
const SEND: Method = Method::POST;

/// Every route of the site with every method it takes (`HEAD` goes with `GET`), and who may use it.
#[rustfmt::skip]
pub const TABLE: &[(Method, &str, Who)] = &[
    (READ, HOME, Who::SignedIn),
    (READ, BEANS, Who::Cafe),
    (READ, BEAN, Who::Cafe),
    (READ, ALERTS, Who::Cafe),
    (SEND, ALERT_ACKNOWLEDGE, Who::Staff),
    (SEND, ALERT_MUTE, Who::Staff),
    (SEND, ALERT_TARGETS_SEEN, Who::Staff),
    // Addresses and telephone numbers are on it.
    (READ, SUBSCRIPTIONS, Who::Managers),
    (READ, BEAN_LINE, Who::Staff),
    (SEND, BEAN_LINE, Who::Staff),
    (READ, USE, Who::Staff),
    (SEND, BEAN_USE, Who::Staff),
    (READ, BEAN_ADJUST, Who::Staff),
    (SEND, BEAN_ADJUST, Who::Staff),
    (READ, BEAN_COUNT, Who::Staff),
    (SEND, BEAN_COUNT, Who::Staff),
    (READ, BEAN_UNDO, Who::Staff),
    (SEND, BEAN_UNDO, Who::Staff),
    (READ, BEANS_EDIT, Who::Staff),
    (SEND, BEANS_EDIT, Who::Staff),
    (READ, BULK_EDIT, Who::Cafe),
    (SEND, BULK_EDIT_UNDO, Who::Staff),
    (READ, BEAN_ADD, Who::Staff),
    (SEND, BEAN_ADD, Who::Staff),
    (READ, BEAN_UPDATE_FORM, Who::Staff),
    (SEND, BEAN_UPDATE, Who::Staff),
    (READ, BEAN_REMOVE, Who::Staff),
    (SEND, BEAN_REMOVE, Who::Staff),
    (READ, SUPPLIERS, Who::Cafe),
    (READ, SUPPLIER_ADD, Who::Managers),
    (SEND, SUPPLIER_ADD, Who::Managers),
    (READ, SUPPLIER_UPDATE_FORM, Who::Managers),
    (SEND, SUPPLIER_UPDATE, Who::Managers),
    (READ, SUPPLIER_REMOVE, Who::Managers),
    (SEND, SUPPLIER_REMOVE, Who::Managers),
    (READ, UPDATES, Who::SignedIn),
    (READ, UPDATES_CSV, Who::SignedIn),
    (READ, UPDATE, Who::SignedIn),
    (READ, UPDATE_NEW, Who::Senders),
    (SEND, UPDATE_NEW, Who::Senders),
    (SEND, UPDATE_EFFECT, Who::Senders),
    (READ, UPDATE_FIX, Who::Senders),
    (READ, UPDATE_CORRECT, Who::Senders),
    (SEND, UPDATE_CORRECT, Who::Senders),
    (SEND, UPDATE_CANCEL, Who::Senders),
    (SEND, UPDATE_ANYWAY, Who::Staff),
    (READ, UPDATE_RESEND, Who::Staff),
    (SEND, UPDATE_RESEND, Who::Staff),
    (READ, UPDATE_DISCARD, Who::Staff),
    (SEND, UPDATE_DISCARD, Who::Staff),
    (SEND, UPDATE_RESTORE, Who::Staff),
    (SEND, UPDATE_LEAVE, Who::Staff),
    (READ, LIVE, Who::SignedIn),
    (READ, DEAD_LETTERS, Who::Cafe),
    (READ, DEAD_LETTER_BODY, Who::Cafe),
    (SEND, DEAD_LETTERS_NOTE, Who::Staff),
    (READ, DEAD_LETTERS_RESEND, Who::Staff),
    (SEND, DEAD_LETTERS_RESEND, Who::Staff),
    (READ, DEAD_LETTERS_DISCARD, Who::Managers),
    (SEND, DEAD_LETTERS_DISCARD, Who::Managers),
    (READ, BULK_ACTIONS, Who::Cafe),
    (READ, BULK_ACTION, Who::Cafe),
    (SEND, BULK_ACTION_STOP, Who::Staff),
    (READ, SUPPLIER_ALIAS, Who::Staff),
    (SEND, SUPPLIER_ALIAS, Who::Staff),
    (SEND, SUPPLIER_ALIAS_REMOVE, Who::Staff),
    (READ, SUPPLIER, Who::Cafe),
    (SEND, SUPPLIER_SWITCH, Who::Managers),
    (READ, WHAT_IF, Who::Cafe),
    (SEND, WHAT_IF, Who::Cafe),
    (READ, STOCKTAKES, Who::Cafe),
    (SEND, STOCKTAKES, Who::Staff),
    (READ, STOCKTAKE, Who::Cafe),
    (SEND, STOCKTAKE_COUNT, Who::Staff),
    (SEND, STOCKTAKE_FINISH, Who::Staff),
    (READ, STOCK_CSV, Who::Cafe),
    (READ, STOCK_JSON, Who::Cafe),
    (READ, CONSUMERS, Who::Cafe),
    (SEND, QUEUE_PAUSE, Who::Managers),
    (SEND, QUEUE_RESUME, Who::Managers),
    (READ, STREAM, Who::Cafe),
    (SEND, STREAM_SPLIT, Who::Managers),
    (SEND, STREAM_MERGE, Who::Managers),
    (SEND, STREAM_AGAIN, Who::Staff),
    (SEND, STREAM_SEEN, Who::Staff),
    (SEND, STREAM_EXPIRED, Who::Staff),
    (READ, ACCOUNTS, Who::Managers),
    (READ, ACCOUNT_INVITE, Who::Managers),
    (SEND, ACCOUNT_INVITE, Who::Managers),
    (READ, ACCOUNT, Who::Managers),
    (SEND, ACCOUNT_ROLE, Who::Managers),
    (SEND, ACCOUNT_LINK, Who::Managers),
    (SEND, ACCOUNT_SESSIONS, Who::Managers),
    (SEND, ACCOUNT_DISABLE, Who::Managers),
    (SEND, ACCOUNT_ENABLE, Who::Managers),
    (READ, ACTIVITY, Who::Managers),
    (READ, ACTIVITY_CSV, Who::Managers),
    (READ, OWN, Who::SignedIn),
    (READ, OWN_ALERTS, Who::Cafe),
    (SEND, OWN_ALERTS, Who::Cafe),
    (SEND, OWN_ALERTS_FEED, Who::Cafe),
    (SEND, OWN_ALERTS_SEEN, Who::Cafe),
    (SEND, OWN_ALERTS_TEST, Who::Cafe),
    (READ, MAILBOX, Who::Cafe),
    (READ, MAIL, Who::Cafe),
    (SEND, OWN_PASSWORD, Who::SignedIn),
    (SEND, OWN_DISPLAY, Who::SignedIn),
    (SEND, OWN_NEEDS, Who::Suppliers),
    (SEND, OWN_SESSION, Who::SignedIn),
    (SEND, SIGN_OUT, Who::SignedIn),
    (READ, SIGN_IN, Who::Everyone),
    (SEND, SIGN_IN, Who::Everyone),
    (SEND, SIGN_IN_DEMONSTRATION, Who::Everyone),
    (READ, FEED, Who::Everyone),
    (READ, WELCOME, Who::Everyone),
    (SEND, WELCOME, Who::Everyone),
    (READ, BEANS_JSON, Who::PublicIfAllowed),
    // SNS signs what it sends.
    (SEND, SNS, Who::Everyone),
    (READ, HEALTHZ, Who::Everyone),
    (READ, READYZ, Who::Everyone),
    (READ, FAVICON, Who::Everyone),
    (READ, STATIC, Who::Everyone),
];

/// Finds the rule for a route.
fn rule(method: &Method, path: &str) -> Option<Who> {
    static RULES: LazyLock<HashMap<(&str, &Method), Who>> = LazyLock::new(|| {
        let rules = TABLE.iter();
        rules
            .map(|(method, path, who)| ((*path, method), *who))
            .collect()
    });
    let method = if method == Method::HEAD {
        &READ
    } else {
        method
    };
    RULES.get(&(path, method)).copied()
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Viewer(pub(crate) Arc<SignedIn>);

impl Viewer {
    pub(crate) fn role(&self) -> Role {
        self.0.role
    }

    /// The supplier whose things alone they may see; `None` for the café.
    pub(crate) fn bound_to(&self) -> Option<SupplierId> {
        self.0.role.supplier()
    }
}

/// Lets those through whom the table names, and tells the handler who they are.
pub(crate) async fn guard(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let rule = path.and_then(|path| rule(request.method(), path.as_str()));
    if rule == Some(Who::Everyone) {
        return next.run(request).await;
    }
    let found = find_viewer(&state, request.headers()).await;
    let viewer = match (found, rule) {
        (Ok(viewer), _) => viewer,
        // There is no such page, whoever asks.
        (Err(_), None) => None,
        (Err(error), Some(_)) => return error.into_response(),
    };
    if let Some(rule) = rule
        && let Err(error) = admit(&state, rule, viewer.as_ref())
    {
        return with_viewer(error.into_response(), viewer);
    }
    if let Some(viewer) = &viewer {
        request.extensions_mut().insert(viewer.clone());
    }
    with_viewer(next.run(request).await, viewer)
}

fn admit(state: &AppState, rule: Who, viewer: Option<&Viewer>) -> Result<(), WebError> {
    match (viewer, rule) {
        (None, Who::PublicIfAllowed) if state.rules.public_beans_json => Ok(()),
        (None, Who::PublicIfAllowed) => Err(WebError::NotFound(Missing::Page)),
        (None, _) => Err(WebError::SignInRequired),
        (Some(viewer), rule) if rule.includes(viewer.role()) => Ok(()),
        (Some(viewer), _) if viewer.bound_to().is_some() => Err(WebError::NotFound(Missing::Page)),
        (Some(_), _) => Err(WebError::Forbidden),
    }
}

/// Leaves on an answer whom it is for, so that an error's page looks like the others.
fn with_viewer(mut response: Response, viewer: Option<Viewer>) -> Response {
    if let Some(viewer) = viewer {
        response.extensions_mut().insert(viewer);
    }
    response
}

/// Finds who is signed in, by the cookie of their session.
pub(crate) async fn find_viewer(
    state: &AppState,
    headers: &HeaderMap,
) -> Result<Option<Viewer>, WebError> {
    let Some(session) = cookies::session(headers, &state.ingress) else {
        return Ok(None);
    };
    let limits = state.rules.sessions;
    let signed_in = accounts::find_signed_in(&state.pool, &session, limits).await?;
    Ok(signed_in.map(|signed_in| Viewer(Arc::new(signed_in))))
}

impl FromRequestParts<AppState> for Viewer {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, WebError> {
        let viewer = parts.extensions.get::<Self>().cloned();
        viewer.ok_or(WebError::SignInRequired)
    }
}
