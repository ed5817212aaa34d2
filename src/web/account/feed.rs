//! Somebody's alerts as an Atom feed ([RFC 4287](https://www.rfc-editor.org/rfc/rfc4287)) at an address that nobody
//! else knows: feed readers cannot sign in.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SecondsFormat, Utc};

use crate::accounts::Token;
use crate::db;
use crate::db::notifications::NotificationLine;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;

/// As many as a feed has.
const ENTRIES: i64 = 50;

#[derive(Template)]
#[template(path = "account/feed.xml", escape = "html")]
struct Feed {
    site: String,
    path: String,
    account: i64,
    lines: Vec<NotificationLine>,
    updated: DateTime<Utc>,
}

impl Feed {
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn iso(&self, at: &DateTime<Utc>) -> String {
        at.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

/// Shows the newest alerts of whoever has the feed with this secret.
pub(super) async fn show_feed(
    State(state): State<AppState>,
    headers: HeaderMap,
    Id(token): Id<Token>,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let found = db::notification_preferences::find_by_feed(&mut conn, &token.hash()).await?;
    let reader = found.ok_or(WebError::NotFound(Missing::Feed))?;
    let lines = db::notifications::list_newest(&mut conn, reader.account, ENTRIES).await?;
    let feed = Feed {
        site: state.ingress.origin_for(&headers),
        path: paths::feed(&token),
        account: reader.account.0,
        updated: lines
            .first()
            .map_or_else(|| state.clock.now(), |line| line.at),
        lines,
    };
    let xml = feed.render().map_err(WebError::internal)?;
    Ok(([(CONTENT_TYPE, "application/atom+xml; charset=utf-8")], xml).into_response())
}
