//! Which AWS, or what stands in for it. Credentials come from the SDK's provider chain alone.

use super::parse;

/// Region and endpoint of all services.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsSettings {
    /// AWS region
    #[arg(long, env = "AWS_REGION", value_parser = parse::region)]
    aws_region: Option<String>,
    /// AWS region of the queue and the topic, if it differs (the lab's name)
    #[arg(long, env = "SQS_REGION", value_parser = parse::region)]
    sqs_region: Option<String>,
    /// Endpoint for all AWS services, in place of AWS's own
    #[arg(long, env = "AWS_ENDPOINT_URL", value_parser = parse::endpoint)]
    aws_endpoint_url: Option<String>,
    /// Endpoint for Secrets Manager, such as a VPC endpoint
    #[arg(long, env = "AWS_ENDPOINT_URL_SECRETS_MANAGER", value_parser = parse::endpoint)]
    aws_endpoint_url_secrets_manager: Option<String>,
}

impl AwsSettings {
    /// The region of everything that has none of its own.
    pub fn region(&self) -> Option<&str> {
        self.aws_region.as_deref().or(self.sqs_region.as_deref())
    }

    /// The region of the queue and the topic. Platforms set `AWS_REGION` to where they are; the
    /// lab's name is only ever set by somebody who means it.
    pub fn messaging_region(&self) -> Option<&str> {
        self.sqs_region.as_deref().or(self.aws_region.as_deref())
    }

    /// The endpoint of Secrets Manager, if it is not AWS's public one.
    pub fn secrets_manager_endpoint(&self) -> Option<&str> {
        self.aws_endpoint_url_secrets_manager
            .as_deref()
            .or(self.endpoint())
    }

    /// The endpoint of all services, if it is not AWS.
    pub fn endpoint(&self) -> Option<&str> {
        self.aws_endpoint_url.as_deref()
    }
}
