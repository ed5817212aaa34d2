//! Every address of the site, once: patterns for the route table, and builders for links.
//!
//! Builders take ids by value or by reference, since templates hand in references.

use std::borrow::Borrow;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use chrono::{DateTime, SecondsFormat, Utc};
use url::form_urlencoded;
use uuid::Uuid;

use super::http::error::{Missing, WebError};
use crate::accounts::Token;
use crate::domain::{AccountId, BeanId, SlipNumber, SupplierId, UpdateId};

pub(crate) const HOME: &str = "/";
pub(crate) const BEANS: &str = "/beans";
pub(crate) const BEAN: &str = "/beans/{id}";
pub(crate) const BEAN_USE: &str = "/beans/{id}/use";
pub(crate) const BEAN_ADJUST: &str = "/beans/{id}/adjust";
pub(crate) const BEAN_COUNT: &str = "/beans/{id}/count";
pub(crate) const BEAN_UNDO: &str = "/beans/{id}/movements/{sequence}/undo";
pub(crate) const BEAN_LINE: &str = "/beans/{id}/alert";
pub(crate) const ALERTS: &str = "/alerts";
pub(crate) const ALERT_ACKNOWLEDGE: &str = "/alerts/{id}/acknowledge";
pub(crate) const SUBSCRIPTIONS: &str = "/subscriptions";
pub(crate) const ALERT_TARGETS_SEEN: &str = "/alerts/targets/seen";
pub(crate) const ALERT_MUTE: &str = "/alerts/{id}/mute";
pub(crate) const USE: &str = "/use";
pub(crate) const BEAN_ADD: &str = "/bean-add";
pub(crate) const BEAN_UPDATE: &str = "/bean-update";
pub(crate) const BEAN_UPDATE_FORM: &str = "/bean-update/{id}";
pub(crate) const BEAN_REMOVE: &str = "/bean-remove/{id}";
pub(crate) const QUEUE_PAUSE: &str = "/consumers/pause";
pub(crate) const QUEUE_RESUME: &str = "/consumers/resume";
pub(crate) const BEANS_EDIT: &str = "/beans/edit";
pub(crate) const BULK_EDIT: &str = "/bean-edits/{id}";
pub(crate) const BULK_EDIT_UNDO: &str = "/bean-edits/{id}/undo";
pub(crate) const STOCKTAKES: &str = "/stocktakes";
pub(crate) const STOCKTAKE: &str = "/stocktakes/{id}";
pub(crate) const STOCKTAKE_COUNT: &str = "/stocktakes/{id}/count";
pub(crate) const STOCKTAKE_FINISH: &str = "/stocktakes/{id}/finish";
pub(crate) const STOCK_CSV: &str = "/stock.csv";
pub(crate) const STOCK_JSON: &str = "/stock.json";
pub(crate) const BEANS_JSON: &str = "/beans.json";
pub(crate) const SNS: &str = "/sns";
pub(crate) const SUPPLIERS: &str = "/suppliers";
pub(crate) const SUPPLIER_ADD: &str = "/supplier-add";
pub(crate) const SUPPLIER_UPDATE: &str = "/supplier-update";
pub(crate) const SUPPLIER_UPDATE_FORM: &str = "/supplier-update/{id}";
pub(crate) const SUPPLIER_REMOVE: &str = "/supplier-remove/{id}";
pub(crate) const SUPPLIER: &str = "/suppliers/{id}";
pub(crate) const SUPPLIER_ALIAS: &str = "/suppliers/{id}/alias";
pub(crate) const SUPPLIER_ALIAS_REMOVE: &str = "/suppliers/{id}/alias/remove";
pub(crate) const SUPPLIER_SWITCH: &str = "/suppliers/{id}/switch";
pub(crate) const WHAT_IF: &str = "/what-if";
pub(crate) const UPDATES: &str = "/updates";
pub(crate) const UPDATES_CSV: &str = "/updates.csv";
pub(crate) const UPDATE: &str = "/updates/{id}";
pub(crate) const UPDATE_NEW: &str = "/updates/new";
pub(crate) const UPDATE_EFFECT: &str = "/updates/effect";
pub(crate) const UPDATE_FIX: &str = "/updates/{id}/fix";
pub(crate) const UPDATE_CORRECT: &str = "/updates/{id}/correct";
pub(crate) const UPDATE_ANYWAY: &str = "/updates/{id}/apply-anyway";
pub(crate) const UPDATE_RESEND: &str = "/updates/{id}/resend";
pub(crate) const UPDATE_DISCARD: &str = "/updates/{id}/discard";
pub(crate) const UPDATE_RESTORE: &str = "/updates/{id}/restore";
pub(crate) const UPDATE_LEAVE: &str = "/updates/{id}/leave";
pub(crate) const UPDATE_CANCEL: &str = "/updates/{id}/cancel";
pub(crate) const LIVE: &str = "/live";
/// What keeps the screen on the wall up to date.
pub(crate) const LIVE_WALL: &str = "/live?board=yes";
/// The first page for a screen on the wall.
pub(crate) const WALL: &str = "/?screen=wall";
pub(crate) const UPDATES_APPLIED: &str = "/updates?state=applied";
pub(crate) const CONSUMERS: &str = "/consumers";
pub(crate) const STREAM: &str = "/operations/stream";
pub(crate) const STREAM_SPLIT: &str = "/operations/stream/split";
pub(crate) const STREAM_MERGE: &str = "/operations/stream/merge";
pub(crate) const STREAM_AGAIN: &str = "/operations/stream/again";
pub(crate) const STREAM_SEEN: &str = "/operations/stream/seen";
pub(crate) const STREAM_EXPIRED: &str = "/operations/stream/expired";
pub(crate) const DEAD_LETTERS: &str = "/dead-letters";
pub(crate) const DEAD_LETTERS_NOTE: &str = "/dead-letters/note";
pub(crate) const DEAD_LETTERS_RESEND: &str = "/dead-letters/resend";
pub(crate) const DEAD_LETTERS_DISCARD: &str = "/dead-letters/discard";
pub(crate) const BULK_ACTIONS: &str = "/bulk-actions";
pub(crate) const BULK_ACTION: &str = "/bulk-actions/{id}";
pub(crate) const BULK_ACTION_STOP: &str = "/bulk-actions/{id}/stop";
pub(crate) const DEAD_LETTER_BODY: &str = "/dead-letters/{id}/message";
pub(crate) const ACCOUNTS: &str = "/accounts";
pub(crate) const ACCOUNT_INVITE: &str = "/accounts/invite";
pub(crate) const ACCOUNT: &str = "/accounts/{id}";
pub(crate) const ACCOUNT_ROLE: &str = "/accounts/{id}/role";
pub(crate) const ACCOUNT_LINK: &str = "/accounts/{id}/link";
pub(crate) const ACCOUNT_SESSIONS: &str = "/accounts/{id}/end-sessions";
pub(crate) const ACCOUNT_DISABLE: &str = "/accounts/{id}/disable";
pub(crate) const ACCOUNT_ENABLE: &str = "/accounts/{id}/enable";
pub(crate) const ACTIVITY: &str = "/activity";
pub(crate) const ACTIVITY_CSV: &str = "/activity.csv";
pub(crate) const OWN: &str = "/account";
pub(crate) const OWN_NEEDS: &str = "/account/needs";
pub(crate) const OWN_ALERTS: &str = "/account/alerts";
pub(crate) const OWN_ALERTS_FEED: &str = "/account/alerts/feed";
pub(crate) const OWN_ALERTS_SEEN: &str = "/account/alerts/seen";
pub(crate) const OWN_ALERTS_TEST: &str = "/account/alerts/test";
pub(crate) const FEED: &str = "/feed/{token}";
pub(crate) const MAILBOX: &str = "/local/mailbox";
pub(crate) const MAIL: &str = "/local/mailbox/{id}";
pub(crate) const OWN_PASSWORD: &str = "/account/password";
pub(crate) const OWN_DISPLAY: &str = "/account/display";
pub(crate) const OWN_SESSION: &str = "/account/sessions/{id}/end";
pub(crate) const SIGN_IN: &str = "/sign-in";
pub(crate) const SIGN_IN_DEMONSTRATION: &str = "/sign-in/demonstration";
pub(crate) const SIGN_OUT: &str = "/sign-out";
pub(crate) const WELCOME: &str = "/welcome/{token}";
/// Whether the process is alive.
pub const HEALTHZ: &str = "/healthz";
/// Whether it can do its work.
pub const READYZ: &str = "/readyz";
pub(crate) const FAVICON: &str = "/favicon.ico";
pub(crate) const STATIC: &str = "/static/{file}";

