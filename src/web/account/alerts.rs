//! What of the café's alerts reaches somebody, and how: by mail and in a feed of their own.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::accounts::Token;
use crate::db;
use crate::db::mails::{MailLine, NewMail};
use crate::domain::{MAILS_AN_HOUR, TimeOfDay, Wishes};
use crate::web::access::Viewer;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::{AppState, MailWay};
use crate::web::ui::form::{Form, Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};

/// As many mails as the page lists.
const MAILS: i64 = 20;

/// Nobody waits longer than a month for somebody to look.
const MOST_HOURS: i16 = 720;

/// A wish that is ticked or not.
struct Tick {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    is_on: bool,
}

#[derive(Template)]
#[template(path = "account/alerts.html")]
struct AlertsPage {
    layout: Layout,
    viewer: Viewer,
    ticks: [Tick; 5],
    hours: TextField,
    by_mail: Tick,
    is_digest: bool,
    digest: TextField,
    quiet: [TextField; 2],
    /// What becomes of mail at all.
    way: MailWay,
    has_wishes: bool,
    has_feed: bool,
    /// The address of their feed, when it has just been made.
    feed: Option<String>,
    mails: Vec<MailLine>,
    mistakes: Mistakes,
}

impl AlertsPage {
    fn has_failures(&self) -> bool {
        let is_new = |mail: &MailLine| mail.failed_at.is_some() && mail.acknowledged_at.is_none();
        self.mails.iter().any(is_new)
    }

    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn most_mails(&self) -> i64 {
        MAILS_AN_HOUR
    }

    fn is_kept(&self) -> bool {
        self.way == MailWay::Kept
    }

    fn sends_mail(&self) -> bool {
        self.way != MailWay::None
    }
}

/// The form, as it was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WishesForm {
    low: Option<String>,
    out: Option<String>,
    out_at_supplier: Option<String>,
    recovered: Option<String>,
    stopped: Option<String>,
    hours: String,
    by_mail: Option<String>,
    /// `digest`, or anything else for at once.
    when: String,
    digest_at: String,
    quiet_from: String,
    quiet_until: String,
}

impl From<&Wishes> for WishesForm {
    fn from(wishes: &Wishes) -> Self {
        let tick = |is_on: bool| is_on.then(|| "on".to_owned());
        let time = |time: Option<TimeOfDay>| time.map_or_else(String::new, |time| time.to_string());
        let (from, until) = wishes.quiet.unzip();
        Self {
            low: tick(wishes.low),
            out: tick(wishes.out),
            out_at_supplier: tick(wishes.out_at_supplier),
            recovered: tick(wishes.recovered),
            stopped: tick(wishes.stopped),
            hours: wishes
                .letters_after_hours
                .map_or_else(String::new, |hours| hours.to_string()),
            by_mail: tick(wishes.by_mail),
            when: if wishes.digest_at.is_some() {
                "digest".to_owned()
            } else {
                "once".to_owned()
            },
            digest_at: time(wishes.digest_at),
            quiet_from: time(from),
            quiet_until: time(until),
        }
    }
}

impl WishesForm {
    fn parse(&self) -> Result<Wishes, Mistakes> {
        let mut mistakes = Mistakes::default();
        let hours = self.hours.trim();
        let letters_after_hours = if hours.is_empty() {
            None
        } else {
            let parsed = hours
                .parse()
                .ok()
                .filter(|hours| (1..=MOST_HOURS).contains(hours));
            if parsed.is_none() {
                let sentence = format!("Enter the hours as a whole number from 1 to {MOST_HOURS}");
                mistakes.add("hours", sentence);
            }
            parsed
        };
        let digest_at = (self.when == "digest").then(|| TimeOfDay::parse(&self.digest_at));
        if digest_at == Some(None) {
            mistakes.add(
                "digest_at",
                "Enter when you want the mail, for example 07:30",
            );
        }
        let quiet = self.parse_quiet(&mut mistakes);
        if quiet.is_some_and(|(from, until)| from == until) {
            mistakes.add(
                "quiet_until",
                "Quiet hours that end when they begin are none",
            );
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Wishes {
            low: self.low.is_some(),
            out: self.out.is_some(),
            out_at_supplier: self.out_at_supplier.is_some(),
            recovered: self.recovered.is_some(),
            letters_after_hours,
            stopped: self.stopped.is_some(),
            by_mail: self.by_mail.is_some(),
            digest_at: digest_at.flatten(),
            quiet,
        })
    }

