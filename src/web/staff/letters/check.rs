//! Asking once more before many dead letters are dealt with: which they are, what will come of them, and how fast.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use uuid::Uuid;

use super::check_form::{CheckForm, Checked, MANY, SPEEDS, check};
use super::choice::{Choice, sender};
use super::prospects::{Prospects, rehearse_all};
use crate::db;
use crate::db::Connection;
use crate::db::bulk_actions::NewBulkAction;
use crate::db::letter_lists::{LetterFilter, LettersOf};
use crate::dead_letters::{self, BulkError, Undertaking};
use crate::domain::{Action, BulkKind, ShortText, SupplierId};
use crate::inventory::RESTORABLE_FOR;
use crate::submission::Submission;
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField, new_key};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::query::Query;

#[derive(Template)]
#[template(path = "staff/dead_letters/check.html")]
struct CheckPage {
    layout: Layout,
    choice: Choice,
    kind: BulkKind,
    title: String,
    number: i64,
    /// Whether there are more than can be dealt with at once.
    is_cut: bool,
    newest: Uuid,
    digest: String,
    form_key: String,
    /// Of what is to be sent again.
    rehearsal: Option<Prospects>,
    speed: i32,
    why: TextField,
    typed: TextField,
    mistakes: Mistakes,
}

impl CheckPage {
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn speeds(&self) -> [i32; 3] {
        SPEEDS
    }

    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn days(&self) -> i64 {
        RESTORABLE_FOR.num_days()
    }

    fn is_discarding(&self) -> bool {
        self.kind == BulkKind::Discard
    }

    /// Whether none of them would be applied.
    fn is_hopeless(&self) -> bool {
        let rehearsal = self.rehearsal.as_ref();
        rehearsal.is_some_and(|rehearsal| rehearsal.apply + rehearsal.overtaken == 0)
    }

    fn asks_for_number(&self) -> bool {
        self.number >= MANY
    }

    /// Where the form goes.
    fn action(&self) -> String {
        self.choice.on(match self.kind {
            BulkKind::Resend => paths::DEAD_LETTERS_RESEND,
            BulkKind::Discard => paths::DEAD_LETTERS_DISCARD,
        })
    }

    /// About how long it takes, in words.
    fn duration(&self, speed: impl Borrow<i32>) -> String {
        let speed = i64::from(*speed.borrow());
        let up = |number: i64, by: i64| (number + by - 1) / by;
        let seconds = up(self.number, speed);
        match seconds {
            0..=90 => format!("{seconds} s"),
            91..=5_400 => format!("{} min", up(seconds, 60)),
            _ => format!("{} h", up(seconds, 3_600)),
        }
    }
}

/// Tells what would come of sending the chosen letters again.
pub(super) async fn ask_to_resend(
    State(state): State<AppState>,
    layout: Layout,
    Query(choice): Query<Choice>,
) -> Result<Response, WebError> {
    ask(&state, layout, choice, BulkKind::Resend).await
}

/// Asks why the chosen letters are to be discarded.
pub(super) async fn ask_to_discard(
    State(state): State<AppState>,
    layout: Layout,
    Query(choice): Query<Choice>,
) -> Result<Response, WebError> {
    ask(&state, layout, choice, BulkKind::Discard).await
}

async fn ask(
    state: &AppState,
    layout: Layout,
    choice: Choice,
    kind: BulkKind,
) -> Result<Response, WebError> {
    let form = CheckForm {
        form_key: new_key(),
        speed: "10".to_owned(),
        ..CheckForm::default()
    };
    let asked = Asked {
        state,
        layout,
        choice,
        kind,
    };
    asked.show(form, Mistakes::default(), StatusCode::OK).await
}

/// Sends the chosen letters again.
pub(super) async fn resend(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Query(choice): Query<Choice>,
    Form(form): Form<CheckForm>,
) -> Result<Response, WebError> {
    let asked = Asked {
        state: &state,
        layout,
        choice,
        kind: BulkKind::Resend,
    };
    asked.begin(&acting, form).await
}

/// Discards the chosen letters.
pub(super) async fn discard(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Query(choice): Query<Choice>,
    Form(form): Form<CheckForm>,
) -> Result<Response, WebError> {
    let asked = Asked {
        state: &state,
        layout,
        choice,
        kind: BulkKind::Discard,
    };
    asked.begin(&acting, form).await
}

/// What somebody wants done with the letters that an address chooses.
struct Asked<'a> {
    state: &'a AppState,
    layout: Layout,
    choice: Choice,
    kind: BulkKind,
}

