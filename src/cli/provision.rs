//! `beanstock provision`: queues, topic and subscription, or what is to be known about them.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use super::output::print;
use crate::aws;
use crate::config::MessagingSettings;
use crate::provision::{self, AwsAccount, Mode, ResourceSettings, Topology, cloudformation, iam};

#[derive(Debug, clap::Args)]
pub(super) struct Provision {
    /// Change nothing, and list what would be changed
    #[arg(long)]
    dry_run: bool,
    /// Print policies or a template instead, without asking AWS anything
    #[arg(long, value_enum, conflicts_with = "dry_run")]
    print: Option<Print>,
    #[command(flatten)]
    resources: ResourceSettings,
    #[command(flatten)]
    messaging: MessagingSettings,
}

/// What can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Print {
    /// The smallest policies for the application, a supplier's publisher and an operator.
    Iam,
    /// A template with the same resources.
    Cloudformation,
}

pub(super) async fn provision(settings: Provision) -> Result<ExitCode> {
    let stream = settings.messaging.stream_name();
    let topology = Topology::new(&settings.resources).streaming(&settings.resources, stream);
    topology.check()?;
    if let Some(what) = settings.print {
        let document = match what {
            Print::Iam => iam::policies(&topology, &account(&settings.messaging)),
            Print::Cloudformation => cloudformation::template(&topology),
        };
        return print(&serde_json::to_string_pretty(&document)?);
    }
    let (mode, word) = if settings.dry_run {
        (Mode::Plan, "to do")
    } else {
        (Mode::Apply, "done")
    };
    let aws = aws::load_aws(&settings.messaging).await;
    let sqs = aws::sqs_client(&aws.sqs, Duration::ZERO);
    let sns = aws::sns_client(&aws.sns);
    let provisioned = provision::provision(&sqs, &sns, &topology, mode).await?;
    let kinesis = aws::kinesis_client(&aws.kinesis);
    let mut changes = provisioned.changes.clone();
    changes.extend(provision::provision_stream(&kinesis, &topology, mode).await?);
    for change in &changes {
        print(&format!("{word}: {change}"))?;
    }
    if changes.is_empty() {
        print("Nothing to change.")?;
    }
    if mode == Mode::Plan {
        return print("Nothing was changed.");
    }
    print("")?;
    for (setting, value) in provisioned.settings() {
        print(&format!("{setting}={value}"))?;
    }
    if let Some(stream) = stream {
        print(&format!("STREAM_NAME={stream}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The account to put into policies: that of the topic if it is set, else words to be replaced.
fn account(messaging: &MessagingSettings) -> AwsAccount {
    messaging
        .topic()
        .and_then(AwsAccount::of)
        .unwrap_or(AwsAccount {
            partition: "aws".to_owned(),
            region: messaging.aws.region().unwrap_or("REGION").to_owned(),
            id: "ACCOUNT".to_owned(),
        })
}