/// The page of a bean.
pub(crate) fn bean(id: impl Borrow<BeanId>) -> String {
    format!("{BEANS}/{}", id.borrow())
}

/// Where bags of a bean are used.
pub(crate) fn bean_use(id: impl Borrow<BeanId>) -> String {
    format!("{}/use", bean(id))
}

/// Where bags of a bean are used, found by its name among the others.
pub(crate) fn use_of(name: &str) -> String {
    format!("{USE}?q={}", encoded(name))
}

/// What was just used, on the page where bags are used.
pub(crate) fn used(id: impl Borrow<BeanId>, sequence: i64) -> String {
    format!("{USE}?bean={}&movement={sequence}", id.borrow())
}

/// The form that adjusts a bean's stock by a difference.
pub(crate) fn bean_adjust(id: impl Borrow<BeanId>) -> String {
    format!("{}/adjust", bean(id))
}

/// The form that counts a bean's bags.
pub(crate) fn bean_count(id: impl Borrow<BeanId>) -> String {
    format!("{}/count", bean(id))
}

/// What was changed of several beans at once.
pub(crate) fn bulk_edit(id: impl Borrow<i64>) -> String {
    format!("/bean-edits/{}", id.borrow())
}

/// Where that is taken back.
pub(crate) fn bulk_edit_undo(id: impl Borrow<i64>) -> String {
    format!("{}/undo", bulk_edit(id))
}

