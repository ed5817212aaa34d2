//! What SNS lets subscribe to what, so that it can be said before SNS is asked.

use super::filter_policy::{FilterPolicy, FilterPolicyError, Scope};
use super::sqs::is_fifo;

/// How messages reach a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    Sqs,
    Http,
    Https,
    Email,
    EmailJson,
    Sms,
    Lambda,
}

impl Protocol {
    const ALL: [Self; 7] = [
        Self::Sqs,
        Self::Http,
        Self::Https,
        Self::Email,
        Self::EmailJson,
        Self::Sms,
        Self::Lambda,
    ];

    /// What SNS calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Http => "http",
            Self::Https => "https",
            Self::Email => "email",
            Self::EmailJson => "email-json",
            Self::Sms => "sms",
            Self::Lambda => "lambda",
        }
    }

    /// Reads the name that SNS has for it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether somebody has to confirm a subscription: whoever reads the mail, or what answers at the URL.
    pub fn asks_to_confirm(self) -> bool {
        matches!(
            self,
            Self::Http | Self::Https | Self::Email | Self::EmailJson
        )
    }
}

/// A subscription that somebody wants.
#[derive(Debug, Clone)]
pub struct Wish {
    pub topic_arn: String,
    pub protocol: Protocol,
    /// A queue's or function's ARN, a URL, an address or a telephone number.
    pub endpoint: String,
    /// The filter policy, and what it looks at.
    pub filter: Option<(String, Scope)>,
    /// Whether messages come without the SNS envelope.
    pub raw: bool,
    /// The ARN of the queue for what cannot be delivered.
    pub dead_letter_queue: Option<String>,
}

