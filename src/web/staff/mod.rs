//! Pages for the café's staff.

mod accounts;
mod activity;
mod alerts;
mod aliases;
mod bean_changes;
mod bean_form;
mod bean_page;
mod bean_search;
mod beans;
mod bulk;
mod bulk_form;
mod consumers;
mod home;
mod letters;
mod mailbox;
mod role_choice;
mod shelf;
mod stock_files;
mod stocktakes;
mod stream;
mod subscriptions;
mod supplier_form;
mod supplier_page;
mod suppliers;
mod what_if;

use axum::Router;
use axum::routing::{get, post};

use super::paths;
use super::state::AppState;

pub(crate) use self::home::show_home;

pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .merge(shelf::router())
        .merge(letters::router())
        .merge(beans_router())
        .merge(stream::router())
        .route(paths::ALERTS, get(alerts::list_alerts))
        .route(paths::ALERT_ACKNOWLEDGE, post(alerts::acknowledge))
        .route(paths::ALERT_MUTE, post(alerts::mute))
        .route(paths::SUBSCRIPTIONS, get(subscriptions::list_subscriptions))
        .route(paths::ALERT_TARGETS_SEEN, post(alerts::acknowledge_targets))
        .route(
            paths::BEAN_LINE,
            get(alerts::edit_line).post(alerts::change_line),
        )
        .route(paths::SUPPLIERS, get(suppliers::list_suppliers))
        .route(
            paths::SUPPLIER_ADD,
            get(suppliers::new_supplier).post(suppliers::create_supplier),
        )
        .route(paths::SUPPLIER_UPDATE_FORM, get(suppliers::edit_supplier))
        .route(paths::SUPPLIER_UPDATE, post(suppliers::change_supplier))
        .route(
            paths::SUPPLIER_REMOVE,
            get(suppliers::confirm_removal).post(suppliers::remove_supplier),
        )
        .route(paths::SUPPLIER, get(supplier_page::show_supplier))
        .route(
            paths::SUPPLIER_ALIAS,
            get(aliases::ask).post(aliases::settle),
        )
        .route(paths::SUPPLIER_ALIAS_REMOVE, post(aliases::remove))
        .route(paths::SUPPLIER_SWITCH, post(supplier_page::switch))
        .route(paths::WHAT_IF, get(what_if::show_form).post(what_if::tell))
        .route(
            paths::STOCKTAKES,
            get(stocktakes::list_stocktakes).post(stocktakes::start),
        )
        .route(paths::STOCKTAKE, get(stocktakes::show_stocktake))
        .route(paths::STOCKTAKE_COUNT, post(stocktakes::take_count))
        .route(paths::STOCKTAKE_FINISH, post(stocktakes::finish))
        .route(paths::STOCK_CSV, get(stock_files::export_csv))
        .route(paths::STOCK_JSON, get(stock_files::export_json))
        .route(paths::MAILBOX, get(mailbox::list_mails))
        .route(paths::MAIL, get(mailbox::show_mail))
        .route(paths::CONSUMERS, get(consumers::list_consumers))
        .route(paths::QUEUE_PAUSE, post(consumers::pause))
        .route(paths::QUEUE_RESUME, post(consumers::resume))
        .route(paths::ACCOUNTS, get(accounts::list_accounts))
        .route(
            paths::ACCOUNT_INVITE,
            get(accounts::new_invitation).post(accounts::invite),
        )
        .route(paths::ACCOUNT, get(accounts::show_account))
        .route(paths::ACCOUNT_ROLE, post(accounts::change_role))
        .route(paths::ACCOUNT_LINK, post(accounts::make_link))
        .route(paths::ACCOUNT_SESSIONS, post(accounts::end_sessions))
        .route(paths::ACCOUNT_DISABLE, post(accounts::disable))
        .route(paths::ACCOUNT_ENABLE, post(accounts::enable))
        .route(paths::ACTIVITY, get(activity::list_activity))
        .route(paths::ACTIVITY_CSV, get(activity::export_activity))
}

fn beans_router() -> Router<AppState> {
    Router::new()
        .route(paths::BEANS, get(beans::list_beans))
        .route(
            paths::BEANS_EDIT,
            get(bulk::edit_several).post(bulk::take_several),
        )
        .route(paths::BULK_EDIT, get(bulk::show_edit))
        .route(paths::BULK_EDIT_UNDO, post(bulk::undo_edit))
        .route(paths::BEAN, get(bean_page::show_bean))
        .route(
            paths::BEAN_ADD,
            get(bean_changes::new_bean).post(bean_changes::create_bean),
        )
        .route(paths::BEAN_UPDATE_FORM, get(bean_changes::edit_bean))
        .route(paths::BEAN_UPDATE, post(bean_changes::change_bean))
        .route(
            paths::BEAN_REMOVE,
            get(bean_changes::confirm_removal).post(bean_changes::remove_bean),
        )
}
