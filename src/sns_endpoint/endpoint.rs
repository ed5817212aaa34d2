//! Takes deliveries: trusts them or not, and has them applied.

use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use super::certificate::{Certificates, LocalAnchor};
use super::delivery::{Delivery, Kind};
use super::error::DeliveryError;
use super::verify;
use crate::backoff;
use crate::clock::Clock;
use crate::consumer::{Handler as _, Outcome};
use crate::db::Pool;
use crate::dead_letters::{Collect, Rules};
use crate::inventory::Apply;
use crate::messaging::ReceivedMessage;
use crate::messaging::wire::Decoder;

/// SNS waits 15 seconds for an answer (SNS Developer Guide, "Prepare the endpoint"); so long we wait for what is locked.
const WAITS_FOR_LOCKS: Duration = Duration::from_secs(8);

/// How long SNS's servers may take to give us a certificate, or to confirm a subscription.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Takes the deliveries of certain topics.
#[derive(Debug)]
pub struct SnsEndpoint {
    topics: Vec<String>,
    certificates: Certificates,
    http: reqwest::Client,
    /// Where SNS is, if it is not AWS's own.
    sns: Option<Url>,
    apply: Apply,
    collect: Collect,
    clock: Arc<dyn Clock>,
}

/// A request, as far as SNS's headers tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `x-amz-sns-message-type`.
    pub message_type: &'a str,
    /// Whether `x-amz-sns-rawdelivery` says so.
    pub is_raw: bool,
    pub body: &'a [u8],
}

impl SnsEndpoint {
    /// Takes messages of these topics, by ARN, and reads them with the decoder. `sns` is where to confirm subscriptions, if that is not AWS; a local
    /// anchor vouches for the embedded SNS besides AWS.
    ///
    /// # Errors
    /// This machine's TLS cannot be used.
    pub fn new(
        topics: &[&str],
        decoder: Decoder,
        pool: &Pool,
        clock: Arc<dyn Clock>,
        sns: Option<Url>,
        anchor: Option<LocalAnchor>,
    ) -> anyhow::Result<Self> {
        let rules = Rules {
            decoder: decoder.clone(),
            max_receive_count: Some(1),
        };
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWERS_WITHIN)
            .build()?;
        Ok(Self {
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            certificates: Certificates::new(http.clone(), anchor),
            http,
            sns,
            apply: Apply::new(pool.clone(), decoder, Some(1)),
            collect: Collect::new(pool.clone(), rules),
            clock,
        })
    }

    /// Takes a delivery: when this returns, its effect or its place among the dead letters is committed.
    ///
    /// # Errors
    /// It cannot be trusted, or something it needs is away.
    pub async fn take(&self, request: Request<'_>) -> Result<(), DeliveryError> {
        let now = self.clock.now();
        if request.is_raw {
            return Err(DeliveryError::Raw);
        }
        let delivery = Delivery::read(request.message_type, request.body)?;
        if !self.topics.contains(&delivery.topic_arn) {
            return Err(DeliveryError::ForeignTopic);
        }
        let certificate = self.certificates.find(&delivery).await?;
        verify::check(&delivery, &certificate, now)?;
        match &delivery.kind {
            Kind::Notification => self.apply(&delivery).await,
            Kind::SubscriptionConfirmation { token } => self.confirm(&delivery, token).await,
            Kind::UnsubscribeConfirmation => {
                tracing::warn!(
                    topic = delivery.topic_arn,
                    "our subscription to this topic was ended; nothing of it arrives any more"
                );
                Ok(())
            }
        }
    }

    async fn apply(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let message = received(delivery);
        let batch = std::slice::from_ref(&message);
        let (begun, mut tries) = (Instant::now(), 0);
        loop {
            let outcomes = self.apply.handle(batch).await?;
            match outcomes.first() {
                Some(Outcome::Done) => return Ok(()),
                Some(Outcome::Refused) => return self.keep(batch).await,
                _ if begun.elapsed() > WAITS_FOR_LOCKS => return Err(DeliveryError::Busy),
                _ => tokio::time::sleep(backoff::before_locked_again(tries)).await,
            }
            tries += 1;
        }
    }

    /// Keeps what can never be applied where people can fix it.
    async fn keep(&self, batch: &[ReceivedMessage]) -> Result<(), DeliveryError> {
        match self.collect.handle(batch).await?.first() {
            Some(Outcome::Done) => Ok(()),
            _ => Err(DeliveryError::Malformed("it cannot be stored")),
        }
    }

    /// Confirms by the token alone: the URL that the message gives could lead anywhere.
    async fn confirm(&self, delivery: &Delivery, token: &str) -> Result<(), DeliveryError> {
        const AWAY: DeliveryError = DeliveryError::Unreachable("SNS");
        let url = match &self.sns {
            Some(url) => url.clone(),
            None => delivery.service_url()?,
        };
        let form = [
            ("Action", "ConfirmSubscription"),
            ("Version", "2010-03-31"),
            ("TopicArn", &delivery.topic_arn),
            ("Token", token),
        ];
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self.http.post(url).body(form);
        let kind = "application/x-www-form-urlencoded";
        let answer = request.header("content-type", kind).send().await;
        let answer = answer.map_err(|_away| AWAY)?;
        let status = answer.status();
        let said = answer.text().await.unwrap_or_default();
        match status {
            status if status.is_success() => {
                tracing::info!(topic = delivery.topic_arn, "confirmed the subscription");
                Ok(())
            }
            // A token of two days ago is no good any more, whatever we do.
            status if status.is_client_error() && !said.contains("Throttl") => {
                tracing::warn!(
                    topic = delivery.topic_arn,
                    %status,
                    "SNS did not take the confirmation of a subscription"
                );
                Err(DeliveryError::Malformed("SNS does not know its Token"))
            }
            _ => Err(AWAY),
        }
    }
}

/// The delivery as a message of a queue that gives up at once.
fn received(delivery: &Delivery) -> ReceivedMessage {
    ReceivedMessage {
        message_id: delivery.message_id.clone(),
        receipt: String::new(),
        body: delivery.body.clone(),
        group: None,
        receive_count: 1,
        sent_at: Some(delivery.timestamp),
        attributes: std::collections::BTreeMap::new(),
        message_attributes: std::collections::BTreeMap::new(),
    }
}
