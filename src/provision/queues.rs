//! Queues: found or created, then compared with the blueprint.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;
use aws_sdk_sqs::types::QueueAttributeName;

use super::blueprint::{Account, QueueBlueprint};
use super::{Work, means_the_same};
use crate::messaging::sqs::is_fifo;

pub(super) struct Queue {
    pub(super) url: String,
    /// `None` if it does not exist, in a plan.
    pub(super) account: Option<Account>,
    attributes: HashMap<QueueAttributeName, String>,
}

impl Work<'_> {
    pub(super) async fn ensure_queue(&mut self, name: &str) -> Result<Queue> {
        let found = self.sqs.get_queue_url().queue_name(name).send().await;
        let url = match found {
            Ok(found) => found.queue_url,
            Err(error) => {
                let missing = error
                    .as_service_error()
                    .is_some_and(GetQueueUrlError::is_queue_does_not_exist);
                if !missing {
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
            .and_then(|arn| Account::of(arn))
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
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .with_context(|| format!("reading the attributes of {url}"))?;
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
            .filter(|(name, _)| !keeps_its_key(queue, name))
            .cloned()
            .collect();
        let mut names: Vec<&str> = drifted.keys().map(QueueAttributeName::as_str).collect();
        names.sort_unstable();
        let mut apply = false;
        for name in names {
            apply = self.change(format!("set {name} of {}", wanted.name));
        }
        if apply {
            self.sqs
                .set_queue_attributes()
                .queue_url(&queue.url)
                .set_attributes(Some(drifted))
                .send()
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
            .settings
            .resource_tags
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

/// An operator's key is not taken away by leaving out a setting.
fn keeps_its_key(queue: &Queue, name: &QueueAttributeName) -> bool {
    let key = queue.attributes.get(&QueueAttributeName::KmsMasterKeyId);
    *name == QueueAttributeName::SqsManagedSseEnabled && key.is_some_and(|key| !key.is_empty())
}
