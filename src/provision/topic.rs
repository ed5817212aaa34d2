//! The topic and its subscription: found or created, then compared with the blueprint.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use aws_sdk_sns::operation::get_topic_attributes::GetTopicAttributesError;
use aws_sdk_sns::types::Tag;

use super::account::AwsAccount;
use super::blueprint::{SubscriptionBlueprint, TopicBlueprint};
use super::{UNKNOWN_ACCOUNT, Work, means_the_same};
use crate::messaging::sqs::is_fifo;

impl Work<'_> {
    pub(super) async fn ensure_topic(
        &mut self,
        account: &AwsAccount,
        wanted: &TopicBlueprint,
    ) -> Result<String> {
        let name = &wanted.name;
        let arn = account.arn("sns", name);
        let current = match self.sns.get_topic_attributes().topic_arn(&arn).send().await {
            Ok(found) => found.attributes.unwrap_or_default(),
            Err(error) => {
                let missing = error
                    .as_service_error()
                    .is_some_and(GetTopicAttributesError::is_not_found_exception);
                // In a plan the ARN may be made up, and then it is refused in other ways too.
                if !missing && account.id != UNKNOWN_ACCOUNT {
                    return Err(error).with_context(|| format!("looking for the topic {name}"));
                }
                if self.change(format!("create the topic {name}")) {
                    self.create_topic(name).await?;
                } else {
                    self.missing_topics.push(arn.clone());
                }
                HashMap::new()
            }
        };
        for (attribute, value) in &wanted.attributes {
            if means_the_same(current.get(*attribute), value)
                || !self.change(format!("set {attribute} of {name}"))
            {
                continue;
            }
            self.sns
                .set_topic_attributes()
                .topic_arn(&arn)
                .attribute_name(*attribute)
                .attribute_value(value)
                .send()
                .await
                .with_context(|| format!("setting {attribute} of the topic {name}"))?;
        }
        self.tag_topic(&arn, name).await?;
        Ok(arn)
    }

    async fn create_topic(&self, name: &str) -> Result<()> {
        let mut request = self.sns.create_topic().name(name);
        if is_fifo(name) {
            request = request.attributes("FifoTopic", "true");
        }
        request
            .send()
            .await
            .with_context(|| format!("creating the topic {name}"))?;
        Ok(())
    }

    async fn tag_topic(&mut self, arn: &str, name: &str) -> Result<()> {
        let mut current = Vec::new();
        if !self.missing_topics.iter().any(|missing| missing == arn) {
            let answer = self.sns.list_tags_for_resource().resource_arn(arn).send();
            let answer = answer
                .await
                .with_context(|| format!("reading the tags of {name}"))?;
            current = answer.tags.unwrap_or_default();
        }
        let there = |key: &str, value: &str| {
            current
                .iter()
                .any(|tag: &Tag| tag.key() == key && tag.value() == value)
        };
        let missing: Vec<(String, String)> = self
            .topology
            .tags
            .iter()
            .filter(|(key, value)| !there(key, value))
            .cloned()
            .collect();
        if missing.is_empty() || !self.change(format!("tag {name}")) {
            return Ok(());
        }
        let mut request = self.sns.tag_resource().resource_arn(arn);
        for (key, value) in missing {
            request = request.tags(Tag::builder().key(key).value(value).build()?);
        }
        let answer = request.send().await;
        answer.with_context(|| format!("tagging {name}"))?;
        Ok(())
    }

    pub(super) async fn ensure_subscription(
        &mut self,
        account: &AwsAccount,
        wanted: &SubscriptionBlueprint,
    ) -> Result<()> {
        let (queue, queue_arn) = (&wanted.queue_name, &wanted.queue_arn);
        let topic_arn = &account.arn("sns", &wanted.topic_name);
        let (arn, current) = match self.find_subscription(topic_arn, queue_arn).await? {
            Some(arn) => {
                let current = self.subscription_attributes(&arn).await?;
                (arn, current)
            }
            None if self.change(format!("subscribe {queue} to {}", wanted.topic_name)) => {
                (self.subscribe(topic_arn, queue_arn).await?, HashMap::new())
            }
            None => return Ok(()),
        };
        let lifted = match wanted.entry.filter {
            None => filter_to_lift(&current),
            Some(_) => None,
        };
        for (name, value) in wanted.attributes.iter().chain(lifted.as_ref()) {
            if subscription_has(&current, name, value)
                || !self.change(format!("set {name} of the subscription of {queue}"))
            {
                continue;
            }
            self.sns
                .set_subscription_attributes()
                .subscription_arn(&arn)
                .attribute_name(*name)
                .attribute_value(value)
                .send()
                .await
                .with_context(|| format!("repairing the subscription {arn}"))?;
        }
        Ok(())
    }

    async fn subscribe(&self, topic_arn: &str, queue_arn: &str) -> Result<String> {
        let request = self.sns.subscribe().topic_arn(topic_arn);
        let request = request.protocol("sqs").endpoint(queue_arn);
        let answer = request.return_subscription_arn(true).send().await;
        let answer = answer.with_context(|| format!("subscribing {queue_arn} to the topic"))?;
        let arn = answer.subscription_arn;
        arn.with_context(|| format!("SNS gave no ARN for the subscription of {queue_arn}"))
    }

    async fn subscription_attributes(&self, arn: &str) -> Result<HashMap<String, String>> {
        let request = self.sns.get_subscription_attributes();
        let answer = request.subscription_arn(arn).send().await;
        let answer = answer.with_context(|| format!("reading the subscription {arn}"))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    async fn find_subscription(&self, topic_arn: &str, queue_arn: &str) -> Result<Option<String>> {
        if self
            .missing_topics
            .iter()
            .any(|missing| missing == topic_arn)
        {
            return Ok(None);
        }
        let mut next = None;
        loop {
            let page = self
                .sns
                .list_subscriptions_by_topic()
                .topic_arn(topic_arn)
                .set_next_token(next)
                .send()
                .await
                .context("listing the topic's subscriptions")?;
            let found = page
                .subscriptions()
                .iter()
                .find(|s| s.protocol() == Some("sqs") && s.endpoint() == Some(queue_arn));
            if let Some(subscription) = found {
                return Ok(subscription.subscription_arn().map(str::to_owned));
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(None);
            }
        }
    }
}

/// What a filter policy keeps back is lost, in no dead-letter queue either. An empty one is how
/// SNS takes it away.
fn filter_to_lift(current: &HashMap<String, String>) -> Option<(&'static str, String)> {
    const FILTER: &str = "FilterPolicy";
    current.get(FILTER).map(|_| (FILTER, "{}".to_owned()))
}

/// What was never set is false.
fn subscription_has(current: &HashMap<String, String>, name: &str, value: &str) -> bool {
    means_the_same(current.get(name), value) || (value == "false" && !current.contains_key(name))
}
