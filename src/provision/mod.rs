//! Creates the queues, the topic and the subscription, and repairs what has drifted.
//!
//! Running it again changes nothing that is right, and any number of instances may run it at once.
//! Nothing is ever deleted. What things should be like stands in `blueprint`; how that is
//! written as IAM policies and as a `CloudFormation` template, in [`iam`] and [`cloudformation`].

mod blueprint;
pub mod cloudformation;
pub mod iam;
mod queues;
mod settings;
mod topic;

use anyhow::Result;
use aws_sdk_sns::Client as SnsClient;
use aws_sdk_sqs::Client as SqsClient;
use serde_json::Value;

pub use self::blueprint::Account;
use self::blueprint::Blueprint;
pub use self::settings::ResourceSettings;

/// Where everything is, and what had to be done for it.
#[derive(Debug, Clone)]
pub struct Provisioned {
    /// The queue's URL.
    pub queue_url: String,
    /// The dead-letter queue's URL.
    pub dead_letter_queue_url: String,
    /// The URL of the queue that takes what the topic cannot deliver.
    pub undelivered_queue_url: String,
    /// The topic's ARN.
    pub topic_arn: String,
    /// What was or would be done, like `create the queue x`; empty if all was right.
    pub changes: Vec<String>,
}

/// Whether to do it or only to say what would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Create and repair.
    Apply,
    /// Read only, and list what would be changed.
    Plan,
}

/// Creates and repairs.
pub async fn provision(
    sqs: &SqsClient,
    sns: &SnsClient,
    settings: &ResourceSettings,
    mode: Mode,
) -> Result<Provisioned> {
    settings.check()?;
    let mut work = Work {
        sqs,
        sns,
        settings,
        mode,
        changes: Vec::new(),
        topic_is_missing: false,
    };
    let dead_letters = work.ensure_queue(&settings.dead_letter_queue_name).await?;
    let undelivered = work.ensure_queue(&settings.undelivered_queue_name).await?;
    let queue = work.ensure_queue(&settings.queue_name).await?;
    let account = [&queue, &dead_letters, &undelivered]
        .into_iter()
        .find_map(|queue| queue.account.clone())
        .unwrap_or_else(|| work.unknown_account());
    let blueprint = Blueprint::new(settings, &account);
    let topic_arn = work.ensure_topic(&account, &blueprint.topic).await?;
    work.repair_queue(&dead_letters, &blueprint.dead_letters)
        .await?;
    work.repair_queue(&undelivered, &blueprint.undelivered)
        .await?;
    work.repair_queue(&queue, &blueprint.queue).await?;
    let queue_arn = account.arn("sqs", &settings.queue_name);
    work.ensure_subscription(&topic_arn, &queue_arn, &blueprint.subscription)
        .await?;
    Ok(Provisioned {
        queue_url: queue.url,
        dead_letter_queue_url: dead_letters.url,
        undelivered_queue_url: undelivered.url,
        topic_arn,
        changes: work.changes,
    })
}

/// Stands for the account in a plan where nobody has told us its number.
const UNKNOWN_ACCOUNT: &str = "ACCOUNT";

/// What the steps share.
struct Work<'a> {
    sqs: &'a SqsClient,
    sns: &'a SnsClient,
    settings: &'a ResourceSettings,
    mode: Mode,
    changes: Vec<String>,
    /// In a plan, when there is no topic to ask about.
    topic_is_missing: bool,
}

impl Work<'_> {
    /// Notes a change; says whether to make it.
    fn change(&mut self, what: String) -> bool {
        self.changes.push(what);
        self.mode == Mode::Apply
    }

    /// In a plan for an account where there is nothing yet, nobody has told us its number.
    fn unknown_account(&self) -> Account {
        let region = self.sqs.config().region().map(ToString::to_string);
        Account {
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
