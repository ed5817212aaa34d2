//! Who does something in the browser, for the log of what people did.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::access::Viewer;
use super::http::error::WebError;
use super::http::ingress::Client;
use super::state::AppState;
use crate::db::activity::{Activity, Actor};
use crate::domain::{AccountId, Action};

/// Somebody who is signed in, and the network address they act from.
#[derive(Debug, Clone)]
pub(crate) struct Acting {
    pub(crate) account: AccountId,
    pub(crate) address: String,
}

impl Acting {
    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor {
            account: Some(self.account),
            address: &self.address,
        }
    }

    /// What they did, with what changed or why.
    pub(crate) fn did<'a>(&'a self, action: Action, details: &'a str) -> Activity<'a> {
        self.actor().did(action, details)
    }
}

impl FromRequestParts<AppState> for Acting {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, WebError> {
        let viewer = Viewer::from_request_parts(parts, state).await?;
        let Ok(client) = Client::from_request_parts(parts, state).await;
        Ok(Self {
            account: viewer.0.account,
            address: client.origin(),
        })
    }
}
