//! Dealing with dead letters: sending them again one by one and many at once, discarding many, notes and search.

use std::sync::Arc;

use beanstock::dead_letters::carry_out_once;
use beanstock::domain::{Instance, Role, SupplierId, UpdateId};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::site::{Answer, Fields, borrowed, with};
use crate::support::{EXCELSA, Kind, Site, TestApp};

const ABOUT_GEISHA: &str = "/dead-letters/resend?reason=unknown_bean&supplier=3";

/// Dead letters of supplier 3 about a bean that the café does not have.
async fn about_geisha(app: &TestApp, bags: std::ops::Range<i64>) {
    for bags in bags {
        app.send_raw(&format!("3:Geisha:{bags}"), &bags.to_string())
            .await;
    }
    Box::pin(app.drain()).await;
}

fn staff(app: &TestApp) -> Site {
    Site::of(app).seen_by(Role::Staff)
}

/// The addresses of all updates, oldest first.
async fn updates(app: &TestApp) -> Vec<String> {
    let list = staff(app).get("/updates").await;
    let mut links = list.attributes("td.first a", "href");
    links.reverse();
    links
}

/// Carries out all that is to be done, portion by portion.
async fn carry_out(app: &TestApp) {
    let site = Site::of(app);
    while site.rows_of("bulk_actions WHERE finished_at IS NULL").await > 0 {
        app.execute("UPDATE bulk_actions SET next_at = '2000-01-01'")
            .await;
        let portion = carry_out_once(&app.pool, &*app.clock, &app.shutdown);
        Box::pin(portion).await.unwrap();
    }
}

/// The fields of the form that asks once more; only the chosen one of its radio buttons is sent.
fn sure(page: &Answer, changes: &[(&str, &str)]) -> Fields {
    let mut fields = page.form();
    fields.retain(|(name, value)| name != "speed" || value == "100");
    with(&fields, changes)
}

#[tokio::test]
async fn a_message_that_is_sent_again_counts_once_and_keeps_its_update() {
    for publish in [true, false] {
        let app = TestApp::start(Kind::Fifo).await;
        if publish {
            app.publish_line("3:Geisha:9").await;
        } else {
            app.send_raw("3:Geisha:9", "a").await;
        }
        app.drain().await;
        let (staff, update) = (staff(&app), updates(&app).await.remove(0));
        let resend = format!("{update}/resend");

        let hopeless = staff.get(&resend).await;
        let geisha = app.add_bean(3, "Geisha").await;
        let hopeful = staff.get(&resend).await;
        let sent = staff.post(&resend, &[]).await;
        let twice = staff.post(&resend, &[]).await;
        let waiting = staff.get("/dead-letters").await;
        let on_its_way = staff.get(&update).await;
        app.drain().await;
        let done = staff.get(&update).await;
        let late = staff.post(&resend, &[]).await;

        assert!(
            hopeless
                .text_of(".sheet")
                .contains("It would fail again today")
        );
        assert!(hopeful.text_of(".sheet").contains("9 instead of 0 bags"));
        assert!(sent.header("location").ends_with("done=update-resent"));
        assert!(twice.header("location").ends_with("done=update-on-its-way"));
        assert_eq!(waiting.all(".letter .tag"), ["Sent again, on its way"]);
        assert_eq!(on_its_way.all(".standing .tag"), ["Sent again"]);
        let deeds = on_its_way.text_of(".doings");
        assert!(!deeds.contains("Send again"), "{deeds}");
        assert_eq!(app.stock_of(geisha).await, 9);
        assert_eq!(updates(&app).await, [update], "no other update came of it");
        assert_eq!(staff.rows_of("outbox_messages").await, 0, "it is done with");
        let timeline = done.text_of(".timeline");
        assert!(timeline.contains("The café sent it again"), "{timeline}");
        assert!(late.header("location").ends_with("done=update-moved-on"));
        app.assert_audit_is_clean().await;
    }
}

