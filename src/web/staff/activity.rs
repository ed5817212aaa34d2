//! The log of what people did: what somebody looks for in it, and the same as a file.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::SecondsFormat;
use serde::Deserialize;

use crate::db;
use crate::db::accounts::Account;
use crate::db::activity::{ActivityFilter, ActivityLine};
use crate::domain::{AccountId, Action};
use crate::web::http::error::WebError;
use crate::web::paths::{self, InPath as _};
use crate::web::state::AppState;
use crate::web::ui::csv::{Csv, inert};
use crate::web::ui::days::Days;
use crate::web::ui::form::{Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::Pager;
use crate::web::ui::query::{self, Query};

/// As many as one page can show without becoming slow to read.
const PER_PAGE: i64 = 100;

/// More is asked to be narrowed down: a file is put together in memory.
const MOST_IN_A_FILE: i64 = 100_000;

/// What an address looks for in the log.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    /// The number of an account.
    who: String,
    /// The code of what was done.
    what: String,
    from: String,
    to: String,
    page: String,
}

impl Choice {
    fn action(&self) -> Option<Action> {
        Action::from_code(&self.what)
    }

    fn filter(&self, layout: &Layout) -> ActivityFilter {
        let days = Days::new(&self.from, &self.to, layout.zone);
        ActivityFilter {
            // Whoever does not exist has done nothing.
            actor: (!self.who.is_empty())
                .then(|| AccountId::from_segment(&self.who).unwrap_or(AccountId(0))),
            action: self.what.clone(),
            from: days.from,
            before: days.before,
        }
    }

    fn searches(&self) -> bool {
        [&self.who, &self.what, &self.from, &self.to]
            .iter()
            .any(|field| !field.is_empty())
    }

    fn on(&self, page: &str) -> String {
        let choices = [
            ("who", self.who.as_str()),
            ("what", &self.what),
            ("from", &self.from),
            ("to", &self.to),
        ];
        query::address(page, &choices)
    }
}

#[derive(Template)]
#[template(path = "staff/activity.html")]
pub(super) struct ActivityPage {
    layout: Layout,
    choice: Choice,
    days: [TextField; 2],
    /// Who may have done something.
    accounts: Vec<Account>,
    lines: Vec<ActivityLine>,
    pager: Pager,
}

impl ActivityPage {
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn actions(&self) -> &'static [Action] {
        Action::ALL
    }

    fn is_who(&self, account: &Account) -> bool {
        self.choice.who == account.id.to_string()
    }

    fn is_what(&self, action: Action) -> bool {
        self.choice.action() == Some(action)
    }
}

/// Lists what the address looks for, newest first.
pub(super) async fn list_activity(
    State(state): State<AppState>,
    layout: Layout,
    Query(choice): Query<Choice>,
) -> Result<Page<ActivityPage>, WebError> {
    let filter = choice.filter(&layout);
    let mut conn = state.connection().await?;
    let total = db::activity::count_activity(&mut conn, &filter).await?;
    let address = choice.on(paths::ACTIVITY);
    let pager = Pager::new(address, &choice.page, PER_PAGE, total);
    let (limit, offset) = (pager.limit(), pager.offset());
    let lines = db::activity::list_activity(&mut conn, &filter, limit, offset).await?;
    let none = Mistakes::default();
    let day = |name: &'static str, label, value| TextField {
        kind: "date",
        width: "short",
        ..TextField::new(name, label, value, &none)
    };
    Ok(Page::ok(ActivityPage {
        days: [
            day("from", "From", &choice.from),
            day("to", "To", &choice.to),
        ],
        accounts: db::accounts::list_accounts(&mut conn).await?,
        layout,
        choice,
        lines,
        pager,
    }))
}

/// Sends the same as a file, all pages of it.
pub(super) async fn export_activity(
    State(state): State<AppState>,
    layout: Layout,
    Query(choice): Query<Choice>,
) -> Result<Response, WebError> {
    let filter = choice.filter(&layout);
    let mut conn = state.connection().await?;
    if db::activity::count_activity(&mut conn, &filter).await? > MOST_IN_A_FILE {
        let page = Notice::TooManyForAFile.on_query(&choice.on(paths::ACTIVITY));
        return Ok(Redirect::to(&page).into_response());
    }
    let lines = db::activity::list_activity(&mut conn, &filter, MOST_IN_A_FILE, 0).await?;
    let mut file = Csv::new(["at", "who", "what", "whom", "details", "from_address"])?;
    for line in lines {
        let at = line.at.with_timezone(&layout.zone);
        let actor = line.actor.as_deref().unwrap_or("whoever runs Beanstock");
        file.write([
            at.to_rfc3339_opts(SecondsFormat::Secs, false),
            inert(actor),
            line.action,
            inert(line.account.as_deref().unwrap_or_default()),
            inert(&line.details),
            inert(&line.address),
        ])?;
    }
    file.into_download("activity.csv")
}
