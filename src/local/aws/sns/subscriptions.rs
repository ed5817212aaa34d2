//! The subscriptions of all topics: taken by AWS's rules, and those of people and endpoints kept over restarts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use rustack_sns_model::error::{SnsError, SnsErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::local::aws::queues::ACCOUNT;
use crate::messaging::filter_policy::{FilterPolicy, Scope};
use crate::messaging::subscribing::{Protocol, Wish};

/// A topic takes as many subscriptions with a filter policy (SNS quota).
const MOST_FILTERS: usize = 200;

/// The attributes that can be set.
pub(super) const FILTER_POLICY: &str = "FilterPolicy";
const FILTER_POLICY_SCOPE: &str = "FilterPolicyScope";
const RAW: &str = "RawMessageDelivery";
const REDRIVE_POLICY: &str = "RedrivePolicy";
const DELIVERY_POLICY: &str = "DeliveryPolicy";
const SETTABLE: [&str; 5] = [
    FILTER_POLICY,
    FILTER_POLICY_SCOPE,
    RAW,
    REDRIVE_POLICY,
    DELIVERY_POLICY,
];

/// Somebody who gets what a topic gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) arn: String,
    pub(super) topic_arn: String,
    /// As SNS calls it.
    pub(super) protocol: String,
    pub(super) endpoint: String,
    /// What confirms it; nothing once it is confirmed.
    pub(super) token: Option<String>,
    /// What has confirmed it: whoever confirms it once more is told the same.
    #[serde(default)]
    used_token: Option<String>,
    attributes: BTreeMap<String, String>,
}

impl Subscription {
    pub(super) fn protocol(&self) -> Option<Protocol> {
        Protocol::from_name(&self.protocol)
    }

    pub(super) fn is_raw(&self) -> bool {
        self.attributes.get(RAW).is_some_and(|raw| raw == "true")
    }

    pub(super) fn filter(&self) -> Option<FilterPolicy> {
        let policy = self.attributes.get(FILTER_POLICY)?;
        FilterPolicy::parse(policy, self.scope()).ok()
    }

    fn scope(&self) -> Scope {
        let name = self.attributes.get(FILTER_POLICY_SCOPE);
        name.and_then(|name| Scope::from_name(name))
            .unwrap_or_default()
    }

    /// The ARN of the queue for what cannot be delivered.
    pub(super) fn dead_letter_queue(&self) -> Option<String> {
        let policy = self.attributes.get(REDRIVE_POLICY)?;
        dead_letter_queue(policy)
    }

    /// A number of its delivery policy, for HTTP(S).
    pub(super) fn delivery_policy(&self, name: &str) -> Option<u64> {
        let policy = self.attributes.get(DELIVERY_POLICY)?;
        let policy: Value = serde_json::from_str(policy).ok()?;
        policy["healthyRetryPolicy"][name].as_u64()
    }

    /// What `GetSubscriptionAttributes` gives.
    pub(super) fn described(&self) -> BTreeMap<String, String> {
        let mut described = self.attributes.clone();
        let mut add = |name: &str, value: &str| described.insert(name.to_owned(), value.to_owned());
        add("SubscriptionArn", &self.arn);
        add("TopicArn", &self.topic_arn);
        add("Protocol", &self.protocol);
        add("Endpoint", &self.endpoint);
        add("Owner", ACCOUNT);
        add("PendingConfirmation", &self.token.is_some().to_string());
        add("ConfirmationWasAuthenticated", "false");
        add("SubscriptionPrincipal", "arn:aws:iam::000000000000:root");
        described
            .entry(RAW.to_owned())
            .or_insert_with(|| "false".to_owned());
        described
    }

