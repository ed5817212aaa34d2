//! Creates the queues, the topic and the subscription, and repairs what has drifted.
//!
//! Running it again changes nothing that is right. Names ending in `.fifo` make FIFO resources,
//! others standard ones. Nothing is ever deleted.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_sns::Client as SnsClient;
use aws_sdk_sqs::Client as SqsClient;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::messaging::sqs::is_fifo;

/// What to create. The defaults are those of the lab.
#[derive(Debug, Clone, clap::Args)]
pub struct Names {
    /// Name of the queue.
    #[arg(long, env = "QUEUE_NAME", default_value = "updated_beans.fifo")]
    pub queue_name: String,
    /// Name of the dead-letter queue.
    #[arg(
        long,
        env = "DEAD_LETTER_QUEUE_NAME",
        default_value = "DeadLetterQueue.fifo"
    )]
    pub dead_letter_queue_name: String,
    /// Name of the topic.
    #[arg(long, env = "TOPIC_NAME", default_value = "updated_beans_sns.fifo")]
    pub topic_name: String,
    /// Receives after which a message is dead-lettered.
    #[arg(long, env = "MAX_RECEIVE_COUNT", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_receive_count: u32,
}

/// Where everything is, and what had to be done for it.
#[derive(Debug, Clone)]
pub struct Provisioned {
    /// The queue's URL.
    pub queue_url: String,
    /// The dead-letter queue's URL.
    pub dead_letter_queue_url: String,
    /// The topic's ARN.
    pub topic_arn: String,
    /// What was created or repaired, one sentence each; empty if all was right.
    pub changes: Vec<String>,
}

/// Creates and repairs.
pub async fn provision(sqs: &SqsClient, sns: &SnsClient, names: &Names) -> Result<Provisioned> {
    let fifo = is_fifo(&names.queue_name);
    ensure!(
        is_fifo(&names.dead_letter_queue_name) == fifo && is_fifo(&names.topic_name) == fifo,
        "QUEUE_NAME, DEAD_LETTER_QUEUE_NAME and TOPIC_NAME must all end in .fifo, or none of them: \
         SQS and SNS do not mix the two kinds here"
    );
    let mut changes = Vec::new();
    let dead_letters = ensure_queue(sqs, &names.dead_letter_queue_name, &mut changes).await?;
    let queue = ensure_queue(sqs, &names.queue_name, &mut changes).await?;
    let topic_arn = ensure_topic(sns, &queue.account, &names.topic_name, &mut changes).await?;
    let wanted = dead_letter_queue_attributes(&dead_letters);
    repair_queue(sqs, &dead_letters, wanted, &mut changes).await?;
    let wanted = queue_attributes(&queue, &dead_letters, &topic_arn, names.max_receive_count);
    repair_queue(sqs, &queue, wanted, &mut changes).await?;
    ensure_subscription(sns, &topic_arn, &queue, &mut changes).await?;
    Ok(Provisioned {
        queue_url: queue.url,
        dead_letter_queue_url: dead_letters.url,
        topic_arn,
        changes,
    })
}

struct Queue {
    name: String,
    url: String,
    arn: String,
    account: Account,
}

/// The parts of an ARN that resources of one account and region share.
struct Account {
    partition: String,
    region: String,
    id: String,
}

impl Account {
    fn of(arn: &str) -> Result<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, _, region, id, _] = parts[..] else {
            anyhow::bail!("{arn} is not the ARN of a queue");
        };
        Ok(Self {
            partition: partition.to_owned(),
            region: region.to_owned(),
            id: id.to_owned(),
        })
    }

    fn root(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.id)
    }
}

async fn ensure_queue(sqs: &SqsClient, name: &str, changes: &mut Vec<String>) -> Result<Queue> {
    let found = sqs.get_queue_url().queue_name(name).send().await;
    let url = match found {
        Ok(found) => found.queue_url,
        Err(error) => {
            let missing = error.as_service_error().is_some_and(
                aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError::is_queue_does_not_exist,
            );
            if !missing {
                return Err(error).with_context(|| format!("looking for the queue {name}"));
            }
            changes.push(format!("created the queue {name}"));
            create_queue(sqs, name).await?
        }
    };
    let url = url.with_context(|| format!("SQS gave no URL for the queue {name}"))?;
    let arn = get_attributes(sqs, &url)
        .await?
        .remove(&QueueAttributeName::QueueArn)
        .with_context(|| format!("SQS gave no ARN for the queue {name}"))?;
    Ok(Queue {
        name: name.to_owned(),
        url,
        account: Account::of(&arn)?,
        arn,
    })
}