    /// Reads both ends of the quiet hours; neither is an answer.
    fn parse_quiet(&self, mistakes: &mut Mistakes) -> Option<(TimeOfDay, TimeOfDay)> {
        let ends = [
            ("quiet_from", self.quiet_from.trim()),
            ("quiet_until", self.quiet_until.trim()),
        ];
        if ends.iter().all(|(_, typed)| typed.is_empty()) {
            return None;
        }
        let [from, until] = ends.map(|(name, typed)| {
            let wrong = || "Enter a time, for example 22:00, or leave both empty".to_owned();
            mistakes.check(name, TimeOfDay::parse(typed).ok_or_else(wrong))
        });
        from.zip(until)
    }

    /// What can be ticked of what happens.
    fn ticks(&self) -> [Tick; 5] {
        let tick = |name, label, hint, wish: &Option<String>| Tick {
            name,
            label,
            hint,
            is_on: wish.is_some(),
        };
        let (low, out) = (&self.low, &self.out);
        [
            tick("low", "A bean is low", "At or below its alert line.", low),
            tick("out", "A bean is out of stock", "No bag is left.", out),
            tick(
                "out_at_supplier",
                "A supplier has none",
                "It has said that it is out of a bean.",
                &self.out_at_supplier,
            ),
            tick(
                "recovered",
                "And when that is over",
                "Of what you have ticked.",
                &self.recovered,
            ),
            tick(
                "stopped",
                "Updates are not being applied",
                "No consumer has run for two minutes.",
                &self.stopped,
            ),
        ]
    }

    /// What somebody who has never chosen is offered.
    fn proposed() -> Self {
        Self::from(&Wishes {
            out: true,
            low: true,
            recovered: true,
            by_mail: true,
            ..Wishes::default()
        })
    }
}

/// Asks what somebody wants to be told.
pub(super) async fn show_wishes(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
) -> Result<Response, WebError> {
    show(&state, layout, viewer, None, Showing::default()).await
}

/// What the page shows besides what is stored.
#[derive(Default)]
struct Showing {
    status: StatusCode,
    mistakes: Mistakes,
    feed: Option<String>,
}

async fn show(
    state: &AppState,
    layout: Layout,
    viewer: Viewer,
    typed: Option<WishesForm>,
    showing: Showing,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let account = viewer.0.account;
    let stored = db::notification_wishes::find_wisher(&mut conn, account).await?;
    let form = typed.unwrap_or_else(|| {
        let wishes = stored
            .as_ref()
            .map(|wisher| WishesForm::from(&wisher.wishes));
        wishes.unwrap_or_else(WishesForm::proposed)
    });
    let mistakes = showing.mistakes;
    let time = |name: &'static str, label, value: &str| TextField {
        kind: "time",
        width: "short",
        ..TextField::new(name, label, value, &mistakes)
    };
    let page = AlertsPage {
        ticks: form.ticks(),
        hours: TextField {
            inputmode: "numeric",
            width: "short",
            hint: "Hours; empty for never.",
            ..TextField::new(
                "hours",
                "Updates need attention for longer than",
                &form.hours,
                &mistakes,
            )
        },
        by_mail: Tick {
            name: "by_mail",
            label: "By e-mail",
            hint: "",
            is_on: form.by_mail.is_some(),
        },
        is_digest: form.when == "digest",
        digest: time("digest_at", "At", &form.digest_at),
        quiet: [
            time("quiet_from", "No mail from", &form.quiet_from),
            time("quiet_until", "to", &form.quiet_until),
        ],
        way: state.rules.mail,
        has_wishes: stored.is_some(),
        has_feed: stored.is_some_and(|wisher| wisher.has_feed),
        feed: showing.feed,
        mails: db::mails::list_mails(&mut conn, Some(account), MAILS).await?,
        layout,
        viewer,
        mistakes,
    };
    Ok(Page(showing.status, page).into_response())
}

