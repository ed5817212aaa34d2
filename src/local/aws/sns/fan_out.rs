//! Brings what a topic gets to all who subscribe to it.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustack_sns_core::publisher::{DeliveryError, SqsPublisher};
use rustack_sns_model::input::PublishInput;
use rustack_sqs_model::input::SendMessageInput;
use rustack_sqs_model::types::MessageAttributeValue;
use serde_json::{Map, Value, json};

use super::notice::{Notice, sign, unsubscribe_url};
use super::signer::Signer;
use super::subscriptions::{Subscription, Subscriptions};
use super::ways::Ways;
use super::webhook::{self, Post};
use crate::clock::{Clock as _, SystemClock};
use crate::messaging::subscribing::Protocol;
use crate::outgoing::Way;

tokio::task_local! {
    /// What is being published: rustack hands on only a part of it.
    pub(super) static PUBLISHED: PublishInput;
}

/// An attribute limit of raw delivery to queues: messages with more are not delivered (SNS Developer Guide, "Amazon SNS
/// raw message delivery").
const MOST_RAW_ATTRIBUTES: usize = 10;

/// Who subscribes to what, and the ways there.
pub(in crate::local::aws) struct FanOut {
    pub(super) ways: Arc<Ways>,
    pub(super) subscriptions: Subscriptions,
    pub(super) signer: Signer,
    /// The URL of this endpoint.
    pub(super) url: String,
}

/// rustack has one subscriber to each topic, this one. What it takes for a repeat does not come here.
#[async_trait::async_trait]
impl SqsPublisher for Subscribers {
    fn validate(&self, _: &str) -> Result<(), DeliveryError> {
        Ok(())
    }

    async fn send_message(
        &self,
        _: &str,
        envelope: &str,
        _: Option<&str>,
        deduplication_id: Option<&str>,
    ) -> Result<(), DeliveryError> {
        let envelope: Value = serde_json::from_str(envelope).unwrap_or_default();
        let text = |name: &str| envelope[name].as_str().unwrap_or_default().to_owned();
        let notice = Notice {
            input: PUBLISHED.with(PublishInput::clone),
            id: text("MessageId"),
            topic_arn: text("TopicArn"),
            timestamp: text("Timestamp"),
            deduplication_id: deduplication_id.map(str::to_owned),
        };
        self.0.tell_all(notice).await;
        Ok(())
    }
}

/// All who subscribe to a topic, as rustack knows them.
pub(super) struct Subscribers(pub(super) Arc<FanOut>);

impl FanOut {
    async fn tell_all(&self, notice: Notice) {
        let notice = Arc::new(notice);
        let attributes = notice.filterable();
        for subscription in self.subscriptions.list(Some(&notice.topic_arn)) {
            let is_confirmed = subscription.token.is_none();
            let passes = |text: &str| {
                let filter = subscription.filter();
                filter.is_none_or(|filter| filter.lets_through(&attributes, text))
            };
            if is_confirmed && passes(&notice.text(&subscription.protocol)) {
                self.tell(subscription, &notice).await;
            }
        }
    }

    async fn tell(&self, subscription: Subscription, notice: &Arc<Notice>) {
        match subscription.protocol() {
            Some(Protocol::Sqs) => self.put_into_queue(&subscription, notice).await,
            Some(Protocol::Http | Protocol::Https) => {
                let post = self.post(subscription, notice);
                self.send(post);
            }
            Some(Protocol::Email) => {
                let text = format!(
                    "{}\n\n--\nIf you wish to stop receiving notifications from this topic, follow this link: {}\n",
                    notice.text("email"),
                    unsubscribe_url(&self.url, &subscription.arn)
                );
                self.show(Way::Email, subscription.endpoint, notice, text);
            }
            Some(Protocol::EmailJson) => {
                let mut envelope = notice.envelope(&subscription, &self.url);
                sign(&mut envelope, &self.signer);
                let text = Value::Object(envelope).to_string();
                self.show(Way::Email, subscription.endpoint, notice, text);
            }
            Some(Protocol::Sms) => {
                let text = notice.text("sms");
                self.show(Way::Sms, subscription.endpoint, notice, text);
            }
            Some(Protocol::Lambda) => {
                let mut envelope = notice.envelope(&subscription, &self.url);
                // Functions get these under other names than everybody else.
                for name in ["SigningCertURL", "UnsubscribeURL"] {
                    let url = envelope.remove(name).unwrap_or_default();
                    envelope.insert(name.replace("URL", "Url"), url);
                }
                let event = json!({"Records": [{
                    "EventSource": "aws:sns",
                    "EventVersion": "1.0",
                    "EventSubscriptionArn": subscription.arn,
                    "Sns": envelope,
                }]});
                self.show(
                    Way::Lambda,
                    subscription.endpoint,
                    notice,
                    event.to_string(),
                );
            }
            None => {}
        }
    }