async fn create_queue(sqs: &SqsClient, name: &str) -> Result<Option<String>> {
    let mut request = sqs.create_queue().queue_name(name);
    if is_fifo(name) {
        // The one attribute that cannot be set later.
        request = request.attributes(QueueAttributeName::FifoQueue, "true");
    }
    let created = request
        .send()
        .await
        .with_context(|| format!("creating the queue {name}"))?;
    Ok(created.queue_url)
}

async fn get_attributes(sqs: &SqsClient, url: &str) -> Result<HashMap<QueueAttributeName, String>> {
    let answer = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .with_context(|| format!("reading the attributes of {url}"))?;
    Ok(answer.attributes.unwrap_or_default())
}

type Attributes = Vec<(QueueAttributeName, String)>;

/// The lab's figures, and the longest retention there is (14 days), because the original time of
/// enqueueing may count.
fn dead_letter_queue_attributes(queue: &Queue) -> Attributes {
    vec![
        (QueueAttributeName::VisibilityTimeout, "20".to_owned()),
        (
            QueueAttributeName::ReceiveMessageWaitTimeSeconds,
            "0".to_owned(),
        ),
        (
            QueueAttributeName::MessageRetentionPeriod,
            "1209600".to_owned(),
        ),
        (
            QueueAttributeName::Policy,
            json!({"Version": "2012-10-17", "Statement": [owner_statement(queue)]}).to_string(),
        ),
    ]
}

/// The lab's figures.
fn queue_attributes(
    queue: &Queue,
    dead_letters: &Queue,
    topic_arn: &str,
    max_receive_count: u32,
) -> Attributes {
    let from_topic = json!({
        "Sid": "TopicSends",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue.arn,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": topic_arn},
            "StringEquals": {"aws:SourceAccount": queue.account.id},
        },
    });
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [owner_statement(queue), from_topic],
    });
    let redrive = json!({
        "deadLetterTargetArn": dead_letters.arn,
        "maxReceiveCount": max_receive_count,
    });
    let mut attributes = vec![
        (QueueAttributeName::VisibilityTimeout, "30".to_owned()),
        (
            QueueAttributeName::ReceiveMessageWaitTimeSeconds,
            "20".to_owned(),
        ),
        (
            QueueAttributeName::MessageRetentionPeriod,
            "345600".to_owned(),
        ),
        (QueueAttributeName::Policy, policy.to_string()),
        (QueueAttributeName::RedrivePolicy, redrive.to_string()),
    ];
    if is_fifo(&queue.name) {
        attributes.push((
            QueueAttributeName::ContentBasedDeduplication,
            "true".to_owned(),
        ));
        attributes.push((QueueAttributeName::DeduplicationScope, "queue".to_owned()));
    }
    attributes
}

fn owner_statement(queue: &Queue) -> Value {
    json!({
        "Sid": "OwnerManages",
        "Effect": "Allow",
        "Principal": {"AWS": queue.account.root()},
        "Action": "sqs:*",
        "Resource": queue.arn,
    })
}

async fn repair_queue(
    sqs: &SqsClient,
    queue: &Queue,
    wanted: Attributes,
    changes: &mut Vec<String>,
) -> Result<()> {
    let current = get_attributes(sqs, &queue.url).await?;
    let drifted: Attributes = wanted
        .into_iter()
        .filter(|(name, value)| !means_the_same(current.get(name), value))
        .collect();
    if drifted.is_empty() {
        return Ok(());
    }
    for (name, _) in &drifted {
        changes.push(format!("set {} of {}", name.as_str(), queue.name));
    }
    sqs.set_queue_attributes()
        .queue_url(&queue.url)
        .set_attributes(Some(drifted.into_iter().collect()))
        .send()
        .await
        .with_context(|| format!("setting the attributes of {}", queue.name))?;
    Ok(())
}

/// Policies come back with other spacing and order, and numbers sometimes as texts.
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
        Value::Array(values) => values.into_iter().map(normalised).collect(),
        Value::String(text) => Value::String(text),
        other => Value::String(other.to_string()),
    }
}

