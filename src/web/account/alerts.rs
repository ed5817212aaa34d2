//! What of the café's alerts reaches somebody, and how: by mail and in a feed of their own.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::accounts::Token;
use crate::db::mails::MailLine;
use crate::db::notification_preferences::Subscriber;
use crate::db::{self, DbResult};
use crate::domain::{Action, MAILS_AN_HOUR, NotificationPreferences, TimeOfDay};
use crate::notifications::write_test;
use crate::web::access::Viewer;
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::{AppState, MailDelivery};
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
    way: MailDelivery,
    stored: Option<Subscriber>,
    /// The address of their feed, when it has just been made.
    feed: Option<String>,
    mails: Vec<MailLine>,
    /// Whether some to them failed that they have not seen yet.
    has_failures: bool,
    mistakes: Mistakes,
}

impl AlertsPage {
    /// Whether somebody has chosen anything.
    fn has_chosen(&self) -> bool {
        self.stored.is_some()
    }

    fn has_feed(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.has_feed)
    }

    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn most_mails(&self) -> i64 {
        MAILS_AN_HOUR
    }

    fn is_captured(&self) -> bool {
        self.way == MailDelivery::Captured
    }

    fn sends_mail(&self) -> bool {
        self.way != MailDelivery::None
    }
}

/// The form, as it was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PreferencesForm {
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

impl From<&NotificationPreferences> for PreferencesForm {
    fn from(preferences: &NotificationPreferences) -> Self {
        let tick = |is_on: bool| is_on.then(|| "on".to_owned());
        let time = |time: Option<TimeOfDay>| time.map_or_else(String::new, |time| time.to_string());
        let (from, until) = preferences.quiet.unzip();
        Self {
            low: tick(preferences.low),
            out: tick(preferences.out),
            out_at_supplier: tick(preferences.out_at_supplier),
            recovered: tick(preferences.recovered),
            stopped: tick(preferences.stopped),
            hours: preferences
                .letters_after_hours
                .map_or_else(String::new, |hours| hours.to_string()),
            by_mail: tick(preferences.by_mail),
            when: if preferences.digest_at.is_some() {
                "digest".to_owned()
            } else {
                "once".to_owned()
            },
            digest_at: time(preferences.digest_at),
            quiet_from: time(from),
            quiet_until: time(until),
        }
    }
}

impl PreferencesForm {
    fn parse(&self) -> Result<NotificationPreferences, Mistakes> {
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
                "Enter when you want the email, for example 07:30",
            );
        }
        let quiet = self.parse_quiet(&mut mistakes);
        if quiet.is_some_and(|(from, until)| from == until) {
            mistakes.add(
                "quiet_until",
                "The quiet hours must end at another time than they begin",
            );
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(NotificationPreferences {
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
                "A bean is out of stock at its supplier",
                "The supplier has said so.",
                &self.out_at_supplier,
            ),
            tick(
                "recovered",
                "When it recovers",
                "For what you have ticked above.",
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
        Self::from(&NotificationPreferences {
            out: true,
            low: true,
            recovered: true,
            by_mail: true,
            ..NotificationPreferences::default()
        })
    }
}

/// Asks what somebody wants to be told.
pub(super) async fn show_preferences(
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
    typed: Option<PreferencesForm>,
    showing: Showing,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let account = viewer.0.account;
    let stored = db::notification_preferences::find_subscriber(&mut conn, account).await?;
    let form = typed.unwrap_or_else(|| {
        let preferences = stored
            .as_ref()
            .map(|subscriber| PreferencesForm::from(&subscriber.preferences));
        preferences.unwrap_or_else(PreferencesForm::proposed)
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
            label: "Email me",
            hint: "",
            is_on: form.by_mail.is_some(),
        },
        is_digest: form.when == "digest",
        digest: time("digest_at", "Time of the daily email", &form.digest_at),
        quiet: [
            time("quiet_from", "No email from", &form.quiet_from),
            time("quiet_until", "No email until", &form.quiet_until),
        ],
        way: state.rules.mail,
        stored,
        feed: showing.feed,
        mails: db::mails::list_mails_to(&mut conn, account, MAILS).await?,
        has_failures: db::mails::has_unseen_failures(&mut conn, account).await?,
        layout,
        viewer,
        mistakes,
    };
    Ok(Page(showing.status, page).into_response())
}

/// Writes down what somebody wants to be told.
pub(super) async fn change_preferences(
    State(state): State<AppState>,
    acting: Acting,
    viewer: Viewer,
    layout: Layout,
    Form(form): Form<PreferencesForm>,
) -> Result<Response, WebError> {
    match form.parse() {
        Ok(preferences) => {
            save(&state, &acting, preferences).await?;
            Ok(back(Notice::PreferencesSaved))
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

/// Saves them. Where there is no mail, the form does not ask about it, and what was chosen before stays.
async fn save(
    state: &AppState,
    acting: &Acting,
    typed: NotificationPreferences,
) -> Result<(), WebError> {
    let (account, now) = (acting.account, state.clock.now());
    let has_mail = state.rules.mail != MailDelivery::None;
    db::in_transaction(&state.pool, async |tx| {
        let stored = db::notification_preferences::find_subscriber(tx, account).await?;
        let preferences = match stored {
            Some(stored) if !has_mail => NotificationPreferences {
                by_mail: stored.preferences.by_mail,
                digest_at: stored.preferences.digest_at,
                quiet: stored.preferences.quiet,
                ..typed.clone()
            },
            _ => typed.clone(),
        };
        if !preferences.by_mail {
            db::notifications::forget_waiting(tx, account).await?;
        }
        db::notification_preferences::set_preferences(tx, account, &preferences, now).await?;
        let activity = acting.did(Action::ChoseAlerts, "");
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    Ok(())
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
    acting: Acting,
    viewer: Viewer,
    headers: HeaderMap,
    layout: Layout,
    Form(form): Form<FeedForm>,
) -> Result<Response, WebError> {
    match form.to.as_str() {
        "close" => {
            set_feed(&state, &acting, None).await?;
            Ok(back(Notice::FeedClosed))
        }
        "make" => {
            let token = Token::generate();
            if !set_feed(&state, &acting, Some(&token)).await? {
                return Ok(back(Notice::PreferencesFirst));
            }
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

/// Opens somebody's feed at an address, or closes it; gives `false` to whoever has chosen nothing to be in it.
async fn set_feed(
    state: &AppState,
    acting: &Acting,
    token: Option<&Token>,
) -> Result<bool, WebError> {
    let (account, hash) = (acting.account, token.map(Token::hash));
    let action = match token {
        Some(_) => Action::MadeFeed,
        None => Action::ClosedFeed,
    };
    let is_set = db::in_transaction(&state.pool, async |tx| {
        let stored = db::notification_preferences::find_subscriber(tx, account).await?;
        if stored.is_none() {
            return DbResult::Ok(false);
        }
        db::notification_preferences::set_feed(tx, account, hash.as_ref()).await?;
        db::activity::insert_activity(tx, &acting.did(action, "")).await?;
        Ok(true)
    })
    .await?;
    Ok(is_set)
}

/// Sends somebody a mail that says that mail reaches them.
pub(super) async fn send_test(
    State(state): State<AppState>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    if state.rules.mail == MailDelivery::None {
        return Err(WebError::BadForm);
    }
    let (site, now) = (state.ingress.origin_for(&headers), state.clock.now());
    let is_written = write_test(&state.pool, viewer.0.account, &site, now).await?;
    Ok(back(if is_written {
        Notice::TestMailed
    } else {
        Notice::TooManyMails
    }))
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
