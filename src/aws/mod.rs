//! Clients of AWS services: where their region, endpoint and credentials come from, and how long they
//! wait.

pub mod database_login;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
pub use aws_sdk_sns::Client as SnsClient;

use crate::config::{AwsSettings, MessagingSettings};

/// What the AWS clients are made from: region, credentials and endpoints.
#[derive(Debug, Clone)]
pub struct Aws {
    /// For Secrets Manager and tokens.
    pub sign_in: SdkConfig,
    pub sqs: SdkConfig,
    pub sns: SdkConfig,
    pub kinesis: SdkConfig,
}

impl From<SdkConfig> for Aws {
    fn from(all: SdkConfig) -> Self {
        Self {
            sqs: all.clone(),
            sns: all.clone(),
            kinesis: all.clone(),
            sign_in: all,
        }
    }
}

impl Aws {
    /// For a program that has nothing to ask AWS for, and so need not look for credentials either.
    pub fn unused() -> Self {
        let builder = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        builder.build().into()
    }
}

/// Reads credentials and region the way every AWS client does: from the SDK's provider chain.
async fn load_sdk(settings: &AwsSettings) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = settings.region() {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(url) = settings.endpoint() {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

fn at(sdk: &SdkConfig, endpoint: Option<&str>, region: Option<&str>) -> SdkConfig {
    let mut builder = sdk.clone().into_builder();
    if let Some(url) = endpoint {
        builder = builder.endpoint_url(url);
    }
    if let Some(region) = region {
        builder = builder.region(Region::new(region.to_owned()));
    }
    builder.build()
}

/// The same, with the endpoint of Secrets Manager.
pub async fn load_sign_in(settings: &AwsSettings) -> SdkConfig {
    let sdk = load_sdk(settings).await;
    at(&sdk, settings.secrets_manager_endpoint(), None)
}

/// The same for all services.
pub async fn load_aws(settings: &MessagingSettings) -> Aws {
    let sdk = load_sdk(&settings.aws).await;
    let region = settings.aws.messaging_region();
    Aws {
        sqs: at(&sdk, settings.sqs_endpoint(), region),
        sns: at(&sdk, settings.sns_endpoint(), region),
        kinesis: at(&sdk, settings.kinesis_endpoint(), region),
        sign_in: at(&sdk, settings.aws.secrets_manager_endpoint(), None),
    }
}

/// How long a call may take beyond what it is asked to wait. The SDK for Rust has no limit of its
/// own but for connecting, so a long poll on a dead connection would hang for ever.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

fn timeouts(wait: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(wait + ATTEMPT_TIMEOUT)
        .build()
}

/// An SQS client whose receives wait up to `wait`.
pub fn sqs_client(aws: &SdkConfig, wait: Duration) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::config::Builder::from(aws)
        .timeout_config(timeouts(wait))
        .retry_config(RetryConfig::standard())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

pub fn sns_client(aws: &SdkConfig) -> SnsClient {
    let config = aws_sdk_sns::config::Builder::from(aws)
        .timeout_config(timeouts(Duration::ZERO))
        .retry_config(RetryConfig::standard())
        .build();
    aws_sdk_sns::Client::from_conf(config)
}

/// A Kinesis client.
pub fn kinesis_client(aws: &SdkConfig) -> aws_sdk_kinesis::Client {
    let config = aws_sdk_kinesis::config::Builder::from(aws)
        .timeout_config(timeouts(Duration::ZERO))
        .retry_config(RetryConfig::standard())
        .build();
    aws_sdk_kinesis::Client::from_conf(config)
}

/// A Secrets Manager client.
pub fn secrets_manager_client(aws: &SdkConfig) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::config::Builder::from(aws)
        .timeout_config(timeouts(Duration::ZERO))
        .retry_config(RetryConfig::standard())
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}
