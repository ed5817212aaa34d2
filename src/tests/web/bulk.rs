//! Changing prices and alert lines of several beans at once.

use beanstock::domain::Role;

use crate::support::site::{Answer, borrowed, with};
use crate::support::{Kind, Site, TestApp};

const SEVERAL: &str = "/beans/edit";

/// Sends a form of the page again with other values in some fields.
async fn send(site: &Site, page: &Answer, wish: &str, changed: &[(&str, &str)]) -> Answer {
    let mut fields = with(&page.form(), changed);
    fields.push(("do".to_owned(), wish.to_owned()));
    site.post(SEVERAL, &borrowed(&fields)).await
}

/// Sets the price and the line of the Excelsa (bean 5) and checks that.
async fn checked(site: &Site) -> Answer {
    let page = site.get(SEVERAL).await;
    send(
        site,
        &page,
        "check",
        &[("price-5", "21.50"), ("line-5", "250")],
    )
    .await
}

async fn terms(site: &Site, bean: i64) -> (String, String) {
    let page = site.get(SEVERAL).await;
    (
        page.value_of(&format!("price-{bean}")),
        page.value_of(&format!("line-{bean}")),
    )
}

#[tokio::test]
async fn several_beans_are_changed_at_once_and_undone_at_once() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let before = (terms(&site, 5).await, terms(&site, 1).await);
    let page = site.get(SEVERAL).await;
    let wanted = [("price-5", "21.50"), ("line-5", "250"), ("line-1", "40")];

    let check = send(&site, &page, "check", &wanted).await;
    let unsaved = terms(&site, 5).await;
    let saved = send(&site, &check, "save", &[]).await;
    let again = send(&site, &check, "save", &[]).await;
    let after = (terms(&site, 5).await, terms(&site, 1).await);
    let alerts = site.get("/alerts").await;
    let shown = site.get(saved.header("location")).await;

    assert_eq!(check.all("tbody tr").len(), 2, "only what differs");
    assert!(
        check.text_of("tbody").contains("→ $21.50"),
        "{}",
        check.text_of("tbody")
    );
    assert_eq!(
        unsaved, before.0,
        "nothing is saved before it was looked at"
    );
    assert_eq!(saved.header("location"), "/bean-edits/1?done=beans-changed");
    assert_eq!(again.header("location"), saved.header("location"));
    assert_eq!(after.0, ("21.50".to_owned(), "250".to_owned()));
    assert_eq!(after.1, (before.1.0.clone(), "40".to_owned()));
    assert!(
        alerts.text_of("main").contains("Excelsa"),
        "200 bags are low at 250"
    );
    assert!(
        shown.text_of("tbody").contains("none → 250"),
        "{}",
        shown.text_of("tbody")
    );

    let undone = site.post("/bean-edits/1/undo", &[]).await;
    let twice = site.post("/bean-edits/1/undo", &[]).await;

    assert!(
        undone
            .header("location")
            .ends_with("done=beans-changed-back")
    );
    assert!(twice.header("location").ends_with("done=nothing-to-undo"));
    assert_eq!((terms(&site, 5).await, terms(&site, 1).await), before);
    assert!(site.get("/bean-edits/1").await.all("main form").is_empty());
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn undoing_leaves_what_somebody_has_changed_since() {
    let site = Site::open().await.seen_by(Role::Staff);
    let before = terms(&site, 5).await;
    let check = checked(&site).await;
    send(&site, &check, "save", &[]).await;
    site.post("/beans/5/alert", &[("bags", "7")]).await;

    site.post("/bean-edits/1/undo", &[]).await;

    assert_eq!(terms(&site, 5).await, (before.0, "7".to_owned()));
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_shown_and_nothing_is_saved() {
    let site = Site::open().await.seen_by(Role::Staff);
    let page = site.get(SEVERAL).await;
    let check = send(
        &site,
        &page,
        "check",
        &[("price-5", "21.50"), ("line-1", "40")],
    )
    .await;
    site.post("/beans/5/alert", &[("bags", "7")]).await;

    let refused = send(&site, &check, "save", &[]).await;

    assert_eq!(refused.status(), 422);
    assert!(
        refused.text_of(".mistakes").contains("an alert line of 7"),
        "{}",
        refused.text_of(".mistakes")
    );
    assert_eq!(
        refused.value_of("price-5"),
        "21.50",
        "what was typed is there"
    );
    assert_eq!(terms(&site, 1).await.1, "", "all or none");
    let check = send(&site, &refused, "check", &[("line-5", "7")]).await;
    assert_eq!(send(&site, &check, "save", &[]).await.status(), 303);
    assert_eq!(terms(&site, 5).await, ("21.50".to_owned(), "7".to_owned()));
}

#[tokio::test]
async fn what_is_chosen_for_all_is_filled_in_and_mistakes_are_told_at_once() {
    let site = Site::open().await.seen_by(Role::Staff);
    let page = site.get("/beans/edit?supplier=3").await;
    let price: f64 = page.value_of("price-5").parse().unwrap();

    let filled = send(&site, &page, "fill", &[("percent", "10"), ("line", "30")]).await;
    let wrong = [("price-5", "cheap"), ("line-5", "-1")];
    let wrong = send(&site, &page, "check", &wrong).await;
    let same = send(&site, &page, "check", &[]).await;

    let expected = format!("{:.2}", price * 1.1);
    assert_eq!(filled.value_of("price-5"), expected);
    assert_eq!(filled.value_of("line-5"), "30");
    assert_eq!(
        (filled.value_of("percent"), filled.value_of("line")),
        Default::default()
    );
    assert_eq!(wrong.status(), 422);
    assert_eq!(wrong.all(".mistakes li").len(), 2);
    assert_eq!(wrong.value_of("price-5"), "cheap");
    assert!(
        same.text_of(".mistakes")
            .contains("Nothing is different yet")
    );
}

#[tokio::test]
async fn a_forged_form_changes_nothing() {
    let site = Site::open().await.seen_by(Role::Staff);
    let before = terms(&site, 5).await;
    for fields in [
        &[
            ("do", "save"),
            ("form_key", "k"),
            ("price-5", "1"),
            ("line-5", ""),
            ("seen-5", "x"),
        ][..],
        &[
            ("do", "save"),
            ("form_key", "k"),
            ("price-999999", "1"),
            ("seen-999999", "1 "),
        ],
        &[("do", "save"), ("form_key", "k")],
        &[
            ("do", "save"),
            ("price-5", "1"),
            ("line-5", ""),
            ("seen-5", "18.00 "),
        ],
        &[("do", "dance"), ("form_key", "k")],
    ] {
        let answer = site.post(SEVERAL, fields).await;
        assert!([400, 422].contains(&answer.status()), "{}", answer.status());
    }
    assert_eq!(terms(&site, 5).await, before);
}