/// Writes down what somebody wants to be told.
pub(super) async fn change_wishes(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Form(form): Form<WishesForm>,
) -> Result<Response, WebError> {
    match form.parse() {
        Ok(wishes) => {
            let (account, now) = (viewer.0.account, state.clock.now());
            let mut conn = state.connection().await?;
            db::notification_wishes::set_wishes(&mut conn, account, &wishes, now).await?;
            Ok(back(Notice::WishesSaved))
        }
        Err(mistakes) => {
            let showing = Showing {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                mistakes,
                feed: None,
            };
            show(&state, layout, viewer, Some(form), showing).await
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FeedForm {
    /// `make` or `close`.
    to: String,
}

/// Makes an address for somebody's feed, which replaces the one there was and is shown this once, or closes it.
pub(super) async fn change_feed(
    State(state): State<AppState>,
    viewer: Viewer,
    headers: HeaderMap,
    layout: Layout,
    Form(form): Form<FeedForm>,
) -> Result<Response, WebError> {
    let account = viewer.0.account;
    let mut conn = state.connection().await?;
    match form.to.as_str() {
        "close" => {
            db::notification_wishes::set_feed(&mut conn, account, None).await?;
            Ok(back(Notice::FeedClosed))
        }
        "make" => {
            if db::notification_wishes::find_wisher(&mut conn, account)
                .await?
                .is_none()
            {
                return Ok(back(Notice::WishesFirst));
            }
            let token = Token::generate();
            db::notification_wishes::set_feed(&mut conn, account, Some(&token.hash())).await?;
            drop(conn);
            let origin = state.ingress.origin_for(&headers);
            let showing = Showing {
                feed: Some(format!("{origin}{}", paths::feed(&token))),
                ..Showing::default()
            };
            show(&state, layout, viewer, None, showing).await
        }
        _ => Err(WebError::BadForm),
    }
}

/// Sends somebody a mail that says that mail reaches them.
pub(super) async fn send_test(
    State(state): State<AppState>,
    viewer: Viewer,
) -> Result<Response, WebError> {
    if state.rules.mail == MailWay::None {
        return Err(WebError::BadForm);
    }
    let mut conn = state.connection().await?;
    let (account, now) = (viewer.0.account, state.clock.now());
    let hour = chrono::TimeDelta::hours(1);
    let mails = db::mails::count_mails_since(&mut conn, account, now - hour).await?;
    if mails >= MAILS_AN_HOUR {
        return Ok(back(Notice::TooManyMails));
    }
    let mail = NewMail {
        account,
        subject: "Mail from Beanstock reaches you",
        text: "You asked for this mail on the page on which you choose what reaches you. Alerts come like it.\n",
        html: "<!DOCTYPE html><html lang=\"en\"><title>Beanstock</title><p>You asked for this mail on the page on \
               which you choose what reaches you. Alerts come like it.</p></html>",
    };
    db::mails::insert_mail(&mut conn, &mail, now).await?;
    Ok(back(Notice::TestMailed))
}

/// Notes that somebody has seen that mail to them failed.
pub(super) async fn acknowledge_failures(
    State(state): State<AppState>,
    viewer: Viewer,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    db::mails::acknowledge_failures(&mut conn, viewer.0.account, state.clock.now()).await?;
    Ok(Redirect::to(paths::OWN_ALERTS).into_response())
}

fn back(notice: Notice) -> Response {
    Redirect::to(&notice.on(paths::OWN_ALERTS)).into_response()
}
