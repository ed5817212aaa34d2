//! The topology: every topic, queue and subscription there is to be.
//!
//! Provisioning, the printed policies and template, and the settings that lead to what was provisioned
//! walk these lists. One more queue is one more entry.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::settings::ResourceSettings;
use crate::messaging::sqs::is_fifo;
use crate::messaging::wire::inventory_alert;
use crate::messaging::{
    ALERTS, ALERTS_TOPIC, DEAD_LETTERS, QueueRole, SUPPLIER_TOPIC, TopicRole, UNDELIVERED, UPDATES,
    UPDATES_TOPIC,
};

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
    /// What it is for.
    pub role: TopicRole,
    /// Its logical id in `CloudFormation` templates.
    pub logical_id: String,
    /// The supplier it speaks for, if it does for one alone.
    pub supplier: Option<i64>,
    /// Its name; one that ends in `.fifo` makes it a FIFO topic.
    pub name: String,
    /// What people see it called.
    pub display_name: String,
    /// Accounts and principals that may publish besides ours.
    pub publishers: Vec<String>,
}

/// A subscription of a queue to a topic.
#[derive(Debug, Clone)]
pub struct SubscriptionEntry {
    /// Its logical id in `CloudFormation` templates.
    pub logical_id: String,
    /// The logical id of the topic.
    pub topic: String,
    /// The role of the queue.
    pub queue: QueueRole,
    /// The role of the queue that takes what cannot be delivered; without one it is dropped.
    pub undelivered: Option<QueueRole>,
    /// Whether messages come without the SNS envelope.
    pub raw: bool,
    /// Which messages it wants; all of them without.
    pub filter: Option<Value>,
}

/// A stream that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEntry {
    pub name: String,
    pub capacity: Capacity,
    /// For how long records are kept.
    pub retention_hours: i32,
    /// The key its records are encrypted with.
    pub kms_key: Option<String>,
}

/// How many shards a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// AWS sees to that.
    OnDemand,
    /// So many, and it is resized to them.
    Shards(i32),
    /// So many when it is made; what people do to it then stays.
    ShardsAtFirst(i32),
}

/// The logical id of the stream in `CloudFormation` templates.
pub(super) const STREAM_ID: &str = "Stream";

/// The key of AWS's own that Kinesis uses for an account.
const KINESIS_KEY: &str = "alias/aws/kinesis";

/// Everything that is to be.
#[derive(Debug, Clone)]
pub struct Topology {
    pub queues: Vec<QueueEntry>,
    pub topics: Vec<TopicEntry>,
    pub subscriptions: Vec<SubscriptionEntry>,
    /// The stream of stock movements, if there is to be one.
    pub stream: Option<StreamEntry>,
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
/// What happened longer ago is no news.
const A_DAY: u32 = 86_400;

impl Topology {
    /// What Beanstock needs. The figures are the lab's, but for the retention of dead letters.
    pub fn new(settings: &ResourceSettings) -> Self {
        Self {
            queues: queues(settings),
            topics: topics(settings),
            subscriptions: subscriptions(settings),
            stream: None,
            kms_key: settings.kms_key.clone(),
            application_role: settings.application_role.clone(),
            tags: settings.resource_tags.clone(),
        }
    }

    /// Adds the stream of stock movements, if it has a name.
    #[must_use]
    pub fn streaming(self, settings: &ResourceSettings, name: Option<&str>) -> Self {
        let key = settings.kms_key.as_deref().unwrap_or(KINESIS_KEY);
        let stream = name.map(|name| StreamEntry {
            name: name.to_owned(),
            capacity: settings
                .stream_shards
                .map_or(Capacity::OnDemand, Capacity::Shards),
            retention_hours: settings.stream_retention_in_hours,
            kms_key: Some(key.to_owned()),
        });
        Self { stream, ..self }
    }

    /// Checks what concerns several entries at once.
    ///
    /// # Errors
    /// FIFO and standard are mixed where AWS does not take it, two queues or topics have one name, or SNS could not
    /// use the key.
    pub fn check(&self) -> Result<()> {
        self.check_kinds()?;
        let mut names_of_topics: Vec<&str> = self
            .topics
            .iter()
            .map(|topic| topic.role.name_setting)
            .collect();
        names_of_topics.dedup();
        let queues = self.queues.iter().map(|queue| queue.name.as_str());
        let topics = self.topics.iter().map(|topic| topic.name.as_str());
        ensure!(
            queues.collect::<BTreeSet<_>>().len() == self.queues.len()
                && topics.collect::<BTreeSet<_>>().len() == self.topics.len(),
            "{} must all be different, and so must {}: each queue and each topic has a job of its own",
            listed(self.queues.iter().map(|queue| queue.role.name_setting)),
            listed(names_of_topics.iter().copied())
        );
        ensure!(
            !self.kms_key.as_deref().is_some_and(is_managed),
            "KMS_KEY is a key that AWS manages, and those do not let SNS in, so nothing would be \
             delivered; make a key of your own, or unset KMS_KEY to use SSE-SQS"
        );
        Ok(())
    }

