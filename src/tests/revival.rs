//! What the queue has given up may come again: an open letter revives, an end never changes.

use beanstock::db;
use beanstock::domain::{BeanType, InventoryUpdate, SupplierId, UpdateId, UpdateState};
use beanstock::messaging::DEAD_LETTERS;
use beanstock::messaging::wire::{self, Decoder};
use serde_json::json;

use crate::support::app::delivery;
use crate::support::process::{Program, settings_for, until};
use crate::support::{EXCELSA, Kind, Site, TestApp};

fn of(supplier: i64, bean_type: &str, id: UpdateId, bags: i64) -> InventoryUpdate {
    InventoryUpdate {
        supplier: SupplierId(supplier),
        bean_type: BeanType::parse(bean_type).unwrap(),
        ..delivery(id, bags)
    }
}

async fn send(app: &TestApp, update: &InventoryUpdate) {
    let group = UpdateId::generate().to_string();
    app.send_raw(&wire::encode(update), &group).await;
}

/// Open and closed letters, as (state, copies that were given up).
async fn letters(app: &TestApp) -> Vec<(String, i32)> {
    let mut conn = app.pool.acquire().await.unwrap();
    let rows: Vec<(String, i32)> =
        sqlx::query_as("SELECT state, arrivals FROM dead_letters ORDER BY state")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    rows
}

#[tokio::test]
async fn what_was_given_up_is_applied_when_it_comes_again_after_its_bean_was_added() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = of(3, "Geisha", UpdateId::generate(), 12);
    send(&app, &update).await;
    app.drain().await;
    let geisha = app.add_bean(3, "Geisha").await;

    send(&app, &update).await;
    app.drain().await;
    send(&app, &update).await;
    app.drain().await;

    assert_eq!(app.stock_of(geisha).await, 12, "once");
    assert_eq!(letters(&app).await, [("resent".to_owned(), 1)]);
    let steps = app.steps_of(update.id).await;
    assert!(
        steps.ends_with(&[
            UpdateState::DeadLettered,
            UpdateState::Resent,
            UpdateState::Applied
        ]),
        "{steps:?}"
    );
    app.assert_audit_is_clean().await;
}

