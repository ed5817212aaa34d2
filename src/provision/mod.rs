//! Creates the queues, topics, subscriptions and the stream, and repairs what has drifted.
//!
//! Running it again changes nothing that is right, and any number of instances may run it at once.
//! Nothing is ever deleted. What there is to be stands in [`Topology`], how that is written as IAM
//! policies and as a `CloudFormation` template in [`iam`] and [`cloudformation`].

mod account;
mod blueprint;
pub mod cloudformation;
pub mod iam;
mod queues;
mod settings;
mod stream;
pub mod subscribe;
mod topic;
mod topology;

use anyhow::Result;
use aws_sdk_sns::Client as SnsClient;
use aws_sdk_sqs::Client as SqsClient;
use serde_json::Value;

pub use self::account::AwsAccount;
use self::blueprint::Blueprint;
pub use self::settings::ResourceSettings;
pub use self::stream::provision_stream;
pub use self::topology::{
    Capacity, QueueEntry, StreamEntry, SubscriptionEntry, TopicEntry, Topology,
};
use crate::messaging::{QueueRole, SUPPLIER_TOPIC, TopicRole, UPDATES_TOPIC};

/// Where everything is, and what had to be done for it.
#[derive(Debug, Clone)]
pub struct Provisioned {
    /// The URL of each queue.
    pub queues: Vec<(QueueRole, String)>,
    /// The ARN of each topic.
    pub topics: Vec<(TopicRole, String)>,
    /// The ARN of each topic that speaks for one supplier alone.
    pub supplier_topics: Vec<(i64, String)>,
    /// What was or would be done, like `create the queue x`; empty if all was right.
    pub changes: Vec<String>,
}

impl Provisioned {
    /// The URL of the queue with a role; empty if there is none.
    pub fn queue_url(&self, role: QueueRole) -> &str {
        let found = self.queues.iter().find(|(other, _)| *other == role);
        found.map_or("", |(_, url)| url)
    }

    /// The ARN of the topic of updates.
    pub fn topic_arn(&self) -> &str {
        self.topic(UPDATES_TOPIC)
    }

    /// The ARN of the topic with a role; empty if there is none.
    pub fn topic(&self, role: TopicRole) -> &str {
        let found = self.topics.iter().find(|(other, _)| *other == role);
        found.map_or("", |(_, arn)| arn)
    }

    /// The settings that lead there, like `QUEUE_URL=…`.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, String)> {
        let queues = self.queues.iter();
        let queues = queues.map(|(role, url)| (role.setting, url.clone()));
        let topics = self.topics.iter();
        let topics = topics.map(|(role, arn)| (role.setting, arn.clone()));
        let of_suppliers = self.supplier_topics.iter();
        let of_suppliers: Vec<String> = of_suppliers
            .map(|(supplier, arn)| format!("{supplier}={arn}"))
            .collect();
        let of_suppliers =
            (!of_suppliers.is_empty()).then(|| (SUPPLIER_TOPIC.setting, of_suppliers.join(",")));
        queues.chain(topics).chain(of_suppliers)
    }
}

/// Whether to do it or only to say what would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Apply,
    /// Read only, and list what would be changed.
    Plan,
}

/// Creates and repairs what a topology lists.
pub async fn provision(
    sqs: &SqsClient,
    sns: &SnsClient,
    topology: &Topology,
    mode: Mode,
) -> Result<Provisioned> {
    let mut work = Work {
        sqs,
        sns,
        topology,
        mode,
        changes: Vec::new(),
        missing_topics: Vec::new(),
    };
    let mut queues = Vec::new();
    for queue in &topology.queues {
        queues.push(work.ensure_queue(&queue.name).await?);
    }
    let account = queues.iter().find_map(|queue| queue.account.clone());
    let account = account.unwrap_or_else(|| work.unknown_account());
    let blueprint = Blueprint::new(topology, &account);
    let (mut topics, mut supplier_topics) = (Vec::new(), Vec::new());
    for topic in &blueprint.topics {
        let arn = work.ensure_topic(&account, topic).await?;
        match topic.supplier {
            Some(supplier) => supplier_topics.push((supplier, arn)),
            None => topics.push((topic.role, arn)),
        }
    }
    for (queue, wanted) in queues.iter().zip(&blueprint.queues) {
        work.repair_queue(queue, wanted).await?;
    }
    for subscription in &blueprint.subscriptions {
        work.ensure_subscription(&account, subscription).await?;
    }
    let roles = topology.queues.iter().map(|queue| queue.role);
    Ok(Provisioned {
        queues: roles
            .zip(queues.into_iter().map(|queue| queue.url))
            .collect(),
        topics,
        supplier_topics,
        changes: work.changes,
    })
}

/// Stands for the account in a plan where nobody has told us its number.
const UNKNOWN_ACCOUNT: &str = "ACCOUNT";

/// What the steps share.
struct Work<'a> {
    sqs: &'a SqsClient,
    sns: &'a SnsClient,
    topology: &'a Topology,
    mode: Mode,
    changes: Vec<String>,
    /// In a plan, the ARNs of topics that are not there to be asked about.
    missing_topics: Vec<String>,
}

impl Work<'_> {
    /// Notes a change; says whether to make it.
    fn change(&mut self, what: String) -> bool {
        self.changes.push(what);
        self.mode == Mode::Apply
    }

    /// In a plan for an account where there is nothing yet, nobody has told us its number.
    fn unknown_account(&self) -> AwsAccount {
        let region = self.sqs.config().region().map(ToString::to_string);
        AwsAccount {
            partition: "aws".to_owned(),
            region: region.unwrap_or_else(|| "REGION".to_owned()),
            id: UNKNOWN_ACCOUNT.to_owned(),
        }
    }
}

/// Policies come back with other spacing and order, numbers sometimes as texts, and a list of one
/// as the one.
fn means_the_same(current: Option<&String>, wanted: &str) -> bool {
    let Some(current) = current else {
        return false;
    };
    let parse = |text: &str| serde_json::from_str::<Value>(text).map(normalised);
    match (parse(current), parse(wanted)) {
        (Ok(current), Ok(wanted)) => current == wanted,
        _ => current == wanted,
    }
}

fn normalised(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, normalised(value)))
            .collect(),
        Value::Array(mut values) if values.len() == 1 => normalised(values.remove(0)),
        Value::Array(values) => values.into_iter().map(normalised).collect(),
        Value::String(text) => Value::String(text),
        other => Value::String(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_compared_by_meaning() {
        let same = |current: &str, wanted: &str| means_the_same(Some(&current.to_owned()), wanted);

        assert!(same(r#"{"b":"5","a":[1]}"#, r#"{ "a": [1], "b": 5 }"#));
        assert!(same(r#"{"a":"x"}"#, r#"{"a":["x"]}"#));
        assert!(!same(r#"{"b":4}"#, r#"{"b":5}"#));
        assert!(same("Updated beans", "Updated beans"));
        assert!(!means_the_same(None, "x"));
    }
}