#[tokio::test]
async fn what_fails_again_is_one_letter_that_can_be_sent_again() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Geisha:9").await;
    app.drain().await;
    let (staff, update) = (staff(&app), updates(&app).await.remove(0));

    for _ in 0..6 {
        staff.post(&format!("{update}/resend"), &[]).await;
        app.drain().await;
    }

    assert_eq!(app.dead_letters().await.len(), 1);
    let page = staff.get("/dead-letters").await;
    assert!(
        page.text_of(".letter").contains("Copies received7"),
        "{}",
        page.body
    );
    assert_eq!(page.text_of(".sent code"), "3:Geisha:9");
    let geisha = app.add_bean(3, "Geisha").await;
    staff.post(&format!("{update}/resend"), &[]).await;
    app.drain().await;
    assert_eq!(app.stock_of(geisha).await, 9);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn staff_see_which_instance_received_which_message_and_suppliers_do_not() {
    let app = TestApp::start(Kind::Fifo).await;
    app.send_raw("3:Geisha:9", "a").await;
    app.drain().await;
    let update = updates(&app).await.remove(0);

    let page = staff(&app).get(&update).await;
    let told = Site::of(&app).seen_by(Role::Supplier(SupplierId(3)));
    let told = told.get(&update).await;

    let instance = Instance::this().short();
    let technical = page.text_of(".technical");
    for receive in 1..=5 {
        let attempt = format!("receive {receive} of 5");
        assert!(technical.contains(&attempt), "{technical}");
    }
    assert_eq!(technical.matches(&instance).count(), 6, "and was given up");
    assert!(!told.body.contains(&instance), "{}", told.body);
}

/// Envelopes without an id of their own get another identity whenever they are published.
#[tokio::test]
async fn whatever_is_around_a_message_it_keeps_its_update_when_it_is_sent_again() {
    let line = "3:Geisha:5";
    let nested = json!({"Type": "Notification", "Message": line}).to_string();
    let numbered = json!({"Type": "Notification", "Message": line, "MessageId": 7}).to_string();
    let outer = json!({"Type": "Notification", "MessageId": "m-1", "Message": nested}).to_string();
    for (body, is_published) in [
        (&nested, true),
        (&numbered, true),
        (&nested, false),
        (&outer, false),
    ] {
        let app = TestApp::start(Kind::Fifo).await;
        if is_published {
            app.publish_line(body).await;
        } else {
            app.send_raw(body, "a").await;
        }
        app.drain().await;
        let (staff, update) = (staff(&app), updates(&app).await.remove(0));
        let geisha = app.add_bean(3, "Geisha").await;

        staff.post(&format!("{update}/resend"), &[]).await;
        app.drain().await;

        assert_eq!(app.stock_of(geisha).await, 5, "{body}");
        assert_eq!(updates(&app).await, [update], "{body}");
        assert_eq!(staff.rows_of("outbox_messages").await, 0, "{body}");
        assert!(app.dead_letters().await.is_empty(), "{body}");
        app.assert_audit_is_clean().await;
    }
}

/// What no address can mean, and what nobody can see, means nothing rather than everything.
#[tokio::test]
async fn no_address_chooses_more_than_it_says() {
    let app = TestApp::start(Kind::Fifo).await;
    for (group, bean) in ["😀", "🍕", "Malabar", "Mälabar"].into_iter().enumerate() {
        app.send_raw(&format!("3:{bean}:1"), &group.to_string())
            .await;
    }
    app.drain().await;
    let manager = Site::of(&app).seen_by(Role::Manager);

    for query in [
        "",
        "?reason=malformed&reason=malformed",
        "?reason=nonsense",
        "?bean=%20",
        "?bean=%E2%80%8B",
        "?q=%E2%80%8B",
        "?q=%00",
    ] {
        let asked = manager.get(&format!("/dead-letters/discard{query}")).await;
        assert_eq!(asked.status(), 303, "{query}: {}", asked.body);
    }
    for bean in ["%F0%9F%98%80", "Malabar"] {
        let asked = manager
            .get(&format!("/dead-letters/discard?bean={bean}"))
            .await;
        assert!(asked.text_of("h1").contains("1 message?"), "{bean}");
    }
    let long = "%EF%B7%BA".repeat(100);
    let asked = manager
        .get(&format!(
            "/dead-letters/discard?reason=unknown_bean&q={long}"
        ))
        .await;
    assert_eq!(asked.status(), 303, "nothing is found");
}

