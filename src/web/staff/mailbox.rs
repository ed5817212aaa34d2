//! What would have left this machine, where nothing does: mail, text messages and requests, as they would look.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::db;
use crate::db::mails::MailLine;
use crate::outgoing::{Dispatch, Way};
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::{AppState, MailDelivery};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};

/// As many as the page lists.
const MAILS: i64 = 50;

/// A mail has styles of its own, and may do nothing.
const MAIL_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-top-navigation-by-user-activation",
);

#[derive(Template)]
#[template(path = "staff/mailbox.html")]
pub(super) struct MailboxPage {
    layout: Layout,
    mails: Vec<MailLine>,
    /// What SNS would have sent.
    dispatches: Vec<Dispatch>,
}

impl MailboxPage {
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn way(&self, dispatch: &Dispatch) -> &'static str {
        match dispatch.way {
            Way::Email => "Email from SNS",
            Way::Sms => "Text message",
            Way::Http => "HTTP request",
            Way::Lambda => "Lambda call",
        }
    }

    /// Whether it is JSON, which people look at only now and then.
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn is_for_programs(&self, dispatch: &Dispatch) -> bool {
        matches!(dispatch.way, Way::Http | Way::Lambda)
    }

    /// What its list calls it.
    fn title(&self, dispatch: &Dispatch) -> String {
        let way = self.way(dispatch);
        if dispatch.subject.is_empty() {
            way.to_owned()
        } else {
            format!("{way}: {}", dispatch.subject)
        }
    }
}

/// Lists the mails that were not sent.
pub(super) async fn list_mails(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<MailboxPage>, WebError> {
    if !state.rules.demonstration {
        refuse_elsewhere(&state)?;
    }
    let mut conn = state.connection().await?;
    let mails = if state.rules.mail == MailDelivery::Captured {
        db::mails::list_mails(&mut conn, MAILS).await?
    } else {
        Vec::new()
    };
    Ok(Page::ok(MailboxPage {
        layout,
        mails,
        dispatches: state.outgoing.list(),
    }))
}

/// Shows one as its reader would see it.
pub(super) async fn show_mail(
    State(state): State<AppState>,
    Id(id): Id<i64>,
) -> Result<Response, WebError> {
    refuse_elsewhere(&state)?;
    let mut conn = state.connection().await?;
    let html = db::mails::find_html(&mut conn, id).await?;
    let html = html.ok_or(WebError::NotFound(Missing::Mail))?;
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let headers = [(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, MAIL_POLICY)];
    Ok((headers, html).into_response())
}

/// Where mail is sent, it is its reader's.
fn refuse_elsewhere(state: &AppState) -> Result<(), WebError> {
    if state.rules.mail == MailDelivery::Captured {
        Ok(())
    } else {
        Err(WebError::NotFound(Missing::Mail))
    }
}
