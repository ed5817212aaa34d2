//! Queues: found or created, then compared with the blueprint.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;

use super::account::AwsAccount;
use super::blueprint::QueueBlueprint;
use super::{Work, means_the_same};
use crate::messaging::sqs::is_fifo;

pub(super) struct Queue {
    pub(super) url: String,
    /// `None` if it does not exist, in a plan.
    pub(super) account: Option<AwsAccount>,
    attributes: HashMap<QueueAttributeName, String>,
}

impl Work<'_> {
    pub(super) async fn ensure_queue(&mut self, name: &str) -> Result<Queue> {
        let found = self.sqs.get_queue_url().queue_name(name).send().await;
        let url = match found {
            Ok(found) => found.queue_url,
            Err(error) => {
                if !is_missing(&error) {
                    return Err(error).with_context(|| format!("looking for the queue {name}"));
                }
                if !self.change(format!("create the queue {name}")) {
                    return Ok(Queue {
                        url: name.to_owned(),
                        account: None,
                        attributes: HashMap::new(),
                    });
                }
                self.create_queue(name).await?
            }
        };
        let url = url.with_context(|| format!("SQS gave no URL for the queue {name}"))?;
        let attributes = self.queue_attributes(&url).await?;
        let arn = attributes.get(&QueueAttributeName::QueueArn);
        let account = arn
            .and_then(|arn| AwsAccount::of(arn))
            .with_context(|| format!("SQS gave no ARN for the queue {name}"))?;
        Ok(Queue {
            url,
            account: Some(account),
            attributes,
        })
    }

    async fn create_queue(&self, name: &str) -> Result<Option<String>> {
        let mut request = self.sqs.create_queue().queue_name(name);
        if is_fifo(name) {
            // The one attribute that cannot be set later.
            request = request.attributes(QueueAttributeName::FifoQueue, "true");
        }
        let created = request
            .send()
            .await
            .with_context(|| format!("creating the queue {name}"))?;
        Ok(created.queue_url)
    }

    async fn queue_attributes(&self, url: &str) -> Result<HashMap<QueueAttributeName, String>> {
        let request = self.sqs.get_queue_attributes().queue_url(url);
        let request = request.attribute_names(QueueAttributeName::All);
        let answer = once_it_is_there(|| request.clone().send()).await;
        let answer = answer.with_context(|| format!("reading the attributes of {url}"))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    pub(super) async fn repair_queue(
        &mut self,
        queue: &Queue,
        wanted: &QueueBlueprint,
    ) -> Result<()> {
        let drifted: HashMap<_, _> = wanted
            .attributes
            .iter()
            .filter(|(name, value)| !means_the_same(queue.attributes.get(name), value))
            .filter(|(name, _)| !keeps_its_key(queue, name) && !is_high_throughput(queue, name))
            .cloned()
            .collect();
        let mut names: Vec<&str> = drifted.keys().map(QueueAttributeName::as_str).collect();
        names.sort_unstable();
        let mut apply = false;
        for name in names {
            apply = self.change(format!("set {name} of {}", wanted.name));
        }
        if apply {
            let request = self.sqs.set_queue_attributes().queue_url(&queue.url);
            let request = request.set_attributes(Some(drifted));
            once_it_is_there(|| request.clone().send())
                .await
                .with_context(|| format!("setting the attributes of {}", wanted.name))?;
        }
        self.tag_queue(queue, &wanted.name).await
    }

    async fn tag_queue(&mut self, queue: &Queue, name: &str) -> Result<()> {
        let mut current = HashMap::new();
        if queue.account.is_some() {
            let answer = self
                .sqs
                .list_queue_tags()
                .queue_url(&queue.url)
                .send()
                .await;
            let answer = answer.with_context(|| format!("reading the tags of {name}"))?;
            current = answer.tags.unwrap_or_default();
        }
        let missing: HashMap<String, String> = self
            .topology
            .tags
            .iter()
            .filter(|(key, value)| current.get(key) != Some(value))
            .cloned()
            .collect();
        if missing.is_empty() || !self.change(format!("tag {name}")) {
            return Ok(());
        }
        let request = self.sqs.tag_queue().queue_url(&queue.url);
        let answer = request.set_tags(Some(missing)).send().await;
        answer.with_context(|| format!("tagging {name}"))?;
        Ok(())
    }
}

/// Asks again for some seconds while SQS does not know a queue that it has just given the URL of: a
/// new one can be used after a second at the earliest (SQS API Reference, `CreateQueue`).
async fn once_it_is_there<T, E, F>(ask: impl Fn() -> F) -> Result<T, SdkError<E>>
where
    E: ProvideErrorMetadata,
    F: Future<Output = Result<T, SdkError<E>>>,
{
    const QUESTIONS: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(500);
    for _ in 1..QUESTIONS {
        match ask().await {
            Err(error) if is_missing(&error) => tokio::time::sleep(PAUSE).await,
            answer => return answer,
        }
    }
    ask().await
}

/// The two names that SQS has for it, of its new and its old protocol.
fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let code = error.as_service_error().and_then(|error| error.code());
    matches!(
        code,
        Some("QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue")
    )
}

/// Deduplication in each group is what high throughput asks for (SQS Developer Guide, "High
/// throughput for FIFO queues"), and ids are all we need: whoever chose it knows why.
fn is_high_throughput(queue: &Queue, name: &QueueAttributeName) -> bool {
    let scope = queue
        .attributes
        .get(&QueueAttributeName::DeduplicationScope);
    *name == QueueAttributeName::DeduplicationScope
        && scope.is_some_and(|scope| scope == "messageGroup")
}

/// An operator's key is not taken away by leaving out a setting.
fn keeps_its_key(queue: &Queue, name: &QueueAttributeName) -> bool {
    let key = queue.attributes.get(&QueueAttributeName::KmsMasterKeyId);
    *name == QueueAttributeName::SqsManagedSseEnabled && key.is_some_and(|key| !key.is_empty())
}