    /// Sets an attribute; without a value it takes it away.
    fn put(&mut self, name: &str, value: &str) -> Result<(), SnsError> {
        if !SETTABLE.contains(&name) {
            return Err(invalid(format!("AttributeName: {name} cannot be set")));
        }
        let is_empty = value.is_empty() || value == "{}";
        if is_empty {
            self.attributes.remove(name);
        } else {
            let value = value.to_owned();
            self.attributes.insert(name.to_owned(), value);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), SnsError> {
        let unknown = || invalid(format!("Protocol: {:?} is not known here", self.protocol));
        if let Some(raw) = self.attributes.get(RAW)
            && !["true", "false"].contains(&raw.as_str())
        {
            return Err(invalid(format!("{RAW}: {raw:?} is neither true nor false")));
        }
        if let Some(scope) = self.attributes.get(FILTER_POLICY_SCOPE)
            && Scope::from_name(scope).is_none()
        {
            return Err(invalid(format!("{FILTER_POLICY_SCOPE}: {scope:?} is none")));
        }
        if let Some(policy) = self.attributes.get(DELIVERY_POLICY)
            && serde_json::from_str::<Value>(policy).is_err()
        {
            return Err(invalid(format!("{DELIVERY_POLICY}: it is no JSON")));
        }
        let dead_letter_queue = match self.attributes.get(REDRIVE_POLICY) {
            Some(policy) => Some(dead_letter_queue(policy).ok_or_else(|| {
                invalid(format!("{REDRIVE_POLICY}: it names no deadLetterTargetArn"))
            })?),
            None => None,
        };
        let filter = self.attributes.get(FILTER_POLICY);
        let wish = Wish {
            topic_arn: self.topic_arn.clone(),
            protocol: self.protocol().ok_or_else(unknown)?,
            endpoint: self.endpoint.clone(),
            filter: filter.map(|policy| (policy.clone(), self.scope())),
            raw: self.is_raw(),
            dead_letter_queue,
        };
        wish.check().map_err(|error| invalid(error.to_string()))
    }
}

fn dead_letter_queue(policy: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    policy["deadLetterTargetArn"].as_str().map(str::to_owned)
}

pub(super) fn invalid(reason: impl std::fmt::Display) -> SnsError {
    SnsError::invalid_parameter(format!("Invalid parameter: {reason}"))
}

fn not_found() -> SnsError {
    SnsError::not_found("Subscription does not exist")
}

/// All there are.
#[derive(Debug)]
pub(super) struct Subscriptions {
    all: Mutex<Vec<Subscription>>,
    /// Where those of people and endpoints are kept.
    file: Option<PathBuf>,
}

impl Subscriptions {
    /// Takes up those that an earlier run has kept.
    pub(super) fn open(file: Option<&Path>) -> anyhow::Result<Self> {
        let kept = match file {
            Some(file) if file.exists() => {
                let kept = std::fs::read(file).with_context(|| reading(file))?;
                serde_json::from_slice(&kept).with_context(|| reading(file))?
            }
            _ => Vec::new(),
        };
        Ok(Self {
            all: Mutex::new(kept),
            file: file.map(Path::to_owned),
        })
    }

    /// Adds a subscription, and tells whether it is new: a topic has one for each endpoint.
    pub(super) fn add(
        &self,
        topic_arn: &str,
        protocol: &str,
        endpoint: &str,
        attributes: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Subscription, bool), SnsError> {
        let mut subscription = Subscription {
            arn: format!("{topic_arn}:{}", Uuid::new_v4()),
            topic_arn: topic_arn.to_owned(),
            protocol: protocol.to_owned(),
            endpoint: endpoint.to_owned(),
            token: None,
            used_token: None,
            attributes: BTreeMap::new(),
        };
        for (name, value) in attributes {
            subscription.put(&name, &value)?;
        }
        subscription.check()?;
        if subscription
            .protocol()
            .is_some_and(Protocol::asks_to_confirm)
        {
            subscription.token = Some(format!(
                "{}{}",
                Uuid::new_v4().simple(),
                Uuid::new_v4().simple()
            ));
        }
        let mut all = self.lock();
        let same = |other: &&Subscription| {
            other.topic_arn == topic_arn && other.protocol == protocol && other.endpoint == endpoint
        };
        if let Some(there) = all.iter().find(same) {
            let is_same =
                subscription.attributes.is_empty() || subscription.attributes == there.attributes;
            return if is_same {
                Ok((there.clone(), false))
            } else {
                Err(invalid(
                    "Attributes Reason: Subscription already exists with different attributes",
                ))
            };
        }
        check_quota(&all, &subscription)?;
        all.push(subscription.clone());
        self.keep(&all);
        Ok((subscription, true))
    }

