//! Alerts as they are published: what happened within a minute, in one message for people and programs.
//!
//! One message a minute at most, because SNS switches off e-mail subscriptions to which more than ten messages a second
//! go (AWS re:Post, "Why was my Amazon SNS email subscription disabled?").

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AttributeValue, Publication};

/// The most alerts that one message lists, which keeps it below 64 KiB; it says how many more there are.
pub const MOST_ALERTS: usize = 25;

/// A text message is cut off here, to be one part of a long one at most (GSM 03.38: 160 characters a part).
const SMS_CHARACTERS: usize = 140;

/// As many of them an e-mail lists.
const LINES: usize = 12;

/// What happened within a minute. This is what programs receive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// 1.
    pub version: u64,
    /// Always `alerts`.
    pub event_type: String,
    /// The first of them, oldest first.
    pub alerts: Vec<Alert>,
    /// How many more there are.
    pub more: usize,
    /// Where to see all of them.
    pub url: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// `low`, `out`, `out_at_supplier`, `not_low`, `not_out`, `supplier_has`, `stopped` or `running`.
    pub kind: String,
    /// `critical`, `warning` or `resolved`.
    pub severity: String,
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
    /// The digest as a message: text for e-mail and SMS, JSON for everything else, and attributes to filter by.
    pub fn publication(&self) -> Publication {
        let body = serde_json::json!({
            "default": serde_json::json!(self).to_string(),
            "email": self.email(),
            "sms": self.sms(),
        });
        Publication {
            body: body.to_string(),
            subject: Some(self.subject().into()),
            attributes: vec![
                ("event_type", self.each(|alert| Some(alert.kind.clone()))),
                ("severity", self.each(|alert| Some(alert.severity.clone()))),
                (
                    "supplier_id",
                    self.each(|alert| alert.supplier_id.map(|id| id.to_string())),
                ),
            ],
            has_parts: true,
            ..Publication::default()
        }
    }

    /// All values that a field has among the alerts, once each.
    fn each(&self, field: impl Fn(&Alert) -> Option<String>) -> AttributeValue {
        let mut values: Vec<String> = self.alerts.iter().filter_map(field).collect();
        values.sort_unstable();
        values.dedup();
        AttributeValue::Strings(values)
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

    /// SNS takes up to 100 printable ASCII characters that begin with a letter, a digit or punctuation (SNS API
    /// Reference, `Publish`).
    fn subject(&self) -> String {
        let title = self.title();
        let fits = title.len() <= 100 && title.bytes().all(|byte| (b' '..=b'~').contains(&byte));
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
            Some(_) => first.chars().take(room - 1).chain(['…']).collect(),
            None => first.to_owned(),
        };
        cut + &others
    }
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

    fn alert(sentence: &str, supplier: i64) -> Alert {
        Alert {
            kind: "out".to_owned(),
            severity: "critical".to_owned(),
            sentence: sentence.to_owned(),
            url: "https://beans.example.com/beans/5".to_owned(),
            bean_id: Some(5),
            supplier_id: Some(supplier),
            at: DateTime::UNIX_EPOCH,
        }
    }

    fn digest(alerts: Vec<Alert>, more: usize) -> Digest {
        Digest {
            version: 1,
            event_type: "alerts".to_owned(),
            alerts,
            more,
            url: "https://beans.example.com/alerts".to_owned(),
        }
    }

    #[test]
    fn a_digest_has_a_text_for_each_way_and_attributes_to_filter_by() {
        let publication = digest(
            vec![alert("Excelsa is out of stock.", 3), alert("B is out.", 3)],
            7,
        )
        .publication();

        let parts: serde_json::Value = serde_json::from_str(&publication.body).unwrap();
        assert_eq!(parts["sms"], "Excelsa is out of stock. And 8 more.");
        let email = parts["email"].as_str().unwrap();
        assert!(email.contains("B is out.\nhttps://beans") && email.contains("And 7 more."));
        let json: Digest = serde_json::from_str(parts["default"].as_str().unwrap()).unwrap();
        assert_eq!(json.alerts.len(), 2);
        assert_eq!(
            publication.subject.as_deref(),
            Some("9 alerts from Beanstock")
        );
        let suppliers = AttributeValue::Strings(vec!["3".to_owned()]);
        assert!(publication.attributes.contains(&("supplier_id", suppliers)));
    }

    #[test]
    fn a_subject_is_what_sns_takes_and_a_text_message_is_short() {
        let long = "é".repeat(300);
        let one = digest(vec![alert(&long, 3)], 0);
        let two = digest(vec![alert(&long, 3), alert("B is out.", 3)], 0);

        assert_eq!(
            one.publication().subject.as_deref(),
            Some("Beanstock: 1 alert")
        );
        assert_eq!(one.sms().chars().count(), 140);
        assert_eq!(two.sms().chars().count(), 140);
        assert!(two.sms().ends_with("… And 1 more."), "{}", two.sms());
    }
}
