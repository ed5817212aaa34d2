//! `beanstock serve`: the parts against your database and AWS.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;

use super::account::HOW_TO_BEGIN;
use super::opening::Opening;
use crate::app::{self, App, Part, Seats};
use crate::aws;
use crate::aws::Aws;
use crate::aws::database_login;
use crate::catalogue::demo;
use crate::config::{
    DatabaseLogin, DatabaseSettings, ListenSettings, MessagingSettings, WebSettings, cannot_listen,
    reference,
};
use crate::db::{self, Pool, PoolSettings};
use crate::messaging::UPDATES;
use crate::provision::{self, Mode, ResourceSettings, Topology};
use crate::shutdown::{Shutdown, Stopping};

/// How long the parts may take to finish; container engines kill after ten seconds. A long poll
/// that is cut off may leave messages invisible until their timeout ends, and that is all.
const GRACE: Duration = Duration::from_secs(7);

#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Run only these parts
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Part>,
    /// Create and repair queues, topic and subscription first (needs an operator's rights)
    #[arg(long, env = "PROVISION", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    provision: bool,
    /// Fill an empty database with the lab's suppliers and beans
    #[arg(long, env = "DEMO_DATA", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    demo_data: bool,
    #[command(flatten)]
    listen: ListenSettings,
    #[command(flatten)]
    web: WebSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    messaging: MessagingSettings,
    #[command(flatten)]
    resources: ResourceSettings,
}

impl Serve {
    fn parts(&self) -> Vec<Part> {
        if self.only.is_empty() {
            Part::ALL.to_vec()
        } else {
            self.only.clone()
        }
    }

    /// Whether the site can be reached from other machines.
    fn is_public(&self) -> bool {
        !self.listen.is_loopback() || !self.web.is_private()
    }

    /// Where people find the site, for links in mail.
    fn site(&self) -> String {
        let own = || format!("http://{}", self.listen.reached_at(self.web.port()));
        self.web.public_url().map_or_else(own, ToString::to_string)
    }

    /// A part that was asked for by name cannot do without its setting.
    fn check_parts(&self) -> Result<()> {
        for part in &self.only {
            let (variable, found) = match part {
                Part::Web => continue,
                Part::Poller | Part::Collector => ("QUEUE_URL", self.messaging.queue(UPDATES)),
                Part::Relay => ("TOPIC_ARN", self.messaging.topic()),
                Part::Stream => ("STREAM_NAME", self.messaging.stream_name()),
            };
            let is_made = self.provision && *part != Part::Stream;
            if found.is_none() && !is_made {
                let what_for =
                    format!("--only {part:?} needs it (`beanstock provision` prints it)");
                bail!(reference::missing(variable, &what_for));
            }
        }
        Ok(())
    }
}

/// Runs until SIGTERM or Ctrl-C.
pub(super) async fn serve(settings: Serve) -> Result<ExitCode> {
    let shutdown = Shutdown::at_signals()?;
    settings.check_parts()?;
    settings.messaging.check()?;
    let (parts, is_public) = (settings.parts(), settings.is_public());
    let database = settings.database.pool()?;
    let login = settings.database.login()?;
    let aws = load_aws(&settings, &login).await;
    let pool = db::connect(&database);
    let app = App::new(pool.clone(), shutdown.clone())
        .tolerating(settings.web.unready_after())
        .listing_subscriptions(&settings.messaging, &aws)
        .taking_deliveries(&settings.messaging, None)?;
    app.expect(&parts);
    if parts.contains(&Part::Web) {
        start_web(&app, &settings).await?;
    }
    let opening = Opening {
        pool,
        settings: database.clone(),
        login: login.clone(),
        aws: aws.sign_in.clone(),
    };
    let work = async {
        opening.wait(&shutdown).await?;
        keep_signed_in(&app, database, login, &aws);
        check_accounts(&app.pool, &parts, is_public).await?;
        fill(&app, settings.demo_data).await?;
        let site = settings.site();
        let mut messaging = settings.messaging;
        if settings.provision {
            set_up(&settings.resources, &mut messaging, &aws, &shutdown).await?;
        }
        let notifier = (parts.contains(&Part::Relay))
            .then(|| app.notify_people(&settings.web, Seats::Passwords, &messaging, &site));
        let notifier = notifier.transpose()?;
        if parts.iter().any(|part| part.uses_messages()) {
            app.start_messaging(&messaging, &aws, &parts, notifier.as_ref())
                .await?;
        }
        app.start_stream(&messaging, &aws, &parts, settings.web.time_zone);
        tracing::info!("everything is up");
        anyhow::Ok(())
    };
    let started = tokio::select! {
        // Whoever asks to stop is heard before whatever the start still has to say.
        biased;
        () = shutdown.requested() => Ok(()),
        started = work => started,
    };
    // The end of a wait that was told to stop may be heard before the request itself.
    let started = started.or_else(|error| match error.downcast_ref() {
        Some(Stopping) => Ok(()),
        None => Err(error),
    });
    if started.is_ok() {
        shutdown.requested().await;
    }
    tracing::info!("stopping");
    shutdown.finish(GRACE).await;
    started.map(|()| ExitCode::SUCCESS)
}