/// Why SNS would refuse a subscription.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribingError {
    /// SNS Developer Guide, "Message delivery for FIFO topics".
    #[error(
        "a FIFO topic delivers to SQS queues only; subscribe {0} endpoints to a standard topic"
    )]
    FifoTopic(&'static str),
    /// SNS Developer Guide, "Message delivery for FIFO topics".
    #[error("a standard topic does not deliver to a FIFO queue")]
    FifoQueue,
    #[error("{0:?} is no endpoint for {1}: {2} is wanted")]
    Endpoint(String, &'static str, &'static str),
    /// SNS Developer Guide, "Amazon SNS raw message delivery".
    #[error("only SQS and HTTP(S) subscriptions can get messages without the SNS envelope")]
    Raw,
    /// SNS Developer Guide, "Amazon SNS dead-letter queues".
    #[error("what a {topic} topic cannot deliver goes to a {topic} queue, and {queue:?} is none")]
    DeadLetterQueue { topic: &'static str, queue: String },
    #[error("the filter policy is refused: {0}")]
    Filter(#[from] FilterPolicyError),
}

impl Wish {
    /// Whether it asks for anything that SNS does not do by itself.
    pub fn has_attributes(&self) -> bool {
        self.raw || self.filter.is_some() || self.dead_letter_queue.is_some()
    }

    /// Checks it against SNS's rules.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self) -> Result<(), SubscribingError> {
        let topic_is_fifo = is_fifo(&self.topic_arn);
        if topic_is_fifo && self.protocol != Protocol::Sqs {
            return Err(SubscribingError::FifoTopic(self.protocol.name()));
        }
        self.check_endpoint()?;
        if !topic_is_fifo && self.protocol == Protocol::Sqs && is_fifo(&self.endpoint) {
            return Err(SubscribingError::FifoQueue);
        }
        let may_be_raw = matches!(
            self.protocol,
            Protocol::Sqs | Protocol::Http | Protocol::Https
        );
        if self.raw && !may_be_raw {
            return Err(SubscribingError::Raw);
        }
        let queue = self.dead_letter_queue.as_ref();
        let fits = |arn: &&String| is_arn_of(arn, "sqs") && is_fifo(arn) == topic_is_fifo;
        if let Some(queue) = queue.filter(|arn| !fits(arn)) {
            return Err(SubscribingError::DeadLetterQueue {
                topic: if topic_is_fifo { "FIFO" } else { "standard" },
                queue: queue.clone(),
            });
        }
        if let Some((policy, scope)) = &self.filter {
            FilterPolicy::parse(policy, *scope)?;
        }
        Ok(())
    }

    fn check_endpoint(&self) -> Result<(), SubscribingError> {
        let endpoint = self.endpoint.as_str();
        let is_printable = !endpoint.chars().any(char::is_control);
        let (is_good, wanted) = match self.protocol {
            Protocol::Sqs => (is_arn_of(endpoint, "sqs"), "the ARN of a queue"),
            Protocol::Lambda => (is_arn_of(endpoint, "lambda"), "the ARN of a function"),
            Protocol::Http => (is_url(endpoint, "http"), "a URL that begins with http://"),
            Protocol::Https => (is_url(endpoint, "https"), "a URL that begins with https://"),
            Protocol::Email | Protocol::EmailJson => (is_address(endpoint), "an e-mail address"),
            Protocol::Sms => (
                is_telephone_number(endpoint),
                "a number like +14155550100 (E.164)",
            ),
        };
        if is_good && is_printable {
            Ok(())
        } else {
            let (endpoint, protocol) = (endpoint.to_owned(), self.protocol.name());
            Err(SubscribingError::Endpoint(endpoint, protocol, wanted))
        }
    }
}

fn is_arn_of(text: &str, service: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(parts[..], ["arn", _, of, region, account, name]
        if of == service && ![region, account, name].contains(&""))
}

fn is_url(text: &str, scheme: &str) -> bool {
    let url = url::Url::parse(text).ok();
    url.is_some_and(|url| url.scheme() == scheme && url.has_host())
}

fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    let has_no_spaces = !text.chars().any(char::is_whitespace);
    has_no_spaces && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

/// A plus sign and up to fifteen digits (ITU-T E.164).
fn is_telephone_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIFO: &str = "arn:aws:sns:us-east-1:000000000000:updates.fifo";
    const STANDARD: &str = "arn:aws:sns:us-east-1:000000000000:alerts";

    fn wish(topic: &str, protocol: Protocol, endpoint: &str) -> Wish {
        Wish {
            topic_arn: topic.to_owned(),
            protocol,
            endpoint: endpoint.to_owned(),
            filter: None,
            raw: false,
            dead_letter_queue: None,
        }
    }

    #[test]
    fn what_sns_takes_is_fine() {
        let queue = "arn:aws:sqs:us-east-1:000000000000:q";
        for (topic, protocol, endpoint) in [
            (FIFO, Protocol::Sqs, &*format!("{queue}.fifo")),
            (FIFO, Protocol::Sqs, queue),
            (STANDARD, Protocol::Sqs, queue),
            (STANDARD, Protocol::Https, "https://example.com/sns"),
            (STANDARD, Protocol::Email, "owner@example.com"),
            (STANDARD, Protocol::Sms, "+14155550100"),
            (
                STANDARD,
                Protocol::Lambda,
                "arn:aws:lambda:us-east-1:000000000000:function:f",
            ),
        ] {
            assert_eq!(wish(topic, protocol, endpoint).check(), Ok(()));
        }
    }

    #[test]
    fn what_sns_refuses_is_refused_with_its_rule() {
        let queue = "arn:aws:sqs:us-east-1:000000000000:q";
        let raw = Wish {
            raw: true,
            ..wish(STANDARD, Protocol::Email, "owner@example.com")
        };
        let dead_letters = |topic, name: &str| Wish {
            dead_letter_queue: Some(name.to_owned()),
            ..wish(topic, Protocol::Sqs, queue)
        };
        for (wish, rule) in [
            (
                wish(FIFO, Protocol::Email, "owner@example.com"),
                "standard topic",
            ),
            (
                wish(STANDARD, Protocol::Sqs, &format!("{queue}.fifo")),
                "FIFO queue",
            ),
            (wish(STANDARD, Protocol::Sqs, "q"), "ARN of a queue"),
            (
                wish(STANDARD, Protocol::Https, "http://example.com"),
                "https://",
            ),
            (wish(STANDARD, Protocol::Sms, "0151 123"), "E.164"),
            (wish(STANDARD, Protocol::Email, "@x"), "address"),
            (
                wish(STANDARD, Protocol::Http, "http://example.com/\0"),
                "http://",
            ),
            (raw, "envelope"),
            (dead_letters(FIFO, queue), "FIFO queue"),
            (
                dead_letters(STANDARD, &format!("{queue}.fifo")),
                "standard queue",
            ),
        ] {
            let said = wish.check().unwrap_err().to_string();
            assert!(said.contains(rule), "{wish:?}: {said}");
        }
    }
}
