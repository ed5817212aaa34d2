//! The SNS a command talks to: the one of the settings, or the one of a `beanstock local`.

use anyhow::{Context as _, Result};

use crate::aws::{self, SnsClient};
use crate::config::MessagingSettings;
use crate::local;
use crate::local::aws::{ACCOUNT, REGION};
use crate::messaging::{ALERTS, ALERTS_TOPIC, TopicRole, UPDATES, UPDATES_TOPIC};
use crate::provision::ResourceSettings;

/// Which SNS, and which topics.
#[derive(Debug, clap::Args)]
pub(super) struct Sns {
    /// Use the `beanstock local` that runs on this machine
    #[arg(long)]
    local: bool,
    /// Port of the embedded SNS, SQS and Kinesis
    #[arg(long, env = "LOCAL_AWS_PORT", default_value_t = 4566)]
    local_aws_port: u16,
    #[command(flatten)]
    resources: ResourceSettings,
    #[command(flatten)]
    messaging: MessagingSettings,
}

/// One of the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Topic {
    /// What people and programs are told of alerts
    Alerts,
    /// The updates themselves; for SQS queues only, if it is a FIFO topic
    Updates,
}

impl Sns {
    /// The client of that SNS.
    pub(super) async fn client(&self) -> SnsClient {
        if self.local {
            let endpoint = format!("http://127.0.0.1:{}", self.local_aws_port);
            return aws::sns_client(&local::sdk_config(&endpoint).await);
        }
        let aws = aws::load_aws(&self.messaging).await;
        aws::sns_client(&aws.sns)
    }

    /// The ARN of a topic, if it is set.
    pub(super) fn find_topic(&self, topic: Topic) -> Option<String> {
        let (name, set) = match topic {
            Topic::Alerts => (
                &self.resources.alerts_topic_name,
                self.messaging.alerts_topic(),
            ),
            Topic::Updates => (&self.resources.topic_name, self.messaging.topic()),
        };
        if self.local {
            Some(format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}"))
        } else {
            set.map(str::to_owned)
        }
    }

    /// The queues of updates and alerts, by URL or name.
    pub(super) fn own_queues(&self) -> (Option<&str>, Option<&str>) {
        if self.local {
            let resources = &self.resources;
            (
                Some(&resources.queue_name),
                Some(&resources.alerts_queue_name),
            )
        } else {
            let messaging = &self.messaging;
            (messaging.queue(UPDATES), messaging.queue(ALERTS))
        }
    }

    /// The ARN of a topic.
    ///
    /// # Errors
    ///
    /// It is not set.
    pub(super) fn topic(&self, topic: Topic) -> Result<String> {
        self.find_topic(topic).with_context(|| {
            format!(
                "no topic is set: set {} (`beanstock provision` prints it), or use --local for the one that runs on \
                 this machine",
                topic.role().setting
            )
        })
    }
}

impl Topic {
    pub(super) fn role(self) -> TopicRole {
        match self {
            Self::Alerts => ALERTS_TOPIC,
            Self::Updates => UPDATES_TOPIC,
        }
    }
}