async fn ensure_topic(
    sns: &SnsClient,
    account: &Account,
    name: &str,
    changes: &mut Vec<String>,
) -> Result<String> {
    let arn = format!(
        "arn:{}:sns:{}:{}:{name}",
        account.partition, account.region, account.id
    );
    let current = match sns.get_topic_attributes().topic_arn(&arn).send().await {
        Ok(found) => found.attributes.unwrap_or_default(),
        Err(error) => {
            let missing = error
                .as_service_error()
                .is_some_and(aws_sdk_sns::operation::get_topic_attributes::GetTopicAttributesError::is_not_found_exception);
            if !missing {
                return Err(error).with_context(|| format!("looking for the topic {name}"));
            }
            changes.push(format!("created the topic {name}"));
            create_topic(sns, name).await?;
            HashMap::new()
        }
    };
    for (attribute, value) in topic_attributes(account, &arn) {
        if means_the_same(current.get(attribute), &value) {
            continue;
        }
        changes.push(format!("set {attribute} of {name}"));
        sns.set_topic_attributes()
            .topic_arn(&arn)
            .attribute_name(attribute)
            .attribute_value(value)
            .send()
            .await
            .with_context(|| format!("setting {attribute} of the topic {name}"))?;
    }
    Ok(arn)
}

async fn create_topic(sns: &SnsClient, name: &str) -> Result<()> {
    let mut request = sns.create_topic().name(name);
    if is_fifo(name) {
        request = request.attributes("FifoTopic", "true");
    }
    request
        .send()
        .await
        .with_context(|| format!("creating the topic {name}"))?;
    Ok(())
}

fn topic_attributes(account: &Account, arn: &str) -> Vec<(&'static str, String)> {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "OwnerManagesAndPublishes",
            "Effect": "Allow",
            "Principal": {"AWS": account.root()},
            "Action": [
                "sns:GetTopicAttributes", "sns:SetTopicAttributes", "sns:AddPermission",
                "sns:RemovePermission", "sns:DeleteTopic", "sns:Subscribe",
                "sns:ListSubscriptionsByTopic", "sns:Publish",
            ],
            "Resource": arn,
        }],
    });
    let mut attributes = vec![
        ("DisplayName", "Updated beans".to_owned()),
        ("Policy", policy.to_string()),
    ];
    if is_fifo(arn) {
        attributes.push(("ContentBasedDeduplication", "true".to_owned()));
    }
    attributes
}

async fn ensure_subscription(
    sns: &SnsClient,
    topic_arn: &str,
    queue: &Queue,
    changes: &mut Vec<String>,
) -> Result<()> {
    let Some(arn) = find_subscription(sns, topic_arn, &queue.arn).await? else {
        changes.push(format!("subscribed {} to the topic", queue.name));
        sns.subscribe()
            .topic_arn(topic_arn)
            .protocol("sqs")
            .endpoint(&queue.arn)
            .send()
            .await
            .with_context(|| format!("subscribing {} to the topic", queue.name))?;
        return Ok(());
    };
    let current = sns
        .get_subscription_attributes()
        .subscription_arn(&arn)
        .send()
        .await
        .with_context(|| format!("reading the subscription {arn}"))?
        .attributes
        .unwrap_or_default();
    let raw = current
        .get("RawMessageDelivery")
        .is_some_and(|raw| raw == "true");
    if raw {
        changes.push("set RawMessageDelivery of the subscription".to_owned());
        sns.set_subscription_attributes()
            .subscription_arn(&arn)
            .attribute_name("RawMessageDelivery")
            .attribute_value("false")
            .send()
            .await
            .with_context(|| format!("repairing the subscription {arn}"))?;
    }
    Ok(())
}

async fn find_subscription(
    sns: &SnsClient,
    topic_arn: &str,
    queue_arn: &str,
) -> Result<Option<String>> {
    let mut next = None;
    loop {
        let page = sns
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_compared_by_meaning() {
        let same = |current: &str, wanted: &str| means_the_same(Some(&current.to_owned()), wanted);

        assert!(same(r#"{"b":"5","a":[1]}"#, r#"{ "a": [1], "b": 5 }"#));
        assert!(!same(r#"{"b":4}"#, r#"{"b":5}"#));
        assert!(same("Updated beans", "Updated beans"));
        assert!(!means_the_same(None, "x"));
    }
}
