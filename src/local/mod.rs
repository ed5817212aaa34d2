//! Everything on one machine: a private database, the embedded SNS, SQS and Kinesis, and all parts.
//!
//! The code that runs is the one that runs on AWS: the same SDK talks to a real socket.

pub mod aws;
pub mod database;
mod server_program;
mod set_up;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::{Passwords, Token, demo as demo_accounts};
use crate::app::{self, App, Part, Seats};
use crate::aws::{Aws, kinesis_client, sns_client, sqs_client};
use crate::catalogue::demo;
use crate::config::{
    ListenSettings, MessagingSettings, Secret, WebSettings, cannot_listen, stream_name,
};
use crate::db::{self, MigrateError, Pool, PoolSettings};
use crate::domain::NewPassword;
use crate::messaging::UPDATES;
use crate::outgoing::Outgoing;
use crate::provision::{self, Capacity, Mode, Provisioned, ResourceSettings, Topology};
use crate::shutdown::Shutdown;
use crate::sns_endpoint::LocalAnchor;
use aws::{Keeping, LocalAws};
use database::{Durability, PrivateDatabase};
use server_program::make_private_folder;

/// Settings of local mode.
#[derive(Debug, Clone, clap::Args)]
pub struct LocalSettings {
    /// Port of the embedded SNS, SQS and Kinesis
    #[arg(long, env = "LOCAL_AWS_PORT", default_value_t = 4566)]
    pub local_aws_port: u16,
    /// Folder for the database, queued messages and the stream
    #[arg(
        long,
        alias = "data",
        env = "BEANSTOCK_DATA",
        default_value = "./.beanstock"
    )]
    pub beanstock_data: PathBuf,
    /// Password of the demonstration accounts
    #[arg(long, env = "DEMO_PASSWORD", hide_env_values = true)]
    pub demo_password: Option<Secret>,
    /// Fill an empty database with the lab's suppliers and beans
    #[arg(long, env = "DEMO_DATA", default_value_t = true,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub demo_data: bool,
    /// The website.
    #[command(flatten)]
    pub web: WebSettings,
    /// Queues and topic.
    #[command(flatten)]
    pub resources: ResourceSettings,
    /// How to poll.
    #[command(flatten)]
    pub messaging: MessagingSettings,
}

/// Parts get this long to finish; the database needs its time after them, and all of it has ten
/// seconds.
const GRACE: Duration = Duration::from_secs(2);

/// Runs everything until SIGTERM or Ctrl-C.
pub async fn run(settings: LocalSettings) -> Result<()> {
    let web = listen(settings.web.port(), "PORT").await?;
    let aws = listen(settings.local_aws_port, "LOCAL_AWS_PORT").await?;
    let folder = &settings.beanstock_data;
    let _only_here = lock(folder)?;
    let shutdown = Shutdown::at_signals()?;
    let place = folder.join("database");
    let database = tokio::select! {
        database = PrivateDatabase::start(&place, Durability::Full) => database?,
        () = shutdown.requested() => return Ok(()),
    };
    let result = run_with(&settings, &database, web, aws, &shutdown).await;
    shutdown.finish(GRACE).await;
    database.stop().await?;
    result
}

async fn run_with(
    settings: &LocalSettings,
    database: &PrivateDatabase,
    web: TcpListener,
    aws: TcpListener,
    shutdown: &Shutdown,
) -> Result<()> {
    let pool = db::connect(&PoolSettings {
        options: database.options(),
        max_connections: 32,
        acquire_timeout: Duration::from_secs(5),
        lock_wait: db::LOCK_WAIT,
    });
    db::migrate(&pool).await.map_err(newer_data)?;
    // The endpoint outlives the parts that talk to it.
    let endpoint_tasks = TaskTracker::new();
    let endpoint_stopped = CancellationToken::new();
    let outgoing = Outgoing::default();
    let keeping = Keeping {
        outgoing: outgoing.clone(),
        ..kept_in(&settings.beanstock_data)
    };
    let (stopping, stopped) = (shutdown.soft.clone(), endpoint_stopped.clone());
    let endpoint = LocalAws::start(aws, keeping, &endpoint_tasks, stopping, stopped).await?;
    let sdk = sdk_config(endpoint.url()).await;
    let mut messaging = settings.messaging.clone();
    messaging.set_stream(STREAM);
    let provisioned = provision_at(&sdk, &settings.resources).await?;
    if let Some(stream) = messaging.stream_name() {
        provision_stream_at(&sdk, &settings.resources, stream).await?;
    }
    endpoint.open();
    app::use_provisioned(&mut messaging, &provisioned);
    let anchor = LocalAnchor {
        url: endpoint.url().to_owned(),
    };
    let services = Aws::from(sdk);
    let app = App::new(pool.clone(), shutdown.clone())
        .tolerating(settings.web.unready_after())
        .showing(outgoing)
        .listing_subscriptions(&messaging, &services)
        .resharding(&messaging, &services)
        .taking_deliveries(&settings.messaging, Some(anchor))?;
    let password = provide_demonstration(settings, &app).await?;
    let website = format!("http://{}", web.local_addr()?);
    let notifier = app.notify_people(&settings.web, Seats::Demonstration, &messaging, &website)?;
    app.start_messaging(&messaging, &services, &Part::ALL, Some(&notifier))
        .await?;
    app.start_stream(&messaging, &services, &Part::ALL, settings.web.time_zone);
    app.start_web(web, &settings.web, Seats::Demonstration);
    announce(
        &website,
        &password,
        endpoint.url(),
        &provisioned,
        &settings.beanstock_data,
    );
    shutdown.requested().await;
    tracing::info!("stopping");
    shutdown.finish(GRACE).await;
    close(&pool, &endpoint_stopped, &endpoint_tasks).await;
    Ok(())
}

