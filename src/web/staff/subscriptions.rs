//! Who is subscribed to the topics, as SNS says.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use tokio::time::timeout;

use crate::messaging::ALERTS_TOPIC;
use crate::provision::subscribe::{Subscribed, TopicSubscriptions};
use crate::telemetry::chain;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::wording::Tag;

/// People do not wait longer for SNS.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);

#[derive(Template)]
#[template(path = "staff/subscriptions.html")]
pub(super) struct SubscriptionsPage {
    layout: Layout,
    topics: Vec<TopicSubscriptions>,
    /// Why nothing is listed.
    problem: Option<&'static str>,
}

impl SubscriptionsPage {
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn title(&self, topic: &TopicSubscriptions) -> &'static str {
        if topic.role == ALERTS_TOPIC {
            "Topic of alerts"
        } else {
            "Topic of updates"
        }
    }

    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn state(&self, one: &Subscribed) -> Tag {
        let (class, word) = match one.arn {
            Some(_) => ("good", "Confirmed"),
            None => ("few", "Waits to be confirmed"),
        };
        Tag { class, word }
    }
}

/// Lists them.
pub(super) async fn list_subscriptions(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<SubscriptionsPage>, WebError> {
    let (topics, problem) = match &state.subscriptions {
        None => (Vec::new(), Some("No topic is set.")),
        Some(subscriptions) => match timeout(ANSWERS_WITHIN, subscriptions.list()).await {
            Ok(Ok(topics)) => (topics, None),
            Ok(Err(error)) => {
                let error = chain(&*error);
                tracing::warn!(error, "cannot list who is subscribed to the topics");
                let problem = "SNS does not say who is subscribed. `beanstock check` tells why.";
                (Vec::new(), Some(problem))
            }
            Err(_) => (
                Vec::new(),
                Some("SNS did not answer within eight seconds. Try again in a moment."),
            ),
        },
    };
    Ok(Page::ok(SubscriptionsPage {
        layout,
        topics,
        problem,
    }))
}
