//! Which AWS, or what stands in for it. Credentials come from the SDK's provider chain alone.

use super::parse;

/// Region and endpoint of all services.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsSettings {
    /// AWS region; credentials come from the SDK's provider chain
    #[arg(long, env = "AWS_REGION", value_parser = parse::region)]
    aws_region: Option<String>,
    /// AWS region (the lab's name)
    #[arg(long, env = "SQS_REGION", value_parser = parse::region)]
    sqs_region: Option<String>,
    /// Endpoint of all AWS services, if it is not AWS
    #[arg(long, env = "AWS_ENDPOINT_URL", value_parser = parse::endpoint)]
    aws_endpoint_url: Option<String>,
}

impl AwsSettings {
    /// The region, under either name.
    pub fn region(&self) -> Option<&str> {
        self.aws_region.as_deref().or(self.sqs_region.as_deref())
    }

    /// The endpoint of all services, if it is not AWS.
    pub fn endpoint(&self) -> Option<&str> {
        self.aws_endpoint_url.as_deref()
    }
}
