//! Queues, topic and subscription: whether they exist, fit each other, and grant access.

use std::time::Duration;

use super::{Line, Report};
use crate::aws::{self, Aws};
use crate::config::MessagingSettings;
use crate::messaging::sns::SnsPublisher;
use crate::messaging::sqs::{SqsQueue, find_url, is_fifo, is_same};
use crate::messaging::{
    ALERTS, ALERTS_TOPIC, DEAD_LETTERS, ServiceError, TopicRole, UPDATES, UPDATES_TOPIC,
};

/// Checks queues, topic and subscription: whether they exist, fit each other, and grant access.
pub async fn check_messaging(settings: &MessagingSettings, aws: &Aws) -> Vec<Line> {
    let mut report = Report::default();
    if let Err(error) = settings.check() {
        report.broken("queues", error.to_string(), "");
    }
    let sqs = aws::sqs_client(&aws.sqs, Duration::ZERO);
    let at = |url: &str| SqsQueue::new(sqs.clone(), url.to_owned(), settings.visibility());
    let mut found = Found::default();
    let mut dead_letters = None;
    for (role, url) in settings.queues() {
        match url {
            Some(url) if role == UPDATES => found = check_queue(&mut report, &at(url)).await,
            Some(url) if role != DEAD_LETTERS && is_at(url, dead_letters.as_ref()) => {
                let wrong = format!("{} names the queue's dead-letter queue", role.setting);
                report.broken(role.title, wrong, PRINTED);
            }
            Some(url) if role != DEAD_LETTERS => {
                check_consumed(&mut report, role.title, &at(url)).await;
            }
            None if !role.when_unset.is_empty() => {
                report.note(role.title, role.when_unset, PRINTED);
            }
            _ => {}
        }
        if role == UPDATES {
            dead_letters = dead_letter_queue(settings, &sqs, &found).await;
            match &dead_letters {
                Some(Ok(url)) => check_dead_letter_queue(&mut report, &at(url), &found).await,
                Some(Err(error)) => report.broken(
                    DEAD_LETTERS.title,
                    error.to_string(),
                    "Set DEAD_LETTER_QUEUE_URL, or allow the role sqs:GetQueueUrl",
                ),
                None => {}
            }
        }
    }
    check_topics(&mut report, settings, aws, found.arn.as_deref()).await;
    report.0
}

/// Checks the topics, and what subscribes to the topic of updates.
async fn check_topics(
    report: &mut Report,
    settings: &MessagingSettings,
    aws: &Aws,
    queue_arn: Option<&str>,
) {
    let sns = aws::sns_client(&aws.sns);
    let topics = [
        (UPDATES_TOPIC, settings.topic()),
        (ALERTS_TOPIC, settings.alerts_topic()),
    ];
    for (role, arn) in topics {
        match arn {
            Some(arn) => {
                let topic = SnsPublisher::new(sns.clone(), arn.to_owned());
                check_topic(report, role, &topic).await;
            }
            None => report.note(role.title, role.when_unset, PRINTED),
        }
    }
    let Some(arn) = settings.topic() else {
        return;
    };
    let topic = SnsPublisher::new(sns, arn.to_owned());
    if let Some(queue_arn) = queue_arn {
        check_subscription(report, &topic, arn, queue_arn).await;
    }
    if let Some(url) = settings.queue(ALERTS) {
        let sqs = aws::sqs_client(&aws.sqs, Duration::ZERO);
        let queue = SqsQueue::new(sqs, url.to_owned(), settings.visibility());
        if let Ok(Some(queue_arn)) = queue.arn().await {
            check_filter(report, &topic, &queue_arn).await;
        }
    }
}

/// Where to find what a setting should be.
const PRINTED: &str = "`beanstock provision` prints it";

fn is_at(url: &str, found: Option<&Result<String, ServiceError>>) -> bool {
    matches!(found, Some(Ok(other)) if is_same(url, other))
}

/// What a queue says of itself.
#[derive(Debug, Default)]
struct Found {
    arn: Option<String>,
    dead_letter_queue_arn: Option<String>,
}

async fn check_queue(report: &mut Report, queue: &SqsQueue) -> Found {
    let arn = match queue.arn().await {
        Ok(arn) => arn,
        Err(error) => {
            report.broken("queue", error.to_string(), cannot_use(&error));
            return Found::default();
        }
    };
    let redrive = match queue.redrive().await {
        Ok(redrive) => redrive,
        Err(error) => {
            report.broken("redrive policy", error.to_string(), cannot_use(&error));
            return Found {
                arn,
                ..Found::default()
            };
        }
    };
    match &redrive {
        Some(redrive) => report.fine(
            "redrive policy",
            format!("dead letters after {} receives", redrive.max_receive_count),
        ),
        None => report.broken(
            "redrive policy",
            "the queue has no dead-letter queue, so what cannot be applied comes again for ever",
            "Run `beanstock provision`",
        ),
    }
    check_consumed(report, "queue", queue).await;
    Found {
        arn,
        dead_letter_queue_arn: redrive.map(|redrive| redrive.dead_letter_queue_arn),
    }
}

