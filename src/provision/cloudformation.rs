//! The same resources as a `CloudFormation` template, for those who keep theirs in one.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Map, Value, json};

use super::blueprint::{Account, Blueprint, QueueBlueprint};
use super::settings::ResourceSettings;
use crate::messaging::sqs::is_fifo;

/// Writes the template.
pub fn template(settings: &ResourceSettings) -> Value {
    // CloudFormation puts in its own account when the stack is made.
    let account = Account {
        partition: "${AWS::Partition}".to_owned(),
        region: "${AWS::Region}".to_owned(),
        id: "${AWS::AccountId}".to_owned(),
    };
    let blueprint = Blueprint::new(settings, &account);
    let tags: Vec<Value> = settings
        .resource_tags
        .iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    let mut resources = Map::new();
    let mut add = |name: &str, resource: Value| resources.insert(name.to_owned(), resource);
    for (name, queue, after) in [
        ("DeadLetterQueue", &blueprint.dead_letters, None),
        (
            "UndeliveredQueue",
            &blueprint.undelivered,
            Some("DeadLetterQueue"),
        ),
        ("Queue", &blueprint.queue, Some("DeadLetterQueue")),
    ] {
        add(name, queue_resource(queue, &tags, after));
        add(&format!("{name}Policy"), queue_policy(name, queue));
    }
    add("Topic", topic_resource(settings, &blueprint, &tags));
    add("TopicPolicy", topic_policy(&blueprint));
    add("Subscription", subscription(settings, &blueprint, &account));
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Queues, topic and subscription of Beanstock",
        "Resources": substituted(Value::Object(resources)),
        "Outputs": {
            "QueueUrl": {"Value": {"Ref": "Queue"}},
            "DeadLetterQueueUrl": {"Value": {"Ref": "DeadLetterQueue"}},
            "UndeliveredQueueUrl": {"Value": {"Ref": "UndeliveredQueue"}},
            "TopicArn": {"Value": {"Ref": "Topic"}},
        },
    })
}

fn queue_resource(queue: &QueueBlueprint, tags: &[Value], after: Option<&str>) -> Value {
    let mut properties = Map::new();
    properties.insert("QueueName".to_owned(), json!(queue.name));
    if is_fifo(&queue.name) {
        properties.insert("FifoQueue".to_owned(), json!(true));
    }
    for (name, value) in &queue.attributes {
        if *name != QueueAttributeName::Policy {
            properties.insert(name.as_str().to_owned(), typed(value));
        }
    }
    properties.insert("Tags".to_owned(), json!(tags));
    let mut resource = json!({"Type": "AWS::SQS::Queue", "Properties": properties});
    if let Some(after) = after {
        resource["DependsOn"] = json!(after);
    }
    resource
}

fn queue_policy(name: &str, queue: &QueueBlueprint) -> Value {
    let policy = queue
        .attributes
        .iter()
        .find(|(name, _)| *name == QueueAttributeName::Policy)
        .map(|(_, policy)| typed(policy));
    json!({
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [{"Ref": name}], "PolicyDocument": policy},
    })
}

fn topic_resource(settings: &ResourceSettings, blueprint: &Blueprint, tags: &[Value]) -> Value {
    let mut properties = Map::new();
    properties.insert("TopicName".to_owned(), json!(settings.topic_name));
    if is_fifo(&settings.topic_name) {
        properties.insert("FifoTopic".to_owned(), json!(true));
    }
    for (name, value) in &blueprint.topic {
        if *name != "Policy" {
            properties.insert((*name).to_owned(), typed(value));
        }
    }
    properties.insert("Tags".to_owned(), json!(tags));
    json!({"Type": "AWS::SNS::Topic", "Properties": properties})
}

fn topic_policy(blueprint: &Blueprint) -> Value {
    let policy = blueprint
        .topic
        .iter()
        .find(|(name, _)| *name == "Policy")
        .map(|(_, policy)| typed(policy));
    json!({
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": policy},
    })
}

fn subscription(settings: &ResourceSettings, blueprint: &Blueprint, account: &Account) -> Value {
    let mut properties = Map::new();
    properties.insert("TopicArn".to_owned(), json!({"Ref": "Topic"}));
    properties.insert("Protocol".to_owned(), json!("sqs"));
    let queue = account.arn("sqs", &settings.queue_name);
    properties.insert("Endpoint".to_owned(), json!(queue));
    for (name, value) in &blueprint.subscription {
        properties.insert((*name).to_owned(), typed(value));
    }
    json!({
        "Type": "AWS::SNS::Subscription",
        "DependsOn": ["QueuePolicy", "UndeliveredQueuePolicy"],
        "Properties": properties,
    })
}

/// Attributes are texts for the API, and numbers, booleans and objects in a template.
fn typed(value: &str) -> Value {
    serde_json::from_str(value).unwrap_or_else(|_| json!(value))
}

/// Marks the texts into which `CloudFormation` has to put something.
fn substituted(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains("${AWS::") => json!({"Fn::Sub": text}),
        Value::Array(values) => values.into_iter().map(substituted).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, substituted(value)))
            .collect(),
        other => other,
    }
}
