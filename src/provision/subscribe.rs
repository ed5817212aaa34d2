//! Subscribing queues, people and endpoints to a topic, and listing who is subscribed.
//!
//! What SNS would refuse is refused before it is asked ([`Wish::check`]). A subscription that is there is set right.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use aws_sdk_sns::Client;

use super::Mode;
use crate::messaging::TopicRole;
use crate::messaging::subscribing::Wish;

/// A topic takes as many subscriptions with a filter policy (SNS Developer Guide, "Filter policy constraints").
const MOST_FILTERS: usize = 200;

const FILTER_POLICY: &str = "FilterPolicy";
const FILTER_POLICY_SCOPE: &str = "FilterPolicyScope";
const RAW: &str = "RawMessageDelivery";
const REDRIVE_POLICY: &str = "RedrivePolicy";

/// A subscription as SNS tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// `None` where SNS gives none: nobody has confirmed it, or it was deleted.
    pub arn: Option<String>,
    pub protocol: String,
    pub endpoint: String,
    /// The filter policy, and what it looks at if that is the body.
    pub filter: Option<String>,
    pub filters_bodies: bool,
    pub raw: bool,
    /// The ARN of the queue for what cannot be delivered.
    pub dead_letter_queue: Option<String>,
}

/// What a subscription came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is there, and was before: what was or would be set.
    WasThere { arn: String, set: Vec<String> },
    /// It was made, or would be.
    New { arn: Option<String> },
}

/// Subscribes somebody, or sets the subscription right that is there.
///
/// # Errors
/// SNS would refuse it, or does.
pub async fn subscribe(sns: &Client, wish: &Wish, mode: Mode) -> Result<Done> {
    wish.check()?;
    let wanted = attributes(wish);
    let there = list(sns, &wish.topic_arn).await?;
    let filters = there.iter().filter(|one| one.filter.is_some()).count();
    if wish.filter.is_some() && filters >= MOST_FILTERS {
        bail!(
            "{} has {filters} filter policies, and SNS takes {MOST_FILTERS} a topic",
            wish.topic_arn
        );
    }
    let same =
        |one: &&Subscribed| one.protocol == wish.protocol.name() && one.endpoint == wish.endpoint;
    match there.iter().find(same) {
        Some(Subscribed { arn: Some(arn), .. }) => {
            let set = set_attributes(sns, arn, &wanted, mode).await?;
            Ok(Done::WasThere {
                arn: arn.clone(),
                set,
            })
        }
        Some(Subscribed { arn: None, .. }) if wish.has_attributes() => bail!(
            "{} was asked to confirm this subscription and has not yet; it can be changed when it has, or when SNS \
             has forgotten it after two days",
            wish.endpoint
        ),
        _ if mode == Mode::Plan => Ok(Done::New { arn: None }),
        _ => {
            let given = wanted.into_iter().filter(|(_, value)| !value.is_empty());
            let given = given.map(|(name, value)| (name.to_owned(), value));
            let request = sns.subscribe().topic_arn(&wish.topic_arn);
            let request = request
                .protocol(wish.protocol.name())
                .endpoint(&wish.endpoint);
            let answer = request
                .set_attributes(Some(given.collect()))
                .send()
                .await
                .with_context(|| format!("subscribing {}", wish.endpoint))?;
            let arn = answer.subscription_arn;
            Ok(Done::New {
                arn: arn.filter(|arn| arn.starts_with("arn:")),
            })
        }
    }
}

/// Ends a subscription.
///
/// # Errors
/// SNS does not.
pub async fn unsubscribe(sns: &Client, subscription_arn: &str) -> Result<()> {
    let request = sns.unsubscribe().subscription_arn(subscription_arn);
    let answer = request.send().await;
    answer.with_context(|| format!("ending the subscription {subscription_arn}"))?;
    Ok(())
}

/// Finds a subscription that is confirmed.
///
/// # Errors
/// There is none, or SNS cannot be asked.
pub async fn find(sns: &Client, subscription_arn: &str) -> Result<Subscribed> {
    let current = read_attributes(sns, subscription_arn).await?;
    let text = |name: &str| current.get(name).cloned().unwrap_or_default();
    let (protocol, endpoint) = (text("Protocol"), text("Endpoint"));
    Ok(described(
        subscription_arn.to_owned(),
        protocol,
        endpoint,
        &current,
    ))
}

/// Lists who is subscribed to a topic.
///
/// # Errors
/// SNS cannot be asked.
pub async fn list(sns: &Client, topic_arn: &str) -> Result<Vec<Subscribed>> {
    let pages = sns.list_subscriptions_by_topic().topic_arn(topic_arn);
    let mut pages = pages.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(found) = pages.next().await {
        let found = found.with_context(|| format!("listing who is subscribed to {topic_arn}"))?;
        let protocol = found.protocol.unwrap_or_default();
        let endpoint = found.endpoint.unwrap_or_default();
        let arn = found.subscription_arn.unwrap_or_default();
        let subscribed = if arn.starts_with("arn:") {
            let current = read_attributes(sns, &arn).await?;
            described(arn, protocol, endpoint, &current)
        } else {
            Subscribed {
                arn: None,
                ..described(arn, protocol, endpoint, &HashMap::new())
            }
        };
        all.push(subscribed);
    }
    Ok(all)
}

