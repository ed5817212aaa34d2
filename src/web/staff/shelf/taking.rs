//! Taking forms about a bean's stock: what they would do is shown first, then it is done.

use axum::http::StatusCode;
use axum::response::Redirect;
use chrono_tz::Tz;

use crate::db::activity::Actor;
use crate::domain::{AccountId, BeanId, Final, Immovable};
use crate::shelf::{self, Deed, Effect, ShelfError};
use crate::submission::Submission;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::form::Mistakes;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::moment;
use crate::web::ui::wording;

/// A form with a key of its own, so that it has one effect however often it is sent.
pub(super) fn submission(
    key: &str,
    what: &str,
    bean: BeanId,
    by: AccountId,
    content: &[&str],
) -> Result<Submission, WebError> {
    if key.is_empty() {
        return Err(WebError::BadForm);
    }
    let (bean, by) = (bean.to_string(), by.0.to_string());
    let content = [&[what, &bean, &by], content].concat();
    Ok(Submission::new(key, &content))
}

/// What a form about a bean's stock comes to.
pub(super) enum Answer {
    /// It is shown: again with mistakes, or with what it would do.
    Show(StatusCode, Result<Effect, Mistakes>),
    Done(Redirect),
}

/// What was typed about a bean's stock, and by whom.
pub(super) struct Typed<'a> {
    pub(super) bean: BeanId,
    pub(super) deed: Result<Deed, Mistakes>,
    pub(super) by: Actor<'a>,
    pub(super) form: Submission,
    /// Whether its effect has been seen.
    pub(super) is_confirmed: bool,
    /// The field that the stock's refusal is told at.
    pub(super) field: &'static str,
    pub(super) zone: Tz,
}

/// Tells what a deed would do or, once that has been seen, does it.
pub(super) async fn take(
    state: &AppState,
    typed: Typed<'_>,
    notice: Notice,
) -> Result<Answer, WebError> {
    let deed = match typed.deed {
        Ok(deed) => deed,
        Err(mistakes) => {
            return Ok(Answer::Show(
                StatusCode::UNPROCESSABLE_ENTITY,
                Err(mistakes),
            ));
        }
    };
    let done = if typed.is_confirmed {
        let booked = shelf::book(&state.pool, typed.bean, &deed, typed.by, &typed.form).await;
        booked.map(|_| {
            let page = notice.on(&paths::bean(typed.bean));
            Answer::Done(Redirect::to(&page))
        })
    } else {
        let mut conn = state.connection().await?;
        let effect = shelf::foresee(&mut conn, typed.bean, &deed).await;
        effect.map(|effect| Answer::Show(StatusCode::OK, Ok(effect)))
    };
    match done {
        Ok(answer) => Ok(answer),
        Err(error) => {
            let mistakes = Mistakes::one(typed.field, refusal(error, typed.zone)?);
            Ok(Answer::Show(StatusCode::CONFLICT, Err(mistakes)))
        }
    }
}

/// Puts into words why something is not booked.
pub(super) fn refusal(error: ShelfError, zone: Tz) -> Result<String, WebError> {
    match error {
        ShelfError::NoBean => Err(WebError::NotFound(Missing::Bean)),
        ShelfError::NoMovement => Err(WebError::NotFound(Missing::Movement)),
        ShelfError::Db(error) => Err(error.into()),
        error => Ok(sentence(&error, zone)),
    }
}

/// The same where there is no page to lead to.
pub(in crate::web::staff) fn sentence(error: &ShelfError, zone: Tz) -> String {
    match error {
        ShelfError::NoBean => "The bean was taken off the list".to_owned(),
        ShelfError::NoMovement => "There is no such movement".to_owned(),
        ShelfError::Db(_) => "The database did not answer".to_owned(),
        ShelfError::Immovable { stock, immovable } => immovable_sentence(*stock, *immovable),
        ShelfError::CountedLater => "The bags cannot have been counted in the future".to_owned(),
        ShelfError::CountedSince(at) => format!(
            "This bean was counted again at {}. That count stands; count once more if you doubt it",
            moment(*at, zone)
        ),
        ShelfError::MiscountedBy(moved_since) => format!(
            "Since that moment {} were taken away, which is more than there were. Check the number and the \
             time",
            wording::bags(-moved_since)
        ),
        ShelfError::Final(why) => match why {
            Final::Undone => "It was undone already",
            Final::NotUndoable => "This cannot be undone. Adjust the number instead",
            Final::OfUpdate => {
                "This came with a supplier’s update. Correct the update, so that its supplier is told"
            }
            Final::Counted => {
                "The bags were counted since, so undoing this would change nothing. Undo the newest count \
                 first if that was wrong"
            }
            Final::Immovable(_) => "The stock cannot be changed so",
        }
        .to_owned(),
    }
}

fn immovable_sentence(stock: i64, immovable: Immovable) -> String {
    match immovable {
        Immovable::BelowZero if stock == 0 => {
            "There are none left. Count them if there are bags on the shelf".to_owned()
        }
        Immovable::BelowZero => format!(
            "There {} only {}. Count them if there are more on the shelf",
            if stock == 1 { "is" } else { "are" },
            wording::bags(stock)
        ),
        Immovable::AboveMost => {
            "That would make more than a billion bags, the most there can be".to_owned()
        }
    }
}