/// The page of a stocktake.
pub(crate) fn stocktake(id: impl Borrow<i64>) -> String {
    format!("{STOCKTAKES}/{}", id.borrow())
}

/// Where a count of a stocktake goes.
pub(crate) fn stocktake_count(id: impl Borrow<i64>) -> String {
    format!("{}/count", stocktake(id))
}

/// Where a stocktake is booked or dropped.
pub(crate) fn stocktake_finish(id: impl Borrow<i64>) -> String {
    format!("{}/finish", stocktake(id))
}

/// The form that says when a bean is low.
pub(crate) fn bean_line(id: impl Borrow<BeanId>) -> String {
    format!("{}/alert", bean(id))
}

/// Where somebody says that they look after an alert.
pub(crate) fn alert_acknowledge(alert: impl Borrow<i64>) -> String {
    format!("{ALERTS}/{}/acknowledge", alert.borrow())
}

/// Somebody's alerts for programs.
pub(crate) fn feed(token: &Token) -> String {
    format!("/feed/{}", token.expose())
}

/// A mail as it looks.
pub(crate) fn mail(id: impl Borrow<i64>) -> String {
    format!("{MAILBOX}/{}", id.borrow())
}

/// Where an alert is muted.
pub(crate) fn alert_mute(alert: impl Borrow<i64>) -> String {
    format!("{ALERTS}/{}/mute", alert.borrow())
}

/// The question before a movement is taken back, and where its answer goes.
pub(crate) fn bean_undo(id: impl Borrow<BeanId>, sequence: impl Borrow<i64>) -> String {
    format!("{}/movements/{}/undo", bean(id), sequence.borrow())
}

