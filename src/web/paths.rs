//! Every address of the site, once: patterns for the route table, and builders for links.
//!
//! Builders take ids by value or by reference, since templates hand in references.

use std::borrow::Borrow;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use url::form_urlencoded;
use uuid::Uuid;

use super::http::error::{Missing, WebError};
use crate::domain::{BeanId, SupplierId, UpdateId, UpdateState};

pub(crate) const HOME: &str = "/";
pub(crate) const BEANS: &str = "/beans";
pub(crate) const BEAN: &str = "/beans/{id}";
pub(crate) const BEAN_ADD: &str = "/bean-add";
pub(crate) const BEAN_UPDATE: &str = "/bean-update";
pub(crate) const BEAN_UPDATE_FORM: &str = "/bean-update/{id}";
pub(crate) const BEAN_REMOVE: &str = "/bean-remove/{id}";
pub(crate) const BEANS_JSON: &str = "/beans.json";
pub(crate) const SUPPLIERS: &str = "/suppliers";
pub(crate) const SUPPLIER_ADD: &str = "/supplier-add";
pub(crate) const SUPPLIER_UPDATE: &str = "/supplier-update";
pub(crate) const SUPPLIER_UPDATE_FORM: &str = "/supplier-update/{id}";
pub(crate) const SUPPLIER_REMOVE: &str = "/supplier-remove/{id}";
pub(crate) const UPDATES: &str = "/updates";
pub(crate) const UPDATE: &str = "/updates/{id}";
pub(crate) const DEAD_LETTERS: &str = "/dead-letters";
pub(crate) const DEAD_LETTER_BODY: &str = "/dead-letters/{id}/message";
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

/// The list of the updates in one state.
pub(crate) fn updates_in(state: impl Borrow<UpdateState>) -> String {
    format!("{UPDATES}?state={}", state.borrow().code())
}

/// The list of the dead letters that share a reason.
pub(crate) fn dead_letters_of(reason: &str) -> String {
    let query: String = form_urlencoded::byte_serialize(reason.as_bytes()).collect();
    format!("{DEAD_LETTERS}?reason={query}")
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
}
