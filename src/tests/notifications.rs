//! Notifying people of alerts: once each, in a feed and by email, of which nobody gets more than six an hour.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aws_sdk_sns::types::MessageAttributeValue;
use beanstock::clock::{Clock, FixedClock};
use beanstock::db::outbox::Destination;
use beanstock::domain::{Role, SupplierId};
use beanstock::messaging::digest::Digest;
use beanstock::messaging::sns::SnsPublisher;
use beanstock::messaging::sqs::Depth;
use beanstock::messaging::{ALERTS, ALERTS_TOPIC, wire};
use beanstock::notifications::{Announces, Mailer, Notifier};
use beanstock::outbox::Relay;
use beanstock::outgoing::Outgoing;
use beanstock::web::{MailDelivery, Rules};
use beanstock::webhooks::{Reach, WebhookPublisher, WebhookSecret, name_of};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio::net::TcpListener;
use url::Url;

use crate::support::endpoint::HttpEndpoint;
use crate::support::process::until;
use crate::support::smtp::MailServer;
use crate::support::{EXCELSA, Kind, Site, TestApp, free_port};

fn notifier(app: &TestApp, mailer: Option<Mailer>) -> Notifier {
    Notifier {
        pool: app.pool.clone(),
        clock: Arc::clone(&app.clock),
        mailer,
        announces: Announces::default(),
        site: "https://beans.example.com".to_owned(),
        zone: Tz::UTC,
    }
}

fn by_smtp(app: &TestApp, server: &Url) -> Notifier {
    let from = "beanstock@example.com".parse().unwrap();
    notifier(app, Some(Mailer::smtp(server, from).unwrap()))
}

async fn tell(app: &TestApp, notifier: &Notifier) {
    Box::pin(notifier.notify_once()).await.unwrap();
    Box::pin(notifier.watch_once()).await.unwrap();
    Box::pin(notifier.send_once(&app.shutdown)).await.unwrap();
}

/// Somebody of the café whose mail is sent.
fn staff(app: &TestApp) -> Site {
    Site::of(app).seen_by(Role::Staff).ruled_by(Rules {
        mail: MailDelivery::Server,
        ..Rules::default()
    })
}

async fn wish(site: &Site, preferences: &[(&str, &str)]) {
    let saved = site.post("/account/alerts", preferences).await;
    assert_eq!(saved.status(), 303, "{}", saved.body);
}

const AT_ONCE: [(&str, &str); 4] = [
    ("low", "on"),
    ("out", "on"),
    ("by_mail", "on"),
    ("when", "once"),
];

/// Makes Excelsa run low, at a line of 190 bags.
async fn run_low(site: &Site) {
    let line = format!("/beans/{EXCELSA}/alert");
    site.post(&line, &[("bags", "190")]).await;
    use_bags(site, "15").await;
}

async fn use_bags(site: &Site, bags: &str) {
    let key = format!("{bags} bags");
    let fields = [("form_key", key.as_str()), ("bags", bags)];
    let used = site.post(&format!("/beans/{EXCELSA}/use"), &fields).await;
    assert_eq!(used.status(), 303, "{}", used.body);
}

/// A mail without the line breaks that transport has put into it.
fn unfolded(mail: &str) -> String {
    mail.replace("=\r\n", "")
        .replace("=3D", "=")
        .replace("\r\n ", " ")
}

#[tokio::test]
async fn a_crossing_is_one_mail_however_many_instances_tell_of_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, server) = (staff(&app), MailServer::start().await);
    wish(&site, &AT_ONCE).await;
    run_low(&site).await;

    let tellings = [(); 3].map(|()| by_smtp(&app, &server.url));
    for _ in 0..3 {
        let [one, two, three] = &tellings;
        tokio::join!(tell(&app, one), tell(&app, two), tell(&app, three));
    }

    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = unfolded(&mails[0]);
    assert!(
        mail.contains("From: Beanstock <beanstock@example.com>"),
        "{mail}"
    );
    assert!(
        mail.contains("Subject: House Excelsa from Cordillera Direct is low: 185 bags left"),
        "{mail}"
    );
    assert!(mail.contains("Message-ID: <1."), "{mail}");
    assert!(mail.contains("Auto-Submitted: auto-generated"), "{mail}");
    assert!(
        mail.contains("text/plain") && mail.contains("text/html"),
        "{mail}"
    );
    assert!(
        mail.contains("<!DOCTYPE html>") && mail.contains("</html>"),
        "{mail}"
    );
    assert_eq!(
        mail.matches("https://beans.example.com/beans/5").count(),
        2,
        "{mail}"
    );
    assert_eq!(
        mail.matches("https://beans.example.com/account/alerts")
            .count(),
        2,
        "{mail}"
    );
    let page = site.get("/account/alerts").await;
    assert_eq!(page.all(".sessions .tag"), ["Sent"]);
}

