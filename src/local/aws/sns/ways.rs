//! The ways that messages take from a topic: into queues, to endpoints, and into the list of what would have left.

use std::sync::Arc;

use rustack_sqs_model::input::{GetQueueUrlInput, SendMessageInput};
use rustack_sqs_model::types::MessageAttributeValue;

use super::subscriptions::Subscription;
use crate::clock::{Clock as _, SystemClock};
use crate::local::aws::queues::Queues;
use crate::messaging::sqs::is_fifo;
use crate::outgoing::{Attempt, Dispatch, Outgoing, Way};

/// Where messages go.
pub(super) struct Ways {
    pub(super) queues: Arc<Queues>,
    pub(super) outgoing: Outgoing,
    pub(super) http: reqwest::Client,
}

impl Ways {
    /// Adds something to what would have left this machine, and gives its number.
    pub(super) fn show(&self, way: Way, to: String, subject: String, body: String) -> u64 {
        self.show_with_link(way, to, subject, body, None)
    }

    /// The same, with a link that its reader would follow.
    pub(super) fn show_with_link(
        &self,
        way: Way,
        to: String,
        subject: String,
        body: String,
        link: Option<String>,
    ) -> u64 {
        self.outgoing.add(Dispatch {
            id: 0,
            at: SystemClock.now(),
            way,
            to,
            subject,
            body,
            link,
            attempts: Vec::new(),
        })
    }

    /// Puts what could not be delivered into the subscription's dead-letter queue, if it has one.
    pub(super) async fn keep_undelivered(
        &self,
        subscription: &Subscription,
        input: SendMessageInput,
        why: &str,
    ) {
        let Some(queue) = subscription.dead_letter_queue() else {
            tracing::warn!(
                subscription = subscription.arn,
                why,
                "a message could not be delivered and is dropped"
            );
            return;
        };
        let mut input = input;
        let text = |value: &str| MessageAttributeValue {
            data_type: "String".to_owned(),
            string_value: Some(value.to_owned()),
            binary_value: None,
        };
        input
            .message_attributes
            .insert("ErrorMessage".to_owned(), text(why));
        if let Err(error) = self.send_to(&queue, input).await {
            tracing::warn!(
                subscription = subscription.arn,
                error,
                "a message is not even kept as undelivered"
            );
        }
    }

    pub(super) async fn send_to(
        &self,
        queue_arn: &str,
        mut input: SendMessageInput,
    ) -> Result<(), String> {
        if !is_fifo(queue_arn) {
            input.message_group_id = None;
            input.message_deduplication_id = None;
        }
        let url = self.queues.provider.queue_url_for_arn(queue_arn);
        input.queue_url = url.map_err(|error| error.to_string())?;
        let sent = self.queues.send(input).await;
        sent.map(drop).map_err(|error| error.to_string())
    }

    /// Notes what became of an attempt.
    pub(super) fn note(&self, dispatch: u64, outcome: String) {
        let at = SystemClock.now();
        self.outgoing.note(dispatch, Attempt { at, outcome });
    }

    /// Whether there is such a queue.
    pub(super) async fn has_queue(&self, arn: &str) -> bool {
        let input = GetQueueUrlInput {
            queue_name: arn.rsplit(':').next().unwrap_or(arn).to_owned(),
            ..GetQueueUrlInput::default()
        };
        self.queues.provider.get_queue_url(input).await.is_ok()
    }
}
