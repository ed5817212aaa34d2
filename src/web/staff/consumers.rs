//! The consumers, as they say themselves.

use askama::Template;
use axum::extract::State;

use crate::db;
use crate::db::consumers::ConsumerLine;
use crate::messaging::{DEAD_LETTERS, UNDELIVERED, UPDATES};
use crate::web::dashboard::SILENT_AFTER;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::wording::Tag;

#[derive(Template)]
#[template(path = "staff/consumers/list.html")]
pub(super) struct ConsumersPage {
    layout: Layout,
    consumers: Vec<ConsumerLine>,
}

impl ConsumersPage {
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn title(&self, consumer: &ConsumerLine) -> String {
        let roles = [UPDATES, UNDELIVERED, DEAD_LETTERS];
        let role = roles.iter().find(|role| role.code == consumer.queue);
        let title = role.map_or(consumer.queue.as_str(), |role| role.title);
        format!("Polls the {title}")
    }

    /// Enough of its number to tell it from others.
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn instance(&self, consumer: &ConsumerLine) -> String {
        let number = consumer.instance.simple().to_string();
        number.chars().skip(20).collect()
    }

    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn is_silent(&self, consumer: &ConsumerLine) -> bool {
        consumer.silent_seconds >= SILENT_AFTER
    }

    fn state(&self, consumer: &ConsumerLine) -> Tag {
        let (class, word) = if self.is_silent(consumer) {
            ("alarm", "Gone")
        } else if consumer.last_error_at > consumer.last_receive_at {
            ("retrying", "No answer")
        } else {
            ("good", "Running")
        };
        Tag { class, word }
    }
}

pub(super) async fn list_consumers(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<ConsumersPage>, WebError> {
    let mut conn = state.connection().await?;
    Ok(Page::ok(ConsumersPage {
        layout,
        consumers: db::consumers::list_consumers(&mut conn).await?,
    }))
}
