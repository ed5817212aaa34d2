//! What queues, topic and subscription should be like, as values: compared with what is there, and
//! printed as a template.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use super::settings::ResourceSettings;
use crate::messaging::sqs::is_fifo;

/// The parts of an ARN that resources of one account and region share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// Like `us-east-1`.
    pub region: String,
    /// Twelve digits.
    pub id: String,
}

impl Account {
    /// Reads them from the ARN of a queue or topic.
    pub fn of(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, _, region, id, _] = parts[..] else {
            return None;
        };
        Some(Self {
            partition: partition.to_owned(),
            region: region.to_owned(),
            id: id.to_owned(),
        })
    }

    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        let Self {
            partition,
            region,
            id,
        } = self;
        format!("arn:{partition}:{service}:{region}:{id}:{resource}")
    }

    fn root(&self, account: &str) -> String {
        format!("arn:{}:iam::{account}:root", self.partition)
    }

    /// Who may publish besides us. An account is named by its root.
    pub(super) fn publishers(&self, settings: &ResourceSettings) -> Vec<String> {
        let publishers = settings.topic_publishers.iter();
        publishers
            .map(|who| match who.strip_prefix("arn:") {
                Some(_) => who.clone(),
                None => self.root(who),
            })
            .collect()
    }
}

/// One queue.
#[derive(Debug)]
pub(super) struct QueueBlueprint {
    pub(super) name: String,
    /// What AWS keeps as texts, JSON among it.
    pub(super) attributes: Vec<(QueueAttributeName, String)>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Blueprint {
    pub(super) dead_letters: QueueBlueprint,
    pub(super) undelivered: QueueBlueprint,
    pub(super) queue: QueueBlueprint,
    pub(super) topic: Vec<(&'static str, String)>,
    pub(super) subscription: Vec<(&'static str, String)>,
}

/// The longest retention there is, because the original time of enqueueing may count.
const FOURTEEN_DAYS: &str = "1209600";
const FOUR_DAYS: &str = "345600";

impl Blueprint {
    pub(super) fn new(settings: &ResourceSettings, account: &Account) -> Self {
        let drawing = Drawing { settings, account };
        Self {
            dead_letters: drawing.dead_letters(),
            undelivered: drawing.undelivered(),
            queue: drawing.queue(),
            topic: drawing.topic(),
            subscription: drawing.subscription(),
        }
    }
}

struct Drawing<'a> {
    settings: &'a ResourceSettings,
    account: &'a Account,
}

impl Drawing<'_> {
    fn queue_arn(&self, name: &str) -> String {
        self.account.arn("sqs", name)
    }

    fn topic_arn(&self) -> String {
        self.account.arn("sns", &self.settings.topic_name)
    }

    /// The lab's figures, but for the retention.
    fn dead_letters(&self) -> QueueBlueprint {
        let name = &self.settings.dead_letter_queue_name;
        let policy = self.queue_policy(name, false).to_string();
        let mut queue = self.basic_queue(name, "20", "0", FOURTEEN_DAYS, &policy);
        // Dead letters of other queues would be taken for ours.
        let sources = [
            &self.settings.queue_name,
            &self.settings.undelivered_queue_name,
        ];
        let allowed = json!({
            "redrivePermission": "byQueue",
            "sourceQueueArns": sources.map(|name| self.queue_arn(name)),
        });
        let allowed = (QueueAttributeName::RedriveAllowPolicy, allowed.to_string());
        queue.attributes.push(allowed);
        queue
    }

    fn undelivered(&self) -> QueueBlueprint {
        let name = &self.settings.undelivered_queue_name;
        let policy = self.queue_policy(name, true).to_string();
        let mut queue = self.basic_queue(name, "30", "20", FOURTEEN_DAYS, &policy);
        queue.attributes.push(self.redrive());
        queue
    }

    /// The lab's figures.
    fn queue(&self) -> QueueBlueprint {
        let name = &self.settings.queue_name;
        let policy = self.queue_policy(name, true).to_string();
        let mut queue = self.basic_queue(name, "30", "20", FOUR_DAYS, &policy);
        queue.attributes.push(self.redrive());
        if is_fifo(name) {
            let own = [
                (QueueAttributeName::ContentBasedDeduplication, "true"),
                (QueueAttributeName::DeduplicationScope, "queue"),
            ];
            let own = own.map(|(name, value)| (name, value.to_owned()));
            queue.attributes.extend(own);
        }
        queue
    }

    fn basic_queue(
        &self,
        name: &str,
        visibility: &str,
        wait: &str,
        retention: &str,
        policy: &str,
    ) -> QueueBlueprint {
        let encryption = match &self.settings.kms_key {
            Some(key) => (QueueAttributeName::KmsMasterKeyId, key.as_str()),
            None => (QueueAttributeName::SqsManagedSseEnabled, "true"),
        };
        let attributes = [
            (QueueAttributeName::VisibilityTimeout, visibility),
            (QueueAttributeName::ReceiveMessageWaitTimeSeconds, wait),
            (QueueAttributeName::MessageRetentionPeriod, retention),
            encryption,
            (QueueAttributeName::Policy, policy),
        ];
        QueueBlueprint {
            name: name.to_owned(),
            attributes: attributes
                .map(|(name, value)| (name, value.to_owned()))
                .to_vec(),
        }
    }

    fn redrive(&self) -> (QueueAttributeName, String) {
        let policy = json!({
            "deadLetterTargetArn": self.queue_arn(&self.settings.dead_letter_queue_name),
            "maxReceiveCount": self.settings.max_receive_count,
        });
        (QueueAttributeName::RedrivePolicy, policy.to_string())
    }

    fn queue_policy(&self, name: &str, topic_sends: bool) -> Value {
        let arn = self.queue_arn(name);
        let mut statements = vec![json!({
            "Sid": "OwnerManages",
            "Effect": "Allow",
            "Principal": {"AWS": self.account.root(&self.account.id)},
            "Action": "sqs:*",
            "Resource": arn,
        })];
        if topic_sends {
            statements.push(json!({
                "Sid": "TopicSends",
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {
                    "ArnEquals": {"aws:SourceArn": self.topic_arn()},
                    "StringEquals": {"aws:SourceAccount": self.account.id},
                },
            }));
        }
        if let Some(role) = &self.settings.application_role {
            statements.push(json!({
                "Sid": "ApplicationReceives",
                "Effect": "Allow",
                "Principal": {"AWS": role},
                "Action": super::iam::CONSUME,
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

    fn topic(&self) -> Vec<(&'static str, String)> {
        let mut attributes = vec![
            ("DisplayName", "Updated beans".to_owned()),
            ("Policy", self.topic_policy().to_string()),
        ];
        if is_fifo(&self.settings.topic_name) {
            attributes.push(("ContentBasedDeduplication", "true".to_owned()));
        }
        if let Some(key) = &self.settings.kms_key {
            attributes.push(("KmsMasterKeyId", key.clone()));
        }
        attributes
    }

    fn topic_policy(&self) -> Value {
        let arn = self.topic_arn();
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
        if !self.settings.topic_publishers.is_empty() {
            statements.push(json!({
                "Sid": "SuppliersPublish",
                "Effect": "Allow",
                "Principal": {"AWS": self.account.publishers(self.settings)},
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

    fn subscription(&self) -> Vec<(&'static str, String)> {
        let redrive = json!({
            "deadLetterTargetArn": self.queue_arn(&self.settings.undelivered_queue_name),
        });
        vec![
            ("RawMessageDelivery", "false".to_owned()),
            ("RedrivePolicy", redrive.to_string()),
        ]
    }
}