/// The form that changes a bean.
pub(crate) fn bean_update(id: impl Borrow<BeanId>) -> String {
    format!("{BEAN_UPDATE}/{}", id.borrow())
}

/// The question before a bean is removed, and where its answer goes.
pub(crate) fn bean_remove(id: impl Borrow<BeanId>) -> String {
    format!("/bean-remove/{}", id.borrow())
}

/// The form that changes a supplier.
pub(crate) fn supplier_update(id: impl Borrow<SupplierId>) -> String {
    format!("{SUPPLIER_UPDATE}/{}", id.borrow())
}

/// The question before a supplier is removed, and where its answer goes.
pub(crate) fn supplier_remove(id: impl Borrow<SupplierId>) -> String {
    format!("/supplier-remove/{}", id.borrow())
}

/// The page of an update.
pub(crate) fn update(id: impl Borrow<UpdateId>) -> String {
    format!("{UPDATES}/{}", id.borrow())
}

/// The page of what was sent at once.
pub(crate) fn slip(number: impl Borrow<SlipNumber>) -> String {
    format!("{UPDATES}/{}", number.borrow())
}

/// What keeps the page of a slip up to date.
pub(crate) fn live_slip(number: impl Borrow<SlipNumber>) -> String {
    format!("{LIVE}?slip={}", number.borrow())
}

/// What keeps the page of an update up to date.
pub(crate) fn live_update(id: impl Borrow<UpdateId>) -> String {
    format!("{LIVE}?update={}", id.borrow())
}

/// What keeps a list of updates up to date, and tells of those that came since.
pub(crate) fn live_board(updates: impl Iterator<Item = UpdateId>, since: DateTime<Utc>) -> String {
    let updates: Vec<UpdateId> = updates.collect();
    format!("{}&board=yes", live_rows(&updates, Some(since)))
}

/// The beans that are out, low or out at their supplier.
pub(crate) fn beans_that_are(what: &str) -> String {
    format!("{BEANS}?show={what}")
}

/// What keeps a list of updates up to date.
pub(crate) fn live_rows(updates: &[UpdateId], since: Option<DateTime<Utc>>) -> String {
    let rows: Vec<String> = updates.iter().map(UpdateId::to_string).collect();
    let since = since.map_or_else(String::new, |at| {
        format!("&since={}", at.to_rfc3339_opts(SecondsFormat::Micros, true))
    });
    format!("{LIVE}?rows={}{since}", rows.join(","))
}

/// The page of a supplier.
pub(crate) fn supplier(id: impl Borrow<SupplierId>) -> String {
    format!("{SUPPLIERS}/{}", id.borrow())
}

/// Where somebody settles what a name means when a supplier uses it.
pub(crate) fn supplier_alias(id: impl Borrow<SupplierId>) -> String {
    format!("{SUPPLIERS}/{}/alias", id.borrow())
}

/// The same for a name.
pub(crate) fn supplier_alias_for(id: impl Borrow<SupplierId>, name: &str) -> String {
    format!("{}?name={}", supplier_alias(id), encoded(name))
}

/// Where that is taken back.
pub(crate) fn supplier_alias_remove(id: impl Borrow<SupplierId>) -> String {
    format!("{SUPPLIERS}/{}/alias/remove", id.borrow())
}

/// Where a supplier is switched on and off.
pub(crate) fn supplier_switch(id: impl Borrow<SupplierId>) -> String {
    format!("{}/switch", supplier(id))
}

/// The beans of a supplier.
pub(crate) fn beans_of(id: impl Borrow<SupplierId>) -> String {
    format!("{BEANS}?supplier={}", id.borrow())
}

/// The updates of a supplier.
pub(crate) fn updates_of(id: impl Borrow<SupplierId>) -> String {
    format!("{UPDATES}?supplier={}", id.borrow())
}