#[tokio::test]
async fn what_a_mail_server_was_away_for_is_sent_once_it_is_back() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, port) = (staff(&app), free_port());
    let url: Url = format!("smtp://127.0.0.1:{port}").parse().unwrap();
    wish(&site, &AT_ONCE).await;
    run_low(&site).await;
    let notifier = by_smtp(&app, &url);
    tell(&app, &notifier).await;
    let waiting = site.get("/account/alerts").await;
    tell(&app, &notifier).await;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let server = MailServer::start_on(listener, false);
    tell(&app, &notifier).await;
    let too_early = server.mails().len();
    app.execute("UPDATE mails SET due_at = '2000-01-01'").await;
    tell(&app, &notifier).await;
    tell(&app, &notifier).await;

    assert_eq!(waiting.all(".sessions .tag"), ["Waiting"]);
    assert_eq!(too_early, 0, "it is tried again half a minute later");
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn an_address_that_is_refused_is_told_on_the_page_until_it_is_seen() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, server) = (staff(&app), MailServer::that_refuses().await);
    let sent = site.post("/account/alerts/test", &[]).await;
    tell(&app, &by_smtp(&app, &server.url)).await;

    let refused = site.get("/account/alerts").await;
    site.post("/account/alerts/seen", &[]).await;
    let seen = site.get("/account/alerts").await;

    assert!(sent.header("location").ends_with("done=test-mailed"));
    assert_eq!(refused.all(".sessions .tag"), ["Not sent"]);
    assert!(refused.text_of(".mistakes").contains("could not be sent"));
    assert!(
        refused.text_of(".sessions").contains("550"),
        "the server's words"
    );
    assert!(seen.all(".mistakes").is_empty());
    assert_eq!(
        seen.all(".sessions .tag"),
        ["Not sent"],
        "it stays in the list"
    );
}

#[tokio::test]
async fn a_thousand_crossings_in_an_hour_are_six_mails_and_one_after_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = staff(&app);
    wish(&site, &AT_ONCE).await;
    let notifier = notifier(&app, Some(Mailer::Captured));

    for _ in 0..20 {
        app.execute(
            "INSERT INTO alerts (bean_id, kind, quantity, began_at, ended_at, going) \
             SELECT 1 + n.n % 14, 'low', 3, UTC_TIMESTAMP(6), NULL, NULL FROM \
             (WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50) SELECT n FROM n) AS n",
        )
        .await;
        tell(&app, &notifier).await;
    }
    let mails = site.rows_of("mails").await;
    app.execute("UPDATE mails SET created_at = created_at - INTERVAL 61 MINUTE")
        .await;
    tell(&app, &notifier).await;

    assert_eq!(site.rows_of("notifications").await, 1_000);
    assert_eq!(mails, 6);
    assert_eq!(site.rows_of("mails").await, 7);
    let last = site
        .rows_of("mails WHERE subject = '700 alerts from Beanstock'")
        .await;
    assert_eq!(last, 1);
    let told = "mails WHERE text_body LIKE '%And 688 more%' AND html_body LIKE '%And 688 more%'";
    assert_eq!(site.rows_of(told).await, 1);
}

#[tokio::test]
async fn the_end_is_told_to_whoever_wants_it_and_nothing_of_what_is_muted() {
    let app = TestApp::start(Kind::Fifo).await;
    let (staff, manager) = (staff(&app), Site::of(&app).seen_by(Role::Manager));
    wish(&staff, &[("low", "on"), ("out", "on"), ("recovered", "on")]).await;
    wish(&manager, &[("out", "on")]).await;
    let notifier = notifier(&app, None);
    run_low(&staff).await;
    tell(&app, &notifier).await;
    use_bags(&staff, "185").await;
    app.execute("UPDATE alerts SET muted_until = '2037-01-01' WHERE kind = 'low'")
        .await;
    tell(&app, &notifier).await;
    app.publish_line("3:Excelsa:200").await;
    app.drain().await;
    tell(&app, &notifier).await;

    for (kind, number) in [("low", 1), ("out", 2), ("not_out", 1), ("not_low", 0)] {
        let told = format!("notifications WHERE kind = '{kind}'");
        assert_eq!(staff.rows_of(&told).await, number, "{kind}");
    }
    assert_eq!(
        staff.rows_of("alerts WHERE unnotified IS NOT NULL").await,
        0
    );
    assert_eq!(staff.rows_of("mails").await, 0, "there is no mail server");
}

