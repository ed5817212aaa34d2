//! What the topology means in an account: the attributes of queues, topics and subscriptions, as
//! values. They are compared with what is there, and printed as a template.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use super::account::AwsAccount;
use super::topology::{QueueEntry, SubscriptionEntry, TopicEntry, Topology};
use crate::messaging::sqs::is_fifo;
use crate::messaging::{QueueRole, TopicRole};

/// What a consumer does with a queue. Batches need no actions of their own.
pub(super) const CONSUME: [&str; 4] = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
];

/// Attributes of SNS, which keeps all of them as texts, JSON among it.
pub(super) type Attributes = Vec<(&'static str, String)>;

#[derive(Debug)]
pub(super) struct QueueBlueprint {
    pub(super) role: QueueRole,
    /// The role of the queue that must be there first.
    pub(super) after: Option<QueueRole>,
    pub(super) name: String,
    /// What AWS keeps as texts, JSON among it.
    pub(super) attributes: Vec<(QueueAttributeName, String)>,
}

#[derive(Debug)]
pub(super) struct TopicBlueprint {
    pub(super) role: TopicRole,
    pub(super) logical_id: String,
    pub(super) supplier: Option<i64>,
    pub(super) name: String,
    pub(super) attributes: Attributes,
}

#[derive(Debug)]
pub(super) struct SubscriptionBlueprint {
    pub(super) entry: SubscriptionEntry,
    pub(super) topic_name: String,
    pub(super) queue_name: String,
    pub(super) queue_arn: String,
    pub(super) attributes: Attributes,
}

#[derive(Debug)]
pub(super) struct Blueprint {
    pub(super) queues: Vec<QueueBlueprint>,
    pub(super) topics: Vec<TopicBlueprint>,
    pub(super) subscriptions: Vec<SubscriptionBlueprint>,
}

impl Blueprint {
    pub(super) fn new(topology: &Topology, account: &AwsAccount) -> Self {
        let drawing = Drawing { topology, account };
        let subscriptions = topology.subscriptions.iter();
        Self {
            queues: topology
                .queues
                .iter()
                .map(|queue| drawing.queue(queue))
                .collect(),
            topics: topology
                .topics
                .iter()
                .map(|topic| drawing.topic(topic))
                .collect(),
            subscriptions: subscriptions
                .map(|entry| drawing.subscription(entry))
                .collect(),
        }
    }
}

struct Drawing<'a> {
    topology: &'a Topology,
    account: &'a AwsAccount,
}