/// Closes what the parts have used, which have stopped.
async fn close(pool: &Pool, endpoint_stopped: &CancellationToken, endpoint_tasks: &TaskTracker) {
    let _a_hung_server_is_ended_anyway =
        tokio::time::timeout(Duration::from_secs(1), pool.close()).await;
    endpoint_stopped.cancel();
    endpoint_tasks.close();
    let _slow_clients_are_cut_off =
        tokio::time::timeout(Duration::from_millis(500), endpoint_tasks.wait()).await;
}

/// Fills an empty database, if that is wanted, and makes the demonstration accounts; gives their password.
async fn provide_demonstration(settings: &LocalSettings, app: &App) -> Result<NewPassword> {
    if settings.demo_data && demo::fill_if_empty(&app.pool, &*app.clock).await? {
        tracing::info!("filled the empty database with the demonstration data");
    }
    let password = demo_password(settings)?;
    let passwords = Passwords::default();
    demo_accounts::provide(&app.pool, &*app.clock, &passwords, &password).await?;
    Ok(password)
}

/// The password of the demonstration accounts: the one that is set, or one that is made once and kept.
fn demo_password(settings: &LocalSettings) -> Result<NewPassword> {
    let unusable = |error| anyhow::anyhow!("DEMO_PASSWORD: the password {error}");
    if let Some(set) = &settings.demo_password {
        return NewPassword::parse(set.expose(), &[]).map_err(unusable);
    }
    let file = settings.beanstock_data.join("demo-password");
    let kept = std::fs::read_to_string(&file).ok();
    if let Some(kept) = kept.and_then(|kept| NewPassword::parse(kept.trim(), &[]).ok()) {
        return Ok(kept);
    }
    let made: String = Token::generate().expose().chars().take(20).collect();
    write_privately(&file, &format!("{made}\n"))
        .with_context(|| format!("cannot write {}", file.display()))?;
    NewPassword::parse(&made, &[]).map_err(unusable)
}

/// Writes a file that only this user can read.
fn write_privately(file: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(file)?.write_all(text.as_bytes())
}

/// Listens on this machine only.
async fn listen(port: u16, setting: &str) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| cannot_listen((Ipv4Addr::LOCALHOST, port).into(), setting))
}

/// Settings of the embedded SNS, SQS and Kinesis alone.
#[derive(Debug, Clone, clap::Args)]
pub struct LocalAwsSettings {
    /// Port of the embedded SNS, SQS and Kinesis
    #[arg(long, env = "LOCAL_AWS_PORT", default_value_t = 4566)]
    pub local_aws_port: u16,
    /// Folder for the database, queued messages and the stream
    #[arg(long, alias = "data", env = "BEANSTOCK_DATA")]
    pub beanstock_data: Option<PathBuf>,
    /// Create and repair queues, topic and subscription first (needs an operator's rights)
    #[arg(long, env = "PROVISION", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub provision: bool,
    /// Name of a Kinesis data stream to create as well
    #[arg(long, env = "STREAM_NAME", value_parser = stream_name)]
    pub stream_name: Option<String>,
    /// Queues and topic.
    #[command(flatten)]
    pub resources: ResourceSettings,
    /// Where to listen.
    #[command(flatten)]
    pub listen: ListenSettings,
}

/// Runs the embedded SNS, SQS and Kinesis alone until SIGTERM or Ctrl-C.
pub async fn run_aws(settings: LocalAwsSettings) -> Result<()> {
    let address = settings.listen.address(settings.local_aws_port);
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| cannot_listen(address, "LOCAL_AWS_PORT"))?;
    let folder = settings.beanstock_data.as_deref();
    let _only_here = folder.map(lock).transpose()?;
    let keeping = folder.map(kept_in).unwrap_or_default();
    let shutdown = Shutdown::at_signals()?;
    let (stopping, stopped) = (shutdown.soft.clone(), shutdown.soft.clone());
    let endpoint = LocalAws::start(listener, keeping, &shutdown.tasks, stopping, stopped).await?;
    if settings.provision {
        // It forgets its queues when it stops. Provisioned by itself, it has them and what was in
        // them before anybody can publish again.
        let sdk = sdk_config(endpoint.url()).await;
        provision_at(&sdk, &settings.resources).await?;
        if let Some(stream) = &settings.stream_name {
            provision_stream_at(&sdk, &settings.resources, stream).await?;
        }
    }
    endpoint.open();
    tracing::info!("SNS, SQS and Kinesis are at {}", endpoint.url());
    if !settings.listen.is_loopback() {
        tracing::warn!(
            "whoever reaches that address may publish and receive: it asks nobody to sign in"
        );
    }
    shutdown.requested().await;
    shutdown.finish(GRACE).await;
    Ok(())
}