    /// Confirms the subscription of a token.
    pub(super) fn confirm(&self, topic_arn: &str, token: &str) -> Result<Subscription, SnsError> {
        let mut all = self.lock();
        let knows = |one: &&mut Subscription| {
            let mut tokens = [&one.token, &one.used_token].into_iter().flatten();
            one.topic_arn == topic_arn && tokens.any(|known| known == token)
        };
        let Some(found) = all.iter_mut().find(knows) else {
            return Err(invalid("Token: it belongs to no subscription"));
        };
        found.token = None;
        found.used_token = Some(token.to_owned());
        let confirmed = found.clone();
        self.keep(&all);
        Ok(confirmed)
    }

    /// Ends a subscription; one that is not there is none afterwards either.
    pub(super) fn remove(&self, arn: &str) -> Option<Subscription> {
        let mut all = self.lock();
        let place = all.iter().position(|one| one.arn == arn)?;
        let removed = all.remove(place);
        self.keep(&all);
        Some(removed)
    }

    /// Ends those of a topic.
    pub(super) fn remove_topic(&self, topic_arn: &str) {
        let mut all = self.lock();
        all.retain(|one| one.topic_arn != topic_arn);
        self.keep(&all);
    }

    pub(super) fn set(&self, arn: &str, name: &str, value: &str) -> Result<(), SnsError> {
        let mut all = self.lock();
        let place = all.iter().position(|one| one.arn == arn);
        let place = place.ok_or_else(not_found)?;
        let mut changed = all[place].clone();
        changed.put(name, value)?;
        changed.check()?;
        if name == FILTER_POLICY {
            check_quota(&all, &changed)?;
        }
        all[place] = changed;
        self.keep(&all);
        Ok(())
    }

    pub(super) fn find(&self, arn: &str) -> Result<Subscription, SnsError> {
        let all = self.lock();
        let found = all.iter().find(|one| one.arn == arn);
        found.cloned().ok_or_else(not_found)
    }

    /// Those of one topic, or of all.
    pub(super) fn list(&self, topic_arn: Option<&str>) -> Vec<Subscription> {
        let all = self.lock();
        let of_topic = |one: &&Subscription| topic_arn.is_none_or(|topic| topic == one.topic_arn);
        all.iter().filter(of_topic).cloned().collect()
    }

    /// Queues are subscribed anew by whoever makes them anew.
    fn keep(&self, all: &[Subscription]) {
        let Some(file) = &self.file else {
            return;
        };
        let is_queue = |one: &&Subscription| one.protocol() == Some(Protocol::Sqs);
        let kept: Vec<&Subscription> = all.iter().filter(|one| !is_queue(one)).collect();
        let written = serde_json::to_vec(&kept).map_err(std::io::Error::from);
        // Beside it first: a file that is cut short would be of no use.
        let unfinished = file.with_extension("unfinished");
        let written = written.and_then(|json| std::fs::write(&unfinished, json));
        if let Err(error) = written.and_then(|()| std::fs::rename(&unfinished, file)) {
            tracing::error!(%error, "the subscriptions could not be kept");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Subscription>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reading(file: &Path) -> String {
    format!(
        "reading {}; move it away to start without its subscriptions",
        file.display()
    )
}

fn check_quota(all: &[Subscription], new: &Subscription) -> Result<(), SnsError> {
    let filters = |one: &&Subscription| {
        one.topic_arn == new.topic_arn
            && one.arn != new.arn
            && one.attributes.contains_key(FILTER_POLICY)
    };
    if new.attributes.contains_key(FILTER_POLICY)
        && all.iter().filter(filters).count() >= MOST_FILTERS
    {
        return Err(SnsError::new(
            SnsErrorCode::FilterPolicyLimitExceeded,
            format!("a topic takes {MOST_FILTERS} filter policies"),
        ));
    }
    Ok(())
}