/// A bean that runs out is low as well.
#[tokio::test]
async fn of_a_bean_that_runs_out_one_is_not_told_twice() {
    let app = TestApp::start(Kind::Fifo).await;
    let (both, low) = (staff(&app), Site::of(&app).seen_by(Role::Manager));
    wish(&both, &[("low", "on"), ("out", "on")]).await;
    wish(&low, &[("low", "on")]).await;
    let line = format!("/beans/{EXCELSA}/alert");
    both.post(&line, &[("bags", "190")]).await;
    use_bags(&both, "200").await;

    tell(&app, &notifier(&app, None)).await;

    assert_eq!(both.rows_of("alerts").await, 2);
    assert_eq!(both.rows_of("notifications WHERE kind = 'out'").await, 1);
    assert_eq!(both.rows_of("notifications WHERE kind = 'low'").await, 1);
    assert_eq!(both.rows_of("notifications").await, 2);
}

#[tokio::test]
async fn dead_letters_that_wait_are_told_once_however_often_one_saves() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = staff(&app);
    wish(&site, &[("hours", "2")]).await;
    app.publish_line("3:Geisha:9").await;
    app.drain().await;
    let notifier = notifier(&app, None);
    tell(&app, &notifier).await;
    let early = site.rows_of("notifications").await;
    app.execute("UPDATE dead_letters SET collected_at = collected_at - INTERVAL 121 MINUTE")
        .await;
    tell(&app, &notifier).await;
    wish(&site, &[("hours", "2"), ("low", "on")]).await;
    tell(&app, &notifier).await;
    let once = site.rows_of("notifications WHERE kind = 'letters'").await;
    wish(&site, &[("hours", "1")]).await;
    tell(&app, &notifier).await;

    assert_eq!((early, once), (0, 1));
    assert_eq!(
        site.rows_of("notifications").await,
        2,
        "another number is another wish"
    );
}

/// A consumer that stops in good order says so and is forgotten.
#[tokio::test]
async fn consumers_that_stop_and_run_again_are_told_once_each() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = staff(&app);
    wish(&site, &[("stopped", "on"), ("recovered", "on")]).await;
    let notifier = notifier(&app, None);
    let runs = "INSERT INTO consumers (instance, queue, version, started_at, seen_at, in_hand) VALUES \
                (UNHEX(REPEAT('07', 16)), 'updates', '1', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 0)";
    tell(&app, &notifier).await;
    let never = site.rows_of("notifications").await;
    app.execute(runs).await;
    tell(&app, &notifier).await;
    app.execute("DELETE FROM consumers").await;
    tell(&app, &notifier).await;
    let deployed = site.rows_of("notifications").await;
    app.execute("UPDATE watched_conditions SET good_at = good_at - INTERVAL 121 SECOND")
        .await;
    tell(&app, &notifier).await;
    tell(&app, &notifier).await;
    let stopped = site.rows_of("notifications WHERE kind = 'stopped'").await;
    app.execute(runs).await;
    tell(&app, &notifier).await;
    tell(&app, &notifier).await;

    assert_eq!((never, deployed, stopped), (0, 0, 1));
    assert_eq!(
        site.rows_of("notifications WHERE kind = 'running'").await,
        1
    );
    assert_eq!(site.rows_of("notifications").await, 2);
}