/// The file in the data folder that keeps queued messages.
const MESSAGES: &str = "messages.jsonl";

/// What the embedded services keep in a folder.
fn kept_in(folder: &Path) -> Keeping {
    Keeping {
        messages: Some(folder.join(MESSAGES)),
        subscriptions: Some(folder.join("subscriptions.json")),
        streams: Some(folder.join("streams.jsonl")),
        ..Keeping::default()
    }
}

/// Makes sure that no other instance uses the folder, and nobody else reads it: what waits in the
/// queues is the suppliers' and the café's. The lock ends with the process.
fn lock(folder: &Path) -> Result<File> {
    let unwritable = || format!("cannot write to {} (BEANSTOCK_DATA)", folder.display());
    let is_ours = !folder.exists() || folder.join("lock").exists();
    make_private_folder(folder)?;
    let file = File::create(folder.join("lock")).with_context(unwritable)?;
    match file.try_lock() {
        Ok(()) => {
            if is_ours {
                // An earlier version made it for everybody to read. A folder that somebody else may
                // have made stays as it is.
                let private = std::fs::Permissions::from_mode(0o700);
                std::fs::set_permissions(folder, private).with_context(unwritable)?;
            }
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => bail!(
            "another `beanstock local` is using {}; stop it, or set BEANSTOCK_DATA to another folder",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(unwritable),
    }
}

fn newer_data(error: MigrateError) -> anyhow::Error {
    match error {
        MigrateError::NewerSchema(_) => anyhow::anyhow!(
            "the data folder was last used by a newer version of beanstock; start that version, or \
             set BEANSTOCK_DATA to another folder"
        ),
        error => error.into(),
    }
}

/// An SDK configuration for the embedded endpoint, with the credentials everybody uses for such.
pub async fn sdk_config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "beanstock-local");
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static(aws::REGION))
        .endpoint_url(endpoint)
        .credentials_provider(credentials)
        .load()
        .await
}

/// The stream's name, if none is set.
const STREAM: &str = "stock_movements";

/// With how many shards the stream begins, if no number is set: people split and merge them.
const SHARDS: i32 = 2;

/// Creates queues, topics and subscriptions at an endpoint.
pub async fn provision_at(sdk: &SdkConfig, resources: &ResourceSettings) -> Result<Provisioned> {
    let sqs = sqs_client(sdk, Duration::ZERO);
    let sns = sns_client(sdk);
    let topology = Topology::new(resources);
    topology.check()?;
    provision::provision(&sqs, &sns, &topology, Mode::Apply).await
}

/// Creates the stream at an endpoint.
pub async fn provision_stream_at(
    sdk: &SdkConfig,
    resources: &ResourceSettings,
    name: &str,
) -> Result<()> {
    let mut topology = Topology::new(resources).streaming(resources, Some(name));
    if let Some(stream) = &mut topology.stream {
        stream.capacity = match resources.stream_shards {
            Some(shards) => Capacity::Shards(shards),
            None => Capacity::ShardsAtFirst(SHARDS),
        };
        // Nothing leaves this machine.
        stream.kms_key = None;
    }
    let kinesis = kinesis_client(sdk);
    provision::provision_stream(&kinesis, &topology, Mode::Apply).await?;
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "this is what the command is asked to tell"
)]
fn announce(
    website: &str,
    password: &NewPassword,
    endpoint: &str,
    provisioned: &Provisioned,
    folder: &Path,
) {
    let topic = provisioned.topic_arn();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let program = std::env::current_exe().unwrap_or_else(|_| "beanstock".into());
    let port = match endpoint.rsplit_once(':') {
        Some((_, "4566")) | None => String::new(),
        Some((_, port)) => format!(" --local-aws-port {port}"),
    };
    println!(
        "
  Beanstock is ready.

    Website        {website}
    AWS services   {endpoint}   (SNS, SQS, Kinesis; credentials test/test, region {region})
    Queue          {queue}
    Data           {folder}

  Sign in with one click, or as

    manager@example.com, staff@example.com, viewer@example.com,
    supplier1@example.com and so on, one for each supplier
    password       {password}

  Publish an update with any AWS client, for example:

    AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \\
    aws --region {region} --endpoint-url {endpoint} sns publish \\
      --topic-arn {topic} \\
      --message-group-id bean_message_group --subject 'New bean delivery' --message '3:Excelsa:9'

  or with beanstock itself:

    echo '3:Excelsa:9' | {program} publish --local{port}

  Ctrl-C stops everything.
",
        region = aws::REGION,
        queue = provisioned.queue_url(UPDATES),
        folder = folder.display(),
        password = password.expose(),
        program = program.display(),
    );
}
