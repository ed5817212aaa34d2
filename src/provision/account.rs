//! The AWS account and region in which everything is.

/// The parts of an ARN that resources of one account and region share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsAccount {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// Like `us-east-1`.
    pub region: String,
    /// Twelve digits.
    pub id: String,
}

impl AwsAccount {
    /// Reads them from the ARN of a queue or topic.
    pub fn of(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, _, region, id, _] = parts[..] else {
            return None;
        };
        Some(Self {
            partition: partition.to_owned(),
            region: region.to_owned(),
            id: id.to_owned(),
        })
    }

    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        let Self {
            partition,
            region,
            id,
        } = self;
        format!("arn:{partition}:{service}:{region}:{id}:{resource}")
    }

    pub(super) fn root(&self, account: &str) -> String {
        format!("arn:{}:iam::{account}:root", self.partition)
    }

    /// Principals as policies name them: an account by its root.
    pub(super) fn principals(&self, who: &[String]) -> Vec<String> {
        who.iter()
            .map(|who| match who.strip_prefix("arn:") {
                Some(_) => who.clone(),
                None => self.root(who),
            })
            .collect()
    }
}
