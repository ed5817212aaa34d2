//! The stream: found or created, then compared with what is wanted. It is never shrunk in time, and resized only to a
//! number of shards that somebody set.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aws_sdk_kinesis::Client as KinesisClient;
use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryError;
use aws_sdk_kinesis::types::{
    EncryptionType, ScalingType, StreamDescriptionSummary, StreamMode, StreamModeDetails,
    StreamStatus,
};

use super::Mode;
use super::topology::{Capacity, StreamEntry, Topology};

/// Creates and repairs the stream of a topology; gives what was or would be done.
///
/// # Errors
/// Kinesis refuses, or the stream does not become active within two minutes.
pub async fn provision_stream(
    kinesis: &KinesisClient,
    topology: &Topology,
    mode: Mode,
) -> Result<Vec<String>> {
    let Some(wanted) = &topology.stream else {
        return Ok(Vec::new());
    };
    let mut work = StreamWork {
        kinesis,
        wanted,
        tags: &topology.tags,
        mode,
        changes: Vec::new(),
    };
    work.ensure().await?;
    Ok(work.changes)
}

struct StreamWork<'a> {
    kinesis: &'a KinesisClient,
    wanted: &'a StreamEntry,
    tags: &'a [(String, String)],
    mode: Mode,
    changes: Vec<String>,
}

impl StreamWork<'_> {
    fn change(&mut self, what: String) -> bool {
        self.changes.push(what);
        self.mode == Mode::Apply
    }

    async fn ensure(&mut self) -> Result<()> {
        let name = &self.wanted.name;
        if self.describe().await?.is_none() {
            if !self.change(format!("create the stream {name}")) {
                return Ok(());
            }
            self.create().await?;
        }
        let found = self.active().await?;
        self.repair_capacity(&found).await?;
        let found = self.active().await?;
        self.repair_retention(&found).await?;
        self.active().await?;
        self.repair_encryption(&found).await?;
        self.active().await?;
        self.repair_tags().await
    }

    async fn describe(&self) -> Result<Option<StreamDescriptionSummary>> {
        let name = &self.wanted.name;
        let call = self.kinesis.describe_stream_summary().stream_name(name);
        match call.send().await {
            Ok(found) => Ok(found.stream_description_summary),
            Err(error) => {
                let is_missing = error
                    .as_service_error()
                    .is_some_and(DescribeStreamSummaryError::is_resource_not_found_exception);
                if is_missing {
                    return Ok(None);
                }
                Err(error).with_context(|| format!("looking for the stream {name}"))
            }
        }
    }

    /// Waits until the stream can be used and changed.
    async fn active(&self) -> Result<StreamDescriptionSummary> {
        const QUESTIONS: u32 = 240;
        const PAUSE: Duration = Duration::from_millis(500);
        for _ in 0..QUESTIONS {
            if let Some(found) = self.describe().await?
                && (*found.stream_status() == StreamStatus::Active || self.mode == Mode::Plan)
            {
                return Ok(found);
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!(
            "the stream {} did not become active within two minutes",
            self.wanted.name
        )
    }

    async fn create(&self) -> Result<()> {
        let name = &self.wanted.name;
        let call = self.kinesis.create_stream().stream_name(name);
        let call = match self.wanted.capacity {
            Capacity::OnDemand => call.stream_mode_details(mode_details(StreamMode::OnDemand)),
            Capacity::Shards(shards) | Capacity::ShardsAtFirst(shards) => call.shard_count(shards),
        };
        call.send()
            .await
            .with_context(|| format!("creating the stream {name}"))?;
        Ok(())
    }

    /// At most twice as many shards, and no fewer than half (Kinesis API Reference, `UpdateShardCount`): whoever wants
    /// more than that runs it again.
    async fn repair_capacity(&mut self, found: &StreamDescriptionSummary) -> Result<()> {
        let name = &self.wanted.name;
        let Capacity::Shards(shards) = self.wanted.capacity else {
            return Ok(());
        };
        let mode = found
            .stream_mode_details()
            .map(StreamModeDetails::stream_mode);
        if mode == Some(&StreamMode::OnDemand) {
            if !self.change(format!("set the mode of {name} to PROVISIONED")) {
                return Ok(());
            }
            let call = self
                .kinesis
                .update_stream_mode()
                .stream_arn(found.stream_arn());
            let call = call.stream_mode_details(mode_details(StreamMode::Provisioned));
            call.send()
                .await
                .with_context(|| format!("setting the mode of {name}"))?;
            self.active().await?;
        }
        let now = found.open_shard_count();
        let next = shards.clamp((now + 1) / 2, now * 2);
        if next == now || !self.change(format!("resize {name} from {now} to {next} shards")) {
            return Ok(());
        }
        let call = self.kinesis.update_shard_count().stream_name(name);
        let call = call
            .target_shard_count(next)
            .scaling_type(ScalingType::UniformScaling);
        call.send()
            .await
            .with_context(|| format!("resizing the stream {name}"))?;
        Ok(())
    }

    async fn repair_retention(&mut self, found: &StreamDescriptionSummary) -> Result<()> {
        let (name, hours) = (&self.wanted.name, self.wanted.retention_hours);
        // To keep records for less long deletes some.
        if found.retention_period_hours() >= hours
            || !self.change(format!("set the retention of {name} to {hours} hours"))
        {
            return Ok(());
        }
        let call = self
            .kinesis
            .increase_stream_retention_period()
            .stream_name(name);
        call.retention_period_hours(hours)
            .send()
            .await
            .with_context(|| format!("setting the retention of {name}"))?;
        Ok(())
    }

    async fn repair_encryption(&mut self, found: &StreamDescriptionSummary) -> Result<()> {
        let name = &self.wanted.name;
        let Some(key) = &self.wanted.kms_key else {
            return Ok(());
        };
        // An operator's key is not taken away by leaving out a setting.
        let has_its_key = match found.key_id() {
            None => false,
            Some(current) => current == key || super::topology::is_managed(key),
        };
        if has_its_key || !self.change(format!("encrypt {name} with {key}")) {
            return Ok(());
        }
        let call = self.kinesis.start_stream_encryption().stream_name(name);
        let call = call.encryption_type(EncryptionType::Kms).key_id(key);
        call.send()
            .await
            .with_context(|| format!("encrypting the stream {name}"))?;
        Ok(())
    }

    async fn repair_tags(&mut self) -> Result<()> {
        let name = &self.wanted.name;
        let call = self.kinesis.list_tags_for_stream().stream_name(name);
        let current = call
            .send()
            .await
            .with_context(|| format!("reading the tags of {name}"))?;
        let missing: Vec<&(String, String)> = self
            .tags
            .iter()
            .filter(|(key, value)| {
                let mut current = current.tags().iter();
                !current.any(|tag| tag.key() == key && tag.value() == Some(value.as_str()))
            })
            .collect();
        if missing.is_empty() || !self.change(format!("tag {name}")) {
            return Ok(());
        }
        let call = self.kinesis.add_tags_to_stream().stream_name(name);
        let call = missing
            .into_iter()
            .fold(call, |call, (key, value)| call.tags(key, value));
        call.send()
            .await
            .with_context(|| format!("tagging {name}"))?;
        Ok(())
    }
}

fn mode_details(mode: StreamMode) -> StreamModeDetails {
    let details = StreamModeDetails::builder().stream_mode(mode).build();
    details.expect("the mode is set")
}
