//! Where the queue and the topic are, and how to poll.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{AwsSettings, parse};
use crate::domain::SupplierId;
use crate::messaging::sqs::is_same;
use crate::messaging::wire::Decoder;
use crate::messaging::{
    ALERTS, ALERTS_TOPIC, DEAD_LETTERS, QueueRole, TopicRole, UNDELIVERED, UPDATES, UPDATES_TOPIC,
};

/// Where the queue and the topic are.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Queue and topic")]
pub struct MessagingSettings {
    /// Which AWS.
    #[command(flatten)]
    pub aws: AwsSettings,
    /// Endpoint for SQS, such as a VPC endpoint
    #[arg(long, env = "AWS_ENDPOINT_URL_SQS", value_parser = parse::endpoint)]
    aws_endpoint_url_sqs: Option<String>,
    /// Endpoint for SNS, such as a VPC endpoint
    #[arg(long, env = "AWS_ENDPOINT_URL_SNS", value_parser = parse::endpoint)]
    aws_endpoint_url_sns: Option<String>,
    /// Endpoint for Kinesis, such as a VPC endpoint
    #[arg(long, env = "AWS_ENDPOINT_URL_KINESIS", value_parser = parse::endpoint)]
    aws_endpoint_url_kinesis: Option<String>,
    /// URL of the queue of updates
    #[arg(long, env = "QUEUE_URL", value_parser = parse::queue_url)]
    queue_url: Option<String>,
    /// URL of the queue of updates (the lab's name)
    #[arg(long, env = "SQS_ENDPOINT", value_parser = parse::queue_url)]
    sqs_endpoint: Option<String>,
    /// URL of the dead-letter queue
    #[arg(long, env = "DEAD_LETTER_QUEUE_URL", value_parser = parse::queue_url)]
    dead_letter_queue_url: Option<String>,
    /// URL of the queue for messages that the topic could not deliver; it is polled as well
    #[arg(long, env = "UNDELIVERED_QUEUE_URL", value_parser = parse::queue_url)]
    undelivered_queue_url: Option<String>,
    /// URL of the queue for messages that say a supplier has run out of a bean
    #[arg(long, env = "ALERTS_QUEUE_URL", value_parser = parse::queue_url)]
    alerts_queue_url: Option<String>,
    /// ARN of the topic that tells people and programs of alerts
    #[arg(long, env = "ALERTS_TOPIC_ARN", value_parser = parse::topic_arn)]
    alerts_topic_arn: Option<String>,
    /// ARN of the topic to publish to, followed by those of other topics to accept messages from
    #[arg(long, env = "TOPIC_ARN", value_delimiter = ',', value_parser = parse::topic_arn)]
    topic_arn: Vec<String>,
    /// ARNs of topics that speak for one supplier alone, each with that supplier's number
    #[arg(long, env = "SUPPLIER_TOPICS", value_delimiter = ',', value_parser = parse::supplier_topic)]
    supplier_topics: Vec<(i64, String)>,
    /// ARNs of topics, of other accounts perhaps, whose HTTPS deliveries the website takes at `/sns`
    #[arg(long, env = "SNS_TOPICS", value_delimiter = ',', value_parser = parse::topic_arn)]
    sns_topics: Vec<String>,
    /// Name of the Kinesis data stream that every stock movement is put on; setting it switches the stream on
    #[arg(long, env = "STREAM_NAME", value_parser = parse::stream_name)]
    stream_name: Option<String>,
    /// Visibility timeout of received messages, in seconds
    #[arg(long, env = "VISIBILITY_TIMEOUT_IN_SEC", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(5..=43_200))]
    visibility_timeout_in_sec: u64,
    /// Wait time of a long poll, in seconds
    #[arg(long, env = "LONG_POLL_WAIT_IN_SEC", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(0..=20))]
    long_poll_wait_in_sec: u64,
    /// Most receives of up to ten messages in memory at the same time
    #[arg(long, env = "POLLERS", default_value_t = 20,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub pollers: u16,
    /// Most messages that are handled in one transaction
    #[arg(long, env = "BATCH_SIZE", default_value_t = 100,
          value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub batch_size: u16,
    /// Move dead letters into the database, where staff can see them
    #[arg(long, env = "COLLECT_DEAD_LETTERS", default_value_t = true,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub collect_dead_letters: bool,
}