impl Drawing<'_> {
    fn queue_arn(&self, role: QueueRole) -> String {
        self.account.arn("sqs", self.topology.queue_name(role))
    }

    fn queue(&self, queue: &QueueEntry) -> QueueBlueprint {
        use QueueAttributeName as Name;
        let mut attributes = vec![
            (Name::VisibilityTimeout, queue.visibility.to_string()),
            (Name::ReceiveMessageWaitTimeSeconds, queue.wait.to_string()),
            (Name::MessageRetentionPeriod, queue.retention.to_string()),
            match &self.topology.kms_key {
                Some(key) => (Name::KmsMasterKeyId, key.clone()),
                None => (Name::SqsManagedSseEnabled, "true".to_owned()),
            },
            (Name::Policy, self.queue_policy(queue).to_string()),
        ];
        attributes.extend(self.redrive_allow_policy(queue));
        if let Some((target, max_receive_count)) = queue.redrive {
            let policy = json!({
                "deadLetterTargetArn": self.queue_arn(target),
                "maxReceiveCount": max_receive_count,
            });
            attributes.push((Name::RedrivePolicy, policy.to_string()));
        }
        if is_fifo(&queue.name) && queue.deduplicates_by_content {
            attributes.push((Name::ContentBasedDeduplication, "true".to_owned()));
            attributes.push((Name::DeduplicationScope, "queue".to_owned()));
        }
        QueueBlueprint {
            role: queue.role,
            after: queue.redrive.map(|(target, _)| target),
            name: queue.name.clone(),
            attributes,
        }
    }

    /// Dead letters of other queues would be taken for ours.
    fn redrive_allow_policy(&self, queue: &QueueEntry) -> Option<(QueueAttributeName, String)> {
        let sources = self.topology.sources_of(queue.role);
        let arns: Vec<String> = sources.map(|from| self.queue_arn(from.role)).collect();
        if arns.is_empty() {
            return None;
        }
        let policy = json!({"redrivePermission": "byQueue", "sourceQueueArns": arns});
        Some((QueueAttributeName::RedriveAllowPolicy, policy.to_string()))
    }

    fn queue_policy(&self, queue: &QueueEntry) -> Value {
        let arn = self.queue_arn(queue.role);
        let mut statements = vec![json!({
            "Sid": "OwnerManages",
            "Effect": "Allow",
            "Principal": {"AWS": self.account.root(&self.account.id)},
            "Action": "sqs:*",
            "Resource": arn,
        })];
        let senders = self.topology.senders_to(queue.role);
        let senders: Vec<String> = senders
            .map(|topic| self.account.arn("sns", &topic.name))
            .collect();
        if !senders.is_empty() {
            statements.push(json!({
                "Sid": "TopicSends",
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {
                    "ArnEquals": {"aws:SourceArn": one_or_more(senders)},
                    "StringEquals": {"aws:SourceAccount": self.account.id},
                },
            }));
        }
        if let Some(role) = &self.topology.application_role {
            statements.push(json!({
                "Sid": "ApplicationReceives",
                "Effect": "Allow",
                "Principal": {"AWS": role},
                "Action": CONSUME,
                "Resource": arn,
            }));
        }
        statements.push(json!({
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }));
        json!({"Version": "2012-10-17", "Statement": statements})
    }

    fn topic(&self, topic: &TopicEntry) -> TopicBlueprint {
        let mut attributes = vec![
            ("DisplayName", topic.display_name.clone()),
            ("Policy", self.topic_policy(topic).to_string()),
            // With SHA-256; without it SNS signs with SHA-1.
            ("SignatureVersion", "2".to_owned()),
        ];
        if is_fifo(&topic.name) {
            attributes.push(("ContentBasedDeduplication", "true".to_owned()));
        }
        if let Some(key) = &self.topology.kms_key {
            attributes.push(("KmsMasterKeyId", key.clone()));
        }
        TopicBlueprint {
            role: topic.role,
            logical_id: topic.logical_id.clone(),
            supplier: topic.supplier,
            name: topic.name.clone(),
            attributes,
        }
    }

    fn topic_policy(&self, topic: &TopicEntry) -> Value {
        let arn = self.account.arn("sns", &topic.name);
        let mut statements = vec![json!({
            "Sid": "OwnerManagesAndPublishes",
            "Effect": "Allow",
            "Principal": {"AWS": self.account.root(&self.account.id)},
            "Action": [
                "sns:GetTopicAttributes", "sns:SetTopicAttributes", "sns:AddPermission",
                "sns:RemovePermission", "sns:DeleteTopic", "sns:Subscribe",
                "sns:ListSubscriptionsByTopic", "sns:Publish",
            ],
            "Resource": arn,
        })];
        if !topic.publishers.is_empty() {
            statements.push(json!({
                "Sid": "SuppliersPublish",
                "Effect": "Allow",
                "Principal": {"AWS": self.account.principals(&topic.publishers)},
                "Action": "sns:Publish",
                "Resource": arn,
            }));
        }
        statements.push(json!({
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }));
        json!({"Version": "2012-10-17", "Statement": statements})
    }

    fn subscription(&self, entry: &SubscriptionEntry) -> SubscriptionBlueprint {
        let mut attributes = vec![("RawMessageDelivery", entry.raw.to_string())];
        attributes.extend(entry.undelivered.map(|queue| {
            let redrive = json!({"deadLetterTargetArn": self.queue_arn(queue)});
            ("RedrivePolicy", redrive.to_string())
        }));
        attributes.extend(
            entry
                .filter
                .iter()
                .map(|filter| ("FilterPolicy", filter.to_string())),
        );
        SubscriptionBlueprint {
            topic_name: self.topology.topic_name(&entry.topic).to_owned(),
            queue_name: self.topology.queue_name(entry.queue).to_owned(),
            queue_arn: self.queue_arn(entry.queue),
            entry: entry.clone(),
            attributes,
        }
    }
}

/// A list of one as the one, as AWS gives it back.
pub(super) fn one_or_more(mut texts: Vec<String>) -> Value {
    match texts.len() {
        1 => json!(texts.remove(0)),
        _ => json!(texts),
    }
}