/// The queue gives up a correction as well: what is sent again is what the update says now.
#[tokio::test]
async fn a_letter_that_was_corrected_is_sent_again_as_corrected() {
    let app = TestApp::start(Kind::Fifo).await;
    let id = UpdateId::generate().to_string();
    for bags in [9, 8] {
        let says = json!({
            "version": 1, "update_id": id, "supplier_id": 3, "bean_type": "Geisha", "kind": "delivery",
            "quantity": bags,
        });
        app.send_raw(&says.to_string(), "a").await;
        app.drain().await;
    }
    let (staff, update) = (staff(&app), updates(&app).await.remove(0));
    let shown = staff.get("/dead-letters").await;
    let geisha = app.add_bean(3, "Geisha").await;

    staff.post(&format!("{update}/resend"), &[]).await;
    app.drain().await;

    assert!(
        shown.text_of("pre").contains("\"quantity\":8"),
        "{}",
        shown.body
    );
    assert_eq!(app.stock_of(geisha).await, 8);
    assert_eq!(staff.rows_of("outbox_messages").await, 0);
    assert!(app.dead_letters().await.is_empty());
    app.assert_audit_is_clean().await;
}

/// An older copy is refused while the relay has yet to send the message again.
#[tokio::test]
async fn an_older_copy_does_not_keep_a_message_from_being_sent_again() {
    let app = TestApp::start(Kind::Fifo).await;
    let id = UpdateId::generate().to_string();
    let says = json!({
        "version": 1, "update_id": id, "supplier_id": 3, "bean_type": "Geisha", "kind": "delivery", "quantity": 9,
    });
    app.send_raw(&says.to_string(), "a").await;
    app.drain().await;
    let (staff, update) = (staff(&app), updates(&app).await.remove(0));
    staff.post(&format!("{update}/resend"), &[]).await;
    app.send_raw(&says.to_string(), "b").await;
    let (poller, collector) = (app.poller(), app.collector());
    while app.queued().await > 0 {
        poller.poll_once().await.unwrap();
        collector.poll_once().await.unwrap();
    }
    let waiting = staff.rows_of("outbox_messages").await;
    let geisha = app.add_bean(3, "Geisha").await;
    app.drain().await;

    assert_eq!(waiting, 1, "it has yet to be sent");
    assert_eq!(app.stock_of(geisha).await, 9);
    app.assert_audit_is_clean().await;
}