async fn start_web(app: &App, settings: &Serve) -> Result<()> {
    let address = settings.listen.address(settings.web.port());
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| cannot_listen(address, "PORT"))?;
    tracing::info!("the website is at http://{}", listener.local_addr()?);
    app.start_web(listener, &settings.web, Seats::Passwords);
    Ok(())
}

/// Fills an empty database with the demonstration data, if that is wanted.
async fn fill(app: &App, is_wanted: bool) -> Result<()> {
    if is_wanted && demo::fill_if_empty(&app.pool, &*app.clock).await? {
        tracing::info!("filled the empty database with the demonstration data");
    }
    Ok(())
}

/// Tells how to make the first manager, and does not let accounts whose password others may know be used from
/// other machines.
async fn check_accounts(pool: &Pool, parts: &[Part], is_public: bool) -> Result<()> {
    if !parts.contains(&Part::Web) {
        return Ok(());
    }
    let mut conn = pool.acquire().await?;
    let demonstration = db::accounts::list_demonstration(&mut conn).await?;
    if is_public && !demonstration.is_empty() {
        bail!(
            "this database has {} demonstration accounts, whose password others may know, and the site \
             can be reached from other machines (LISTEN_ADDRESS or PUBLIC_URL). Disable them first: \
             `beanstock account list` names them, `beanstock account disable EMAIL` disables one",
            demonstration.len()
        );
    }
    if !db::accounts::has_manager(&mut conn).await? {
        tracing::warn!("{HOW_TO_BEGIN}");
    }
    Ok(())
}

async fn load_aws(settings: &Serve, login: &DatabaseLogin) -> Aws {
    let needs_aws = *login != DatabaseLogin::Fixed
        || settings.provision
        || settings.messaging.names_resources();
    if needs_aws {
        aws::load_aws(&settings.messaging).await
    } else {
        Aws::unused()
    }
}

fn keep_signed_in(app: &App, database: PoolSettings, login: DatabaseLogin, aws: &Aws) {
    if login != DatabaseLogin::Fixed {
        let (pool, stop) = (app.pool.clone(), app.shutdown.clone());
        let fresh = database_login::keep_fresh(pool, database, login, aws.sign_in.clone(), stop);
        app.shutdown.tasks.spawn(fresh);
    }
}

/// Provisions, and uses what was provisioned.
async fn set_up(
    resources: &ResourceSettings,
    messaging: &mut MessagingSettings,
    aws: &Aws,
    shutdown: &Shutdown,
) -> Result<()> {
    let sqs = aws::sqs_client(&aws.sqs, Duration::ZERO);
    let sns = aws::sns_client(&aws.sns);
    app::wait_for_answer(shutdown, &sqs, &resources.queue_name).await?;
    let topology = Topology::new(resources).streaming(resources, messaging.stream_name());
    topology.check()?;
    let provisioned = provision::provision(&sqs, &sns, &topology, Mode::Apply).await?;
    let kinesis = aws::kinesis_client(&aws.kinesis);
    let streamed = provision::provision_stream(&kinesis, &topology, Mode::Apply).await?;
    for change in provisioned.changes.iter().chain(&streamed) {
        tracing::info!("provisioned: {change}");
    }
    app::use_provisioned(messaging, &provisioned);
    Ok(())
}
