//! The embedded SNS: rustack's topics, with subscriptions of every protocol.
//!
//! rustack keeps topics, their attributes and tags, and decides what a FIFO topic takes for a repeat. It delivers to
//! queues only, so subscriptions are ours: filters, raw delivery, dead-letter queues, confirmation, and HTTP(S)
//! endpoints on this machine with SNS's retries and signatures. Mail, text messages and calls of functions are shown
//! where they would have gone ([`crate::outgoing`]). Known gaps: what goes into queues is not signed, envelopes have
//! no `SequenceNumber`, topics with
//! signature version 1 sign with 2, and of delivery policies the number of retries and the least pause count.

mod fan_out;
mod notice;
mod publish;
mod signer;
mod subscriptions;
mod ways;
mod webhook;
mod xml;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use rustack_sns_core::config::SnsConfig;
use rustack_sns_core::handler::RustackSnsHandler;
use rustack_sns_core::provider::RustackSns;
use rustack_sns_http::dispatch::SnsHandler as _;
use rustack_sns_http::request::{
    get_optional_param, get_required_param, parse_attributes_map, parse_form_params,
};
use rustack_sns_model::error::SnsError;
use rustack_sns_model::input::{GetTopicAttributesInput, SubscribeInput};
use rustack_sns_model::operations::SnsOperation;

use self::fan_out::{FanOut, Subscribers};
use self::signer::{CERTIFICATE_PATH, Signer};
use self::subscriptions::{Subscription, Subscriptions, invalid};
use self::ways::Ways;
use super::queues::{ACCOUNT, Queues, REGION};
use crate::messaging::subscribing::Protocol;
use crate::outgoing::Outgoing;

/// As many subscriptions one page of a list has (SNS API Reference, `ListSubscriptions`).
const LISTED: usize = 100;

type Parameters = [(String, String)];

/// The topics.
pub(super) struct Topics {
    provider: Arc<RustackSns>,
    rest: RustackSnsHandler,
    fan_out: Arc<FanOut>,
}

impl Topics {
    /// Topics whose messages go into these queues; subscriptions of people and endpoints are kept in a file.
    pub(super) fn new(
        config: SnsConfig,
        queues: Arc<Queues>,
        outgoing: Outgoing,
        file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let ways = Arc::new(Ways {
            queues,
            outgoing,
            // What it sends to is on this machine: no proxy is asked, and no authority vouches for it.
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .tls_danger_accept_invalid_certs(true)
                .timeout(webhook::ANSWERS_WITHIN)
                .user_agent("Amazon Simple Notification Service Agent")
                .build()?,
        });
        let fan_out = Arc::new(FanOut {
            ways,
            subscriptions: Subscriptions::open(file)?,
            signer: Signer::default(),
            url: format!("http://{}:{}", config.host, config.port),
        });
        let subscribers = Arc::new(Subscribers(Arc::clone(&fan_out)));
        let provider = Arc::new(RustackSns::new(config, subscribers));
        Ok(Self {
            rest: RustackSnsHandler::new(Arc::clone(&provider)),
            provider,
            fan_out,
        })
    }

    /// Does what a form asks for.
    pub(super) async fn answer(
        &self,
        operation: SnsOperation,
        body: Bytes,
        request_id: &str,
    ) -> Result<Response, SnsError> {
        let parameters = parse_form_params(&body);
        let xml = match operation {
            SnsOperation::Publish => {
                let (id, sequence) = self.publish_one(&parameters).await?;
                xml::published(&id, sequence.as_deref(), request_id)
            }
            SnsOperation::PublishBatch => self.publish_batch(&parameters, request_id).await?,
            SnsOperation::Subscribe => self.subscribe(&parameters, request_id).await?,
            SnsOperation::CreateTopic => {
                let made = self.rest.handle_operation(operation, body).await?;
                self.subscribe_to(get_required_param(&parameters, "Name")?)?;
                return Ok(made.map(Body::new));
            }
            SnsOperation::DeleteTopic => {
                let topic = get_required_param(&parameters, "TopicArn")?;
                self.fan_out.subscriptions.remove_topic(topic);
                let deleted = self.rest.handle_operation(operation, body).await?;
                return Ok(deleted.map(Body::new));
            }
            SnsOperation::GetTopicAttributes => {
                let topic = get_required_param(&parameters, "TopicArn")?;
                self.describe_topic(topic, request_id)?
            }
            operation => {
                let about = self.answer_about_subscriptions(operation, &parameters, request_id);
                let Some(answer) = about else {
                    let answer = self.rest.handle_operation(operation, body).await?;
                    return Ok(answer.map(Body::new));
                };
                answer?
            }
        };
        let answer = rustack_sns_http::response::xml_response(xml, request_id);
        Ok(answer.map(Body::new))
    }

