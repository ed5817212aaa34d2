//! The certificates that SNS signs with: from SNS's own hosts and nowhere else.
//!
//! Others were fooled by buckets named `sns`, by redirects, and by `s3.amazonaws.com` (novu #11056, validatesns #6).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Client;
use url::Url;
use x509_parser::prelude::{FromDer as _, X509Certificate, parse_x509_pem};

use super::delivery::Delivery;
use super::error::DeliveryError;

/// A certificate is some kilobytes.
const MAX_BYTES: usize = 64 * 1024;

/// Certificates are asked for so often at most; each is good for months.
const ASKED_A_MINUTE: usize = 20;

/// Each region has one at a time.
const KEPT: usize = 8;

/// The name that a certificate of SNS has.
const SUBJECT: &str = "sns.amazonaws.com";

/// Trusts the certificate of the embedded SNS as well, which has no AWS to vouch for it.
#[derive(Debug, Clone)]
pub struct LocalAnchor {
    /// Where it is, like `http://127.0.0.1:4566`.
    pub url: String,
}

/// A certificate in its binary form (DER).
pub(super) type Certificate = Arc<Vec<u8>>;

/// Gets certificates, and keeps the newest few.
#[derive(Debug)]
pub(super) struct Certificates {
    http: Client,
    anchor: Option<LocalAnchor>,
    kept: Mutex<VecDeque<(Url, Certificate)>>,
    /// When certificates were last asked for.
    asked_at: Mutex<VecDeque<Instant>>,
}

impl Certificates {
    pub(super) fn new(http: Client, anchor: Option<LocalAnchor>) -> Self {
        Self {
            http,
            anchor,
            kept: Mutex::default(),
            asked_at: Mutex::default(),
        }
    }

    /// Finds the certificate that a delivery names, if SNS itself has it.
    pub(super) async fn find(&self, delivery: &Delivery) -> Result<Certificate, DeliveryError> {
        let url = self.trusted_url(delivery)?;
        if let Some(kept) = self.find_kept(&url) {
            return Ok(kept);
        }
        if !self.may_ask() {
            return Err(DeliveryError::Unreachable("the certificate’s server"));
        }
        let certificate = Arc::new(self.fetch(url.clone()).await?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((url, Arc::clone(&certificate)));
        kept.truncate(KEPT);
        Ok(certificate)
    }

    /// Whoever knows a topic could have us ask for certificates that there are none of, again and again.
    fn may_ask(&self) -> bool {
        let mut asked_at = self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let minute_ago = Instant::now().checked_sub(Duration::from_mins(1));
        asked_at.retain(|at| minute_ago.is_none_or(|minute_ago| *at > minute_ago));
        let may_ask = asked_at.len() < ASKED_A_MINUTE;
        if may_ask {
            asked_at.push_back(Instant::now());
        }
        may_ask
    }

    fn find_kept(&self, url: &Url) -> Option<Certificate> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(other, _)| other == url);
        found.map(|(_, certificate)| Arc::clone(certificate))
    }

    fn trusted_url(&self, delivery: &Delivery) -> Result<Url, DeliveryError> {
        const NOT_OF_SNS: DeliveryError =
            DeliveryError::Forged("its certificate is not on a server of SNS");
        let text = &delivery.certificate_url;
        let url: Url = text.parse().map_err(|_no_url| NOT_OF_SNS)?;
        let is_plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && is_certificate_path(url.path());
        let is_of_aws = url.scheme() == "https"
            && url.port().is_none()
            && url.host_str() == Some(&delivery.service_host());
        let is_local = self.anchor.as_ref().is_some_and(|anchor| {
            let anchor = anchor.url.trim_end_matches('/');
            text.strip_prefix(anchor) == Some(url.path())
        });
        if is_plain && (is_of_aws || is_local) {
            Ok(url)
        } else {
            Err(NOT_OF_SNS)
        }
    }

    async fn fetch(&self, url: Url) -> Result<Vec<u8>, DeliveryError> {
        const AWAY: DeliveryError = DeliveryError::Unreachable("the certificate’s server");
        const NONE: DeliveryError = DeliveryError::Forged("its certificate is not one");
        let mut answer = self.http.get(url).send().await.map_err(|_away| AWAY)?;
        let status = answer.status();
        if status.is_server_error() {
            return Err(AWAY);
        }
        if !status.is_success() {
            return Err(NONE);
        }
        let mut pem = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|_away| AWAY)? {
            pem.extend_from_slice(&part);
            if pem.len() > MAX_BYTES {
                return Err(NONE);
            }
        }
        let (_, pem) = parse_x509_pem(&pem).map_err(|_no_pem| NONE)?;
        Ok(pem.contents)
    }
}

