//! `beanstock subscribe`, `unsubscribe` and `subscriptions`: who gets what the topics get.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::output::print;
use super::sns::{Sns, Topic};
use crate::messaging::filter_policy::Scope;
use crate::messaging::sqs::is_same;
use crate::messaging::subscribing::{Protocol, Wish};
use crate::messaging::{ALERTS, UPDATES};
use crate::provision::Mode;
use crate::provision::subscribe::{self, Done, Subscribed};

#[derive(Debug, clap::Args)]
pub(super) struct Subscribe {
    /// How messages reach the endpoint
    #[arg(value_enum)]
    protocol: Protocol,
    /// An e-mail address, a phone number, a URL, or the ARN of a queue or function
    endpoint: String,
    /// The topic
    #[arg(long, value_enum, default_value_t = Topic::Alerts)]
    topic: Topic,
    /// Filter policy, like `{"severity":["critical"]}`
    #[arg(long = "filter")]
    filter_policy: Option<String>,
    /// Have the filter policy look at the body in place of the attributes
    #[arg(long, requires = "filter_policy")]
    filter_body: bool,
    /// Deliver messages without the SNS envelope
    #[arg(long)]
    raw: bool,
    /// ARN of the queue for what cannot be delivered
    #[arg(long)]
    dead_letter_queue: Option<String>,
    /// Change nothing, and say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    sns: Sns,
}

#[derive(Debug, clap::Args)]
pub(super) struct Unsubscribe {
    /// The subscription, as `beanstock subscriptions` lists it
    subscription_arn: String,
    /// Change nothing, and say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    sns: Sns,
}

pub(super) async fn subscribe(settings: Subscribe) -> Result<ExitCode> {
    let scope = if settings.filter_body {
        Scope::MessageBody
    } else {
        Scope::MessageAttributes
    };
    let wish = Wish {
        topic_arn: settings.sns.topic(settings.topic)?,
        protocol: settings.protocol,
        endpoint: settings.endpoint,
        filter: settings.filter_policy.map(|policy| (policy, scope)),
        raw: settings.raw,
        dead_letter_queue: settings.dead_letter_queue,
    };
    wish.check()?;
    let mode = mode(settings.dry_run);
    let sns = settings.sns.client().await;
    let done = subscribe::subscribe(&sns, &wish, mode).await?;
    let would = if mode == Mode::Plan { "would be " } else { "" };
    let endpoint = &wish.endpoint;
    match done {
        Done::New { arn: Some(arn) } => print(&format!("{endpoint} is subscribed: {arn}"))?,
        Done::New { arn: None } if mode == Mode::Plan => {
            print(&format!("{endpoint} would be subscribed."))?
        }
        Done::New { arn: None } => print(&format!(
            "{endpoint} must confirm the subscription; nothing is delivered there until then."
        ))?,
        Done::WasThere { arn, set } if set.is_empty() => {
            print(&format!("{endpoint} is already subscribed: {arn}"))?
        }
        Done::WasThere { arn, set } => print(&format!(
            "{endpoint} is already subscribed; {would}set: {}. {arn}",
            set.join(", ")
        ))?,
    };
    if wish.raw && wish.protocol == Protocol::Sqs {
        // SNS Developer Guide, "Amazon SNS raw message delivery". Ours have three at most.
        print("A raw message with more than ten attributes is not delivered to a queue.")?;
    }
    if wish.filter.is_some() {
        // SNS Developer Guide, "Amazon SNS subscription filter policies".
        print("A change of a filter policy may take 15 minutes to come into effect.")?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn unsubscribe(settings: Unsubscribe) -> Result<ExitCode> {
    let sns = settings.sns.client().await;
    let arn = &settings.subscription_arn;
    let found = subscribe::find(&sns, arn).await?;
    let (queue, alerts) = settings.sns.own_queues();
    for (title, own) in [(UPDATES.title, queue), (ALERTS.title, alerts)] {
        if own.is_some_and(|own| is_same(own, &found.endpoint)) {
            bail!(
                "that is how messages reach the {title}: without it nothing arrives there, and what is published \
                 meanwhile is lost. End it with the AWS CLI if you mean it"
            );
        }
    }
    if settings.dry_run {
        return print(&format!("{} would be unsubscribed.", found.endpoint));
    }
    subscribe::unsubscribe(&sns, arn).await?;
    print(&format!("{} is unsubscribed.", found.endpoint))
}

pub(super) async fn list(settings: Sns) -> Result<ExitCode> {
    let sns = settings.client().await;
    for topic in [Topic::Updates, Topic::Alerts] {
        let role = topic.role();
        let Some(arn) = settings.find_topic(topic) else {
            print(&format!("{}: {} is not set", role.title, role.setting))?;
            continue;
        };
        print(&format!("{}: {arn}", role.title))?;
        let all = subscribe::list(&sns, &arn).await?;
        if all.is_empty() {
            print("  nobody is subscribed")?;
        }
        for one in &all {
            print(&format!("  {}", line(one)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn mode(dry_run: bool) -> Mode {
    if dry_run { Mode::Plan } else { Mode::Apply }
}

fn line(one: &Subscribed) -> String {
    let mut parts = vec![format!("{} {}", one.protocol, one.endpoint)];
    let state = one.arn.as_deref().unwrap_or("waits to be confirmed");
    parts.push(state.to_owned());
    if let Some(filter) = &one.filter {
        let of = if one.filters_bodies { " (body)" } else { "" };
        parts.push(format!("filter{of} {filter}"));
    }
    if one.raw {
        parts.push("raw".to_owned());
    }
    if let Some(queue) = &one.dead_letter_queue {
        parts.push(format!("undelivered to {queue}"));
    }
    parts.join(", ")
}