    /// A FIFO queue takes dead letters of FIFO queues and of subscriptions to FIFO topics, a standard one those of
    /// standard ones; and a standard topic does not deliver to a FIFO queue (SNS Developer Guide, "Amazon SNS
    /// dead-letter queues" and "Message delivery for FIFO topics").
    fn check_kinds(&self) -> Result<()> {
        for queue in &self.queues {
            let Some((to, _)) = queue.redrive else {
                continue;
            };
            ensure!(
                is_fifo(&queue.name) == is_fifo(self.queue_name(to)),
                "{} and {} must both end in .fifo, or neither of them: a dead-letter queue is of its queue’s kind",
                queue.role.name_setting,
                to.name_setting
            );
        }
        for subscription in &self.subscriptions {
            let queue = subscription.queue;
            let Some(topic) = self.topic(&subscription.topic) else {
                continue;
            };
            let topic_is_fifo = is_fifo(&topic.name);
            ensure!(
                topic_is_fifo || !is_fifo(self.queue_name(queue)),
                "{} and {} must both end in .fifo, or neither of them: a standard topic does not deliver to a FIFO \
                 queue",
                topic.role.name_setting,
                queue.name_setting
            );
            let Some(undelivered) = subscription.undelivered else {
                continue;
            };
            ensure!(
                topic_is_fifo == is_fifo(self.queue_name(undelivered)),
                "{} and {} must both end in .fifo, or neither of them: what a topic cannot deliver goes to a queue of \
                 its kind",
                topic.role.name_setting,
                undelivered.name_setting
            );
        }
        ensure!(
            !is_fifo(self.topic_name(ALERTS_TOPIC.logical_id)),
            "{} must not end in .fifo: e-mail, SMS and HTTPS endpoints subscribe to standard topics only",
            ALERTS_TOPIC.name_setting
        );
        Ok(())
    }

    /// The name of the queue with a role.
    pub(super) fn queue_name(&self, role: QueueRole) -> &str {
        let queue = self.queues.iter().find(|queue| queue.role == role);
        queue.map_or("", |queue| &queue.name)
    }

    fn topic(&self, logical_id: &str) -> Option<&TopicEntry> {
        let mut topics = self.topics.iter();
        topics.find(|topic| topic.logical_id == logical_id)
    }

    /// The name of a topic.
    pub(super) fn topic_name(&self, logical_id: &str) -> &str {
        self.topic(logical_id).map_or("", |topic| &topic.name)
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
                let reaches = subscription.queue == role || subscription.undelivered == Some(role);
                subscription.topic == topic.logical_id && reaches
            })
        };
        self.topics.iter().filter(sends)
    }
}

/// Whether AWS manages a key.
pub(super) fn is_managed(key: &str) -> bool {
    key.starts_with("alias/aws/") || key.contains(":alias/aws/")
}

fn queues(settings: &ResourceSettings) -> Vec<QueueEntry> {
    let redrive = Some((DEAD_LETTERS, settings.max_receive_count));
    vec![
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
        // Its messages are copies, so one that nobody can be told of ends with the news, in no
        // dead-letter queue.
        QueueEntry {
            role: ALERTS,
            name: settings.alerts_queue_name.clone(),
            visibility: 30,
            wait: 20,
            retention: A_DAY,
            redrive: None,
            deduplicates_by_content: false,
        },
    ]
}

fn topics(settings: &ResourceSettings) -> Vec<TopicEntry> {
    let topic = |role: TopicRole, name: &str, display_name: &str| TopicEntry {
        role,
        logical_id: role.logical_id.to_owned(),
        supplier: None,
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        publishers: Vec::new(),
    };
    let mut topics = vec![
        TopicEntry {
            publishers: settings.topic_publishers.clone(),
            ..topic(UPDATES_TOPIC, &settings.topic_name, "Updated beans")
        },
        topic(
            ALERTS_TOPIC,
            &settings.alerts_topic_name,
            "Beanstock alerts",
        ),
    ];
    for (supplier, name) in &settings.supplier_topic_names {
        let publishers = settings.supplier_topic_publishers.iter();
        let publishers = publishers.filter(|(other, _)| other == supplier);
        let display_name = format!("Beans of supplier {supplier}");
        topics.push(TopicEntry {
            logical_id: supplier_topic_id(*supplier),
            supplier: Some(*supplier),
            publishers: publishers.map(|(_, who)| who.clone()).collect(),
            ..topic(SUPPLIER_TOPIC, name, &display_name)
        });
    }
    topics
}

fn supplier_topic_id(supplier: i64) -> String {
    format!("{}{supplier}", SUPPLIER_TOPIC.logical_id)
}

/// Every topic of updates feeds the same queue, and what cannot be delivered is kept for the same poller.
fn subscriptions(settings: &ResourceSettings) -> Vec<SubscriptionEntry> {
    let subscription = |logical_id: &str, topic: &str, queue: QueueRole| SubscriptionEntry {
        logical_id: logical_id.to_owned(),
        topic: topic.to_owned(),
        queue,
        // Undelivered copies for the alerts queue would be applied before what waits in the queue of updates.
        undelivered: (queue == UPDATES).then_some(UNDELIVERED),
        raw: false,
        filter: (queue == ALERTS).then(out_of_stock),
    };
    let updates = UPDATES_TOPIC.logical_id;
    let mut subscriptions = vec![
        subscription("Subscription", updates, UPDATES),
        subscription("AlertsSubscription", updates, ALERTS),
    ];
    for (supplier, _) in &settings.supplier_topic_names {
        let topic = supplier_topic_id(*supplier);
        for (kind, queue) in [("Subscription", UPDATES), ("AlertsSubscription", ALERTS)] {
            let logical_id = format!("{topic}{kind}");
            subscriptions.push(subscription(&logical_id, &topic, queue));
        }
    }
    subscriptions
}

/// The lab's closing idea: a queue for messages whose sender says that a bean is out of stock.
fn out_of_stock() -> Value {
    let (attribute, value) = inventory_alert();
    json!({attribute: [value]})
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
