//! The smallest IAM policies with which Beanstock works, for whoever runs it.
//!
//! Tests record the calls that are really made and compare them with these.

use serde_json::{Map, Value, json};

use super::account::AwsAccount;
use super::blueprint::{CONSUME, one_or_more};
use super::topology::{TopicEntry, Topology};
use crate::messaging::UPDATES_TOPIC;

/// What `beanstock check` and `beanstock provision` read.
const READ_TOPIC: [&str; 2] = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"];

/// These actions take no narrower resource (Service Authorization Reference, "Amazon SNS").
const ANY_SUBSCRIPTION: &str = "*";

/// One policy for each who needs one: `application`, `publisher`, one for each supplier with a topic, and `operator`; with a key of our
/// own also `key`, which belongs into that key's policy.
pub fn policies(topology: &Topology, account: &AwsAccount) -> Value {
    let mut policies = Map::new();
    for (who, statements) in [
        ("application", application(topology, account)),
        ("operator", operator(topology, account)),
    ] {
        policies.insert(who.to_owned(), document(&statements));
    }
    for topic in &topology.topics {
        let who = match topic.supplier {
            Some(supplier) => format!("publisher-of-supplier-{supplier}"),
            None if topic.role == UPDATES_TOPIC => "publisher".to_owned(),
            None => continue,
        };
        policies.insert(who, document(&publisher(topology, account, topic)));
    }
    if topology.kms_key.is_some() {
        policies.insert("key".to_owned(), document(&key(topology, account)));
    }
    Value::Object(policies)
}

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// IAM policies of another account are not enough for a key; its own policy has to name who uses it.
fn key(topology: &Topology, account: &AwsAccount) -> Vec<Value> {
    let mut statements = vec![let_topic_in(topology, account)];
    let publishers = topology
        .topics
        .iter()
        .flat_map(|topic| &topic.publishers)
        .cloned();
    let publishers = account.principals(&publishers.collect::<Vec<_>>());
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
fn let_topic_in(topology: &Topology, account: &AwsAccount) -> Value {
    json!({
        "Sid": "TopicEncrypts",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": ENCRYPT,
        "Resource": "*",
        "Condition": {
            "ArnEquals": {"aws:SourceArn": topics(topology, account)},
            "StringEquals": {"aws:SourceAccount": account.id},
        },
    })
}

fn queues(topology: &Topology, account: &AwsAccount) -> Vec<String> {
    let names = topology.queues.iter().map(|queue| &queue.name);
    names.map(|name| account.arn("sqs", name)).collect()
}

/// The queues that others name as their dead-letter queue, which are found by that name.
fn dead_letter_queues(topology: &Topology, account: &AwsAccount) -> Value {
    let targets = topology.queues.iter().filter(|queue| {
        let mut sources = topology.sources_of(queue.role);
        sources.next().is_some()
    });
    let arns = targets.map(|queue| account.arn("sqs", &queue.name));
    one_or_more(arns.collect())
}

fn topics(topology: &Topology, account: &AwsAccount) -> Value {
    let arns = topology
        .topics
        .iter()
        .map(|topic| account.arn("sns", &topic.name));
    one_or_more(arns.collect())
}

fn allow(sid: &str, actions: &[&str], resource: impl Into<Value>) -> Value {
    let resource = resource.into();
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}

/// Runs `serve` (all parts), `check` and `status`.
fn application(topology: &Topology, account: &AwsAccount) -> Vec<Value> {
    let topics = topics(topology, account);
    // Topics of suppliers are for them to publish to.
    let published = topology
        .topics
        .iter()
        .filter(|topic| topic.supplier.is_none());
    let published = published.map(|topic| account.arn("sns", &topic.name));
    let published = one_or_more(published.collect());
    let dead_letters = dead_letter_queues(topology, account);
    let mut statements = vec![
        allow("ConsumeQueues", &CONSUME, queues(topology, account)),
        allow("FindDeadLetterQueue", &["sqs:GetQueueUrl"], dead_letters),
        allow("Publish", &["sns:Publish"], published),
        allow("CheckTopic", &READ_TOPIC, topics),
        allow(
            "CheckSubscription",
            &["sns:GetSubscriptionAttributes"],
            ANY_SUBSCRIPTION,
        ),
    ];
    statements.extend(stream(topology, account).map(|arn| allow("UseStream", &USE_STREAM, arn)));
    statements.extend(use_key(topology, account));
    statements
}

/// What putting movements on the stream, reading it and looking at it takes.
const USE_STREAM: [&str; 5] = [
    "kinesis:PutRecords",
    "kinesis:DescribeStreamSummary",
    "kinesis:ListShards",
    "kinesis:GetShardIterator",
    "kinesis:GetRecords",
];

fn stream(topology: &Topology, account: &AwsAccount) -> Option<String> {
    let stream = topology.stream.as_ref()?;
    Some(account.arn("kinesis", &format!("stream/{}", stream.name)))
}

/// Scripts that publish to a topic, or `beanstock publish`.
fn publisher(topology: &Topology, account: &AwsAccount, topic: &TopicEntry) -> Vec<Value> {
    let topic = account.arn("sns", &topic.name);
    let mut statements = vec![allow("Publish", &["sns:Publish"], topic)];
    statements.extend(use_key(topology, account));
    statements
}

/// Runs `provision`.
fn operator(topology: &Topology, account: &AwsAccount) -> Vec<Value> {
    let topics = topics(topology, account);
    let mut statements = vec![
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
            queues(topology, account),
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
            topics,
        ),
        allow(
            "ManageSubscription",
            &[
                "sns:GetSubscriptionAttributes",
                "sns:SetSubscriptionAttributes",
            ],
            ANY_SUBSCRIPTION,
        ),
    ];
    statements
        .extend(stream(topology, account).map(|arn| allow("ManageStream", &MANAGE_STREAM, arn)));
    statements
}

const MANAGE_STREAM: [&str; 8] = [
    "kinesis:CreateStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:UpdateStreamMode",
    "kinesis:UpdateShardCount",
    "kinesis:IncreaseStreamRetentionPeriod",
    "kinesis:StartStreamEncryption",
    "kinesis:ListTagsForStream",
    "kinesis:AddTagsToStream",
];

/// What publishing to and receiving from resources under a key of our own takes (SQS Developer
/// Guide, "Key management").
fn use_key(topology: &Topology, account: &AwsAccount) -> Option<Value> {
    let key = topology.kms_key.as_ref()?;
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