impl Asked<'_> {
    /// Shows the letters that are there now; leads back to the list if there are none.
    async fn show(
        self,
        form: CheckForm,
        mistakes: Mistakes,
        status: StatusCode,
    ) -> Result<Response, WebError> {
        let mut conn = self.state.connection().await?;
        // What cannot be read means nothing, and nothing chosen is no choice either.
        let filter = self.choice.filter().filter(|_| !self.choice.is_any());
        let Some(filter) = filter else {
            return Ok(Redirect::to(paths::DEAD_LETTERS).into_response());
        };
        let chosen = dead_letters::choose(&mut conn, &filter, Uuid::max()).await?;
        let Some(newest) = chosen.letters.first().copied() else {
            let notice = self.layout.notice.unwrap_or(Notice::NothingToDo);
            let page = notice.on_query(&self.choice.address());
            return Ok(Redirect::to(&page).into_response());
        };
        let rehearsal = match self.kind {
            BulkKind::Discard => None,
            BulkKind::Resend => Some(rehearse_all(&mut conn, self.state, &chosen.letters).await?),
        };
        let page = CheckPage {
            title: self.title(&mut conn, &filter).await?,
            number: i64::try_from(chosen.letters.len()).unwrap_or(i64::MAX),
            digest: chosen.digest(),
            is_cut: chosen.is_cut,
            newest,
            rehearsal,
            speed: form.speed.parse().unwrap_or(SPEEDS[1]),
            why: TextField {
                kind: "",
                width: "wide",
                hint: "Their suppliers read this too.",
                ..TextField::new("why", "Why?", &form.why, &mistakes)
            },
            typed: TextField {
                inputmode: "numeric",
                width: "short",
                hint: "Confirms that you mean all of them.",
                ..TextField::new("typed", "Type how many there are", &form.typed, &mistakes)
            },
            form_key: form.form_key,
            layout: self.layout,
            choice: self.choice,
            kind: self.kind,
            mistakes,
        };
        Ok(Page(status, page).into_response())
    }

    /// What was chosen, in words.
    async fn title(
        &self,
        conn: &mut Connection,
        filter: &LetterFilter,
    ) -> Result<String, WebError> {
        let of = match filter.of {
            LettersOf::Anybody => None,
            LettersOf::Nobody => Some(sender(None, None)),
            LettersOf::Supplier(number) => {
                let found = db::suppliers::find_supplier(conn, SupplierId(number)).await?;
                let name = found.map(|supplier| supplier.name);
                Some(sender(Some(number), name.as_deref()))
            }
        };
        Ok(self.choice.in_words(of.as_deref()))
    }

    /// Begins, unless the form says something that cannot be or other letters than were shown would be meant.
    async fn begin(self, acting: &Acting, form: CheckForm) -> Result<Response, WebError> {
        let filter = self.choice.filter().filter(|_| !self.choice.is_any());
        let filter = filter.ok_or(WebError::BadForm)?;
        let checked = match check(&form, self.kind)? {
            Ok(checked) => checked,
            Err(mistakes) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                return self.show(form, mistakes, status).await;
            }
        };
        let title = self
            .title(&mut *self.state.connection().await?, &filter)
            .await?;
        let by = acting.account;
        let page = self.choice.address();
        let undertaking = Undertaking {
            action: NewBulkAction {
                kind: self.kind,
                title: &title,
                address: &page,
                why: checked.why.as_ref().map(ShortText::as_str),
                per_second: checked.speed,
                newest: checked.newest,
                by,
            },
            filter: &filter,
            number: usize::try_from(checked.number).unwrap_or(usize::MAX),
            digest: &form.digest,
        };
        let details = self.details(&title, &checked);
        let activity = acting.did(Action::StartedBulkAction, &details);
        let submission = Submission::new(&form.form_key, &[&page, &form.newest, self.kind.code()]);
        let (pool, now) = (&self.state.pool, self.state.clock.now());
        match dead_letters::start(pool, &undertaking, &submission, &activity, now).await {
            Ok(id) => Ok(Redirect::to(&paths::bulk_action(id)).into_response()),
            Err(BulkError::Differs) => {
                let sentence = "The list has changed since you saw it. Check it and confirm again";
                let mistakes = Mistakes::one("speed", sentence);
                self.show(form, mistakes, StatusCode::CONFLICT).await
            }
            Err(BulkError::Over) => Err(WebError::BadForm),
            Err(BulkError::Db(error)) => Err(error.into()),
        }
    }

    fn details(&self, title: &str, checked: &Checked) -> String {
        let verb = match self.kind {
            BulkKind::Resend => "sends again",
            BulkKind::Discard => "discards",
        };
        let mut details = format!("{verb} {} dead letters: {title}", checked.number);
        if let Some(why) = &checked.why {
            details.push_str(", because: ");
            details.push_str(why.as_str());
        }
        details
    }
}