/// As AWS's console redrives it: the same envelope in a new SQS message.
#[tokio::test]
async fn a_line_of_the_labs_revives_in_its_envelope() {
    let app = TestApp::start(Kind::Fifo).await;
    let envelope = json!({
        "Type": "Notification", "MessageId": "m-1", "Message": "3:Geisha:12",
        "Timestamp": "2026-05-12T10:42:07.000Z",
    });
    app.send_raw(&envelope.to_string(), "a").await;
    app.drain().await;
    let geisha = app.add_bean(3, "Geisha").await;

    app.send_raw(&envelope.to_string(), "b").await;
    app.drain().await;

    assert_eq!(app.stock_of(geisha).await, 12);
    assert!(app.dead_letters().await.is_empty());
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn what_is_refused_again_is_counted_on_its_one_letter() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = of(3, "Geisha", UpdateId::generate(), 12);
    for _ in 0..3 {
        send(&app, &update).await;
        app.drain().await;
    }

    assert_eq!(letters(&app).await, [("open".to_owned(), 3)]);
    assert_eq!(app.standing_of(update.id).await, UpdateState::DeadLettered);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_refused_update_is_corrected_under_its_own_id_and_its_older_content_stays_replaced() {
    let app = TestApp::start(Kind::Fifo).await;
    let id = UpdateId::generate();
    let wrong = of(3, "Excelza", id, 90);
    send(&app, &wrong).await;
    app.drain().await;

    send(&app, &delivery(id, 9)).await;
    app.drain().await;
    send(&app, &wrong).await;
    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    assert_eq!(letters(&app).await, [("fixed".to_owned(), 1)]);
    assert_eq!(app.standing_of(id).await, UpdateState::Applied);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn what_cannot_be_read_does_not_replace_what_can() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = of(3, "Geisha", UpdateId::generate(), 12);
    send(&app, &update).await;
    app.drain().await;
    let unreadable = wire::encode(&update).replace("\"quantity\":12", "\"quantity\":9.5");
    assert!(unreadable.contains("9.5"));
    for group in ["a", "b"] {
        app.send_raw(&unreadable, group).await;
        app.drain().await;
    }
    let geisha = app.add_bean(3, "Geisha").await;

    send(&app, &update).await;
    app.drain().await;

    assert_eq!(app.stock_of(geisha).await, 12, "it was never replaced");
    let letters = letters(&app).await;
    assert_eq!(
        letters,
        [("open".to_owned(), 2), ("resent".to_owned(), 1)],
        "the other waits on a letter of its own"
    );
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_message_that_could_not_be_read_is_corrected_under_its_own_id_too() {
    let app = TestApp::start(Kind::Fifo).await;
    let id = UpdateId::generate();
    let unreadable = wire::encode(&delivery(id, 9)).replace(":9,", ":9.5,");
    assert!(unreadable.contains("9.5"));
    app.send_raw(&unreadable, "a").await;
    app.drain().await;

    send(&app, &delivery(id, 9)).await;
    app.drain().await;
    app.send_raw(&unreadable, "b").await;
    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    assert_eq!(letters(&app).await, [("fixed".to_owned(), 1)]);
    app.assert_audit_is_clean().await;
}

/// Each of three copies may be refused, given up and collected while the others are still on their
/// way; the late ones must not bring back what the first has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_copies_of_refused_updates_change_no_end() {
    let app = TestApp::start(Kind::Standard).await;
    let settings = settings_for(&app);
    let servers = [(); 2].map(|()| Program::start(&["serve"], &settings));
    let updates: Vec<_> = (0..100)
        .map(|_| of(3, "Geisha", UpdateId::generate(), 1))
        .collect();
    for round in 0..3 {
        for update in &updates {
            send(&app, update).await;
        }
        if round == 1 {
            app.add_bean(3, "Geisha").await;
        }
    }

    until("everything has settled", || async {
        let mut conn = app.pool.acquire().await.unwrap();
        let counts = db::update_counts::count_updates(&mut conn).await.unwrap();
        counts.accepted == 100 && counts.waiting == 0 && app.queued().await == 0
    })
    .await;

    for server in servers {
        assert!(server.terminate().await.status.success());
    }
    for update in &updates {
        assert_eq!(app.standing_of(update.id).await, UpdateState::Applied);
    }
    assert!(app.dead_letters().await.is_empty());
    app.assert_audit_is_clean().await;
}

/// The queue gave it up without anybody here having seen it.
#[tokio::test]
async fn a_letter_that_nobody_tried_says_so() {
    let app = TestApp::start(Kind::Standard).await;
    let body = wire::encode(&delivery(UpdateId::generate(), 9));
    let url = app.resources.queue_url(DEAD_LETTERS);
    let sent = app.sqs.send_message().queue_url(url).message_body(body);
    sent.send().await.unwrap();

    app.drain().await;

    let (reason, explanation, receives) = app.dead_letters().await.remove(0);
    assert_eq!((reason.as_str(), receives), ("never_tried", None));
    assert!(
        explanation.starts_with("It was received 5 times but never processed"),
        "{explanation}"
    );
    app.assert_audit_is_clean().await;
}

/// A count now; then a line whose envelope says that it was sent an hour before.
#[tokio::test]
async fn what_was_sent_before_a_count_is_taken_to_be_in_it_and_listed_for_a_person() {
    let app = TestApp::start(Kind::Fifo).await;
    app.count(EXCELSA, 19).await;
    let sent_at = app.clock.now() - chrono::TimeDelta::hours(1);
    let envelope = json!({
        "Type": "Notification", "MessageId": "m-1", "Message": "3:Excelsa:9",
        "Timestamp": sent_at.to_rfc3339(),
    });

    app.send_raw(&envelope.to_string(), "a").await;
    app.send_raw("3:Excelsa:2", "b").await;
    app.drain().await;

    assert_eq!(
        app.stock_of(EXCELSA).await,
        21,
        "only what was sent after the count"
    );
    let page = Site::of(&app).get("/dead-letters").await;
    assert!(page.all("h2")[0].starts_with("Already included in a count"));
    assert!(
        page.body.contains("correct the stock by hand"),
        "{}",
        page.body
    );
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_time_of_sending_that_is_none_stops_nobody() {
    let app = TestApp::start(Kind::Fifo).await;
    for (number, timestamp) in [
        "2026-06-30T23:59:60Z",
        "0000-01-01T00:00:00+23:59",
        "9999-12-31T23:59:60.9999999Z",
    ]
    .into_iter()
    .enumerate()
    {
        let envelope = json!({
            "Type": "Notification", "MessageId": format!("m-{number}"), "Message": "3:Excelsa:1",
            "Timestamp": timestamp,
        });
        app.send_raw(&envelope.to_string(), timestamp).await;
    }

    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 203);
    app.assert_audit_is_clean().await;
}

/// A retry is the same update, whenever it is sent again.
#[tokio::test]
async fn a_retry_that_is_sent_after_a_count_is_still_from_before_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let id = UpdateId::generate();
    let message = json!({
        "version": 1, "update_id": id.to_string(), "supplier_id": 3, "bean_type": "Excelsa",
        "kind": "return", "quantity": 260,
    });
    app.send_raw(&message.to_string(), "a").await;
    app.drain().await;
    app.count(EXCELSA, 300).await;

    app.send_raw(&message.to_string(), "b").await;
    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 300);
    assert_eq!(app.standing_of(id).await, UpdateState::Superseded);
    app.assert_audit_is_clean().await;
}