/// The form that invites somebody who signs in for a supplier.
pub(crate) fn invite_for(id: impl Borrow<SupplierId>) -> String {
    format!("{ACCOUNT_INVITE}?role=supplier-{}", id.borrow())
}

/// The form to send updates for a supplier.
pub(crate) fn update_new_for(supplier: impl Borrow<SupplierId>) -> String {
    format!("{UPDATE_NEW}?supplier={}", supplier.borrow())
}

/// The form to send an update again, with what was wrong put right.
pub(crate) fn update_fix(id: impl Borrow<UpdateId>) -> String {
    format!("{UPDATES}/{}/fix", id.borrow())
}

/// The form to correct the number of bags of an update that was applied.
pub(crate) fn update_correct(id: impl Borrow<UpdateId>) -> String {
    format!("{UPDATES}/{}/correct", id.borrow())
}

/// Where an update that a count has overtaken is applied all the same.
pub(crate) fn update_anyway(id: impl Borrow<UpdateId>) -> String {
    format!("{UPDATES}/{}/apply-anyway", id.borrow())
}

/// Where it is closed for good.
pub(crate) fn update_discard(id: impl Borrow<UpdateId>) -> String {
    format!("{UPDATES}/{}/discard", id.borrow())
}

/// Where that is taken back.
pub(crate) fn update_restore(id: impl Borrow<UpdateId>) -> String {
    format!("{UPDATES}/{}/restore", id.borrow())
}

/// Where it is left at the count.
pub(crate) fn update_leave(id: impl Borrow<UpdateId>) -> String {
    format!("{UPDATES}/{}/leave", id.borrow())
}

/// Where somebody cancels an update.
pub(crate) fn update_cancel(id: impl Borrow<UpdateId>) -> String {
    format!("{UPDATES}/{}/cancel", id.borrow())
}

/// Where its message is sent again, unchanged.
pub(crate) fn update_resend(id: impl Borrow<UpdateId>) -> String {
    format!("{UPDATES}/{}/resend", id.borrow())
}

/// The page of something that is done with many dead letters.
pub(crate) fn bulk_action(id: impl Borrow<i64>) -> String {
    format!("{BULK_ACTIONS}/{}", id.borrow())
}

/// Where that is stopped.
pub(crate) fn bulk_action_stop(id: impl Borrow<i64>) -> String {
    format!("{BULK_ACTIONS}/{}/stop", id.borrow())
}

/// The page on which a manager changes an account.
pub(crate) fn account(id: impl Borrow<AccountId>) -> String {
    format!("{ACCOUNTS}/{}", id.borrow())
}

/// What a manager does with an account: `role`, `link`, `end-sessions`, `disable` or `enable`.
pub(crate) fn account_action(id: impl Borrow<AccountId>, action: &str) -> String {
    format!("{ACCOUNTS}/{}/{action}", id.borrow())
}

/// Where somebody ends one of their own sessions.
pub(crate) fn own_session(id: impl Borrow<i64>) -> String {
    format!("{OWN}/sessions/{}/end", id.borrow())
}

/// Where the owner of a link chooses a password.
pub fn welcome(token: &Token) -> String {
    format!("/welcome/{}", token.expose())
}

/// The page to sign in, from which one comes back to `next`.
pub(crate) fn sign_in_for(next: &str) -> String {
    if next == HOME {
        return SIGN_IN.to_owned();
    }
    format!("{SIGN_IN}?next={}", encoded(next))
}

/// A text as the value of a query.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Whether an address leads to this site, whatever a browser makes of it.
pub(crate) fn is_local(path: &str) -> bool {
    let plain = path
        .bytes()
        .all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\');
    path.starts_with('/') && !path.starts_with("//") && plain
}

/// The whole message of a dead letter.
pub(crate) fn dead_letter_body(id: impl Borrow<Uuid>) -> String {
    format!("{DEAD_LETTERS}/{}/message", id.borrow())
}

