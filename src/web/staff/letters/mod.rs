//! What needs attention: finding dead letters in groups, noting something on a group, and dealing with many at once.

mod bulk;
mod check;
mod check_form;
mod choice;
mod list;
mod note;
mod prospects;

use axum::Router;
use axum::routing::{get, post};

use self::choice::Choice;
use crate::domain::{Reason, SupplierId};
use crate::web::paths;
use crate::web::state::AppState;

/// Where the messages of a supplier that name a bean are sent again; the list says so if there are none.
pub(super) fn letters_with(supplier: SupplierId, name: &str) -> String {
    let choice = Choice {
        bean: name.to_owned(),
        ..Choice::of(Reason::UnknownBean, Some(supplier.0))
    };
    choice.on(paths::DEAD_LETTERS_RESEND)
}

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route(paths::DEAD_LETTERS, get(list::list_dead_letters))
        .route(paths::DEAD_LETTER_BODY, get(list::show_body))
        .route(paths::DEAD_LETTERS_NOTE, post(note::set))
        .route(
            paths::DEAD_LETTERS_RESEND,
            get(check::ask_to_resend).post(check::resend),
        )
        .route(
            paths::DEAD_LETTERS_DISCARD,
            get(check::ask_to_discard).post(check::discard),
        )
        .route(paths::BULK_ACTIONS, get(bulk::list_actions))
        .route(paths::BULK_ACTION, get(bulk::show_action))
        .route(paths::BULK_ACTION_STOP, post(bulk::stop))
}