#[tokio::test]
async fn whoever_wants_no_mail_any_more_or_has_left_gets_none() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, server) = (staff(&app), MailServer::start().await);
    let notifier = by_smtp(&app, &server.url);
    let daily = [
        AT_ONCE[0],
        AT_ONCE[1],
        AT_ONCE[2],
        ("when", "digest"),
        ("digest_at", "00:00"),
    ];
    wish(&site, &daily).await;
    run_low(&site).await;
    tell(&app, &notifier).await;
    let waiting = site.rows_of("notifications WHERE waiting = 1").await;
    wish(&site, &[("low", "on"), ("out", "on")]).await;
    wish(&site, &AT_ONCE).await;
    tell(&app, &notifier).await;
    let unticked = server.mails().len();
    site.post("/account/alerts/test", &[]).await;
    app.execute("UPDATE accounts SET disabled_at = UTC_TIMESTAMP(6)")
        .await;
    tell(&app, &notifier).await;

    assert_eq!(waiting, 1, "it waits for midnight");
    assert_eq!(unticked, 0);
    assert_eq!(server.mails().len(), 0);
    assert_eq!(site.rows_of("mails WHERE failed_at IS NOT NULL").await, 1);
}

/// Somebody can mend what is wrong with our own account there.
#[tokio::test]
async fn a_mail_server_that_does_not_let_us_in_is_tried_again() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, server) = (staff(&app), MailServer::start().await);
    let mut url = server.url.clone();
    url.set_username("beans").unwrap();
    url.set_password(Some("wrong")).unwrap();
    site.post("/account/alerts/test", &[]).await;
    tell(&app, &by_smtp(&app, &url)).await;

    let page = site.get("/account/alerts").await;

    assert_eq!(page.all(".sessions .tag"), ["Waiting"]);
    assert!(!page.body.contains("wrong"), "{}", page.body);
}

#[tokio::test]
async fn a_mail_server_that_hangs_keeps_nobody_from_being_told() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, server) = (staff(&app), MailServer::that_hangs().await);
    wish(&site, &AT_ONCE).await;
    site.post("/account/alerts/test", &[]).await;
    let notifier = by_smtp(&app, &server.url);
    tokio::spawn(notifier.clone().send(app.shutdown.clone()));
    tokio::spawn(notifier.run(app.shutdown.clone()));
    until("the mail is with the server", async || {
        site.rows_of("mails WHERE attempts = 1").await == 1
    })
    .await;

    run_low(&site).await;

    until("the alert is told and its mail written", async || {
        site.rows_of("notifications WHERE waiting IS NULL").await == 1
    })
    .await;
    assert_eq!(site.rows_of("mails WHERE sent_at IS NULL").await, 2);
}

#[tokio::test]
async fn what_was_over_before_anybody_could_be_told_is_no_news() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = staff(&app);
    wish(&site, &[("low", "on"), ("out", "on"), ("recovered", "on")]).await;
    run_low(&site).await;
    app.publish_line("3:Excelsa:50").await;
    app.drain().await;
    use_bags(&site, "60").await;
    app.execute("UPDATE alerts SET began_at = began_at - INTERVAL 25 HOUR WHERE going = 1")
        .await;

    tell(&app, &notifier(&app, None)).await;

    assert_eq!(site.rows_of("alerts").await, 2);
    assert_eq!(site.rows_of("notifications").await, 0);
    assert_eq!(site.rows_of("alerts WHERE unnotified IS NOT NULL").await, 0);
}

#[tokio::test]
async fn where_there_is_no_mail_saving_keeps_what_was_chosen_for_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let with_mail = staff(&app);
    let without = with_mail.clone().ruled_by(Rules::default());
    wish(
        &with_mail,
        &[
            ("by_mail", "on"),
            ("when", "digest"),
            ("digest_at", "07:30"),
        ],
    )
    .await;

    wish(&without, &[("low", "on")]).await;

    let kept = "notification_preferences WHERE by_mail AND digest_at = 450 AND low";
    assert_eq!(with_mail.rows_of(kept).await, 1);
}

#[tokio::test]
async fn a_feed_is_read_without_signing_in_at_an_address_that_can_be_changed() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, stranger) = (staff(&app), Site::of(&app).seen_by(None));
    let first = site.post("/account/alerts/feed", &[("to", "make")]).await;
    wish(&site, &[("low", "on")]).await;
    run_low(&site).await;
    tell(&app, &notifier(&app, None)).await;
    let make = async || {
        let made = site.post("/account/alerts/feed", &[("to", "make")]).await;
        let address = made.text_of("code.address");
        let place = address.find("/feed/").unwrap();
        address[place..].to_owned()
    };

    let old = make().await;
    let feed = stranger.get(&old).await;
    let new = make().await;
    let gone = stranger.get(&old).await.status();
    let there = stranger.get(&new).await.status();
    site.post("/account/alerts/feed", &[("to", "close")]).await;
    let closed = stranger.get(&new).await.status();

    assert!(first.header("location").ends_with("done=preferences-first"));
    assert_eq!(
        feed.header("content-type"),
        "application/atom+xml; charset=utf-8"
    );
    assert!(feed.body.starts_with("<?xml"), "{}", feed.body);
    assert!(
        feed.body
            .contains("<title>House Excelsa from Cordillera Direct is low: 185 bags left"),
        "{}",
        feed.body
    );
    assert_eq!(
        (gone, there, closed),
        (
            404.try_into().unwrap(),
            200.try_into().unwrap(),
            404.try_into().unwrap()
        )
    );
}