/// The URL that is set, or else the one that `serve` would find by the redrive policy.
async fn dead_letter_queue(
    settings: &MessagingSettings,
    sqs: &aws_sdk_sqs::Client,
    found: &Found,
) -> Option<Result<String, ServiceError>> {
    match (settings.queue(DEAD_LETTERS), &found.dead_letter_queue_arn) {
        (Some(url), _) => Some(Ok(url.to_owned())),
        (None, Some(arn)) => Some(find_url(sqs, arn).await),
        (None, None) => None,
    }
}

/// A dead-letter queue that the queue does not fill is the wrong one.
async fn check_dead_letter_queue(report: &mut Report, queue: &SqsQueue, found: &Found) {
    const SUBJECT: &str = DEAD_LETTERS.title;
    let filled = found.dead_letter_queue_arn.as_deref();
    match queue.arn().await {
        Ok(arn) if filled.is_some() && arn.as_deref() != filled => report.broken(
            SUBJECT,
            format!(
                "DEAD_LETTER_QUEUE_URL is not where the queue moves its dead letters ({})",
                filled.unwrap_or_default()
            ),
            "Unset it; the queue is then found from the redrive policy",
        ),
        _ => check_consumed(report, SUBJECT, queue).await,
    }
}

async fn check_consumed(report: &mut Report, subject: &'static str, queue: &SqsQueue) {
    let tried = async {
        let depth = queue.depth().await?;
        queue.may_settle().await?;
        Ok::<_, ServiceError>(depth)
    };
    match tried.await {
        // Receiving cannot be tried: it would count towards the receives of what is there.
        Ok(depth) => report.fine(
            subject,
            format!(
                "{} messages ready, {} in flight; may delete and release",
                depth.visible, depth.in_flight
            ),
        ),
        Err(error) => report.broken(subject, error.to_string(), cannot_use(&error)),
    }
}

async fn check_topic(report: &mut Report, role: TopicRole, topic: &SnsPublisher) {
    match topic.may_publish().await {
        Ok(()) => report.fine(role.title, "may publish"),
        Err(error) => report.broken(role.title, error.to_string(), cannot_use(&error)),
    }
}

/// Without its filter the alerts queue would get a copy of every update.
async fn check_filter(report: &mut Report, topic: &SnsPublisher, queue_arn: &str) {
    const SUBJECT: &str = "alerts subscription";
    match topic.subscription_of(queue_arn).await {
        Err(error) => report.broken(SUBJECT, error.to_string(), cannot_use(&error)),
        Ok(Some(found)) if found.filtered => {
            report.fine(SUBJECT, "the topic delivers what is out of stock");
        }
        Ok(Some(_)) => report.note(
            SUBJECT,
            "has no filter policy, so the alerts queue gets a copy of every update",
            "Run `beanstock provision`",
        ),
        Ok(None) => report.note(
            SUBJECT,
            "the alerts queue is not subscribed to the topic, so it stays empty",
            "Run `beanstock provision`",
        ),
    }
}

async fn check_subscription(
    report: &mut Report,
    topic: &SnsPublisher,
    topic_arn: &str,
    queue_arn: &str,
) {
    const SUBJECT: &str = "subscription";
    if is_fifo(topic_arn) != is_fifo(queue_arn) {
        report.note(
            SUBJECT,
            "one of queue and topic is FIFO and the other is not",
            "Run `beanstock provision` with names of one kind",
        );
    }
    match topic.subscription_of(queue_arn).await {
        Err(error) => report.broken(SUBJECT, error.to_string(), cannot_use(&error)),
        Ok(None) => report.broken(
            SUBJECT,
            "the queue is not subscribed to the topic, so nothing published arrives",
            "Run `beanstock provision`",
        ),
        Ok(Some(found)) if found.filtered => report.broken(
            SUBJECT,
            "a filter policy keeps updates back",
            "Remove the subscription's filter policy",
        ),
        Ok(Some(found)) if found.raw || !found.keeps_undelivered => report.note(
            SUBJECT,
            if found.raw {
                "delivers without the SNS envelope, so the SNS message ids are lost"
            } else {
                "drops what it cannot deliver"
            },
            "Run `beanstock provision`",
        ),
        Ok(Some(_)) => report.fine(SUBJECT, "the topic delivers to the queue"),
    }
}

fn cannot_use(error: &ServiceError) -> &'static str {
    match error {
        ServiceError::Refused { .. } => {
            "Check that it exists, that its URL or ARN is right, and that the role has what \
             `beanstock provision --print iam` lists for the application"
        }
        ServiceError::Unreachable { .. } => {
            "Check AWS_REGION, AWS_ENDPOINT_URL, the credentials, and the way there (internet or \
             VPC endpoint)"
        }
    }
}
