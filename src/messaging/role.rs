//! What each queue and topic is for, and what that role is called wherever it is named.

/// The role of a queue. Settings, printed lines, checks and templates take their names from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueRole {
    /// What rows in the database call it.
    pub code: &'static str,
    /// The setting with its URL.
    pub setting: &'static str,
    /// The setting with its name, for provisioning.
    pub name_setting: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Its logical id in `CloudFormation` templates.
    pub logical_id: &'static str,
    /// What it means that the setting is not set; empty if the queue is found without.
    pub when_unset: &'static str,
}

/// The queue of updates.
pub const UPDATES: QueueRole = QueueRole {
    code: "updates",
    setting: "QUEUE_URL",
    name_setting: "QUEUE_NAME",
    title: "queue",
    logical_id: "Queue",
    when_unset: "neither QUEUE_URL nor SQS_ENDPOINT is set, so nothing is polled",
};

/// What the queue of updates gave up on.
pub const DEAD_LETTERS: QueueRole = QueueRole {
    code: "dead_letters",
    setting: "DEAD_LETTER_QUEUE_URL",
    name_setting: "DEAD_LETTER_QUEUE_NAME",
    title: "dead-letter queue",
    logical_id: "DeadLetterQueue",
    when_unset: "",
};

/// What the topic could not deliver to the queue of updates.
pub const UNDELIVERED: QueueRole = QueueRole {
    code: "undelivered",
    setting: "UNDELIVERED_QUEUE_URL",
    name_setting: "UNDELIVERED_QUEUE_NAME",
    title: "undelivered queue",
    logical_id: "UndeliveredQueue",
    when_unset: "UNDELIVERED_QUEUE_URL is not set, so what the topic cannot deliver waits there",
};

/// The copies of messages whose sender says that it has run out of a bean.
pub const ALERTS: QueueRole = QueueRole {
    code: "alerts",
    setting: "ALERTS_QUEUE_URL",
    name_setting: "ALERTS_QUEUE_NAME",
    title: "alerts queue",
    logical_id: "AlertsQueue",
    when_unset: "ALERTS_QUEUE_URL is not set, so people are told of beans that run out at their supplier some seconds \
                 later",
};

/// The role of a topic. Settings, printed lines, checks and templates take their names from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicRole {
    /// The setting with its ARN.
    pub setting: &'static str,
    /// The setting with its name, for provisioning.
    pub name_setting: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Its logical id in `CloudFormation` templates.
    pub logical_id: &'static str,
    /// What it means that the setting is not set.
    pub when_unset: &'static str,
}

/// The topic of updates.
pub const UPDATES_TOPIC: TopicRole = TopicRole {
    setting: "TOPIC_ARN",
    name_setting: "TOPIC_NAME",
    title: "topic",
    logical_id: "Topic",
    when_unset: "TOPIC_ARN is not set, so accepted updates are not published",
};

/// A topic that speaks for one supplier alone. There may be several.
pub const SUPPLIER_TOPIC: TopicRole = TopicRole {
    setting: "SUPPLIER_TOPICS",
    name_setting: "SUPPLIER_TOPIC_NAMES",
    title: "supplier’s topic",
    logical_id: "SupplierTopic",
    when_unset: "",
};

/// The topic that people and programs are told of alerts by.
pub const ALERTS_TOPIC: TopicRole = TopicRole {
    setting: "ALERTS_TOPIC_ARN",
    name_setting: "ALERTS_TOPIC_NAME",
    title: "alerts topic",
    logical_id: "AlertsTopic",
    when_unset: "ALERTS_TOPIC_ARN is not set, so nobody is told of alerts by SNS",
};
