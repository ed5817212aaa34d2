//! Pages about updates, which suppliers and the café share: one address for each thing, and who looks at it
//! decides what they see and may do.

mod cancel;
mod card;
mod correct;
mod desk;
mod discard;
mod effect;
mod export;
mod eyes;
mod history;
mod list;
mod overtaken;
mod resend;
mod send;
mod send_pages;
mod show;
mod slip_form;
mod slip_page;
mod told;

pub(crate) use self::card::Card;
pub(crate) use self::eyes::Eyes;
pub(crate) use self::told::Told;

use axum::Router;
use axum::routing::{get, post};

use super::paths;
use super::state::AppState;

pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route(paths::UPDATES, get(list::list_updates))
        .route(paths::UPDATES_CSV, get(export::export_updates))
        .route(paths::UPDATE_NEW, get(send::new_slip).post(send::take_form))
        .route(paths::UPDATE_EFFECT, post(send::show_effect))
        .route(paths::UPDATE, get(show::show_named))
        .route(paths::UPDATE_FIX, get(send::fix))
        .route(
            paths::UPDATE_CORRECT,
            get(correct::ask).post(correct::take_form),
        )
        .route(paths::UPDATE_CANCEL, post(cancel::cancel))
        .route(paths::UPDATE_ANYWAY, post(overtaken::apply_anyway))
        .route(
            paths::UPDATE_DISCARD,
            get(discard::confirm).post(discard::discard),
        )
        .route(
            paths::UPDATE_RESEND,
            get(resend::confirm).post(resend::resend),
        )
        .route(paths::UPDATE_RESTORE, post(discard::restore))
        .route(paths::UPDATE_LEAVE, post(overtaken::leave))
}
