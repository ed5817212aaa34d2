//! Alerts: which beans are low or out, since when, and who looks after it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::beans::find_bean;
use crate::catalogue;
use crate::db::alerts::AlertLine;
use crate::db::announcement_targets::Target;
use crate::db::beans::Bean;
use crate::db::{self, Connection, DbResult};
use crate::domain::{Action, BagsInStock, BeanId};
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::typed::parse_stock;
use crate::web::ui::wording;

/// As many as can be looked after on one page.
const MOST: i64 = 200;

/// What is over is shown for so long.
const LATELY: TimeDelta = TimeDelta::days(7);

#[derive(Template)]
#[template(path = "staff/alerts.html")]
pub(super) struct AlertsPage {
    layout: Layout,
    going: Vec<AlertLine>,
    over: Vec<AlertLine>,
    /// Where alerts are announced.
    targets: Vec<Target>,
}

impl AlertsPage {
    /// Whether somebody has still to hear that one of them fails.
    fn has_unseen_failures(&self) -> bool {
        self.targets.iter().any(Target::is_unseen)
    }

    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn name(&self, target: &Target) -> String {
        if target.is_topic() {
            return "SNS topic".to_owned();
        }
        // What is behind the host tells two webhooks of one host apart.
        match target.name.split_once('#') {
            Some((host, mark)) => format!("Webhook at {host} ({mark})"),
            None => format!("Webhook {}", target.name),
        }
    }

    /// Whether somebody asked not to be reminded of it now.
    fn is_muted(&self, alert: &AlertLine) -> bool {
        alert
            .muted_until
            .is_some_and(|until| until > self.layout.now)
    }
}

pub(super) async fn list_alerts(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<AlertsPage>, WebError> {
    let mut conn = state.connection().await?;
    let going = db::alerts::list_going_alerts(&mut conn, MOST).await?;
    let since = layout.now - LATELY;
    let over = db::alerts::list_ended_alerts(&mut conn, since, MOST).await?;
    let targets = db::announcement_targets::list_targets(&mut conn).await?;
    Ok(Page::ok(AlertsPage {
        layout,
        going,
        over,
        targets,
    }))
}

/// Notes that somebody has seen which announcements fail.
pub(super) async fn acknowledge_targets(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
) -> Result<Redirect, WebError> {
    db::in_transaction(&state.pool, async |tx| {
        db::announcement_targets::acknowledge_failures(tx, layout.now).await?;
        let activity = acting.did(Action::DismissedFailures, "");
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    Ok(Redirect::to(&Notice::FailuresDismissed.on(paths::ALERTS)))
}

pub(super) async fn acknowledge(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(alert): Id<i64>,
) -> Result<Redirect, WebError> {
    let (by, now) = (acting.account, layout.now);
    let is_going = db::in_transaction(&state.pool, async |tx| {
        let Some(details) = name_going(tx, alert).await? else {
            return DbResult::Ok(false);
        };
        db::alerts::acknowledge_alert(tx, alert, by, now).await?;
        let activity = acting.did(Action::AcknowledgedAlert, &details);
        db::activity::insert_activity(tx, &activity).await?;
        Ok(true)
    })
    .await?;
    let notice = if is_going {
        Notice::AlertAcknowledged
    } else {
        Notice::AlertOver
    };
    Ok(Redirect::to(&notice.on(paths::ALERTS)))
}

/// How the log of activity names an alert that is going on; nothing if it is over.
async fn name_going(conn: &mut Connection, alert: i64) -> DbResult<Option<String>> {
    let alert = db::alerts::find_alert(conn, alert).await?;
    let going = alert.filter(|alert| alert.ended_at.is_none());
    Ok(going.map(|alert| {
        let what = wording::alert(alert.kind).word;
        format!("{}: {what}", alert.product_name)
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MuteForm {
    /// For how many days; 0 for not any more.
    days: String,
}

pub(super) async fn mute(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(alert): Id<i64>,
    Form(form): Form<MuteForm>,
) -> Result<Redirect, WebError> {
    let until: Option<DateTime<Utc>> = match &*form.days {
        "0" => None,
        "1" => Some(layout.now + TimeDelta::days(1)),
        "7" => Some(layout.now + TimeDelta::days(7)),
        _ => return Err(WebError::BadForm),
    };
    let action = if until.is_some() {
        Action::MutedAlert
    } else {
        Action::UnmutedAlert
    };
    let is_going = db::in_transaction(&state.pool, async |tx| {
        let Some(details) = name_going(tx, alert).await? else {
            return DbResult::Ok(false);
        };
        db::alerts::mute_alert(tx, alert, until).await?;
        db::activity::insert_activity(tx, &acting.did(action, &details)).await?;
        Ok(true)
    })
    .await?;
    let notice = match (is_going, until) {
        (false, _) => Notice::AlertOver,
        (true, Some(_)) => Notice::AlertMuted,
        (true, None) => Notice::AlertUnmuted,
    };
    Ok(Redirect::to(&notice.on(paths::ALERTS)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LineForm {
    bags: String,
}

#[derive(Template)]
#[template(path = "staff/beans/line.html")]
struct LinePage {
    layout: Layout,
    bean: Bean,
    bags: TextField,
    mistakes: Mistakes,
}

/// Asks at how many bags a bean is low.
pub(super) async fn edit_line(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<BeanId>,
) -> Result<Response, WebError> {
    let bean = find_bean(&state, id).await?;
    let bags = bean.alert_at.map_or_else(String::new, |at| at.to_string());
    let none = Mistakes::default();
    Ok(show_line(StatusCode::OK, layout, bean, &bags, none))
}

pub(super) async fn change_line(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<BeanId>,
    Form(form): Form<LineForm>,
) -> Result<Response, WebError> {
    let bean = find_bean(&state, id).await?;
    let line: Result<Option<BagsInStock>, String> = if form.bags.trim().is_empty() {
        Ok(None)
    } else {
        parse_stock(&form.bags).map(Some)
    };
    let line = match line {
        Ok(line) => line,
        Err(sentence) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let mistakes = Mistakes::one("bags", sentence);
            return Ok(show_line(status, layout, bean, &form.bags, mistakes));
        }
    };
    match catalogue::set_alert_at(&state.pool, id, line, acting.actor()).await {
        Ok(()) => {
            let page = Notice::AlertLineSet.on(&paths::bean(id));
            Ok(Redirect::to(&page).into_response())
        }
        Err(error) => Err(WebError::refused(error, Missing::Bean)),
    }
}

fn show_line(
    status: StatusCode,
    layout: Layout,
    bean: Bean,
    bags: &str,
    mistakes: Mistakes,
) -> Response {
    let page = LinePage {
        bags: TextField {
            inputmode: "numeric",
            width: "short",
            hint: "Leave this empty for none. You are always told when a bean runs out.",
            ..TextField::new("bags", "Alert at this many bags or fewer", bags, &mistakes)
        },
        layout,
        bean,
        mistakes,
    };
    Page(status, page).into_response()
}
