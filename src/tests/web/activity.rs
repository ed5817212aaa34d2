//! The log of what people did: searching it, and taking it along.

use beanstock::domain::{Role, SupplierId};

use crate::support::site::{borrowed, with};
use crate::support::{Kind, Site, TestApp};

#[tokio::test]
async fn the_log_is_searched_by_who_and_what_and_when_and_taken_along() {
    let app = TestApp::start(Kind::Fifo).await;
    let manager = Site::of(&app).seen_by(Role::Manager);
    let why = [("queue", "updates"), ("reason-updates", "Taking stock")];
    manager.post("/consumers/pause", &why).await;
    manager
        .post("/consumers/resume", &[("queue", "updates")])
        .await;
    let note = [("note", "Waiting.")];
    let staff = Site::of(&app).seen_by(Role::Staff);
    staff
        .post("/dead-letters/note?reason=malformed", &note)
        .await;

    let all = manager.get("/activity").await;
    let paused = manager.get("/activity?what=paused_queue").await;
    let who = all.attributes("#who option", "value");
    let of_one = manager.get(&format!("/activity?who={}", who[1])).await;
    let of_another = manager.get(&format!("/activity?who={}", who[2])).await;
    let never = manager.get("/activity?to=2020-01-01").await;
    let nonsense = manager.get("/activity?who=x&what=y&from=z").await;
    staff
        .post("/suppliers/3/alias", &[("name", "=1+1"), ("bean", "5")])
        .await;
    let file = manager.get("/activity.csv?what=settled_name").await;

    let lines = all.all("ol.sessions li");
    let lines = lines.iter().filter(|line| !line.contains("Whoever runs"));
    let lines = lines.count();
    assert_eq!(paused.all("ol.sessions li").len(), 1);
    assert!(paused.text_of("ol.sessions").contains("paused a queue"));
    let some = of_one.all("ol.sessions li").len();
    let others = of_another.all("ol.sessions li").len();
    assert_eq!(some + others, lines, "two people did it all");
    assert!(never.text_of(".empty").contains("Nothing in the log"));
    assert!(nonsense.all("ol.sessions li").is_empty());
    assert!(
        file.body
            .starts_with("at,who,what,whom,details,from_address\n")
    );
    assert_eq!(file.body.lines().count(), 2);
    assert!(
        file.body.contains(",'=1+1 of Cordillera Direct means"),
        "{}",
        file.body
    );
}

#[tokio::test]
async fn what_people_send_and_what_they_change_on_the_list_is_in_the_log() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelza:9").await;
    app.drain().await;
    let manager = Site::of(&app).seen_by(Role::Manager);
    let supplier = Site::of(&app).seen_by(Role::Supplier(SupplierId(3)));

    let updates = supplier.get("/updates").await;
    let broken = updates.attributes("td.first a", "href").remove(0);
    let form = supplier.get(&format!("{broken}/fix")).await.form();
    let mut fix = borrowed(&form);
    fix.retain(|(name, value)| *name != "kind-1" || *value == "delivery");
    fix.push(("do", "send"));
    supplier.post("/updates/new", &fix).await;
    let form = manager.get("/supplier-add").await.form();
    let changes = [
        ("name", "Hill Farm"),
        ("address", "1 Hill"),
        ("city", "Bristol"),
        ("state", "Avon"),
    ];
    let form = with(&form, &changes);
    let form = with(
        &form,
        &[("email", "hill@example.com"), ("phone", "555-555-0100")],
    );
    let added = manager.post("/supplier-add", &borrowed(&form)).await;
    manager.post("/bean-remove/5", &[]).await;
    let removed = manager.get("/activity?what=removed_bean").await;
    let log = manager.get("/activity").await.text_of("ol.sessions");

    assert_eq!(added.status(), 303, "{}", added.body);
    assert!(log.contains("fixed and resent an update"), "{log}");
    assert!(log.contains("added a supplier (Hill Farm"), "{log}");
    let line = removed.text_of("ol.sessions");
    assert!(
        line.contains("removed a bean (House Excelsa (bean 5))"),
        "{line}"
    );
    assert!(!line.contains("Whoever runs"), "{line}");
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn what_people_do_at_the_shelf_and_about_alerts_is_in_the_log_once() {
    let app = TestApp::start(Kind::Fifo).await;
    let staff = Site::of(&app).seen_by(Role::Staff);
    let used = [("form_key", "k"), ("bags", "2")];
    staff.post("/beans/5/use", &used).await;
    staff.post("/beans/5/use", &used).await;
    let undone = [("form_key", "u"), ("do", "send")];
    staff.post("/beans/5/movements/2/undo", &undone).await;
    let damaged = [
        ("form_key", "a"),
        ("do", "send"),
        ("reason", "damaged"),
        ("bags", "3"),
    ];
    staff.post("/beans/5/adjust", &damaged).await;
    let counted = [("form_key", "c"), ("do", "send"), ("bags", "0")];
    staff.post("/beans/5/count", &counted).await;
    let stocktake = staff.post("/stocktakes", &[]).await;
    let stocktake = stocktake.header("location").to_owned();
    let one = [("bean", "1"), ("bags", "7")];
    staff.post(&format!("{stocktake}/count"), &one).await;
    let finish = format!("{stocktake}/finish");
    staff.post(&finish, &[("do", "book")]).await;
    let ways = staff.get("/alerts").await.attributes("form", "action");
    let [look, mute] = ["acknowledge", "mute"].map(|what| {
        let mut ways = ways.iter();
        ways.find(|way| way.ends_with(what)).unwrap()
    });
    staff.post(look, &[]).await;
    staff.post(mute, &[("days", "1")]).await;
    staff.post(mute, &[("days", "0")]).await;
    staff.post("/account/alerts", &[("out", "on")]).await;
    staff.post("/account/alerts/feed", &[("to", "make")]).await;

    let manager = Site::of(&app).seen_by(Role::Manager);
    let log = manager.get("/activity").await.all("ol.sessions li");

    for told in [
        "used bags (House Excelsa: bags 200 → 198)",
        "undid a stock movement (House Excelsa: bags 198 → 200)",
        "adjusted the bags (House Excelsa: bags 200 → 197)",
        "counted the bags (House Excelsa: bags 197 → 0)",
        "started a stocktake (Stocktake 1)",
        "booked a stocktake (Stocktake 1)",
        "acknowledged an alert (House Excelsa: Out of stock)",
        "muted an alert (House Excelsa: Out of stock)",
        "unmuted an alert (House Excelsa: Out of stock)",
        "chose what to be told",
        "made an address for a feed of alerts",
    ] {
        let lines = log.iter().filter(|line| line.contains(told));
        let told_again = told.starts_with("muted");
        let lines = lines.filter(|line| !told_again || !line.contains("unmuted"));
        assert_eq!(lines.count(), 1, "{told}: {log:#?}");
    }
    let of_stocktake = log.iter().find(|line| line.contains("7 bags, Stocktake 1"));
    assert!(of_stocktake.is_some(), "{log:#?}");
    assert!(
        log.iter()
            .all(|line| !line.contains("Whoever runs") || !line.contains("House Excelsa: bags")),
        "{log:#?}"
    );
    app.assert_audit_is_clean().await;
}