fn described(
    arn: String,
    protocol: String,
    endpoint: String,
    current: &HashMap<String, String>,
) -> Subscribed {
    let is = |name: &str, value: &str| current.get(name).is_some_and(|found| found == value);
    let redrive = current.get(REDRIVE_POLICY);
    let redrive = redrive.and_then(|policy| serde_json::from_str(policy).ok());
    let redrive: serde_json::Value = redrive.unwrap_or_default();
    Subscribed {
        arn: Some(arn),
        protocol,
        endpoint,
        filter: current.get(FILTER_POLICY).cloned(),
        filters_bodies: is(FILTER_POLICY_SCOPE, "MessageBody"),
        raw: is(RAW, "true"),
        dead_letter_queue: redrive["deadLetterTargetArn"].as_str().map(str::to_owned),
    }
}

/// The attributes that a wish comes to; what is empty is taken away. The scope comes first, because a policy is held
/// against it.
fn attributes(wish: &Wish) -> Vec<(&'static str, String)> {
    let (policy, scope) = wish.filter.clone().unzip();
    let redrive = wish.dead_letter_queue.as_ref();
    let redrive = redrive.map(|arn| serde_json::json!({"deadLetterTargetArn": arn}).to_string());
    let mut attributes = Vec::new();
    if let Some(scope) = scope {
        attributes.push((FILTER_POLICY_SCOPE, scope.name().to_owned()));
    }
    attributes.push((FILTER_POLICY, policy.unwrap_or_default()));
    let raw = if wish.raw { "true" } else { "" };
    attributes.push((RAW, raw.to_owned()));
    attributes.push((REDRIVE_POLICY, redrive.unwrap_or_default()));
    attributes
}

/// Sets what differs, and tells what that was.
async fn set_attributes(
    sns: &Client,
    arn: &str,
    wanted: &[(&'static str, String)],
    mode: Mode,
) -> Result<Vec<String>> {
    let current = read_attributes(sns, arn).await?;
    let mut set = Vec::new();
    for (name, value) in wanted {
        let found = current.get(*name).map(String::as_str).unwrap_or_default();
        // What was never set is false, and looks at attributes.
        let found = match (*name, found) {
            (RAW, "false") => "",
            (FILTER_POLICY_SCOPE, "") => "MessageAttributes",
            (_, found) => found,
        };
        // With another scope, the same policy is set once more.
        let is_taken_away =
            *name == FILTER_POLICY && set.iter().any(|name| name == FILTER_POLICY_SCOPE);
        if super::means_the_same(Some(&found.to_owned()), value) && !is_taken_away {
            continue;
        }
        set.push((*name).to_owned());
        if mode == Mode::Plan {
            continue;
        }
        let changes_scope = *name == FILTER_POLICY_SCOPE && current.contains_key(FILTER_POLICY);
        if changes_scope {
            // The policy that is there need not fit the new scope.
            set_one(sns, arn, FILTER_POLICY, "{}").await?;
        }
        let value = match (*name, value.as_str()) {
            (RAW, "") => "false",
            (FILTER_POLICY, "") => "{}",
            (_, value) => value,
        };
        set_one(sns, arn, name, value).await?;
    }
    Ok(set)
}

async fn set_one(sns: &Client, arn: &str, name: &str, value: &str) -> Result<()> {
    let request = sns.set_subscription_attributes().subscription_arn(arn);
    let request = request.attribute_name(name).attribute_value(value);
    let answer = request.send().await;
    answer.with_context(|| format!("setting {name} of {arn}"))?;
    Ok(())
}

async fn read_attributes(sns: &Client, arn: &str) -> Result<HashMap<String, String>> {
    let request = sns.get_subscription_attributes().subscription_arn(arn);
    let answer = request.send().await;
    let answer = answer.with_context(|| format!("reading the subscription {arn}"))?;
    Ok(answer.attributes.unwrap_or_default())
}

/// The topics, for whoever wants to see who is subscribed to them.
#[derive(Debug)]
pub struct Subscriptions {
    sns: Client,
    topics: Vec<(TopicRole, String)>,
}

/// A topic, and who is subscribed to it.
#[derive(Debug)]
pub struct TopicSubscriptions {
    pub role: TopicRole,
    pub topic_arn: String,
    pub subscribed: Vec<Subscribed>,
}

impl Subscriptions {
    /// Asks SNS about these topics, by ARN.
    pub fn of(sns: Client, topics: Vec<(TopicRole, String)>) -> Self {
        Self { sns, topics }
    }

    /// Asks SNS who is subscribed.
    ///
    /// # Errors
    /// SNS cannot be asked.
    pub async fn list(&self) -> Result<Vec<TopicSubscriptions>> {
        let mut all = Vec::new();
        for (role, topic_arn) in &self.topics {
            all.push(TopicSubscriptions {
                role: *role,
                topic_arn: topic_arn.clone(),
                subscribed: list(&self.sns, topic_arn).await?,
            });
        }
        Ok(all)
    }
}
