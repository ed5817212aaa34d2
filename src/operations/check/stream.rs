//! The stream: whether it is there, and may be written and read.

use super::{Line, Report};
use crate::aws::{self, Aws};
use crate::config::MessagingSettings;
use crate::messaging::ServiceError;
use crate::messaging::kinesis::{DataStream as _, Description, KinesisStream, ReadError, Start};

const SUBJECT: &str = "stream";

/// Checks the stream, if one is set.
pub async fn check_stream(settings: &MessagingSettings, aws: &Aws) -> Vec<Line> {
    let mut report = Report::default();
    let Some(name) = settings.stream_name() else {
        let unset = "STREAM_NAME is not set, so movements are put on no stream, and days left come from the ledger";
        report.note(SUBJECT, unset, "");
        return report.0;
    };
    let stream = KinesisStream::new(aws::kinesis_client(&aws.kinesis), name.to_owned());
    match stream.describe().await {
        Ok(description) => {
            describe(&mut report, &description);
            check_use(&mut report, &stream).await;
        }
        Err(error) => report.broken(SUBJECT, error.to_string(), remedy(&error)),
    }
    report.0
}

fn describe(report: &mut Report, found: &Description) {
    let Description {
        open_shards,
        retention_hours,
        is_on_demand,
        ..
    } = found;
    let mode = if *is_on_demand {
        "on demand"
    } else {
        "provisioned"
    };
    let encrypted = if found.key.is_some() {
        "encrypted"
    } else {
        "not encrypted"
    };
    let found_so =
        format!("{open_shards} shards, {mode}, records kept {retention_hours} h, {encrypted}");
    match found.status.as_str() {
        "ACTIVE" | "UPDATING" => report.fine(SUBJECT, found_so),
        status => report.broken(
            SUBJECT,
            format!("the stream is {status}"),
            "Wait until it is ACTIVE, or run `beanstock provision` if it is being deleted",
        ),
    }
}

async fn check_use(report: &mut Report, stream: &KinesisStream) {
    match stream.may_put().await {
        Ok(()) => report.fine("stream, writing", "movements may be put on it"),
        Err(error) => report.broken("stream, writing", error.to_string(), remedy(&error)),
    }
    let read = async {
        let shards = stream.list_shards().await?;
        if let Some(shard) = shards.first() {
            let iterator = stream.shard_iterator(&shard.id, Start::TrimHorizon).await?;
            stream.get_records(&iterator, 1).await?;
        }
        Ok::<_, ReadError>(())
    };
    match read.await {
        // Whoever is told that it reads too fast may read.
        Ok(()) | Err(ReadError::Throttled) => report.fine("stream, reading", "it may be read"),
        Err(error) => report.broken("stream, reading", error.to_string(), MAY_USE),
    }
}

const MAY_USE: &str = "Allow the role what `beanstock provision --print iam` lists for the stream";

fn remedy(error: &ServiceError) -> &'static str {
    match error {
        ServiceError::Unreachable { .. } => {
            "Check AWS_REGION and AWS_ENDPOINT_URL_KINESIS, and whether it can be reached"
        }
        ServiceError::Refused { detail, .. } if detail.contains("ResourceNotFound") => {
            "Run `beanstock provision`, or correct STREAM_NAME"
        }
        ServiceError::Refused { .. } => MAY_USE,
    }
}