#[tokio::test]
async fn what_cannot_be_wished_is_said_at_its_field_and_kept() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = staff(&app);
    let wrong = [
        ("hours", "soon"),
        ("by_mail", "on"),
        ("when", "digest"),
        ("digest_at", "25:00"),
        ("quiet_from", "22:00"),
        ("quiet_until", ""),
    ];

    let page = site.post("/account/alerts", &wrong).await;
    let right = [
        ("hours", "24"),
        ("when", "digest"),
        ("digest_at", "07:30"),
        ("quiet_from", "22:00"),
        ("quiet_until", "06:00"),
    ];
    wish(&site, &right).await;
    let saved = site.get("/account/alerts").await;

    assert_eq!(page.status(), 422);
    let fields = page.attributes(".mistakes a", "href");
    assert_eq!(fields, ["#hours", "#digest_at", "#quiet_until"]);
    assert_eq!(page.value_of("hours"), "soon");
    assert_eq!(site.rows_of("notification_preferences").await, 1);
    for (field, value) in [
        ("hours", "24"),
        ("digest_at", "07:30"),
        ("quiet_from", "22:00"),
        ("quiet_until", "06:00"),
    ] {
        assert_eq!(saved.value_of(field), value);
    }
}

/// Names are whatever people type.
#[tokio::test]
async fn where_nothing_is_sent_mail_is_shown_as_it_would_look_and_can_do_nothing() {
    let app = TestApp::start(Kind::Fifo).await;
    let kept = staff(&app).ruled_by(Rules {
        mail: MailDelivery::Captured,
        ..Rules::default()
    });
    app.execute("UPDATE beans SET product_name = '<img src=x>\\nBcc: a@b.c' WHERE id = 5")
        .await;
    wish(&kept, &AT_ONCE).await;
    run_low(&kept).await;
    tell(&app, &notifier(&app, Some(Mailer::Captured))).await;

    let mailbox = kept.get("/local/mailbox").await;
    let mail = kept.get(&mailbox.attributes(".mail a", "href")[0]).await;
    let elsewhere = staff(&app).get("/local/mailbox").await;

    assert!(
        mailbox
            .text_of(".mail h3")
            .starts_with("<img src=x> Bcc: a@b.c from Cordillera Direct is low")
    );
    assert!(mail.header("content-security-policy").contains("sandbox"));
    assert!(!mail.body.contains("<img"), "{}", mail.body);
    assert!(mail.body.contains("https://beans.example.com/beans/5"));
    assert_eq!(elsewhere.status(), 404);
}

/// What a queue holds, as it came.
async fn bodies(app: &TestApp, url: &str) -> Vec<String> {
    let receive = app.sqs.receive_message().queue_url(url);
    let answer = receive.max_number_of_messages(10).send().await.unwrap();
    let messages = answer.messages.unwrap_or_default();
    messages.into_iter().filter_map(|m| m.body).collect()
}

/// A queue that is told of alerts.
async fn listener(app: &TestApp) -> String {
    let name = "listens_to_alerts";
    let made = app.sqs.create_queue().queue_name(name).send().await;
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    let subscribe = app
        .sns
        .subscribe()
        .topic_arn(app.resources.topic(ALERTS_TOPIC));
    subscribe
        .protocol("sqs")
        .endpoint(arn)
        .send()
        .await
        .unwrap();
    made.unwrap().queue_url.unwrap()
}

fn announcer(app: &TestApp, clock: &Arc<dyn Clock>) -> Notifier {
    Notifier {
        announces: Announces {
            to_topic: true,
            ..Announces::default()
        },
        clock: Arc::clone(clock),
        ..notifier(app, None)
    }
}