/// A delivery that was sent before a count is in the count, however late it is sent again.
#[tokio::test]
async fn a_message_that_is_sent_again_is_as_old_as_it_was() {
    let app = TestApp::start(Kind::Fifo).await;
    let sent_at = app.clock.now() - chrono::TimeDelta::hours(1);
    let envelope = json!({
        "Type": "Notification", "MessageId": "m-1", "Message": "3:Geisha:9",
        "Timestamp": sent_at.to_rfc3339(),
    });
    app.send_raw(&envelope.to_string(), "a").await;
    app.drain().await;
    let geisha = app.add_bean(3, "Geisha").await;
    app.count(geisha, 40).await;
    let (staff, update) = (staff(&app), updates(&app).await.remove(0));

    let asked = staff.get(&format!("{update}/resend")).await;
    staff.post(&format!("{update}/resend"), &[]).await;
    app.drain().await;

    assert!(asked.text_of(".sheet").contains("It would change nothing"));
    assert_eq!(app.stock_of(geisha).await, 40);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn what_nobody_can_read_is_not_sent_again() {
    let app = TestApp::start(Kind::Fifo).await;
    app.send_raw("three bags of Excelsa", "a").await;
    app.drain().await;
    let (staff, update) = (staff(&app), updates(&app).await.remove(0));

    let sent = staff.post(&format!("{update}/resend"), &[]).await;
    app.drain().await;

    assert!(
        sent.header("location")
            .ends_with("done=would-only-come-back")
    );
    assert_eq!(staff.rows_of("outbox_messages").await, 0);
    assert_eq!(app.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn all_of_a_group_are_sent_again_but_not_what_arrives_meanwhile() {
    let app = TestApp::start(Kind::Fifo).await;
    about_geisha(&app, 1..4).await;
    app.send_raw("4:Geisha:50", "other").await;
    app.send_raw("nonsense", "worse").await;
    app.drain().await;
    let staff = staff(&app);
    let geisha = app.add_bean(3, "Geisha").await;

    let asked = staff.get(ABOUT_GEISHA).await;
    app.execute("UPDATE beans SET type = 'Gesha' WHERE type = 'Geisha'")
        .await;
    about_geisha(&app, 7..8).await;
    app.execute("UPDATE beans SET type = 'Geisha' WHERE type = 'Gesha'")
        .await;
    let begun = staff
        .post(ABOUT_GEISHA, &borrowed(&sure(&asked, &[])))
        .await;
    let again = staff
        .post(ABOUT_GEISHA, &borrowed(&sure(&asked, &[])))
        .await;
    carry_out(&app).await;
    let action = begun.header("location").to_owned();
    let under_way = staff.get(&action).await;
    app.drain().await;
    let done = staff.get(&action).await;
    let history = staff.get("/bulk-actions").await;

    assert_eq!(asked.all(".rehearsal .tag"), ["3 will apply"]);
    assert_eq!(again.header("location"), action, "one form, one action");
    assert!(under_way.text_of("#progress").contains("On their way 3"));
    let progress = done.text_of("#progress");
    assert!(progress.contains("3 of 3"), "{progress}");
    assert!(progress.contains("Applied 3"), "{progress}");
    assert!(progress.contains("1 more has arrived since"), "{progress}");
    assert!(history.text_of("tbody").contains("3 applied"));
    assert_eq!(app.stock_of(geisha).await, 6);
    assert_eq!(app.dead_letters().await.len(), 3);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn it_is_played_through_in_order_before_anything_is_sent() {
    let app = TestApp::start(Kind::Standard).await;
    let geisha = app.add_bean(3, "Geisha").await;
    for quantity in [6, 5, 1] {
        let taken_back = json!({
            "version": 1, "supplier_id": 3, "bean_type": "Geisha", "kind": "return", "quantity": quantity,
        });
        app.send_raw(&taken_back.to_string(), "").await;
        app.drain().await;
    }
    app.count(geisha, 7).await;
    app.execute("UPDATE beans SET counted_at = NULL").await;

    let asked = staff(&app)
        .get("/dead-letters/resend?reason=below_zero")
        .await;

    assert_eq!(
        asked.all(".rehearsal .tag"),
        ["2 will apply", "1 will fail again"],
        "after six of the seven there are not five left, but one"
    );
    assert!(
        asked
            .text_of(".rehearsal .why")
            .contains("Returning 5 bags would leave -4")
    );
    assert_eq!(app.stock_of(geisha).await, 7);
}

#[tokio::test]
async fn many_are_dealt_with_only_by_who_types_how_many_and_can_be_stopped() {
    let app = TestApp::start(Kind::Fifo).await;
    about_geisha(&app, 1..22).await;
    let staff = staff(&app);
    app.add_bean(3, "Geisha").await;
    let asked = staff.get(ABOUT_GEISHA).await;

    let untyped = sure(&asked, &[("speed", "1")]);
    let untyped = staff.post(ABOUT_GEISHA, &borrowed(&untyped)).await;
    let typed = sure(&asked, &[("speed", "1"), ("typed", "21")]);
    let begun = staff.post(ABOUT_GEISHA, &borrowed(&typed)).await;
    carry_out_once(&app.pool, &*app.clock, &app.shutdown)
        .await
        .unwrap();
    let action = begun.header("location").to_owned();
    let stopped = staff.post(&format!("{action}/stop"), &[]).await;
    let over = staff.post(&format!("{action}/stop"), &[]).await;
    app.drain().await;
    let page = staff.get(&action).await;

    assert_eq!(untyped.status(), 422);
    assert_eq!(untyped.mistakes()[0].0, "#typed");
    assert!(stopped.header("location").ends_with("bulk-action-stopped"));
    assert!(over.header("location").ends_with("bulk-action-over"));
    let progress = page.text_of("#progress");
    assert!(progress.contains("Applied 1"), "{progress}");
    assert!(progress.contains("Not sent 20"), "{progress}");
    assert_eq!(app.dead_letters().await.len(), 20);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn what_failed_again_is_not_called_done() {
    let app = TestApp::start(Kind::Fifo).await;
    about_geisha(&app, 1..3).await;
    let staff = staff(&app);

    let asked = staff.get(ABOUT_GEISHA).await;
    let begun = staff
        .post(ABOUT_GEISHA, &borrowed(&sure(&asked, &[])))
        .await;
    carry_out(&app).await;
    app.drain().await;
    let page = staff.get(begun.header("location")).await;
    let list = staff.get("/bulk-actions").await;

    assert_eq!(page.all("#progress p .tag"), ["Done, some failed"]);
    assert_eq!(list.all("tbody .tag"), ["Done, some failed"]);
}

#[tokio::test]
async fn managers_discard_many_and_each_can_be_restored() {
    let app = TestApp::start(Kind::Fifo).await;
    about_geisha(&app, 1..4).await;
    let manager = Site::of(&app).seen_by(Role::Manager);
    let discard = "/dead-letters/discard?reason=unknown_bean";
    let refused = staff(&app).get(discard).await;

    let asked = manager.get(discard).await;
    let unsaid = manager.post(discard, &borrowed(&sure(&asked, &[]))).await;
    let lie = sure(&asked, &[("why", "It was a test."), ("number", "1")]);
    let lie = manager.post(discard, &borrowed(&lie)).await;
    let said = sure(&asked, &[("why", "It was a test.")]);
    let begun = manager.post(discard, &borrowed(&said)).await;
    carry_out(&app).await;
    let page = manager.get(begun.header("location")).await;
    let update = updates(&app).await.remove(0);
    let supplier = Site::of(&app).seen_by(Role::Supplier(SupplierId(3)));
    let told = supplier.get(&update).await;
    let restored = staff(&app).post(&format!("{update}/restore"), &[]).await;

    assert_eq!(refused.status(), 403);
    assert_eq!(unsaid.mistakes()[0].0, "#why");
    assert_eq!(lie.status(), 409, "the log would tell another number");
    assert!(
        page.text_of("#progress").contains("Discarded 3"),
        "{}",
        page.body
    );
    assert!(told.text_of(".timeline").contains("It was a test."));
    assert!(restored.header("location").ends_with("update-restored"));
    assert_eq!(app.dead_letters().await.len(), 1);
    app.assert_audit_is_clean().await;
}

/// Four at once, and a person who has discarded one meanwhile.
#[tokio::test]
async fn however_many_carry_it_out_each_is_sent_once() {
    let app = TestApp::start(Kind::Fifo).await;
    about_geisha(&app, 1..10).await;
    let staff = staff(&app);
    let geisha = app.add_bean(3, "Geisha").await;
    let asked = staff.get(ABOUT_GEISHA).await;
    let begun = staff
        .post(ABOUT_GEISHA, &borrowed(&sure(&asked, &[])))
        .await;
    let first = updates(&app).await.remove(0);
    staff
        .post(&format!("{first}/discard"), &[("why", "Never came.")])
        .await;

    let mut both = JoinSet::new();
    for _ in 0..4 {
        app.execute("UPDATE bulk_actions SET next_at = '2000-01-01'")
            .await;
        let (pool, clock, shutdown) = (
            app.pool.clone(),
            Arc::clone(&app.clock),
            app.shutdown.clone(),
        );
        both.spawn(async move { carry_out_once(&pool, &*clock, &shutdown).await });
    }
    for carried_out in both.join_all().await {
        carried_out.unwrap();
    }
    carry_out(&app).await;
    let sent = staff.rows_of("outbox_messages").await;
    app.drain().await;
    let page = staff.get(begun.header("location")).await;

    assert_eq!(sent, 8);
    let progress = page.text_of("#progress");
    assert!(progress.contains("Applied 8"), "{progress}");
    assert!(progress.contains("Skipped 1"), "{progress}");
    assert_eq!(app.stock_of(geisha).await, 44);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn who_was_told_another_number_is_asked_again() {
    let app = TestApp::start(Kind::Fifo).await;
    about_geisha(&app, 1..4).await;
    let staff = staff(&app);
    let asked = staff.get(ABOUT_GEISHA).await;
    let first = updates(&app).await.remove(0);
    staff
        .post(&format!("{first}/discard"), &[("why", "Never came.")])
        .await;

    let begun = staff
        .post(ABOUT_GEISHA, &borrowed(&sure(&asked, &[])))
        .await;

    assert_eq!(begun.status(), 409);
    assert!(begun.text_of("h1").contains("2 messages"));
    assert_eq!(staff.rows_of("bulk_actions").await, 0);
}

#[tokio::test]
async fn letters_are_found_by_supplier_and_by_words_and_the_choice_survives() {
    let app = TestApp::start(Kind::Fifo).await;
    about_geisha(&app, 1..4).await;
    app.send_raw("4:Mocha:5", "m").await;
    app.send_raw("77:Mocha:5", "n").await;
    app.drain().await;
    let staff = staff(&app);

    let all = staff.get("/dead-letters").await;
    let of_three = staff
        .get("/dead-letters?reason=unknown_bean&supplier=3")
        .await;
    let found = staff.get("/dead-letters?q=mocha").await;
    let both = staff.get("/dead-letters?reason=unknown_bean&q=mocha").await;
    let nothing = staff.get("/dead-letters?q=nowhere").await;
    let impossible = staff.get("/dead-letters?reason=nonsense").await;

    let groups = all.all(".filters a");
    assert!(
        groups[0].ends_with(" 3") && groups[1].ends_with(" 1"),
        "{groups:?}"
    );
    assert_eq!(of_three.all(".letter").len(), 3);
    assert_eq!(found.all(".letter").len(), 2);
    assert_eq!(both.all(".letter").len(), 1);
    let next = both.attributes(".actions a[href*=resend]", "href");
    assert!(
        next.contains(&"/dead-letters/resend?reason=unknown_bean&q=mocha".to_owned()),
        "{next:?}"
    );
    assert!(nothing.text_of(".empty").contains("No message that waits"));
    assert_eq!(impossible.all(".letter").len(), 0);
    let asked = staff.get(&next[0]).await;
    assert!(asked.text_of("h1").contains("1 message"));
}

#[tokio::test]
async fn staff_leave_a_note_on_a_group_that_everybody_reads() {
    let app = TestApp::start(Kind::Fifo).await;
    about_geisha(&app, 1..2).await;
    let staff = staff(&app);
    let note = "/dead-letters/note?reason=unknown_bean&supplier=3";
    let waiting = [("note", "Waiting for supplier 3, <b>Monday</b>.")];

    let saved = staff.post(note, &waiting).await;
    let viewer = Site::of(&app).seen_by(Role::Viewer);
    let read = viewer.get("/dead-letters").await;
    let nowhere = staff.post("/dead-letters/note", &waiting).await;
    staff.post(note, &[("note", " ")]).await;
    let gone = viewer.get("/dead-letters").await;

    assert!(saved.header("location").ends_with("&done=note-saved"));
    assert!(
        read.text_of(".note")
            .contains("Waiting for supplier 3, <b>Monday</b>.")
    );
    assert_eq!(nowhere.status(), 400);
    assert!(gone.all(".note").is_empty());
}

/// `Geisha` of supplier 3 is its `Excelsa`, from now on and for what waits.
#[tokio::test]
async fn what_a_supplier_calls_a_bean_is_remembered_and_fixes_all_that_waits() {
    let app = TestApp::start(Kind::Fifo).await;
    about_geisha(&app, 1..4).await;
    app.send_raw("3:Mocha:50", "other").await;
    app.drain().await;
    let staff = staff(&app);
    let letter = staff.get("/dead-letters?q=geisha").await;
    let link = letter
        .attributes(".letter a[href*=alias]", "href")
        .remove(0);

    let asked = staff.get(&link).await;
    let nobody = staff
        .post("/suppliers/3/alias", &[("name", "Geisha"), ("bean", "1")])
        .await;
    let own = [("name", "excelsa"), ("bean", "5")];
    let own = staff.post("/suppliers/3/alias", &own).await;
    let geisha = [("name", "Geisha"), ("bean", "5")];
    let settled = staff.post("/suppliers/3/alias", &geisha).await;
    let next = settled.header("location").to_owned();
    let sure_page = staff.get(&next).await;
    staff.post(&next, &borrowed(&sure(&sure_page, &[]))).await;
    carry_out(&app).await;
    app.publish_line("3:GEISHA:100").await;
    app.drain().await;

    assert_eq!(link, "/suppliers/3/alias?name=Geisha");
    assert!(asked.text_of(".lead").contains("3 messages"));
    assert_eq!(nobody.mistakes()[0].0, "#bean", "another supplier's bean");
    assert_eq!(own.mistakes()[0].0, "#name");
    assert_eq!(sure_page.all(".rehearsal .tag"), ["3 will apply"]);
    assert_eq!(app.stock_of(EXCELSA).await, 306);
    assert_eq!(app.dead_letters().await.len(), 1);
    let supplier = Site::of(&app).seen_by(Role::Supplier(SupplierId(3)));
    let update = updates(&app).await.pop().unwrap();
    let told = supplier.get(&update).await.text_of(".timeline");
    assert!(
        told.contains("It was applied to “Excelsa”: “GEISHA” is another name for it."),
        "{told}"
    );

    let page = staff.get("/suppliers/3").await;
    assert!(page.text_of("main").contains("Geisha means Excelsa"));
    staff
        .post("/suppliers/3/alias/remove", &[("name", "Geisha")])
        .await;
    app.publish_line("3:Geisha:1").await;
    app.drain().await;
    assert_eq!(app.stock_of(EXCELSA).await, 306);
    app.assert_audit_is_clean().await;
}
