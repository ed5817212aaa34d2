//! Messages that come in over HTTPS: from SNS itself, and from those who pretend to be SNS.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use beanstock::clock::{Clock, FixedClock};
use beanstock::db::Pool;
use beanstock::messaging::signature::signed_text;
use beanstock::messaging::wire::Decoder;
use beanstock::sns_endpoint::{DeliveryError, LocalAnchor, Request, SnsEndpoint};
use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{CertificateParams, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::process::until;
use crate::support::{EXCELSA, Kind, Site, TestApp, server};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:partner";

/// A server of certificates, and the key that belongs to the good one.
struct Signatory {
    url: String,
    key: KeyPair,
}

impl Signatory {
    async fn start() -> Self {
        Self::named("sns.amazonaws.com", |_| {}).await
    }

    async fn named(name: &str, change: impl Fn(&mut CertificateParams)) -> Self {
        let key = rcgen::KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let mut certificate = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut certificate);
        let pem = certificate.self_signed(&key).unwrap().pem();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let elsewhere = format!("{url}/SimpleNotificationService-good.pem");
        let answer = move |path: String| -> Response {
            match path.as_str() {
                "/SimpleNotificationService-good.pem" => pem.clone().into_response(),
                "/SimpleNotificationService-moved.pem" => {
                    Redirect::temporary(&elsewhere).into_response()
                }
                "/SimpleNotificationService-large.pem" => "x".repeat(100_000).into_response(),
                "/SimpleNotificationService-away.pem" => {
                    StatusCode::SERVICE_UNAVAILABLE.into_response()
                }
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        };
        let router = Router::new().fallback(move |uri: axum::http::Uri| {
            let answered = answer(uri.path().to_owned());
            async move { answered }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            key: KeyPair::from_pkcs8(&key.serialize_der()).unwrap(),
        }
    }

    fn sign(&self, fields: &mut Map<String, Value>) {
        let text = signed_text(fields).unwrap();
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .unwrap();
        fields.insert("Signature".to_owned(), json!(STANDARD.encode(signature)));
    }

    /// A delivery as SNS would make it, with an id that comes of the one given.
    fn delivery(&self, id: &str, text: &str, at: DateTime<Utc>) -> Map<String, Value> {
        let fields = json!({
            "Type": "Notification",
            "MessageId": message_id(id),
            "TopicArn": TOPIC,
            "Message": text,
            "Timestamp": at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            "SignatureVersion": "2",
            "SigningCertURL": format!("{}/SimpleNotificationService-good.pem", self.url),
        });
        let mut fields = fields.as_object().unwrap().clone();
        self.sign(&mut fields);
        fields
    }

    fn endpoint(&self, app: &TestApp, clock: Arc<dyn Clock>) -> SnsEndpoint {
        self.endpoint_on(&app.pool, clock)
    }

    fn endpoint_on(&self, pool: &Pool, clock: Arc<dyn Clock>) -> SnsEndpoint {
        let anchor = LocalAnchor {
            url: self.url.clone(),
        };
        SnsEndpoint::new(
            &[TOPIC],
            Decoder::new(&[TOPIC]),
            pool,
            clock,
            None,
            Some(anchor),
        )
        .unwrap()
    }
}

fn message_id(id: &str) -> String {
    uuid::Uuid::from_u128(id.bytes().map(u128::from).sum()).to_string()
}

async fn take(endpoint: &SnsEndpoint, fields: &Map<String, Value>) -> Result<(), DeliveryError> {
    let body = Value::Object(fields.clone()).to_string();
    let kind = fields["Type"].as_str().unwrap();
    let request = Request {
        message_type: kind,
        is_raw: false,
        body: body.as_bytes(),
    };
    Box::pin(endpoint.take(request)).await
}

fn with(fields: &Map<String, Value>, name: &str, value: &str) -> Map<String, Value> {
    let mut changed = fields.clone();
    changed.insert(name.to_owned(), json!(value));
    changed
}

#[tokio::test]
async fn a_delivery_counts_once_however_often_sns_repeats_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let signatory = Signatory::start().await;
    let endpoint = signatory.endpoint(&app, Arc::clone(&app.clock));
    let delivery = signatory.delivery("one", "3:Excelsa:9", app.clock.now());

    for _ in 0..3 {
        take(&endpoint, &delivery).await.unwrap();
    }

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn one_delivery_that_comes_at_the_same_time_many_times_counts_once() {
    let app = TestApp::start(Kind::Fifo).await;
    let signatory = Signatory::start().await;
    let endpoint = signatory.endpoint(&app, Arc::clone(&app.clock));
    let delivery = signatory.delivery("one", "3:Excelsa:9", app.clock.now());

    let taken = tokio::join!(
        take(&endpoint, &delivery),
        take(&endpoint, &delivery),
        take(&endpoint, &delivery)
    );

    assert!(
        taken.0.is_ok() && taken.1.is_ok() && taken.2.is_ok(),
        "{taken:?}"
    );
    assert_eq!(app.stock_of(EXCELSA).await, 209);
    app.assert_audit_is_clean().await;
}

/// What is signed is lines, so that a field could be moved into another one.
#[tokio::test]
async fn a_delivery_that_is_cut_into_other_fields_does_not_count_again() {
    let app = TestApp::start(Kind::Fifo).await;
    let signatory = Signatory::start().await;
    let endpoint = signatory.endpoint(&app, Arc::clone(&app.clock));
    let mut good = signatory.delivery("one", "3:Excelsa:9", app.clock.now());
    good.insert("Subject".to_owned(), json!("New bean delivery"));
    signatory.sign(&mut good);
    let id = good["MessageId"].as_str().unwrap().to_owned();
    let mut moved = with(
        &good,
        "MessageId",
        &format!("{id}\nSubject\nNew bean delivery"),
    );
    moved.remove("Subject");
    let text = format!("3:Excelsa:4\nMessageId\n{}", message_id("two"));
    let long = signatory.delivery("three", &text, app.clock.now());
    let other = format!("{}\nMessageId\n{}", message_id("two"), message_id("three"));
    let cut = with(&with(&long, "Message", "3:Excelsa:4"), "MessageId", &other);
    let padded = with(&good, "pad", &"x".repeat(100_000));

    take(&endpoint, &good).await.unwrap();
    for delivery in [moved, cut] {
        let error = take(&endpoint, &delivery).await.unwrap_err();
        assert!(error.to_string().contains("UUID"), "{error}");
    }
    take(&endpoint, &padded).await.unwrap();

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    assert!(app.dead_letters().await.is_empty());
}

#[tokio::test]
async fn what_is_no_message_of_sns_is_refused_unread() {
    let app = TestApp::start(Kind::Fifo).await;
    let signatory = Signatory::start().await;
    let endpoint = signatory.endpoint(&app, Arc::clone(&app.clock));
    let good = signatory.delivery("one", "3:Excelsa:9", app.clock.now());
    let good = Value::Object(good).to_string();
    // Signed as it was, but for a second field of one name.
    let twice = good.replacen('{', r#"{"Message":"3:Excelsa:900","#, 1);
    let subscription = good.replace(
        r#""Type":"Notification""#,
        r#""Type":"SubscriptionConfirmation","Token":"t","SubscribeURL":"u""#,
    );

    for (kind, body, why) in [
        ("Notification", &*twice, "each field once"),
        ("SubscriptionConfirmation", &good, "differ"),
        ("SubscriptionConfirmation", &subscription, "signed"),
        ("Notification", "[]", "JSON object"),
        ("Notification", r#"{"Type":"Notification"}"#, "is missing"),
        ("", "", "JSON object"),
    ] {
        let body = body.as_bytes();
        let request = Request {
            message_type: kind,
            is_raw: false,
            body,
        };
        let error = Box::pin(endpoint.take(request)).await.unwrap_err();
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    assert_eq!(app.stock_of(EXCELSA).await, 200);
    assert!(app.dead_letters().await.is_empty());
}

#[tokio::test]
async fn what_can_never_be_applied_becomes_a_dead_letter_with_its_reason() {
    let app = TestApp::start(Kind::Fifo).await;
    let signatory = Signatory::start().await;
    let endpoint = signatory.endpoint(&app, Arc::clone(&app.clock));

    for (id, text) in [("one", "3:Excelza:9"), ("one", "3:Excelza:9"), ("two", "x")] {
        let delivery = signatory.delivery(id, text, app.clock.now());
        take(&endpoint, &delivery).await.unwrap();
    }

    assert_eq!(app.dead_letters().await.len(), 2);
    assert_eq!(app.stock_of(EXCELSA).await, 200);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn what_sns_has_not_signed_changes_nothing() {
    let app = TestApp::start(Kind::Fifo).await;
    let (signatory, other) = (Signatory::start().await, Signatory::start().await);
    let endpoint = signatory.endpoint(&app, Arc::clone(&app.clock));
    let now = app.clock.now();
    let good = signatory.delivery("one", "3:Excelsa:9", now);
    let mut by_other = other.delivery("one", "3:Excelsa:9", now);
    by_other.insert("SigningCertURL".to_owned(), good["SigningCertURL"].clone());
    let certificate =
        |name: &str| format!("{}/SimpleNotificationService-{name}.pem", signatory.url);

    for (delivery, why) in [
        (with(&good, "Message", "3:Excelsa:900"), "signed"),
        (with(&good, "MessageId", &message_id("two")), "signed"),
        (with(&good, "Subject", "new"), "signed"),
        (with(&good, "Signature", "AAAA"), "signed"),
        (with(&good, "Signature", "?"), "signed"),
        (by_other, "signed"),
        (
            with(&good, "TopicArn", &TOPIC.replace("partner", "x")),
            "SNS_TOPICS",
        ),
        (
            with(&good, "SignatureVersion", "1"),
            "SignatureVersion to 2",
        ),
        (
            with(&good, "SigningCertURL", &certificate("moved")),
            "not one",
        ),
        (
            with(&good, "SigningCertURL", &certificate("large")),
            "not one",
        ),
        (
            with(&good, "SigningCertURL", &certificate("lost")),
            "not one",
        ),
        (
            with(
                &good,
                "SigningCertURL",
                &good["SigningCertURL"]
                    .as_str()
                    .unwrap()
                    .replace(&signatory.url, &other.url),
            ),
            "server of SNS",
        ),
    ] {
        let error = take(&endpoint, &delivery).await.unwrap_err();
        assert!(error.to_string().contains(why), "{why}: {error}");
        assert!(!error.is_transient(), "{error}");
    }
    let away = with(&good, "SigningCertURL", &certificate("away"));
    assert!(take(&endpoint, &away).await.unwrap_err().is_transient());
    assert_eq!(app.stock_of(EXCELSA).await, 200);
    assert!(app.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_delivery_of_long_ago_or_of_tomorrow_is_not_taken() {
    let app = TestApp::start(Kind::Fifo).await;
    let signatory = Signatory::start().await;
    let now = app.clock.now();
    let good = signatory.delivery("one", "3:Excelsa:9", now);

    for (hours, is_taken) in [(3, false), (-1, false), (0, true), (1, true)] {
        let clock = Arc::new(FixedClock(now + TimeDelta::hours(hours)));
        let endpoint = signatory.endpoint(&app, clock);
        let taken = take(&endpoint, &good).await;
        assert_eq!(taken.is_ok(), is_taken, "{hours}: {taken:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_out_of_date_or_of_somebody_else_is_not_trusted() {
    let app = TestApp::start(Kind::Fifo).await;
    let old = |certificate: &mut CertificateParams| {
        certificate.not_after = rcgen::date_time_ymd(2020, 1, 1);
    };
    for signatory in [
        Signatory::named("sns.amazonaws.com", old).await,
        Signatory::named("sns.example.com", |_| {}).await,
    ] {
        let endpoint = signatory.endpoint(&app, Arc::clone(&app.clock));
        let delivery = signatory.delivery("one", "3:Excelsa:9", app.clock.now());
        let error = take(&endpoint, &delivery).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[tokio::test]
async fn while_the_database_is_away_sns_is_told_to_try_again() {
    let app = TestApp::start(Kind::Fifo).await;
    let signatory = Signatory::start().await;
    let endpoint = signatory.endpoint(&app, Arc::clone(&app.clock));
    let delivery = signatory.delivery("one", "3:Excelsa:9", app.clock.now());
    let body = Value::Object(delivery).to_string();
    let site = Site::of(&app).seen_by(None).taking_deliveries(endpoint);
    let kind = ("x-amz-sns-message-type", "Notification");

    let nowhere = app
        .database
        .clone()
        .host("127.0.0.1")
        .port(1)
        .socket("/nowhere");
    let away = signatory.endpoint_on(&server::pool(nowhere, 1), Arc::clone(&app.clock));
    let away = Site::of(&app).seen_by(None).taking_deliveries(away);
    let away = away.send_body("/sns", &[kind], &body).await;
    let back = site.send_body("/sns", &[kind], &body).await;
    let raw = [kind, ("x-amz-sns-rawdelivery", "true")];
    let raw = site.send_body("/sns", &raw, &body).await;
    let long = site
        .send_body("/sns", &[kind], &"x".repeat(3_000_000))
        .await;
    let without = Site::of(&app).seen_by(None);
    let without = without.send_body("/sns", &[kind], &body).await;

    assert_eq!(away.status(), 503, "{}", away.body);
    assert_eq!(back.status(), 200, "{}", back.body);
    assert_eq!(raw.status(), 403, "{}", raw.body);
    assert_eq!(long.status(), 413, "{}", long.body);
    assert_eq!(without.status(), 404, "{}", without.body);
    assert_eq!(app.stock_of(EXCELSA).await, 209);
}

/// The embedded SNS subscribes us, we confirm, and it delivers.
#[tokio::test]
async fn a_topic_of_another_account_reaches_the_stock_over_http() {
    let app = TestApp::start(Kind::Fifo).await;
    let sns = app.sdk.endpoint_url().unwrap().to_owned();
    let topic = app.sns.create_topic().name("partner").send().await.unwrap();
    let topic = topic.topic_arn.unwrap();
    let anchor = LocalAnchor { url: sns.clone() };
    let (clock, url) = (Arc::clone(&app.clock), sns.parse().unwrap());
    let endpoint = SnsEndpoint::new(
        &[TOPIC],
        Decoder::default(),
        &app.pool,
        clock,
        Some(url),
        Some(anchor),
    );
    let site = Site::of(&app).taking_deliveries(endpoint.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/sns", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(site.clone().serve(listener, stop.clone()));

    let subscribe = app.sns.subscribe().topic_arn(&topic).protocol("http");
    let subscribe = subscribe.endpoint(&address).return_subscription_arn(true);
    let subscription = subscribe.send().await.unwrap().subscription_arn.unwrap();
    until("we have confirmed", async || {
        let attributes = app.sns.get_subscription_attributes();
        let attributes = attributes.subscription_arn(&subscription).send().await;
        attributes.unwrap().attributes.unwrap()["PendingConfirmation"] == "false"
    })
    .await;
    for line in ["3:Excelsa:9", "3:Excelza:9"] {
        let publish = app.sns.publish().topic_arn(&topic).message(line);
        publish.subject("New bean delivery").send().await.unwrap();
    }
    until("both have arrived", async || {
        app.stock_of(EXCELSA).await == 209 && app.dead_letters().await.len() == 1
    })
    .await;

    stop.cancel();
    serving.await.unwrap();
    app.assert_audit_is_clean().await;
}