/// `/SimpleNotificationService-` with letters and digits after it, and `.pem`.
fn is_certificate_path(path: &str) -> bool {
    let name = path.strip_prefix("/SimpleNotificationService-");
    let name = name.and_then(|name| name.strip_suffix(".pem"));
    name.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Reads a certificate, if it is of SNS and valid at a moment.
pub(super) fn read(
    certificate: &[u8],
    now: chrono::DateTime<chrono::Utc>,
) -> Result<X509Certificate<'_>, DeliveryError> {
    const NONE: DeliveryError = DeliveryError::Forged("its certificate is not one");
    let (_, read) = X509Certificate::from_der(certificate).map_err(|_no_der| NONE)?;
    let validity = read.validity();
    let (from, until) = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    if !(from..=until).contains(&now.timestamp()) {
        return Err(DeliveryError::Forged("its certificate is out of date"));
    }
    if !names_sns(&read) {
        return Err(DeliveryError::Forged("its certificate is not of SNS"));
    }
    Ok(read)
}

fn names_sns(certificate: &X509Certificate<'_>) -> bool {
    use x509_parser::extensions::GeneralName;
    let names = certificate.subject_alternative_name().ok().flatten();
    names.is_some_and(|names| {
        let mut names = names.value.general_names.iter();
        names.any(|name| matches!(name, GeneralName::DNSName(name) if *name == SUBJECT))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delivery(topic: &str, url: &str) -> Delivery {
        let body = json!({
            "Type": "Notification", "MessageId": "4d4dc071-ddbf-465d-bba8-08f81c89da64", "TopicArn": topic, "Message": "x",
            "Timestamp": "2026-11-29T12:00:00.000Z", "SignatureVersion": "2", "Signature": "",
            "SigningCertURL": url,
        });
        Delivery::read("Notification", body.to_string().as_bytes()).unwrap()
    }

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:beans";

    #[test]
    fn a_certificate_comes_from_the_topics_region_of_sns_alone() {
        let certificates = Certificates::new(Client::new(), None);
        let trusts =
            |topic: &str, url: &str| certificates.trusted_url(&delivery(topic, url)).is_ok();
        let good = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0ab1.pem";

        assert!(trusts(TOPIC, good));
        let in_china = "arn:aws-cn:sns:cn-north-1:123456789012:beans";
        assert!(trusts(
            in_china,
            "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0ab1.pem"
        ));
        for bad in [
            "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0ab1.pem",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0ab1.pem",
            "https://user@sns.eu-west-1.amazonaws.com/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0ab1.pem",
            "https://sns.s3.amazonaws.com/SimpleNotificationService-0ab1.pem",
            "https://s3.amazonaws.com/sns/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0ab1.pem?x",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0ab1.pem#x",
            "https://sns.eu-west-1.amazonaws.com/x/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a%2fb.pem",
            "http://127.0.0.1:4566/SimpleNotificationService-beanstock.pem",
            "file:///SimpleNotificationService-0ab1.pem",
            "nonsense",
        ] {
            assert!(!trusts(TOPIC, bad), "{bad}");
        }
    }

    #[test]
    fn the_embedded_one_is_trusted_where_it_is_the_anchor() {
        let anchor = LocalAnchor {
            url: "http://127.0.0.1:4566".to_owned(),
        };
        let certificates = Certificates::new(Client::new(), Some(anchor));
        let trusts = |url: &str| certificates.trusted_url(&delivery(TOPIC, url)).is_ok();

        assert!(trusts(
            "http://127.0.0.1:4566/SimpleNotificationService-beanstock.pem"
        ));
        assert!(!trusts(
            "http://127.0.0.1:45667/SimpleNotificationService-beanstock.pem"
        ));
        assert!(!trusts(
            "http://127.0.0.1:4566@evil.example/SimpleNotificationService-beanstock.pem"
        ));
    }
}