impl MessagingSettings {
    /// Checks that no queue has two roles: a collector on the queue itself would take good updates
    /// for dead letters.
    ///
    /// # Errors
    /// Two settings name the same queue, or a topic is named twice.
    pub fn check(&self) -> Result<()> {
        let mut topics: Vec<&String> = self.topic_arn.iter().collect();
        topics.extend(self.supplier_topics.iter().map(|(_, topic)| topic));
        topics.sort_unstable();
        let mut twice = topics.array_windows().filter(|[one, other]| one == other);
        if let Some([topic, _]) = twice.next() {
            bail!(
                "TOPIC_ARN and SUPPLIER_TOPICS name {topic} twice, but it speaks for one supplier or for all"
            );
        }
        let named: Vec<(&str, &str)> = self
            .queues()
            .filter_map(|(role, url)| Some((role.setting, url?)))
            .collect();
        for (position, (variable, url)) in named.iter().enumerate() {
            let mut before = named[..position].iter();
            if let Some((other, _)) = before.find(|(_, other)| is_same(other, url)) {
                bail!(
                    "{other} and {variable} name the same queue, but they have different jobs; \
                     `beanstock provision` prints which is which"
                );
            }
        }
        Ok(())
    }

    /// Whether there is anything to ask AWS for.
    pub fn names_resources(&self) -> bool {
        self.topic().is_some()
            || self.stream_name.is_some()
            || self.queues().any(|(_, url)| url.is_some())
    }

    /// The endpoint of SQS, if it is not AWS's public one.
    pub fn sqs_endpoint(&self) -> Option<&str> {
        self.aws_endpoint_url_sqs.as_deref().or(self.aws.endpoint())
    }

    /// The endpoint of SNS, if it is not AWS's public one.
    pub fn sns_endpoint(&self) -> Option<&str> {
        self.aws_endpoint_url_sns.as_deref().or(self.aws.endpoint())
    }

    /// The endpoint of Kinesis, if it is not AWS's public one.
    pub fn kinesis_endpoint(&self) -> Option<&str> {
        let own = self.aws_endpoint_url_kinesis.as_deref();
        own.or(self.aws.endpoint())
    }

    /// Every queue with its URL, if that is set.
    pub fn queues(&self) -> impl Iterator<Item = (QueueRole, Option<&str>)> {
        let updates = self.queue_url.as_ref().or(self.sqs_endpoint.as_ref());
        [
            (UPDATES, updates),
            (DEAD_LETTERS, self.dead_letter_queue_url.as_ref()),
            (UNDELIVERED, self.undelivered_queue_url.as_ref()),
            (ALERTS, self.alerts_queue_url.as_ref()),
        ]
        .into_iter()
        .map(|(role, url)| (role, url.map(String::as_str)))
    }

    /// The URL of the queue with a role.
    pub fn queue(&self, role: QueueRole) -> Option<&str> {
        self.queues()
            .find_map(|(other, url)| url.filter(|_| other == role))
    }

    /// The ARN of the topic to publish to.
    pub fn topic(&self) -> Option<&str> {
        self.topic_arn.first().map(String::as_str)
    }

    /// What reads messages of the queue: of the topics that are set, or of any if none is.
    pub fn decoder(&self) -> Decoder {
        self.bind(Decoder::new(&borrowed(&self.topic_arn)))
    }

    /// What reads deliveries over HTTPS.
    pub fn delivery_decoder(&self) -> Decoder {
        self.bind(Decoder::new(&self.delivering_topics()))
    }

    /// Holds topics of one supplier to that supplier.
    fn bind(&self, decoder: Decoder) -> Decoder {
        let bound = self.supplier_topics.iter();
        let bound = bound.map(|(supplier, topic)| (topic.clone(), SupplierId(*supplier)));
        decoder.bind(bound)
    }

    /// Points at a supplier's topic that was provisioned.
    pub fn set_supplier_topic(&mut self, supplier: i64, arn: &str) {
        self.supplier_topics.retain(|(_, topic)| topic != arn);
        self.supplier_topics.push((supplier, arn.to_owned()));
    }

