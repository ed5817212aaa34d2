//! Alerts as they are published: what happened within a minute, in one message for people and programs.
//!
//! One message a minute at most, because SNS switches off e-mail subscriptions to which more than ten messages a second
//! go (AWS re:Post, "Why was my Amazon SNS email subscription disabled?").

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AttributeValue, Publication};
use crate::domain::Severity;

/// The most alerts that one message lists, which keeps it below 64 KiB; it says how many more there are.
pub const MOST_ALERTS: usize = 25;

/// A text message is cut off here, so that it is one part if it has GSM's own characters alone (GSM 03.38: 160 a
/// part; with any other character a part has 70).
const SMS_CHARACTERS: usize = 140;

/// As many of them an e-mail lists.
const LINES: usize = 12;

/// What happened within a minute. This is what programs receive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The version of this format, 1.
    pub version: u64,
    /// Always `alerts`.
    pub event_type: String,
    /// The worst of them, those that are equally bad in the order in which they happened.
    pub alerts: Vec<Alert>,
    /// How many more there are.
    pub more: usize,
    /// The kinds of all of them, how bad they are, and whose beans they are about; once each.
    pub kinds: Vec<String>,
    pub severities: Vec<Severity>,
    pub supplier_ids: Vec<i64>,
    /// Where to see all of them.
    pub url: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// `low`, `out`, `out_at_supplier`, `not_low`, `not_out`, `supplier_has`, `stopped` or `running`.
    pub kind: String,
    pub severity: Severity,
    /// The same in words.
    pub sentence: String,
    /// The page about it.
    pub url: String,
    pub bean_id: Option<i64>,
    pub supplier_id: Option<i64>,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// A digest that was written as JSON as a message; whatever else it is goes out as it is.
pub fn publication(body: &str) -> Publication {
    match serde_json::from_str::<Digest>(body) {
        Ok(digest) => digest.publication(),
        Err(_) => Publication {
            body: body.to_owned(),
            ..Publication::default()
        },
    }
}

impl Digest {
    /// Puts alerts, in the order in which they happened, into one digest. `url` is where to see all of them.
    pub fn of(mut alerts: Vec<Alert>, url: String) -> Self {
        let kinds = once_each(alerts.iter().map(|alert| alert.kind.clone()));
        let severities = once_each(alerts.iter().map(|alert| alert.severity));
        let supplier_ids = once_each(alerts.iter().filter_map(|alert| alert.supplier_id));
        alerts.sort_by_key(|alert| alert.severity);
        let more = alerts.len().saturating_sub(MOST_ALERTS);
        alerts.truncate(MOST_ALERTS);
        Self {
            version: 1,
            event_type: "alerts".to_owned(),
            alerts,
            more,
            kinds,
            severities,
            supplier_ids,
            url,
        }
    }

    /// The digest as a message: text for e-mail and SMS, JSON for everything else, and attributes to filter by.
    pub fn publication(&self) -> Publication {
        let body = serde_json::json!({
            "default": serde_json::json!(self).to_string(),
            "email": self.email(),
            "sms": self.sms(),
        });
        let severities = self.severities.iter().map(|one| one.code().to_owned());
        let suppliers = self.supplier_ids.iter().map(ToString::to_string);
        let mut attributes = vec![
            ("event_type", AttributeValue::Strings(self.kinds.clone())),
            ("severity", AttributeValue::Strings(severities.collect())),
        ];
        if !self.supplier_ids.is_empty() {
            attributes.push(("supplier_id", AttributeValue::Strings(suppliers.collect())));
        }
        Publication {
            body: body.to_string(),
            subject: Some(self.subject().into()),
            attributes,
            has_parts: true,
            ..Publication::default()
        }
    }

    fn number(&self) -> usize {
        self.alerts.len() + self.more
    }

    /// What people see first: the one thing that happened, or how many did.
    pub fn title(&self) -> String {
        match (self.alerts.as_slice(), self.more) {
            ([only], 0) => only.sentence.clone(),
            _ => format!("{} alerts from Beanstock", self.number()),
        }
    }