/// Three instances tell of what has happened, and announce it.
async fn announce(app: &TestApp, now: DateTime<Utc>) {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock(now));
    let [one, two, three] = &[(); 3].map(|()| announcer(app, &clock));
    tokio::join!(
        Box::pin(tell(app, one)),
        Box::pin(tell(app, two)),
        Box::pin(tell(app, three))
    );
    let relay = app.alerts_relay(clock);
    while relay.relay_once().await.unwrap().published > 0 {}
}

#[tokio::test]
async fn a_crossing_is_announced_once_and_what_follows_within_a_minute_in_one_message() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, queue) = (staff(&app), listener(&app).await);
    let now = app.clock.now();

    run_low(&site).await;
    announce(&app, now).await;
    let first = bodies(&app, &queue).await;
    use_bags(&site, "185").await;
    site.post(
        "/beans/5/count",
        &[("form_key", "c"), ("do", "send"), ("bags", "500")],
    )
    .await;
    announce(&app, now + TimeDelta::seconds(59)).await;
    let too_soon = bodies(&app, &queue).await;
    announce(&app, now + TimeDelta::seconds(61)).await;
    let second = bodies(&app, &queue).await;

    assert_eq!(first.len(), 1, "{first:?}");
    let envelope: serde_json::Value = serde_json::from_str(&first[0]).unwrap();
    assert_eq!(
        envelope["MessageAttributes"]["severity"]["Value"],
        r#"["warning"]"#
    );
    let digest: Digest = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
    assert_eq!(digest.alerts.len(), 1);
    assert_eq!(
        digest.alerts[0].sentence,
        "House Excelsa from Cordillera Direct is low: 185 bags left, and the line is at 190 bags."
    );
    assert_eq!(digest.alerts[0].url, "https://beans.example.com/beans/5");
    assert_eq!(digest.alerts[0].supplier_id, Some(3));
    assert!(too_soon.is_empty(), "{too_soon:?}");
    assert_eq!(second.len(), 1, "{second:?}");
    assert!(second[0].contains("not low any more"), "{}", second[0]);
}

#[tokio::test]
async fn what_is_announced_while_sns_is_away_is_announced_once_it_is_back() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, queue) = (staff(&app), listener(&app).await);
    run_low(&site).await;
    tell(&app, &announcer(&app, &app.clock)).await;
    let nowhere = app
        .sns
        .config()
        .to_builder()
        .endpoint_url("http://127.0.0.1:1");
    let nowhere = aws_sdk_sns::Client::from_conf(nowhere.build());
    let topic = app.resources.topic(ALERTS_TOPIC).to_owned();
    let away = Relay::new(
        Destination::Alerts,
        SnsPublisher::new(nowhere, topic),
        app.pool.clone(),
        Arc::clone(&app.clock),
        app.shutdown.clone(),
    )
    .announcing_to(vec![String::new()]);

    let failed = away.relay_once().await.unwrap();
    announce(&app, app.clock.now() + TimeDelta::minutes(1)).await;

    assert_eq!((failed.published, failed.failed), (0, 1));
    assert_eq!(bodies(&app, &queue).await.len(), 1);
}

async fn tell_out_of_stock(app: &TestApp) {
    let preferences = [("out_at_supplier", "on"), ("by_mail", "on")];
    wish(&staff(app), &preferences).await;
}

async fn told(app: &TestApp) -> i64 {
    Site::of(app).rows_of("notifications").await
}