    /// How long received messages are invisible to others.
    pub fn visibility(&self) -> Duration {
        Duration::from_secs(self.visibility_timeout_in_sec)
    }

    /// How long a receive waits.
    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.long_poll_wait_in_sec)
    }

    /// Points at a queue that was provisioned.
    pub fn set_queue(&mut self, role: QueueRole, url: &str) {
        let setting = [
            (UPDATES, &mut self.queue_url),
            (DEAD_LETTERS, &mut self.dead_letter_queue_url),
            (UNDELIVERED, &mut self.undelivered_queue_url),
            (ALERTS, &mut self.alerts_queue_url),
        ];
        for (_, setting) in setting.into_iter().filter(|(other, _)| *other == role) {
            *setting = Some(url.to_owned());
        }
    }

    /// The name of the stream of stock movements.
    pub fn stream_name(&self) -> Option<&str> {
        self.stream_name.as_deref()
    }

    /// Uses a stream unless another one is set.
    pub fn set_stream(&mut self, name: &str) {
        self.stream_name.get_or_insert_with(|| name.to_owned());
    }

    /// The ARNs of the topics whose deliveries over HTTPS are taken.
    pub fn delivering_topics(&self) -> Vec<&str> {
        borrowed(&self.sns_topics)
    }

    /// The ARN of the topic that tells of alerts.
    pub fn alerts_topic(&self) -> Option<&str> {
        self.alerts_topic_arn.as_deref()
    }

    /// Points at a topic that was provisioned.
    pub fn set_topic(&mut self, role: TopicRole, arn: &str) {
        if role == UPDATES_TOPIC {
            self.topic_arn.retain(|topic| topic != arn);
            self.topic_arn.insert(0, arn.to_owned());
        }
        if role == ALERTS_TOPIC {
            self.alerts_topic_arn = Some(arn.to_owned());
        }
    }
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Settings {
        #[command(flatten)]
        messaging: MessagingSettings,
    }

    fn parse(args: &[&str]) -> MessagingSettings {
        Settings::parse_from([&["test"], args].concat()).messaging
    }

    #[test]
    fn the_labs_names_mean_the_same() {
        let url = "http://127.0.0.1:4566/000000000000/updated_beans.fifo";
        let settings = parse(&["--sqs-endpoint", url, "--sqs-region", "eu-west-1"]);

        assert_eq!(settings.queue(UPDATES), Some(url));
        assert_eq!(settings.aws.region(), Some("eu-west-1"));
    }

    /// Platforms like ECS set `AWS_REGION` by themselves.
    #[test]
    fn the_labs_region_is_that_of_the_queue_whatever_region_we_are_in() {
        let settings = parse(&["--aws-region", "eu-west-1", "--sqs-region", "us-east-1"]);

        assert_eq!(settings.aws.messaging_region(), Some("us-east-1"));
        assert_eq!(settings.aws.region(), Some("eu-west-1"));
    }

    #[test]
    fn no_queue_has_two_jobs() {
        let (queue, other) = ("http://h/0/updated_beans.fifo", "http://h/0/dead.fifo");
        let twice = ["--sqs-endpoint", queue, "--dead-letter-queue-url", queue];
        let fine = ["--queue-url", queue, "--dead-letter-queue-url", other];

        let error = parse(&twice).check().unwrap_err().to_string();

        assert!(error.contains("DEAD_LETTER_QUEUE_URL"), "{error}");
        let topic = "arn:aws:sns:us-east-1:000000000000:t.fifo";
        let bound = format!("3={topic}");
        let both = ["--topic-arn", topic, "--supplier-topics", &bound];
        let error = parse(&both).check().unwrap_err().to_string();
        assert!(error.contains("SUPPLIER_TOPICS"), "{error}");
        assert!(parse(&fine).check().is_ok());
    }

    #[test]
    fn a_services_own_endpoint_comes_before_the_one_for_all() {
        let all = "http://127.0.0.1:4566";
        let own = "https://vpce-0abc.sqs.us-east-1.vpce.amazonaws.com";
        let settings = parse(&["--aws-endpoint-url", all, "--aws-endpoint-url-sqs", own]);

        assert_eq!(settings.sqs_endpoint(), Some(own));
        assert_eq!(settings.sns_endpoint(), Some(all));
    }
}
