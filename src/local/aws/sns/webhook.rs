//! Delivers messages to HTTP(S) endpoints on this machine, attempt by attempt. What leads elsewhere is only shown.

use std::sync::Arc;
use std::time::Duration;

use rustack_sqs_model::input::SendMessageInput;
use url::{Host, Url};

use super::subscriptions::Subscription;
use super::ways::Ways;
use crate::outgoing::Way;

/// SNS's default for HTTP(S): three retries, 20 seconds apart (SNS Developer Guide, "Creating an HTTP/S delivery
/// policy").
const RETRIES: u64 = 3;
const PAUSE_IN_SECONDS: u64 = 20;

/// As many retries a policy may ask for (as above), and as long a pause.
const MOST_RETRIES: u64 = 100;
const LONGEST_PAUSE_IN_SECONDS: u64 = 3_600;

/// An endpoint has to answer within so long (SNS Developer Guide, "Fanout to HTTP/S endpoints").
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// A message for an endpoint.
pub(super) struct Post {
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) body: String,
    pub(super) subject: String,
    pub(super) deduplication_id: Option<String>,
    pub(super) group: Option<String>,
    pub(super) subscription: Subscription,
}

/// What an attempt came to.
enum Answer {
    Taken(String),
    /// It is tried again.
    Failed(String),
    /// It is not: the endpoint says that the request is wrong.
    Refused(String),
}

/// Delivers a message, and tries again as long as the subscription's policy says.
pub(super) async fn deliver(ways: Arc<Ways>, post: Post) {
    let subscription = &post.subscription;
    let subject = format!("{} {}", post.kind, post.subject);
    let (to, body) = (subscription.endpoint.clone(), post.body.clone());
    let dispatch = ways.show(Way::Http, to, subject, body);
    if !leads_here(&subscription.endpoint) {
        let outcome = "not sent: it leads to another machine".to_owned();
        ways.note(dispatch, outcome);
        return;
    }
    let number = |name, default: u64| subscription.delivery_policy(name).unwrap_or(default);
    let retries = number("numRetries", RETRIES).min(MOST_RETRIES);
    let pause = number("minDelayTarget", PAUSE_IN_SECONDS).clamp(1, LONGEST_PAUSE_IN_SECONDS);
    let mut why = String::new();
    for attempt in 0..=retries {
        if attempt > 0 {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(pause)) => {}
                () = ways.queues.stopping.cancelled() => return,
            }
        }
        match send(&ways, &post).await {
            Answer::Taken(outcome) => {
                ways.note(dispatch, outcome);
                return;
            }
            Answer::Refused(outcome) => {
                ways.note(dispatch, outcome.clone());
                why = outcome;
                break;
            }
            Answer::Failed(outcome) => {
                ways.note(dispatch, outcome.clone());
                why = outcome;
            }
        }
    }
    if post.kind == "Notification" {
        let input = SendMessageInput {
            message_body: post.body.clone(),
            message_group_id: post.group.clone(),
            message_deduplication_id: post.deduplication_id.clone(),
            ..SendMessageInput::default()
        };
        ways.keep_undelivered(subscription, input, &why).await;
        ways.note(dispatch, "given up".to_owned());
    }
}

async fn send(ways: &Ways, post: &Post) -> Answer {
    let subscription = &post.subscription;
    let mut request = ways
        .http
        .post(&subscription.endpoint)
        .header("content-type", "text/plain; charset=UTF-8")
        .header("x-amz-sns-message-type", post.kind)
        .header("x-amz-sns-message-id", &post.id)
        .header("x-amz-sns-topic-arn", &subscription.topic_arn)
        .header("x-amz-sns-subscription-arn", &subscription.arn);
    if subscription.is_raw() && post.kind == "Notification" {
        request = request.header("x-amz-sns-rawdelivery", "true");
    }
    match request.body(post.body.clone()).send().await {
        // It says no more than where it was sent to.
        Err(error) if error.is_timeout() => Answer::Failed("no answer within 15 s".to_owned()),
        Err(_) => Answer::Failed("no connection".to_owned()),
        Ok(answer) => {
            let status = answer.status();
            let outcome = format!("answered {status}");
            if status.is_success() {
                Answer::Taken(outcome)
            } else if status.is_client_error() {
                Answer::Refused(outcome)
            } else {
                Answer::Failed(outcome)
            }
        }
    }
}

/// Whether a URL leads to this machine.
fn leads_here(url: &str) -> bool {
    let url = Url::parse(url).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_really_sent_to() {
        for here in [
            "http://127.0.0.1:8080/sns",
            "http://localhost/",
            "https://[::1]:1/x",
        ] {
            assert!(leads_here(here), "{here}");
        }
        for elsewhere in [
            "http://10.0.0.1/",
            "http://localhost.evil.example/",
            "http://169.254.169.254/latest",
            "nonsense",
        ] {
            assert!(!leads_here(elsewhere), "{elsewhere}");
        }
    }
}
