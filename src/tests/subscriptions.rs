//! `beanstock subscribe`, `unsubscribe` and `subscriptions`, as an operator uses them.

use std::collections::BTreeMap;

use beanstock::domain::Role;
use beanstock::messaging::{ALERTS, ALERTS_TOPIC, UPDATES_TOPIC};
use beanstock::provision::subscribe::Subscriptions;

use crate::support::process::{Program, Said, settings_for};
use crate::support::{Kind, Site, TestApp};

async fn run(settings: &BTreeMap<&'static str, String>, args: &[&str]) -> Said {
    Program::start(args, settings).end().await
}

fn settings(app: &TestApp) -> BTreeMap<&'static str, String> {
    let mut settings = settings_for(app);
    let topic = app.resources.topic(ALERTS_TOPIC).to_owned();
    settings.insert("ALERTS_TOPIC_ARN", topic);
    let queue = app.resources.queue_url(ALERTS).to_owned();
    settings.insert("ALERTS_QUEUE_URL", queue);
    settings
}

#[tokio::test]
async fn somebody_is_subscribed_listed_changed_and_unsubscribed() {
    let app = TestApp::start(Kind::Fifo).await;
    let settings = settings(&app);
    let sms = ["subscribe", "sms", "+14155550100"];
    let filter = ["--filter", r#"{"severity":["critical"]}"#];
    let filtered = [&sms[..], &filter].concat();

    let planned = run(&settings, &[&sms[..], &["--dry-run"]].concat()).await;
    let before = run(&settings, &["subscriptions"]).await;
    let made = run(&settings, &sms).await;
    let changed = run(&settings, &filtered).await;
    let again = run(&settings, &filtered).await;
    let mail = run(&settings, &["subscribe", "email", "owner@example.com"]).await;
    let list = run(&settings, &["subscriptions"]).await;
    let arn = made.out.rsplit(' ').next().unwrap().trim();
    let ended = run(&settings, &["unsubscribe", arn]).await;
    let after = run(&settings, &["subscriptions"]).await;

    assert!(
        planned.out.contains("would be subscribed"),
        "{}{}",
        planned.out,
        planned.err
    );
    assert!(
        before.out.contains("nobody is subscribed"),
        "{}",
        before.out
    );
    assert!(arn.starts_with("arn:aws:sns:"), "{}{}", made.out, made.err);
    assert!(
        changed.out.contains("set: FilterPolicy."),
        "{}",
        changed.out
    );
    assert!(
        again.out.contains("is already subscribed: "),
        "{}",
        again.out
    );
    assert!(mail.out.contains("must confirm"), "{}", mail.out);
    for line in [
        format!("  sms +14155550100, {arn}, filter {{\"severity\":[\"critical\"]}}"),
        "  email owner@example.com, waits to be confirmed".to_owned(),
    ] {
        assert!(list.out.contains(&line), "{line} is not in {}", list.out);
    }
    assert!(list.out.contains("inventory_alerts"), "{}", list.out);
    assert!(ended.out.contains("is unsubscribed"), "{}", ended.out);
    assert!(!after.out.contains("sms"), "{}", after.out);
}

#[tokio::test]
async fn what_sns_would_refuse_is_refused_before_it_is_asked() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings(&app);
    settings.insert("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1:1".to_owned());
    let queue = "arn:aws:sqs:us-east-1:000000000000:q.fifo";

    for (args, rule) in [
        (
            &["subscribe", "email", "a@example.com", "--topic", "updates"][..],
            "standard topic",
        ),
        (&["subscribe", "sqs", queue], "FIFO queue"),
        (&["subscribe", "https", "example.com"], "https://"),
        (
            &["subscribe", "email", "a@example.com", "--raw"],
            "envelope",
        ),
        (
            &["subscribe", "sms", "+14155550100", "--filter", r#"{"a":1}"#],
            "list",
        ),
        (
            &[
                "subscribe",
                "sms",
                "+14155550100",
                "--dead-letter-queue",
                queue,
            ],
            "standard queue",
        ),
    ] {
        let said = run(&settings, args).await;
        assert_eq!(said.status.code(), Some(1), "{}", said.out);
        assert!(said.err.contains(rule), "{rule}: {}", said.err);
    }
}

#[tokio::test]
async fn the_way_to_our_own_queue_is_not_ended_by_mistake() {
    let app = TestApp::start(Kind::Fifo).await;
    let settings = settings(&app);
    let list = app.sns.list_subscriptions_by_topic();
    let list = list.topic_arn(app.resources.topic_arn()).send().await;
    let list = list.unwrap();

    for subscription in list.subscriptions() {
        let arn = subscription.subscription_arn().unwrap();
        let said = run(&settings, &["unsubscribe", arn]).await;
        assert_eq!(said.status.code(), Some(1), "{}", said.out);
        assert!(said.err.contains("nothing arrives there"), "{}", said.err);
    }
    assert_eq!(list.subscriptions().len(), 2);
}

#[tokio::test]
async fn managers_see_who_is_subscribed_and_whether_sns_answers() {
    let app = TestApp::start(Kind::Fifo).await;
    let topics = || {
        let (updates, alerts) = (app.resources.topic_arn(), app.resources.topic(ALERTS_TOPIC));
        vec![
            (UPDATES_TOPIC, updates.to_owned()),
            (ALERTS_TOPIC, alerts.to_owned()),
        ]
    };
    let email = app.sns.subscribe().protocol("email");
    email
        .topic_arn(app.resources.topic(ALERTS_TOPIC))
        .endpoint("<b>owner@example.com")
        .send()
        .await
        .unwrap();
    let nowhere = app.sns.config().to_builder();
    let nowhere = nowhere.endpoint_url("http://127.0.0.1:1").build();
    let nowhere = Subscriptions::of(aws_sdk_sns::Client::from_conf(nowhere), topics());
    let there = Subscriptions::of(app.sns.clone(), topics());
    let site = Site::of(&app).listing_subscriptions(there);

    let page = site.get("/subscriptions").await;
    let staff = site.seen_by(Role::Staff).get("/subscriptions").await;
    let away = Site::of(&app).listing_subscriptions(nowhere);
    let away = away.get("/subscriptions").await;
    let unset = Site::of(&app).get("/subscriptions").await;

    let rows = page.all("tbody tr");
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(
        rows[1].contains("inventory_alert") && rows[1].contains("Confirmed"),
        "{rows:?}"
    );
    assert!(rows[2].contains("<b>owner@example.com"), "{rows:?}");
    assert!(rows[2].contains("Waits to be confirmed"), "{rows:?}");
    assert_eq!(staff.status(), 403);
    assert!(
        away.text_of(".empty").contains("beanstock check"),
        "{}",
        away.body
    );
    assert!(
        unset.text_of(".empty").contains("No topic is set"),
        "{}",
        unset.body
    );
}
