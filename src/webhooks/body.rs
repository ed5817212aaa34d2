//! What a webhook's request says: the digest for programs, and its words for chat services.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::messaging::digest::{Alert, Digest};

/// Chats show as many of them.
const LINES: usize = 12;

/// Discord takes so many characters (Discord API, "Execute Webhook").
const MOST_CHARACTERS: usize = 2_000;

/// Writes a digest; the same each time it is tried. `text` is what Slack and Mattermost show, `content` what Discord
/// does.
pub(super) fn write(digest: &str) -> String {
    let data: Value = serde_json::from_str(digest).unwrap_or_default();
    let Ok(digest) = serde_json::from_str::<Digest>(digest) else {
        return json!({"type": "beanstock.alerts", "data": data}).to_string();
    };
    let happened = digest.alerts.iter().map(|alert| alert.at).max();
    let happened = happened.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    json!({
        "type": "beanstock.alerts",
        "timestamp": happened,
        "data": data,
        "text": escaped(&words(&digest)),
        "content": words(&digest),
        // Nobody is called by a name that a supplier has made up.
        "allowed_mentions": {"parse": []},
    })
    .to_string()
}

/// The first alerts, as far as they fit.
fn words(digest: &Digest) -> String {
    let last = |left: usize| format!("And {left} more: {}", digest.url);
    let all = digest.alerts.len() + digest.more;
    let (mut words, mut listed) = (String::new(), 0);
    for line in digest.alerts.iter().take(LINES).map(line) {
        let room = MOST_CHARACTERS - last(all).chars().count() - 1;
        if words.chars().count() + line.chars().count() + 1 > room {
            break;
        }
        words.extend([line.as_str(), "\n"]);
        listed += 1;
    }
    if all > listed {
        words.push_str(&last(all - listed));
    }
    words.trim_end().to_owned()
}

fn line(alert: &Alert) -> String {
    format!("{} {}", alert.sentence, alert.url)
}

/// Slack reads `<…>` as links and calls to people ("Formatting text for app surfaces").
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::Severity;

    #[test]
    fn a_long_digest_fits_into_a_chat_and_calls_nobody() {
        let alert = |sentence: String| Alert {
            kind: "out".to_owned(),
            severity: Severity::Critical,
            sentence,
            url: "https://beans.example.com/beans/5".to_owned(),
            bean_id: None,
            supplier_id: None,
            at: DateTime::UNIX_EPOCH,
        };
        let mut alerts = vec![alert("<!channel> @everyone".to_owned())];
        alerts.extend((0..40).map(|_| alert("é".repeat(600))));
        let digest = Digest::of(alerts, "https://beans.example.com/alerts".to_owned());

        let body: Value = serde_json::from_str(&write(&json!(digest).to_string())).unwrap();

        let content = body["content"].as_str().unwrap();
        assert!(content.chars().count() <= MOST_CHARACTERS);
        assert!(
            content.ends_with("And 38 more: https://beans.example.com/alerts"),
            "{content}"
        );
        let text = body["text"].as_str().unwrap();
        assert!(text.starts_with("&lt;!channel&gt;"), "{text}");
        assert_eq!(body["allowed_mentions"]["parse"], json!([]));
    }
}
