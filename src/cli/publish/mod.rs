//! `beanstock publish`: the lines of a file to the topic.

mod lines;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use self::lines::{Form, Lines, Summary};
use super::output::print;
use super::sns::{Sns, Topic};
use crate::messaging::sns::SnsPublisher;

#[derive(Debug, clap::Args)]
pub(super) struct Publish {
    /// The file; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Send lines as they are, like the lab's script: one message group for all, and a line that
    /// repeats within five minutes is swallowed.
    #[arg(long)]
    as_is: bool,
    #[command(flatten)]
    sns: Sns,
}

pub(super) async fn publish(settings: Publish) -> Result<ExitCode> {
    let form = if settings.as_is {
        Form::AsIs
    } else {
        Form::Update
    };
    let topic = settings.sns.topic(Topic::Updates)?;
    let publisher = SnsPublisher::new(settings.sns.client().await, topic);
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