/// The one parameter of an address, read as an id. Anything else is a thing we do not have.
pub(crate) struct Id<T>(pub(crate) T);

/// An id that can stand in an address.
pub(crate) trait InPath: Sized {
    /// What is missing when there is no such id.
    const MISSING: Missing;

    fn from_segment(segment: &str) -> Option<Self>;
}

impl InPath for BeanId {
    const MISSING: Missing = Missing::Bean;

    fn from_segment(segment: &str) -> Option<Self> {
        segment.parse().ok().map(Self)
    }
}

impl InPath for SupplierId {
    const MISSING: Missing = Missing::Supplier;

    fn from_segment(segment: &str) -> Option<Self> {
        segment.parse().ok().map(Self)
    }
}

impl InPath for UpdateId {
    const MISSING: Missing = Missing::Update;

    fn from_segment(segment: &str) -> Option<Self> {
        Uuid::parse_str(segment).ok().map(Self)
    }
}

/// What a page about updates can be asked for by.
pub(crate) enum UpdateName {
    Update(UpdateId),
    Slip(SlipNumber),
}

impl InPath for UpdateName {
    const MISSING: Missing = Missing::Update;

    fn from_segment(segment: &str) -> Option<Self> {
        let id = UpdateId::from_segment(segment).map(Self::Update);
        id.or_else(|| SlipNumber::parse(segment).map(Self::Slip))
    }
}

impl InPath for AccountId {
    const MISSING: Missing = Missing::Account;

    fn from_segment(segment: &str) -> Option<Self> {
        segment.parse().ok().map(Self)
    }
}

impl InPath for Token {
    const MISSING: Missing = Missing::Link;

    fn from_segment(segment: &str) -> Option<Self> {
        Self::parse(segment)
    }
}

/// Names a session.
impl InPath for i64 {
    const MISSING: Missing = Missing::Page;

    fn from_segment(segment: &str) -> Option<Self> {
        segment.parse().ok()
    }
}

/// Names a dead letter.
impl InPath for Uuid {
    const MISSING: Missing = Missing::Letter;

    fn from_segment(segment: &str) -> Option<Self> {
        Self::parse_str(segment).ok()
    }
}

impl<S: Send + Sync, T: InPath> FromRequestParts<S> for Id<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        let missing = || WebError::NotFound(T::MISSING);
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .ok()
            .ok_or_else(missing)?;
        let segment = params.iter().next().map_or("", |(_, segment)| segment);
        T::from_segment(segment).map(Self).ok_or_else(missing)
    }
}

/// The place of a movement: its bean, and its number in the bean's ledger.
pub(crate) struct MovementPlace {
    pub(crate) bean: BeanId,
    pub(crate) sequence: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for MovementPlace {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        let Id(bean) = Id::from_request_parts(parts, state).await?;
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let sequence = params.as_ref().and_then(|params| params.iter().nth(1));
        let sequence = sequence.and_then(|(_, segment)| segment.parse().ok());
        let sequence = sequence.ok_or(WebError::NotFound(Missing::Movement))?;
        Ok(Self { bean, sequence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_cannot_be_is_no_id() {
        assert_eq!(BeanId::from_segment("7"), Some(BeanId(7)));
        for wrong in ["", "abc", "7x", "99999999999999999999", "1.0"] {
            assert_eq!(BeanId::from_segment(wrong), None, "{wrong}");
        }
        assert_eq!(UpdateId::from_segment("1234"), None);
    }
    #[test]
    fn only_an_address_of_this_site_is_come_back_to() {
        for good in ["/", "/beans", "/updates?state=applied&page=2", "/beans/7#x"] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "",
            "beans",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "/\u{202e}x",
        ] {
            assert!(!is_local(bad), "{bad}");
        }
        assert_eq!(sign_in_for("/"), "/sign-in");
        assert_eq!(sign_in_for("/beans?a=b"), "/sign-in?next=%2Fbeans%3Fa%3Db");
    }
}
