//! What café staff do about dead letters: in groups, one by one, all at once, and with the queue paused.

use beanstock::dead_letters::carry_out_once;
use beanstock::domain::{Role, SupplierId};
use serde_json::json;

use crate::support::browser::{Browser, LAPTOP, Served};
use crate::support::process::until;
use crate::support::{EXCELSA, Kind, Site, TestApp};

/// Ten messages that cannot be applied: four misspelt, three taken back without being there, three unreadable.
async fn break_ten(app: &TestApp) {
    for bags in 1..5 {
        app.publish_line(&format!("3:Excelza:{bags}")).await;
    }
    for bags in 901..904 {
        let taken_back = json!({
            "version": 1, "supplier_id": 3, "bean_type": "Excelsa", "kind": "return", "quantity": bags,
        });
        app.publish_line(&taken_back.to_string()).await;
    }
    for number in 1..4 {
        app.publish_line(&format!("delivery note {number}")).await;
    }
    Box::pin(app.drain()).await;
}

/// Waits until the open page says something, without touching it.
async fn says(browser: &Browser, selector: &str, words: &str) {
    until(words, || async {
        browser.all(selector).await.join(" ").contains(words)
    })
    .await;
}

/// Follows a link, and waits for the page with this heading.
async fn follow(browser: &Browser, link: &str, heading: &str) {
    browser.follow(link).await;
    says(browser, "h1", heading).await;
}

async fn open(app: &TestApp) -> (Site, Served, Browser) {
    let site = Site::of(app).seen_by(Role::Manager);
    let served = Served::start(&site).await;
    let browser = Browser::open(&served).await;
    let browser = browser.signed_in_with(&site.cookie().await.unwrap()).await;
    browser.look_at(LAPTOP).await;
    (site, served, browser)
}

/// Fixes one of the misspelt, remembers the name for the others, and sees them applied without a reload.
async fn mend_the_misspelt(app: &TestApp, browser: &Browser) {
    browser.visit("/dead-letters?reason=unknown_bean").await;
    follow(browser, ".letter a[href$=fix]", "Fix").await;
    browser.press("Continue").await;
    browser.press("Send").await;
    Box::pin(app.drain()).await;
    browser.visit("/dead-letters?reason=unknown_bean").await;
    assert_eq!(browser.all(".letter").await.len(), 3);
    follow(browser, ".letter a[href*=alias]", "Which bean is meant?").await;
    browser.press("Remember it and go on").await;
    assert!(browser.text().await.contains("3 will apply"));
    browser.press("Send again: 3").await;
    says(browser, "#progress", "Waiting").await;
    let portion = carry_out_once(&app.pool, &*app.clock, &app.shutdown);
    Box::pin(portion).await.unwrap();
    Box::pin(app.drain()).await;
    says(browser, "#progress", "Applied").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn ten_broken_messages_are_found_in_groups_and_dealt_with() {
    let app = TestApp::start(Kind::Fifo).await;
    break_ten(&app).await;
    let (site, _served, browser) = open(&app).await;

    browser.visit("/dead-letters").await;
    let mut groups = browser.all("h2").await;
    groups.sort_unstable();
    assert_eq!(
        groups,
        [
            "Could not be read 3",
            "Not enough bags in stock 3",
            "Unknown bean 4"
        ]
    );
    mend_the_misspelt(&app, &browser).await;
    assert_eq!(app.stock_of(EXCELSA).await, 210);
    app.publish_line("3:Excelza:90").await;
    Box::pin(app.drain()).await;
    assert_eq!(app.stock_of(EXCELSA).await, 300, "the name is remembered");

    browser.visit("/dead-letters?reason=below_zero").await;
    let history = ".letter a[href^='/updates/']:not([href$=fix]):not([href$=resend])";
    follow(&browser, history, "Excelsa").await;
    let update = browser.path().await;
    browser.press("Discard").await;
    browser.fill("Why?", "It never left the café.").await;
    browser.press("Discard it").await;
    assert!(browser.text().await.contains("It never left the café."));
    assert_eq!(app.dead_letters().await.len(), 5);
    browser.press("Restore it").await;
    assert_eq!(app.dead_letters().await.len(), 6);
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    let supplier = site.seen_by(Role::Supplier(SupplierId(3)));
    let told = supplier.get(&update).await.text_of(".timeline");
    assert!(told.contains("It never left the café."), "{told}");
    let updates = supplier.get("/updates?state=applied").await;
    assert_eq!(
        updates.all("tbody tr").len(),
        5,
        "the fix, three, and the next"
    );
    app.assert_audit_is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn a_queue_is_paused_and_resumed_and_every_page_says_so() {
    let app = TestApp::start(Kind::Fifo).await;
    let (_site, _served, browser) = open(&app).await;
    app.execute(
        "INSERT INTO consumers (instance, queue, version, started_at, seen_at, last_receive_at, in_hand) \
         VALUES (UNHEX(REPEAT('07', 16)), 'updates', '1', NOW(6), NOW(6) + INTERVAL 1 HOUR, NOW(6), 0)",
    )
    .await;

    browser.visit("/consumers").await;
    browser.click("summary").await;
    browser.fill("Why?", "The scales are being repaired.").await;
    browser.press("Pause it").await;
    browser.visit("/suppliers").await;
    says(&browser, ".banner", "Receiving is paused").await;
    says(&browser, ".banner", "The scales are being repaired.").await;
    browser.visit("/consumers").await;
    browser.press("Resume the queue").await;

    assert_eq!(browser.all(".banner").await, Vec::<String>::new());
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