/// The broker was away in between.
#[tokio::test]
async fn what_was_accepted_before_a_count_and_published_after_it_is_taken_to_be_in_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = delivery(UpdateId::generate(), 9);
    app.accept(&update).await;
    app.count(EXCELSA, 19).await;

    app.drain().await;

    assert_eq!(app.standing_of(update.id).await, UpdateState::Superseded);
    assert_eq!(app.stock_of(EXCELSA).await, 19);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_message_from_a_foreign_topic_changes_nothing_and_says_why() {
    let app = TestApp::start(Kind::Fifo).await;
    let ours = app.resources.topic_arn().to_owned();
    let envelope = |topic: &str, id: &str| {
        json!({
            "Type": "Notification", "MessageId": id, "Message": "3:Excelsa:9", "TopicArn": topic,
        })
    };
    app.send_raw(&envelope("arn:aws:sns:x:1:others", "1").to_string(), "a")
        .await;
    app.send_raw(&envelope(&ours, "2").to_string(), "b").await;
    let decoder = Decoder::new(&[&ours]);
    let poller = app.poller_reading(decoder.clone());

    // A receive that moves a message to the dead-letter queue may find nothing else.
    for _ in 0..2 {
        while poller.poll_once().await.unwrap().received > 0 {}
    }
    app.collector_reading(decoder).poll_once().await.unwrap();

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    let (reason, explanation, _) = app.dead_letters().await.remove(0);
    assert_eq!(reason, "foreign_topic");
    assert!(
        explanation.contains("arn:aws:sns:x:1:others"),
        "{explanation}"
    );
}

/// Beans of before the rule, whose types look the same.
#[tokio::test]
async fn a_message_that_could_mean_either_of_two_beans_is_refused_and_both_pages_say_so() {
    let app = TestApp::start(Kind::Fifo).await;
    let twin = app.add_bean(3, "Twin").await;
    app.execute("UPDATE beans SET type = 'Excelsa\u{200b}', type_key = 'x' WHERE type = 'Twin'")
        .await;
    db::migrate(&app.pool).await.unwrap();

    app.publish_line("3:Excelsa:9").await;
    app.drain().await;

    assert_eq!(
        (app.stock_of(EXCELSA).await, app.stock_of(twin).await),
        (200, 0)
    );
    let (reason, explanation, _) = app.dead_letters().await.remove(0);
    assert_eq!(reason, "ambiguous_bean");
    assert!(explanation.contains("beans 5 and 15"), "{explanation}");
    let site = Site::of(&app);
    for (bean, other) in [(5, "number 15"), (15, "number 5")] {
        let page = site.get(&format!("/beans/{bean}")).await;
        assert!(page.text_of(".warning").contains(other), "{}", page.body);
    }
}

#[tokio::test]
async fn a_type_is_found_whatever_invisible_characters_it_carries() {
    let app = TestApp::start(Kind::Fifo).await;
    for line in [
        "3:Excelsa\u{200b}:1",
        "3:ＥＸＣＥＬＳＡ:1",
        "3:\u{feff}Excelsa\u{a0}:1",
    ] {
        app.send_raw(line, line).await;
    }

    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 203);
    assert!(app.dead_letters().await.is_empty());
}