    /// Follows a link of a mail or message that SNS has sent: it confirms or ends a subscription, or gives the
    /// certificate. `None` for anything else.
    pub(super) fn follow(
        &self,
        path: &str,
        query: &str,
        wants_page: bool,
        request_id: &str,
    ) -> Option<Response> {
        if path == CERTIFICATE_PATH {
            let certificate = self.fan_out.signer.certificate()?;
            return Some(Response::new(Body::from(certificate.to_owned())));
        }
        let parameters = parse_form_params(query.as_bytes());
        let operation = match get_optional_param(&parameters, "Action")? {
            "ConfirmSubscription" => SnsOperation::ConfirmSubscription,
            "Unsubscribe" => SnsOperation::Unsubscribe,
            _ => return None,
        };
        let answer = self.answer_about_subscriptions(operation, &parameters, request_id)?;
        if wants_page {
            return Some(page_about(operation, answer.is_ok()));
        }
        let answer = match answer {
            Ok(xml) => rustack_sns_http::response::xml_response(xml, request_id),
            Err(error) => rustack_sns_http::response::error_to_response(&error, request_id),
        };
        Some(answer.map(Body::new))
    }

    /// Has rustack hand us what a new topic gets.
    fn subscribe_to(&self, name: &str) -> Result<(), SnsError> {
        let kind = if crate::messaging::sqs::is_fifo(name) {
            ".fifo"
        } else {
            ""
        };
        self.provider.subscribe(SubscribeInput {
            topic_arn: format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}"),
            protocol: Protocol::Sqs.name().to_owned(),
            endpoint: Some(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:subscribers{kind}")),
            attributes: HashMap::new(),
            return_subscription_arn: true,
        })?;
        Ok(())
    }

    fn describe_topic(&self, topic_arn: &str, request_id: &str) -> Result<String, SnsError> {
        let mut attributes = self.topic_attributes(topic_arn)?;
        let all = self.fan_out.subscriptions.list(Some(topic_arn));
        let pending = all.iter().filter(|one| one.token.is_some()).count();
        let confirmed = all.len() - pending;
        for (name, number) in [
            ("SubscriptionsConfirmed", confirmed),
            ("SubscriptionsPending", pending),
        ] {
            attributes.insert(name.to_owned(), number.to_string());
        }
        let attributes = attributes.into_iter().collect();
        Ok(xml::attributes(
            "GetTopicAttributes",
            &attributes,
            request_id,
        ))
    }

    fn topic_attributes(&self, topic_arn: &str) -> Result<HashMap<String, String>, SnsError> {
        let input = GetTopicAttributesInput {
            topic_arn: topic_arn.to_owned(),
        };
        Ok(self.provider.get_topic_attributes(&input)?.attributes)
    }

    fn answer_about_subscriptions(
        &self,
        operation: SnsOperation,
        parameters: &Parameters,
        request_id: &str,
    ) -> Option<Result<String, SnsError>> {
        let all = &self.fan_out.subscriptions;
        let arn = || get_required_param(parameters, "SubscriptionArn");
        let answer = match operation {
            SnsOperation::ConfirmSubscription => self.confirm(parameters).map(|confirmed| {
                xml::subscription_arn("ConfirmSubscription", &confirmed.arn, request_id)
            }),
            SnsOperation::Unsubscribe => arn().map(|arn| {
                if let Some(ended) = all.remove(arn) {
                    self.fan_out.tell_of_end(ended);
                }
                xml::done("Unsubscribe", request_id)
            }),
            SnsOperation::GetSubscriptionAttributes => {
                arn().and_then(|arn| all.find(arn)).map(|found| {
                    let described = found.described();
                    xml::attributes("GetSubscriptionAttributes", &described, request_id)
                })
            }
            SnsOperation::SetSubscriptionAttributes => arn()
                .and_then(|arn| {
                    let name = get_required_param(parameters, "AttributeName")?;
                    let value = get_optional_param(parameters, "AttributeValue");
                    all.set(arn, name, value.unwrap_or_default())
                })
                .map(|()| xml::done("SetSubscriptionAttributes", request_id)),
            SnsOperation::ListSubscriptions => Ok(page(
                "ListSubscriptions",
                all.list(None),
                parameters,
                request_id,
            )),
            SnsOperation::ListSubscriptionsByTopic => self.list_of_topic(parameters, request_id),
            _ => return None,
        };
        Some(answer)
    }

