//! The smallest IAM policies with which Beanstock works, for whoever runs it.
//!
//! Tests record the calls that are really made and compare them with these.

use serde_json::{Map, Value, json};

use super::blueprint::Account;
use super::settings::ResourceSettings;

/// What the poller and the collector do with a queue. Batches need no actions of their own.
pub const CONSUME: [&str; 4] = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
];

/// What `beanstock check` and `beanstock provision` read.
const READ_TOPIC: [&str; 2] = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"];

/// These actions take no narrower resource (Service Authorization Reference, "Amazon SNS").
const ANY_SUBSCRIPTION: &str = "*";

/// One policy for each who needs one: `application`, `publisher` and `operator`; with a key of our
/// own also `key`, which belongs into that key's policy.
pub fn policies(settings: &ResourceSettings, account: &Account) -> Value {
    let mut policies = Map::new();
    for (who, statements) in [
        ("application", application(settings, account)),
        ("publisher", publisher(settings, account)),
        ("operator", operator(settings, account)),
    ] {
        policies.insert(who.to_owned(), document(&statements));
    }
    if settings.kms_key.is_some() {
        policies.insert("key".to_owned(), document(&key(settings, account)));
    }
    Value::Object(policies)
}

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// IAM policies of another account are not enough for a key; its own policy has to name who uses it.
fn key(settings: &ResourceSettings, account: &Account) -> Vec<Value> {
    let mut statements = vec![let_topic_in(settings, account)];
    let publishers = account.publishers(settings);
    if !publishers.is_empty() {
        statements.push(json!({
            "Sid": "SuppliersEncrypt",
            "Effect": "Allow",
            "Principal": {"AWS": publishers},
            "Action": ENCRYPT,
            "Resource": "*",
        }));
    }
    statements
}

/// What publishing to an encrypted topic takes, and receiving.
const ENCRYPT: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// Without this the topic cannot put messages into encrypted queues (SQS Developer Guide, "Enable
/// compatibility between event sources from AWS services and encrypted queues").
fn let_topic_in(settings: &ResourceSettings, account: &Account) -> Value {
    json!({
        "Sid": "TopicEncrypts",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": ENCRYPT,
        "Resource": "*",
        "Condition": {
            "ArnEquals": {"aws:SourceArn": topic(settings, account)},
            "StringEquals": {"aws:SourceAccount": account.id},
        },
    })
}

fn queues(settings: &ResourceSettings, account: &Account) -> Vec<String> {
    [
        &settings.queue_name,
        &settings.dead_letter_queue_name,
        &settings.undelivered_queue_name,
    ]
    .map(|name| account.arn("sqs", name))
    .to_vec()
}

fn topic(settings: &ResourceSettings, account: &Account) -> String {
    account.arn("sns", &settings.topic_name)
}

fn allow(sid: &str, actions: &[&str], resource: impl Into<Value>) -> Value {
    let resource = resource.into();
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}

/// Runs `serve` (all parts), `check` and `status`.
fn application(settings: &ResourceSettings, account: &Account) -> Vec<Value> {
    let topic = topic(settings, account);
    let dead_letters = account.arn("sqs", &settings.dead_letter_queue_name);
    let mut statements = vec![
        allow("ConsumeQueues", &CONSUME, queues(settings, account)),
        allow("FindDeadLetterQueue", &["sqs:GetQueueUrl"], dead_letters),
        allow("Publish", &["sns:Publish"], topic.clone()),
        allow("CheckTopic", &READ_TOPIC, topic.clone()),
        allow(
            "CheckSubscription",
            &["sns:GetSubscriptionAttributes"],
            ANY_SUBSCRIPTION,
        ),
    ];
    statements.extend(use_key(settings, account));
    statements
}

/// A supplier's own script, or `beanstock publish`.
fn publisher(settings: &ResourceSettings, account: &Account) -> Vec<Value> {
    let mut statements = vec![allow("Publish", &["sns:Publish"], topic(settings, account))];
    statements.extend(use_key(settings, account));
    statements
}

/// Runs `provision`.
fn operator(settings: &ResourceSettings, account: &Account) -> Vec<Value> {
    let topic = topic(settings, account);
    vec![
        allow(
            "ManageQueues",
            &[
                "sqs:CreateQueue",
                "sqs:GetQueueUrl",
                "sqs:GetQueueAttributes",
                "sqs:SetQueueAttributes",
                "sqs:ListQueueTags",
                "sqs:TagQueue",
            ],
            queues(settings, account),
        ),
        allow(
            "ManageTopic",
            &[
                "sns:CreateTopic",
                "sns:GetTopicAttributes",
                "sns:SetTopicAttributes",
                "sns:ListTagsForResource",
                "sns:TagResource",
                "sns:ListSubscriptionsByTopic",
                "sns:Subscribe",
            ],
            topic.clone(),
        ),
        allow(
            "ManageSubscription",
            &[
                "sns:GetSubscriptionAttributes",
                "sns:SetSubscriptionAttributes",
            ],
            ANY_SUBSCRIPTION,
        ),
    ]
}

/// What publishing to and receiving from resources under a key of our own takes (SQS Developer
/// Guide, "Key management").
fn use_key(settings: &ResourceSettings, account: &Account) -> Option<Value> {
    let key = settings.kms_key.as_ref()?;
    if let Some((_, alias)) = key.split_once("alias/") {
        // Policies cannot name an alias as a resource, only as a condition.
        let mut statement = allow("UseKey", &ENCRYPT, account.arn("kms", "key/*"));
        statement["Condition"] =
            json!({"ForAnyValue:StringEquals": {"kms:ResourceAliases": format!("alias/{alias}")}});
        return Some(statement);
    }
    let arn = if key.starts_with("arn:") {
        key.clone()
    } else {
        account.arn("kms", &format!("key/{key}"))
    };
    Some(allow("UseKey", &ENCRYPT, arn))
}
