//! Whether the process is alive, and whether it can do its work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;

use super::state::AppState;
use crate::db;

/// Which parts of the program are up. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, bool>>>);

impl Readiness {
    /// Names a part that must be up before the program is ready.
    pub fn expect(&self, part: &'static str) {
        self.set(part, false);
    }

    /// Notes whether a part is up.
    pub fn set(&self, part: &'static str, up: bool) {
        self.parts().insert(part, up);
    }

    /// Names the parts that are not up, in alphabetical order.
    pub fn missing(&self) -> Vec<&'static str> {
        let parts = self.parts();
        parts
            .iter()
            .filter_map(|(part, up)| (!up).then_some(*part))
            .collect()
    }

    fn parts(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers as long as the process does.
pub(super) async fn show_alive() -> &'static str {
    "ok"
}

/// Answers 200 when requests can be served, otherwise 503 and what is missing.
pub(super) async fn show_ready(State(state): State<AppState>) -> (StatusCode, String) {
    let mut missing = state.readiness.missing();
    if db::ping(&state.pool).await.is_err() {
        missing.insert(0, "database");
    }
    if missing.is_empty() {
        (StatusCode::OK, "ready".to_owned())
    } else {
        let text = format!("not ready: {}", missing.join(", "));
        (StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_missing_until_it_is_up() {
        let readiness = Readiness::default();
        readiness.expect("relay");
        readiness.expect("poller");
        readiness.clone().set("relay", true);

        assert_eq!(readiness.missing(), ["poller"]);
    }
}