/// The lab's attribute, on whatever line.
async fn publish_as_out_of_stock(app: &TestApp, line: &str) {
    let publish = app.sns.publish().topic_arn(app.resources.topic_arn());
    let (name, value) = wire::inventory_alert();
    let value = MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build();
    publish
        .message(line)
        .message_group_id("bean_message_group")
        .message_deduplication_id(uuid::Uuid::now_v7().to_string())
        .message_attributes(name, value.unwrap())
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn what_a_supplier_has_run_out_of_is_told_by_the_alerts_queue_once_it_is_applied() {
    let app = TestApp::start(Kind::Fifo).await;
    tell_out_of_stock(&app).await;
    publish_as_out_of_stock(&app, "3:Excelsa:0").await;
    publish_as_out_of_stock(&app, "3:Excelsa:0").await;
    let consumers = [(); 3].map(|()| app.alerts_consumer(notifier(&app, Some(Mailer::Captured))));

    let early = Box::pin(consumers[0].poll_once()).await.unwrap();
    let before = told(&app).await;
    Box::pin(app.drain()).await;
    until("the copies were seen again", async || {
        let [one, two, three] = &consumers;
        let polled = tokio::join!(
            Box::pin(one.poll_once()),
            Box::pin(two.poll_once()),
            Box::pin(three.poll_once())
        );
        assert!(polled.0.is_ok() && polled.1.is_ok() && polled.2.is_ok());
        let depth = app.queue_at(app.resources.queue_url(ALERTS)).depth().await;
        depth.unwrap() == Depth::default()
    })
    .await;
    let by_queue = told(&app).await;
    tell(&app, &notifier(&app, Some(Mailer::Captured))).await;

    assert_eq!(by_queue, 1, "before anybody else looked");
    assert_eq!((early.received, early.done, early.released), (2, 0, 2));
    assert_eq!(before, 0, "nothing was applied yet");
    assert_eq!(told(&app).await, 1);
}

#[tokio::test]
async fn the_attribute_on_what_is_not_so_tells_nobody() {
    let app = TestApp::start(Kind::Fifo).await;
    tell_out_of_stock(&app).await;
    for line in ["888888:Unprocessable:0", "3:Excelsa:9", "nonsense"] {
        publish_as_out_of_stock(&app, line).await;
    }
    Box::pin(app.drain()).await;
    let consumer = app.alerts_consumer(notifier(&app, Some(Mailer::Captured)));

    let tally = Box::pin(consumer.poll_once()).await.unwrap();
    tell(&app, &notifier(&app, Some(Mailer::Captured))).await;

    assert_eq!((tally.received, tally.done), (3, 3), "{tally:?}");
    assert_eq!(told(&app).await, 0);
}

/// Three instances, and for a minute neither SNS nor the mail server nor a webhook is there.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "three ways out, each away and back")]
async fn a_crossing_is_one_mail_one_publication_and_one_request_also_after_an_outage() {
    let app = TestApp::start(Kind::Fifo).await;
    let (site, queue, hook) = (
        staff(&app),
        listener(&app).await,
        HttpEndpoint::start().await,
    );
    wish(&site, &AT_ONCE).await;
    run_low(&site).await;
    let (port, url) = (free_port(), hook.url.parse::<Url>().unwrap());
    let mail: Url = format!("smtp://127.0.0.1:{port}").parse().unwrap();
    hook.answer(&[503]);
    let now = app.clock.now();
    let nowhere = app
        .sns
        .config()
        .to_builder()
        .endpoint_url("http://127.0.0.1:1");
    let nowhere = aws_sdk_sns::Client::from_conf(nowhere.build());

    let round = async |now: DateTime<Utc>, sns: &aws_sdk_sns::Client| {
        let clock: Arc<dyn Clock> = Arc::new(FixedClock(now));
        let instances = [(); 3].map(|()| Notifier {
            clock: Arc::clone(&clock),
            announces: Announces {
                to_topic: true,
                to_webhooks: vec![name_of(&url)],
            },
            ..by_smtp(&app, &mail)
        });
        let [one, two, three] = &instances;
        tokio::join!(
            Box::pin(tell(&app, one)),
            Box::pin(tell(&app, two)),
            Box::pin(tell(&app, three))
        );
        let topic = app.resources.topic(ALERTS_TOPIC).to_owned();
        let by_sns = SnsPublisher::new(sns.clone(), topic);
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (urls, shown) = ([url.clone()], Outgoing::default());
        let by_hook =
            WebhookPublisher::new(&urls, secret, Reach::ThisMachine, shown, Arc::clone(&clock));
        let (pool, shutdown) = (&app.pool, &app.shutdown);
        let by_sns = Relay::new(
            Destination::Alerts,
            by_sns,
            pool.clone(),
            Arc::clone(&clock),
            shutdown.clone(),
        )
        .announcing_to(vec![String::new()]);
        let by_hook = Relay::new(
            Destination::Webhooks,
            by_hook.unwrap(),
            pool.clone(),
            clock,
            shutdown.clone(),
        )
        .announcing_to(vec![name_of(&url)]);
        for _ in 0..2 {
            Box::pin(by_sns.relay_once()).await.unwrap();
            Box::pin(by_hook.relay_once()).await.unwrap();
        }
    };
    round(now, &nowhere).await;
    let early = (bodies(&app, &queue).await.len(), hook.received().len());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let server = MailServer::start_on(listener, false);
    round(now + TimeDelta::minutes(1), &app.sns).await;
    round(now + TimeDelta::minutes(2), &app.sns).await;

    assert_eq!(early, (0, 1), "SNS was away, and the webhook said so");
    assert_eq!(server.mails().len(), 1);
    assert_eq!(bodies(&app, &queue).await.len(), 1);
    assert_eq!(hook.received().len(), 2);
    assert_eq!(site.rows_of("alerts").await, 1);
    assert_eq!(site.rows_of("outbox_messages").await, 0);
}

/// Somebody of supplier 3 whose mail is sent.
fn supplier(app: &TestApp, id: i64) -> Site {
    let role = Role::Supplier(SupplierId(id));
    Site::of(app).seen_by(role).ruled_by(Rules {
        mail: MailDelivery::Server,
        ..Rules::default()
    })
}

/// What has been there for a while by then.
async fn tell_later(app: &TestApp, server: &MailServer, seconds: i64) {
    let now = app.clock.now() + TimeDelta::seconds(seconds);
    let notifier = Notifier {
        clock: Arc::new(FixedClock(now)),
        ..by_smtp(app, &server.url)
    };
    tell(app, &notifier).await;
}

#[tokio::test]
async fn a_supplier_who_asked_for_it_is_mailed_once_about_updates_that_need_attention() {
    let app = TestApp::start(Kind::Fifo).await;
    let server = MailServer::start().await;
    let (three, four) = (supplier(&app, 3), supplier(&app, 4));
    app.publish_line("3:Before:9").await;
    Box::pin(app.drain()).await;
    app.execute("UPDATE dead_letters SET collected_at = collected_at - INTERVAL 1 HOUR")
        .await;
    for site in [&three, &four] {
        let asked = site.get("/account").await;
        assert!(!asked.body.contains("value=\"on\" checked"));
        let saved = site.post("/account/needs", &[("by_mail", "on")]).await;
        assert_eq!(saved.status(), 303, "{}", saved.body);
    }
    app.publish_line("3:Excelza:9").await;
    app.publish_line("3:<b>Mocha:9").await;
    app.publish_line("5:Nothing:9").await;
    Box::pin(app.drain()).await;

    tell_later(&app, &server, 60).await;
    tell_later(&app, &server, 120).await;

    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = unfolded(&mails[0]);
    assert!(
        mail.contains("Subject: 2 of your updates need attention"),
        "{mail}"
    );
    assert!(
        mail.contains("Excelza: ") && mail.contains("https://beans.example.com/updates/"),
        "{mail}"
    );
    assert!(
        mail.contains("&#60;b&#62;Mocha") && !mail.contains("Before"),
        "{mail}"
    );
    let checked = three.get("/account").await;
    assert!(
        checked.body.contains("value=\"on\" checked"),
        "{}",
        checked.body
    );
    let staff = staff(&app)
        .post("/account/needs", &[("by_mail", "on")])
        .await;
    assert_eq!(staff.status(), 403);
    three.post("/account/needs", &[]).await;
    app.publish_line("3:Again:9").await;
    Box::pin(app.drain()).await;
    tell_later(&app, &server, 180).await;
    assert_eq!(server.mails().len(), 1, "it wants none any more");
}

#[tokio::test]
async fn mail_about_a_suppliers_updates_is_not_sent_to_who_is_not_theirs_any_more() {
    let app = TestApp::start(Kind::Fifo).await;
    let server = MailServer::start().await;
    let three = supplier(&app, 3);
    three.post("/account/needs", &[("by_mail", "on")]).await;
    app.publish_line("3:Excelza:9").await;
    Box::pin(app.drain()).await;
    let later = app.clock.now() + TimeDelta::minutes(1);
    let notifier = Notifier {
        clock: Arc::new(FixedClock(later)),
        ..by_smtp(&app, &server.url)
    };
    Box::pin(notifier.notify_once()).await.unwrap();
    app.execute("UPDATE accounts SET supplier_id = 4 WHERE needs_mailed_until IS NOT NULL")
        .await;

    Box::pin(notifier.send_once(&app.shutdown)).await.unwrap();

    assert!(server.mails().is_empty());
}
