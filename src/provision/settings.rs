//! What to create: names, encryption, and who gets access.

use crate::config::{
    kms_key, principal, resource_name, role_arn, supplier_publisher, supplier_topic_name, tag,
};

const QUEUE: &str = "updated_beans.fifo";
const DEAD_LETTER_QUEUE: &str = "DeadLetterQueue.fifo";
const UNDELIVERED_QUEUE: &str = "undelivered_beans.fifo";
const ALERTS_QUEUE: &str = "inventory_alerts";
const TOPIC: &str = "updated_beans_sns.fifo";
const ALERTS_TOPIC: &str = "beanstock_alerts";
const MAX_RECEIVE_COUNT: u32 = 5;
/// A week: a consumer that stopped on Friday evening has missed nothing on Monday. AWS's own default is a day.
const STREAM_RETENTION: i32 = 168;
const TAG: &str = "application=beanstock";

/// What to create. The defaults are those of the lab; names ending in `.fifo` make FIFO resources,
/// others standard ones.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Resources")]
pub struct ResourceSettings {
    /// Name of the queue of updates
    #[arg(long, env = "QUEUE_NAME", default_value = QUEUE, value_parser = resource_name)]
    pub queue_name: String,
    /// Name of the dead-letter queue
    #[arg(long, env = "DEAD_LETTER_QUEUE_NAME", default_value = DEAD_LETTER_QUEUE,
          value_parser = resource_name)]
    pub dead_letter_queue_name: String,
    /// Name of the queue for messages that the topic could not deliver (the subscription's dead-letter queue)
    #[arg(long, env = "UNDELIVERED_QUEUE_NAME", default_value = UNDELIVERED_QUEUE,
          value_parser = resource_name)]
    pub undelivered_queue_name: String,
    /// Name of the queue for messages that say a supplier has run out of a bean; it is a standard queue
    #[arg(long, env = "ALERTS_QUEUE_NAME", default_value = ALERTS_QUEUE, value_parser = resource_name)]
    pub alerts_queue_name: String,
    /// Name of the topic of updates
    #[arg(long, env = "TOPIC_NAME", default_value = TOPIC, value_parser = resource_name)]
    pub topic_name: String,
    /// Name of the topic that tells people and programs of alerts; it is a standard topic
    #[arg(long, env = "ALERTS_TOPIC_NAME", default_value = ALERTS_TOPIC, value_parser = resource_name)]
    pub alerts_topic_name: String,
    /// Number of receives after which a message becomes a dead letter
    #[arg(long, env = "MAX_RECEIVE_COUNT", default_value_t = MAX_RECEIVE_COUNT,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_receive_count: u32,
    /// Number of shards of the stream of stock movements; without it, AWS sees to that (on demand)
    #[arg(long, env = "STREAM_SHARDS", value_parser = clap::value_parser!(i32).range(1..=200))]
    pub stream_shards: Option<i32>,
    /// For how many hours the stream keeps records; one that keeps them for longer is left as it is
    #[arg(long, env = "STREAM_RETENTION_IN_HOURS", default_value_t = STREAM_RETENTION,
          value_parser = clap::value_parser!(i32).range(24..=8_760))]
    pub stream_retention_in_hours: i32,
    /// KMS key for queues, topics and the stream; its policy must allow `sns.amazonaws.com`
    #[arg(long, env = "KMS_KEY", value_parser = kms_key)]
    pub kms_key: Option<String>,
    /// Other accounts and principals that may publish to the topic of updates
    #[arg(long, env = "TOPIC_PUBLISHERS", value_delimiter = ',', value_parser = principal)]
    pub topic_publishers: Vec<String>,
    /// Names of topics that speak for one supplier alone, each with that supplier's number
    #[arg(long, env = "SUPPLIER_TOPIC_NAMES", value_delimiter = ',', value_parser = supplier_topic_name)]
    pub supplier_topic_names: Vec<(i64, String)>,
    /// Other accounts and principals that may publish to a supplier's own topic, each with that supplier's number
    #[arg(long, env = "SUPPLIER_TOPIC_PUBLISHERS", value_delimiter = ',', value_parser = supplier_publisher)]
    pub supplier_topic_publishers: Vec<(i64, String)>,
    /// Role of the application, which the queue policies then allow to consume
    #[arg(long, env = "APPLICATION_ROLE", value_parser = role_arn)]
    pub application_role: Option<String>,
    /// Tags for queues, topics and the stream
    #[arg(long, env = "RESOURCE_TAGS", value_delimiter = ',', default_value = TAG,
          value_parser = tag)]
    pub resource_tags: Vec<(String, String)>,
}

impl Default for ResourceSettings {
    fn default() -> Self {
        Self {
            queue_name: QUEUE.to_owned(),
            dead_letter_queue_name: DEAD_LETTER_QUEUE.to_owned(),
            undelivered_queue_name: UNDELIVERED_QUEUE.to_owned(),
            alerts_queue_name: ALERTS_QUEUE.to_owned(),
            topic_name: TOPIC.to_owned(),
            alerts_topic_name: ALERTS_TOPIC.to_owned(),
            max_receive_count: MAX_RECEIVE_COUNT,
            stream_shards: None,
            stream_retention_in_hours: STREAM_RETENTION,
            kms_key: None,
            topic_publishers: Vec::new(),
            supplier_topic_names: Vec::new(),
            supplier_topic_publishers: Vec::new(),
            application_role: None,
            resource_tags: vec![("application".to_owned(), "beanstock".to_owned())],
        }
    }
}
