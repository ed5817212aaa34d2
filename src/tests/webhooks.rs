//! Webhooks: alerts as signed requests, tried until they are taken.

use std::sync::Arc;

use beanstock::clock::{Clock, FixedClock};
use beanstock::db::outbox::Destination;
use beanstock::domain::Role;
use beanstock::notifications::{Announces, Notifier};
use beanstock::outbox::Relay;
use beanstock::outgoing::Outgoing;
use beanstock::webhooks::{Reach, WebhookPublisher, WebhookSecret, name_of};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use url::Url;

use crate::support::endpoint::HttpEndpoint;
use crate::support::{EXCELSA, Kind, Site, TestApp};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Hooks<'a> {
    app: &'a TestApp,
    urls: Vec<Url>,
    outgoing: Outgoing,
}

impl Hooks<'_> {
    /// Three instances tell of what has happened, and their relays do what is due.
    async fn tell(&self, now: DateTime<Utc>) {
        let clock: Arc<dyn Clock> = Arc::new(FixedClock(now));
        let notifier = Notifier {
            pool: self.app.pool.clone(),
            clock: Arc::clone(&clock),
            mailer: None,
            announces: Announces {
                to_topic: false,
                to_webhooks: self.urls.iter().map(name_of).collect(),
            },
            site: "https://beans.example.com".to_owned(),
            zone: Tz::UTC,
        };
        let [one, two, three] = [(); 3].map(|()| Box::pin(notifier.notify_once()));
        let told = tokio::join!(one, two, three);
        assert!(told.0.is_ok() && told.1.is_ok() && told.2.is_ok());
        for _ in 0..3 {
            self.relay(&clock).relay_once().await.unwrap();
        }
    }

    fn relay(&self, clock: &Arc<dyn Clock>) -> Relay<WebhookPublisher> {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        let (reach, outgoing) = (Reach::ThisMachine, self.outgoing.clone());
        let publisher =
            WebhookPublisher::new(&self.urls, secret, reach, outgoing, Arc::clone(clock));
        Relay::new(
            Destination::Webhooks,
            publisher.unwrap(),
            self.app.pool.clone(),
            Arc::clone(clock),
            self.app.shutdown.clone(),
        )
        .announcing_to(self.urls.iter().map(name_of).collect())
    }
}

/// Makes Excelsa run out.
async fn run_out(app: &TestApp) -> Site {
    let site = Site::of(app).seen_by(Role::Staff);
    let fields = [("form_key", "k"), ("bags", "200")];
    let used = site.post(&format!("/beans/{EXCELSA}/use"), &fields).await;
    assert_eq!(used.status(), 303, "{}", used.body);
    site
}

#[tokio::test]
async fn a_crossing_is_one_signed_request_with_words_for_chats() {
    let app = TestApp::start(Kind::Fifo).await;
    let endpoint = HttpEndpoint::start().await;
    let hooks = Hooks {
        app: &app,
        urls: vec![endpoint.url.parse().unwrap()],
        outgoing: Outgoing::default(),
    };
    run_out(&app).await;

    hooks.tell(app.clock.now()).await;

    let received = endpoint.received();
    assert_eq!(received.len(), 1, "{received:?}");
    let body = received[0].json();
    let text =
        "House Excelsa from Cordillera Direct is out of stock. https://beans.example.com/beans/5";
    assert_eq!(body["text"], text);
    assert_eq!(body["content"], text);
    assert_eq!(body["type"], "beanstock.alerts");
    assert_eq!(body["data"]["alerts"][0]["severity"], "critical");
    let timestamp: i64 = received[0].header("webhook-timestamp").parse().unwrap();
    assert!((timestamp - app.clock.now().timestamp()).abs() < 60);
    let signed = format!(
        "{}.{timestamp}.{}",
        received[0].header("webhook-id"),
        received[0].body
    );
    assert_eq!(received[0].header("webhook-signature"), signature(&signed));
    assert_eq!(hooks.outgoing.list().len(), 1);
}

/// What Standard Webhooks has a receiver compare.
fn signature(signed: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let secret = STANDARD
        .decode(SECRET.trim_start_matches("whsec_"))
        .unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[tokio::test]
async fn a_webhook_that_is_away_is_tried_again_with_the_same_id_and_holds_up_no_other() {
    let app = TestApp::start(Kind::Fifo).await;
    let (good, bad) = (HttpEndpoint::start().await, HttpEndpoint::start().await);
    let hooks = Hooks {
        app: &app,
        urls: vec![good.url.parse().unwrap(), bad.url.parse().unwrap()],
        outgoing: Outgoing::default(),
    };
    let (now, site) = (app.clock.now(), run_out(&app).await);
    bad.answer(&[500, 302]);

    hooks.tell(now).await;
    let failing = site.get("/alerts").await;
    hooks.tell(now + TimeDelta::seconds(1)).await;
    let too_soon = bad.received().len();
    hooks.tell(now + TimeDelta::minutes(1)).await;
    hooks.tell(now + TimeDelta::minutes(2)).await;
    hooks.tell(now + TimeDelta::minutes(3)).await;
    let fine = site.get("/alerts").await;

    assert_eq!(good.received().len(), 1);
    assert_eq!(too_soon, 1);
    let tries = bad.received();
    assert_eq!(tries.len(), 3);
    let ids: Vec<&str> = tries.iter().map(|one| one.header("webhook-id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let section = failing.text_of("section[aria-labelledby=targets]");
    assert!(section.contains("Failing"), "{section}");
    assert!(section.contains("Dismiss"), "{section}");
    let section = fine.text_of("section[aria-labelledby=targets]");
    assert!(!section.contains("Failing"), "{section}");
    assert!(!section.contains("Dismiss"), "{section}");
}

#[tokio::test]
async fn what_nobody_takes_for_a_day_is_given_up_and_told_until_it_is_seen() {
    let app = TestApp::start(Kind::Fifo).await;
    let endpoint = HttpEndpoint::start().await;
    let hooks = Hooks {
        app: &app,
        urls: vec![endpoint.url.parse().unwrap()],
        outgoing: Outgoing::default(),
    };
    let (now, site) = (app.clock.now(), run_out(&app).await);
    endpoint.answer(&[500; 2]);
    hooks.tell(now).await;
    hooks.tell(now + TimeDelta::hours(25)).await;
    let told = site.get("/alerts").await;
    let waiting = site.rows_of("outbox_messages").await;

    site.post("/alerts/targets/seen", &[]).await;
    let seen = site.get("/alerts").await;

    let section = told.text_of("section[aria-labelledby=targets]");
    assert!(section.contains("1 not delivered"), "{section}");
    assert_eq!(waiting, 0);
    let section = seen.text_of("section[aria-labelledby=targets]");
    assert!(!section.contains("not delivered"), "{section}");
    assert!(!section.contains("Dismiss"), "{section}");
}

#[tokio::test]
async fn what_leads_off_this_machine_is_shown_and_not_sent_in_local_mode() {
    let app = TestApp::start(Kind::Fifo).await;
    let hooks = Hooks {
        app: &app,
        urls: vec!["https://hooks.example.com/services/T0".parse().unwrap()],
        outgoing: Outgoing::default(),
    };
    run_out(&app).await;

    hooks.tell(app.clock.now()).await;

    let shown = hooks.outgoing.list();
    assert_eq!(shown.len(), 1);
    assert!(shown[0].attempts[0].outcome.starts_with("not sent"));
    let site = Site::of(&app);
    assert_eq!(site.rows_of("outbox_messages").await, 0);
}
