//! The same resources as a `CloudFormation` template, for those who keep theirs in one.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Map, Value, json};

use super::account::AwsAccount;
use super::blueprint::{Blueprint, QueueBlueprint, SubscriptionBlueprint, TopicBlueprint};
use super::topology::{Capacity, STREAM_ID, StreamEntry, Topology};
use crate::messaging::QueueRole;
use crate::messaging::sqs::is_fifo;

pub fn template(topology: &Topology) -> Value {
    // CloudFormation puts in its own account when the stack is made.
    let account = AwsAccount {
        partition: "${AWS::Partition}".to_owned(),
        region: "${AWS::Region}".to_owned(),
        id: "${AWS::AccountId}".to_owned(),
    };
    let blueprint = Blueprint::new(topology, &account);
    let tags = topology.tags.iter();
    let tags: Vec<Value> = tags
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    let mut resources = Map::new();
    let mut outputs = Map::new();
    let mut add = |name: &str, resource: Value| resources.insert(name.to_owned(), resource);
    for queue in &blueprint.queues {
        let name = queue.role.logical_id;
        add(name, queue_resource(queue, &tags));
        add(&format!("{name}Policy"), queue_policy(queue));
        outputs.insert(format!("{name}Url"), json!({"Value": {"Ref": name}}));
    }
    for topic in &blueprint.topics {
        let name = topic.logical_id.as_str();
        add(name, topic_resource(topic, &tags));
        add(&format!("{name}Policy"), topic_policy(topic));
        outputs.insert(format!("{name}Arn"), json!({"Value": {"Ref": name}}));
    }
    for subscription in &blueprint.subscriptions {
        add(
            &subscription.entry.logical_id,
            subscription_resource(subscription),
        );
    }
    if let Some(stream) = &topology.stream {
        resources.insert(STREAM_ID.to_owned(), stream_resource(stream, &tags));
        outputs.insert(
            format!("{STREAM_ID}Name"),
            json!({"Value": {"Ref": STREAM_ID}}),
        );
    }
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Queues, topics, subscriptions and the stream of Beanstock",
        "Resources": substituted(Value::Object(resources)),
        "Outputs": outputs,
    })
}

fn queue_resource(queue: &QueueBlueprint, tags: &[Value]) -> Value {
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
    if let Some(after) = queue.after {
        resource["DependsOn"] = json!(after.logical_id);
    }
    resource
}

fn queue_policy(queue: &QueueBlueprint) -> Value {
    let policy = queue
        .attributes
        .iter()
        .find(|(name, _)| *name == QueueAttributeName::Policy)
        .map(|(_, policy)| typed(policy));
    json!({
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [{"Ref": queue.role.logical_id}], "PolicyDocument": policy},
    })
}

fn topic_resource(topic: &TopicBlueprint, tags: &[Value]) -> Value {
    let mut properties = Map::new();
    properties.insert("TopicName".to_owned(), json!(topic.name));
    if is_fifo(&topic.name) {
        properties.insert("FifoTopic".to_owned(), json!(true));
    }
    for (name, value) in &topic.attributes {
        match *name {
            "Policy" => {}
            // A text in templates as well.
            "SignatureVersion" => drop(properties.insert((*name).to_owned(), json!(value))),
            _ => drop(properties.insert((*name).to_owned(), typed(value))),
        }
    }
    properties.insert("Tags".to_owned(), json!(tags));
    json!({"Type": "AWS::SNS::Topic", "Properties": properties})
}

fn topic_policy(topic: &TopicBlueprint) -> Value {
    let policy = topic
        .attributes
        .iter()
        .find(|(name, _)| *name == "Policy")
        .map(|(_, policy)| typed(policy));
    json!({
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {"Topics": [{"Ref": topic.logical_id}], "PolicyDocument": policy},
    })
}

fn subscription_resource(subscription: &SubscriptionBlueprint) -> Value {
    let entry = &subscription.entry;
    let mut properties = Map::new();
    properties.insert("TopicArn".to_owned(), json!({"Ref": entry.topic}));
    properties.insert("Protocol".to_owned(), json!("sqs"));
    properties.insert("Endpoint".to_owned(), json!(subscription.queue_arn));
    for (name, value) in &subscription.attributes {
        properties.insert((*name).to_owned(), typed(value));
    }
    let policy_of = |role: QueueRole| format!("{}Policy", role.logical_id);
    let queues = [Some(entry.queue), entry.undelivered];
    let depends_on: Vec<String> = queues.into_iter().flatten().map(policy_of).collect();
    json!({
        "Type": "AWS::SNS::Subscription",
        "DependsOn": depends_on,
        "Properties": properties,
    })
}

fn stream_resource(stream: &StreamEntry, tags: &[Value]) -> Value {
    let mut properties = json!({
        "Name": stream.name,
        "RetentionPeriodHours": stream.retention_hours,
        "Tags": tags,
    });
    match stream.capacity {
        Capacity::OnDemand => properties["StreamModeDetails"] = json!({"StreamMode": "ON_DEMAND"}),
        Capacity::Shards(shards) | Capacity::ShardsAtFirst(shards) => {
            properties["ShardCount"] = json!(shards);
        }
    }
    if let Some(key) = &stream.kms_key {
        properties["StreamEncryption"] = json!({"EncryptionType": "KMS", "KeyId": key});
    }
    json!({"Type": "AWS::Kinesis::Stream", "Properties": properties})
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
