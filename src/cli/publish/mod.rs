//! `beanstock publish`: the lines of a file to the topic.

mod lines;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use self::lines::{Form, Lines, Summary};
use super::output::print;
use crate::aws;
use crate::config::MessagingSettings;
use crate::messaging::sns::SnsPublisher;
use crate::provision::ResourceSettings;

#[derive(Debug, clap::Args)]
pub(super) struct Publish {
    /// The file; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Send lines as they are, like the lab's script: one message group for all, and a line that
    /// repeats within five minutes is swallowed.
    #[arg(long)]
    as_is: bool,
    /// Publish to the `beanstock local` that runs on this machine.
    #[arg(long)]
    local: bool,
    /// Port of the embedded SNS and SQS
    #[arg(long, env = "LOCAL_AWS_PORT", default_value_t = 4566)]
    local_aws_port: u16,
    #[command(flatten)]
    resources: ResourceSettings,
    #[command(flatten)]
    messaging: MessagingSettings,
}

pub(super) async fn publish(settings: Publish) -> Result<ExitCode> {
    let form = if settings.as_is {
        Form::AsIs
    } else {
        Form::Update
    };
    let publisher = publisher(&settings).await?;
    let summary = if settings.file == Path::new("-") {
        let input = BufReader::new(std::io::stdin());
        lines::publish(&publisher, input, None, form).await?
    } else {
        let open = || {
            File::open(&settings.file)
                .with_context(|| format!("cannot read {}", settings.file.display()))
        };
        let mut lines = Lines::new(BufReader::new(open()?));
        let mut number = 0;
        while let Ok(Some(_)) = lines.next_line() {
            number += 1;
        }
        let input = BufReader::new(open()?);
        lines::publish(&publisher, input, Some(number), form).await?
    };
    tell(&summary)
}

async fn publisher(settings: &Publish) -> Result<SnsPublisher> {
    if settings.local {
        use crate::local::aws::{ACCOUNT, REGION};
        let endpoint = format!("http://127.0.0.1:{}", settings.local_aws_port);
        let arn = format!(
            "arn:aws:sns:{REGION}:{ACCOUNT}:{}",
            settings.resources.topic_name
        );
        let sns = aws::sns_client(&crate::local::sdk_config(&endpoint).await);
        return Ok(SnsPublisher::new(sns, arn));
    }
    let topic = settings.messaging.topic().context(
        "no topic is set: set TOPIC_ARN (`beanstock provision` prints it), or use --local for the \
         one that runs on this machine",
    )?;
    let aws = aws::load_aws(&settings.messaging).await;
    Ok(SnsPublisher::new(
        aws::sns_client(&aws.sns),
        topic.to_owned(),
    ))
}

fn tell(summary: &Summary) -> Result<ExitCode> {
    for line in &summary.refused {
        print(&format!("line {}: {}", line.number, line.why))?;
    }
    print(&format!(
        "{} published, {} refused.",
        summary.published,
        summary.refused.len()
    ))?;
    Ok(if summary.refused.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
