//! The topology: every topic, queue and subscription there is to be.
//!
//! Provisioning, the printed policies and template, and the settings that lead to what was provisioned
//! walk these lists. One more queue is one more entry.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::settings::ResourceSettings;
use crate::messaging::sqs::is_fifo;
use crate::messaging::{DEAD_LETTERS, QueueRole, UNDELIVERED, UPDATES};

/// A queue that is to be.
#[derive(Debug, Clone)]
pub struct QueueEntry {
    /// What it is for.
    pub role: QueueRole,
    /// Its name; one that ends in `.fifo` makes it a FIFO queue.
    pub name: String,
    /// Visibility timeout in seconds.
    pub visibility: u32,
    /// How long a receive waits by default, in seconds.
    pub wait: u32,
    /// How long messages are kept, in seconds.
    pub retention: u32,
    /// The role of its dead-letter queue, and the number of receives after which messages go there.
    pub redrive: Option<(QueueRole, u32)>,
    /// Whether a FIFO queue drops a body that it has had within five minutes.
    pub deduplicates_by_content: bool,
}

/// A topic that is to be.
#[derive(Debug, Clone)]
pub struct TopicEntry {
    /// Its logical id in `CloudFormation` templates.
    pub logical_id: &'static str,
    /// Its name; one that ends in `.fifo` makes it a FIFO topic.
    pub name: String,
    /// What people see it called.
    pub display_name: &'static str,
    /// Accounts and principals that may publish besides ours.
    pub publishers: Vec<String>,
}

/// A subscription of a queue to a topic.
#[derive(Debug, Clone)]
pub struct SubscriptionEntry {
    /// Its logical id in `CloudFormation` templates.
    pub logical_id: &'static str,
    /// The logical id of the topic.
    pub topic: &'static str,
    /// The role of the queue.
    pub queue: QueueRole,
    /// The role of the queue that takes what cannot be delivered.
    pub undelivered: QueueRole,
    /// Whether messages come without the SNS envelope.
    pub raw: bool,
    /// Which messages it wants; all of them without.
    pub filter: Option<Value>,
}

/// Everything that is to be.
#[derive(Debug, Clone)]
pub struct Topology {
    pub queues: Vec<QueueEntry>,
    pub topics: Vec<TopicEntry>,
    pub subscriptions: Vec<SubscriptionEntry>,
    /// The key everything is encrypted with; without one, keys of SQS are used.
    pub kms_key: Option<String>,
    /// The role the application runs under, if queues are to let it in by policy.
    pub application_role: Option<String>,
    /// Tags of queues and topics.
    pub tags: Vec<(String, String)>,
}

/// The longest retention there is, because the original time of enqueueing may count.
const FOURTEEN_DAYS: u32 = 1_209_600;
const FOUR_DAYS: u32 = 345_600;

impl Topology {
    /// What Beanstock needs. The figures are the lab's, but for the retention of dead letters.
    pub fn new(settings: &ResourceSettings) -> Self {
        let redrive = Some((DEAD_LETTERS, settings.max_receive_count));
        Self {
            queues: vec![
                QueueEntry {
                    role: UPDATES,
                    name: settings.queue_name.clone(),
                    visibility: 30,
                    wait: 20,
                    retention: FOUR_DAYS,
                    redrive,
                    deduplicates_by_content: true,
                },
                QueueEntry {
                    role: DEAD_LETTERS,
                    name: settings.dead_letter_queue_name.clone(),
                    visibility: 20,
                    wait: 0,
                    retention: FOURTEEN_DAYS,
                    redrive: None,
                    deduplicates_by_content: false,
                },
                QueueEntry {
                    role: UNDELIVERED,
                    name: settings.undelivered_queue_name.clone(),
                    visibility: 30,
                    wait: 20,
                    retention: FOURTEEN_DAYS,
                    redrive,
                    deduplicates_by_content: false,
                },
            ],
            topics: vec![TopicEntry {
                logical_id: "Topic",
                name: settings.topic_name.clone(),
                display_name: "Updated beans",
                publishers: settings.topic_publishers.clone(),
            }],
            subscriptions: vec![SubscriptionEntry {
                logical_id: "Subscription",
                topic: "Topic",
                queue: UPDATES,
                undelivered: UNDELIVERED,
                raw: false,
                filter: None,
            }],
            kms_key: settings.kms_key.clone(),
            application_role: settings.application_role.clone(),
            tags: settings.resource_tags.clone(),
        }
    }

    /// Checks what concerns several entries at once.
    ///
    /// # Errors
    /// FIFO and standard are mixed, two queues have one name, or SNS could not use the key.
    pub fn check(&self) -> Result<()> {
        let settings: Vec<&str> = self
            .queues
            .iter()
            .map(|queue| queue.role.name_setting)
            .collect();
        let settings = settings.join(", ");
        let queues: BTreeSet<&str> = self
            .queues
            .iter()
            .map(|queue| queue.name.as_str())
            .collect();
        let reached = self.subscriptions.iter().flat_map(|subscription| {
            let topic = self.topic_name(subscription.topic);
            [subscription.queue, subscription.undelivered]
                .map(|queue| (topic, self.queue_name(queue)))
        });
        let redriven = self.queues.iter().filter_map(|queue| {
            let (to, _) = queue.redrive?;
            Some((queue.name.as_str(), self.queue_name(to)))
        });
        ensure!(
            reached
                .chain(redriven)
                .all(|(from, to)| is_fifo(from) == is_fifo(to)),
            "{settings} and TOPIC_NAME must all end in .fifo, or none of them: SQS and SNS do not mix \
             the two kinds here"
        );
        ensure!(
            queues.len() == self.queues.len(),
            "{settings} must all be different: each queue has a job of its own"
        );
        let managed = |key: &String| key.starts_with("alias/aws/") || key.contains(":alias/aws/");
        ensure!(
            !self.kms_key.as_ref().is_some_and(managed),
            "KMS_KEY is a key that AWS manages, and those do not let SNS in, so nothing would be \
             delivered; make a key of your own, or unset KMS_KEY to use SSE-SQS"
        );
        Ok(())
    }

    /// The name of the queue with a role.
    pub(super) fn queue_name(&self, role: QueueRole) -> &str {
        let queue = self.queues.iter().find(|queue| queue.role == role);
        queue.map_or("", |queue| &queue.name)
    }

    /// The name of a topic.
    pub(super) fn topic_name(&self, logical_id: &str) -> &str {
        let topic = self
            .topics
            .iter()
            .find(|topic| topic.logical_id == logical_id);
        topic.map_or("", |topic| &topic.name)
    }

    /// The queues whose dead letters go to one.
    pub(super) fn sources_of(&self, role: QueueRole) -> impl Iterator<Item = &QueueEntry> {
        let has = move |queue: &&QueueEntry| queue.redrive.is_some_and(|(to, _)| to == role);
        self.queues.iter().filter(has)
    }

    /// The topics that put messages into a queue, themselves or because they cannot deliver them.
    pub(super) fn senders_to(&self, role: QueueRole) -> impl Iterator<Item = &TopicEntry> {
        let sends = move |topic: &&TopicEntry| {
            let mut subscriptions = self.subscriptions.iter();
            subscriptions.any(|subscription| {
                let reaches = subscription.queue == role || subscription.undelivered == role;
                subscription.topic == topic.logical_id && reaches
            })
        };
        self.topics.iter().filter(sends)
    }
}