    async fn subscribe(
        &self,
        parameters: &Parameters,
        request_id: &str,
    ) -> Result<String, SnsError> {
        let topic_arn = get_required_param(parameters, "TopicArn")?;
        self.topic_attributes(topic_arn)?;
        let protocol = get_required_param(parameters, "Protocol")?;
        let endpoint = get_optional_param(parameters, "Endpoint").unwrap_or_default();
        let attributes = parse_attributes_map(parameters, "Attributes")?;
        let is_queue = protocol == Protocol::Sqs.name();
        if is_queue && !self.fan_out.ways.has_queue(endpoint).await {
            return Err(invalid(format!("Endpoint: there is no queue {endpoint:?}")));
        }
        let all = &self.fan_out.subscriptions;
        let (subscription, is_new) = all.add(topic_arn, protocol, endpoint, attributes)?;
        // SNS asks again whenever somebody subscribes again.
        if is_new || subscription.token.is_some() {
            self.fan_out.ask_to_confirm(subscription.clone());
        }
        let wants_arn = get_optional_param(parameters, "ReturnSubscriptionArn") == Some("true");
        let arn = if subscription.token.is_some() && !wants_arn {
            "pending confirmation"
        } else {
            &subscription.arn
        };
        Ok(xml::subscription_arn("Subscribe", arn, request_id))
    }

    fn confirm(&self, parameters: &Parameters) -> Result<Subscription, SnsError> {
        let topic_arn = get_required_param(parameters, "TopicArn")?;
        let token = get_required_param(parameters, "Token")?;
        let confirmed = self.fan_out.subscriptions.confirm(topic_arn, token)?;
        self.fan_out.ways.outgoing.forget_links(token);
        Ok(confirmed)
    }

    fn list_of_topic(&self, parameters: &Parameters, request_id: &str) -> Result<String, SnsError> {
        let topic_arn = get_required_param(parameters, "TopicArn")?;
        self.topic_attributes(topic_arn)?;
        let all = self.fan_out.subscriptions.list(Some(topic_arn));
        Ok(page(
            "ListSubscriptionsByTopic",
            all,
            parameters,
            request_id,
        ))
    }
}

/// What a person reads who has followed a link.
fn page_about(operation: SnsOperation, is_done: bool) -> Response {
    let words = match (operation, is_done) {
        (SnsOperation::Unsubscribe, true) => "The subscription has ended.",
        (_, true) => "The subscription is confirmed. What the topic gets is delivered from now on.",
        (_, false) => "This link is not valid any more.",
    };
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>Beanstock</title></head><body style=\"font:18px/1.5 \
         Georgia,serif;margin:2rem\"><h1 style=\"font-size:1.3rem\">{words}</h1><p>You can close this page.</p></body></html>"
    );
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8")];
    (headers, page).into_response()
}

/// One page of a list; the token says where the next begins.
fn page(
    operation: &str,
    all: Vec<Subscription>,
    parameters: &Parameters,
    request_id: &str,
) -> String {
    let start = get_optional_param(parameters, "NextToken");
    let start: usize = start.and_then(|token| token.parse().ok()).unwrap_or(0);
    let next = (all.len() > start.saturating_add(LISTED)).then(|| (start + LISTED).to_string());
    let listed: Vec<Subscription> = all.into_iter().skip(start).take(LISTED).collect();
    xml::subscriptions(operation, &listed, next.as_deref(), request_id)
}