    fn post(&self, subscription: Subscription, notice: &Notice) -> Post {
        let text = notice.text(&subscription.protocol);
        let body = if subscription.is_raw() {
            text
        } else {
            let mut envelope = notice.envelope(&subscription, &self.url);
            sign(&mut envelope, &self.signer);
            Value::Object(envelope).to_string()
        };
        Post {
            kind: "Notification",
            id: notice.id.clone(),
            body,
            subject: notice.input.subject.clone().unwrap_or_default(),
            deduplication_id: notice.deduplication_id.clone(),
            group: notice.input.message_group_id.clone(),
            subscription,
        }
    }

    fn send(&self, post: Post) {
        let delivering = webhook::deliver(Arc::clone(&self.ways), post);
        self.ways.queues.tasks.spawn(delivering);
    }

    /// Shows what would be sent.
    fn show(&self, way: Way, to: String, notice: &Notice, body: String) {
        let subject = notice.input.subject.clone();
        let subject = subject.unwrap_or_else(|| "AWS Notification Message".to_owned());
        self.ways.show(way, to, subject, body);
    }

    /// Asks whoever is to confirm a subscription, as SNS would.
    pub(super) fn ask_to_confirm(&self, subscription: Subscription) {
        let Some(token) = subscription.token.clone() else {
            return;
        };
        let topic = &subscription.topic_arn;
        let link = format!(
            "{}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}",
            self.url
        );
        let text = format!(
            "You have chosen to subscribe to the topic {topic}. To confirm this, follow this link: {link}\n"
        );
        if matches!(
            subscription.protocol(),
            Some(Protocol::Email | Protocol::EmailJson)
        ) {
            let subject = "AWS Notification - Subscription Confirmation".to_owned();
            let (to, link) = (subscription.endpoint, Some(link));
            self.ways
                .show_with_link(Way::Email, to, subject, text, link);
            return;
        }
        let post = self.confirmation(subscription, "SubscriptionConfirmation", &token, &text);
        self.send(post);
    }

    /// Tells an endpoint that its subscription was ended, so that it can take that back.
    pub(super) fn tell_of_end(&self, subscription: Subscription) {
        let is_http = matches!(
            subscription.protocol(),
            Some(Protocol::Http | Protocol::Https)
        );
        if !is_http || subscription.token.is_some() {
            return;
        }
        let topic = &subscription.topic_arn;
        let text =
            format!("You have chosen to deactivate the subscription to the topic {topic}.\n");
        let token = uuid::Uuid::new_v4().simple().to_string();
        let post = self.confirmation(subscription, "UnsubscribeConfirmation", &token, &text);
        self.send(post);
    }

    fn confirmation(
        &self,
        subscription: Subscription,
        kind: &'static str,
        token: &str,
        text: &str,
    ) -> Post {
        let id = uuid::Uuid::new_v4().to_string();
        let topic = &subscription.topic_arn;
        let url = &self.url;
        let mut fields: Map<String, Value> = Map::new();
        for (name, value) in [
            ("Type", kind.to_owned()),
            ("MessageId", id.clone()),
            ("Token", token.to_owned()),
            ("TopicArn", topic.clone()),
            ("Message", text.to_owned()),
            (
                "SubscribeURL",
                format!("{url}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}"),
            ),
            (
                "Timestamp",
                SystemClock
                    .now()
                    .format("%Y-%m-%dT%H:%M:%S%.3fZ")
                    .to_string(),
            ),
            ("SignatureVersion", "2".to_owned()),
            (
                "SigningCertURL",
                format!("{url}{}", super::signer::CERTIFICATE_PATH),
            ),
        ] {
            fields.insert(name.to_owned(), json!(value));
        }
        sign(&mut fields, &self.signer);
        Post {
            kind,
            id,
            body: Value::Object(fields).to_string(),
            subject: String::new(),
            deduplication_id: None,
            group: None,
            subscription,
        }
    }

    async fn put_into_queue(&self, subscription: &Subscription, notice: &Notice) {
        let queue = &subscription.endpoint;
        let attributes = &notice.input.message_attributes;
        let mut input = SendMessageInput {
            message_group_id: notice.input.message_group_id.clone(),
            message_deduplication_id: notice.deduplication_id.clone(),
            ..SendMessageInput::default()
        };
        if subscription.is_raw() {
            if attributes.len() > MOST_RAW_ATTRIBUTES {
                tracing::warn!(
                    queue,
                    "a raw message with more than ten attributes is dropped"
                );
                return;
            }
            input.message_body = notice.text("sqs");
            input.message_attributes = attributes
                .iter()
                .map(|(name, value)| (name.clone(), of_queue(value)))
                .collect::<HashMap<_, _>>();
        } else {
            let envelope = notice.envelope(subscription, &self.url);
            input.message_body = Value::Object(envelope).to_string();
        }
        if let Err(error) = self.ways.send_to(queue, input.clone()).await {
            self.ways
                .keep_undelivered(subscription, input, &error)
                .await;
        }
    }
}

/// An attribute as queues know it.
fn of_queue(value: &rustack_sns_model::types::MessageAttributeValue) -> MessageAttributeValue {
    let binary = value.binary_value.as_ref();
    MessageAttributeValue {
        data_type: value.data_type.clone(),
        string_value: value.string_value.clone(),
        binary_value: binary.and_then(|text| STANDARD.decode(text).ok()),
    }
}