    /// SNS takes fewer than 100 printable ASCII characters that begin with a letter, a digit or punctuation (SNS API
    /// Reference, `Publish`).
    fn subject(&self) -> String {
        let title = self.title();
        let fits = title.len() < 100 && title.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if fits && !title.starts_with(' ') {
            title
        } else {
            format!("Beanstock: {}", alerts(self.number()))
        }
    }

    fn email(&self) -> String {
        let listed = self.alerts.iter().take(LINES);
        let lines: Vec<String> = listed
            .map(|alert| format!("{}\n{}\n", alert.sentence, alert.url))
            .collect();
        let left = self.number() - lines.len();
        let mut text = lines.join("\n");
        if left > 0 {
            text.push_str("\nAnd ");
            text.push_str(&left.to_string());
            text.push_str(" more.\n");
        }
        format!("{text}\nAll alerts: {}\n", self.url)
    }

    fn sms(&self) -> String {
        let first = self.alerts.first();
        let first = first.map_or("", |alert| alert.sentence.as_str());
        let others = match self.number() {
            0 | 1 => String::new(),
            number => format!(" And {} more.", number - 1),
        };
        let room = SMS_CHARACTERS - others.len();
        let cut: String = match first.char_indices().nth(room) {
            Some(_) => first.chars().take(room - 3).chain("...".chars()).collect(),
            None => first.to_owned(),
        };
        cut + &others
    }
}

fn once_each<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let all: BTreeSet<T> = all.collect();
    all.into_iter().collect()
}

fn alerts(number: usize) -> String {
    if number == 1 {
        "1 alert".to_owned()
    } else {
        format!("{number} alerts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(sentence: &str, severity: Severity, supplier: Option<i64>) -> Alert {
        Alert {
            kind: format!("{severity:?}"),
            severity,
            sentence: sentence.to_owned(),
            url: "https://beans.example.com/beans/5".to_owned(),
            bean_id: Some(5),
            supplier_id: supplier,
            at: DateTime::UNIX_EPOCH,
        }
    }

    fn digest(alerts: Vec<Alert>) -> Digest {
        Digest::of(alerts, "https://beans.example.com/alerts".to_owned())
    }

    #[test]
    fn a_digest_has_a_text_for_each_way_and_attributes_of_all_it_is_about() {
        let mut alerts = vec![alert("Low.", Severity::Warning, Some(4)); 30];
        alerts.push(alert("Excelsa is out.", Severity::Critical, Some(3)));

        let publication = digest(alerts).publication();

        let parts: serde_json::Value = serde_json::from_str(&publication.body).unwrap();
        assert_eq!(parts["sms"], "Excelsa is out. And 30 more.");
        let email = parts["email"].as_str().unwrap();
        assert!(
            email.starts_with("Excelsa is out.\nhttps://beans") && email.contains("And 19 more.")
        );
        let json: Digest = serde_json::from_str(parts["default"].as_str().unwrap()).unwrap();
        assert_eq!((json.alerts.len(), json.more), (25, 6));
        assert_eq!(
            publication.subject.as_deref(),
            Some("31 alerts from Beanstock")
        );
        let values = |texts: &[&str]| {
            AttributeValue::Strings(texts.iter().map(|&text| text.to_owned()).collect())
        };
        assert_eq!(
            publication.attributes,
            [
                ("event_type", values(&["Critical", "Warning"])),
                ("severity", values(&["critical", "warning"])),
                ("supplier_id", values(&["3", "4"])),
            ]
        );
        let of_nobody = digest(vec![alert("Stopped.", Severity::Critical, None)]);
        assert_eq!(of_nobody.publication().attributes.len(), 2);
    }

    #[test]
    fn a_subject_is_what_sns_takes_and_a_text_message_is_short() {
        let long = |number: usize| vec![alert(&"e".repeat(300), Severity::Warning, None); number];
        let (one, two) = (digest(long(1)), digest(long(2)));
        let accented = digest(vec![alert("é", Severity::Warning, None)]);

        assert_eq!(
            one.publication().subject.as_deref(),
            Some("Beanstock: 1 alert")
        );
        assert_eq!(
            accented.publication().subject.as_deref(),
            Some("Beanstock: 1 alert")
        );
        assert_eq!(one.sms().chars().count(), 140);
        assert_eq!(two.sms().chars().count(), 140);
        assert!(two.sms().ends_with("... And 1 more."), "{}", two.sms());
    }
}
