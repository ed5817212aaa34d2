//! What a webhook's request says: the digest for programs, and its words for chat services.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::messaging::digest::Digest;

/// Chats show the first of them.
const LINES: usize = 12;

/// Writes a digest. `text` is what Slack, Mattermost, Teams and Google Chat show, `content` what Discord does.
pub(super) fn write(digest: &str, at: DateTime<Utc>) -> String {
    let data: Value = serde_json::from_str(digest).unwrap_or_default();
    let text = serde_json::from_str::<Digest>(digest).map(|digest| words(&digest));
    let text = text.unwrap_or_default();
    json!({
        "type": "beanstock.alerts",
        "timestamp": at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "data": data,
        "text": text,
        "content": text,
    })
    .to_string()
}

fn words(digest: &Digest) -> String {
    let listed = digest.alerts.iter().take(LINES);
    let mut lines: Vec<String> = listed
        .map(|alert| format!("{} {}", alert.sentence, alert.url))
        .collect();
    let left = digest.alerts.len() + digest.more - lines.len();
    if left > 0 {
        lines.push(format!("And {left} more: {}", digest.url));
    }
    lines.join("\n")
}
