//! How updates are sent and watched until they are stock.

use std::sync::Arc;

use beanstock::clock::FixedClock;
use beanstock::domain::{Role, SupplierId};
use chrono::TimeDelta;
use fantoccini::key::Key;

use crate::support::browser::{Browser, LAPTOP, PHONE, Served};
use crate::support::fake_topic::FakeTopic;
use crate::support::process::until;
use crate::support::proxy::Proxy;
use crate::support::{EXCELSA, Kind, Site, TestApp};

/// The supplier of the Excelsa.
const CORDILLERA: Role = Role::Supplier(SupplierId(3));

async fn open(served: &Served, site: &Site) -> Browser {
    let browser = Browser::open(served).await;
    browser.signed_in_with(&site.cookie().await.unwrap()).await
}

/// Waits until the open page says something, without touching it.
async fn says(browser: &Browser, words: &str) {
    until(words, || async { browser.text().await.contains(words) }).await;
}

/// Fills in a line of the form.
async fn fill_line(browser: &Browser, number: usize, kind: &str, bags: &str) {
    browser
        .choose_in(&format!("#bean-{number}"), &EXCELSA.to_string())
        .await;
    browser
        .click(&format!("[name=kind-{number}][value={kind}]"))
        .await;
    if !bags.is_empty() {
        browser.type_into(&format!("#bags-{number}"), bags).await;
    }
}

/// Sends a delivery of so many bags, and ends on its page.
async fn send(browser: &Browser, bags: &str) {
    browser.visit("/updates/new").await;
    fill_line(browser, 1, "delivery", bags).await;
    browser.press("Continue").await;
    assert_eq!(browser.heading().await, "Check before sending");
    browser.press("Send").await;
    assert!(browser.path().await.starts_with("/updates/BR-"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn three_lines_are_sent_and_become_stock_before_the_senders_eyes() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let served = Served::start(&site).await;
    let browser = open(&served, &site).await;
    browser.look_at(PHONE).await;

    browser.visit("/updates/new").await;
    fill_line(&browser, 1, "delivery", "12").await;
    says(&browser, "Excelsa: 12 bags more").await;
    browser.press("Add another bean").await;
    fill_line(&browser, 2, "return", "2").await;
    browser.press("Add another bean").await;
    fill_line(&browser, 3, "out_of_stock", "").await;
    browser.press("Continue").await;
    browser.press("Send").await;
    says(&browser, "Live").await;
    assert_eq!(browser.all(".standing .tag").await, ["Sending"; 3]);
    app.drain().await;

    until("all are applied", || async {
        browser.all(".standing .tag").await == ["Applied"; 3]
    })
    .await;
    assert_eq!(app.stock_of(EXCELSA).await, 210);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

/// One that fails, is fixed and sent again; one that is cancelled; one that is corrected.
async fn mend(app: &TestApp, browser: &Browser, watches: bool) {
    let look = async |words: &str| {
        if !watches {
            browser.reload().await;
        }
        says(browser, words).await;
    };
    browser.visit("/updates/new").await;
    fill_line(browser, 1, "return", "500").await;
    browser.press("Continue").await;
    browser.press("Send").await;
    app.drain().await;
    look("Needs attention").await;
    browser.press("Fix and resend").await;
    browser.type_into("#bags-1", "5").await;
    browser.press("Continue").await;
    browser.press("Send").await;
    app.drain().await;
    look("Applied").await;
    browser.press("an earlier update").await;
    assert!(browser.text().await.contains("Replaced"));
    assert_eq!(app.stock_of(EXCELSA).await, 195);

    send(browser, "7").await;
    browser.press("Cancel this update").await;
    assert!(browser.text().await.contains("The update was cancelled."));
    app.drain().await;
    look("Cancelled").await;
    assert_eq!(app.stock_of(EXCELSA).await, 195);

    send(browser, "12").await;
    app.drain().await;
    look("Applied").await;
    browser.press("Correct the number").await;
    browser.fill("How many bags were there really?", "10").await;
    browser.press("Continue").await;
    assert!(browser.text().await.contains("2 bags fewer"));
    browser.press("Send the correction").await;
    app.drain().await;
    look("Applied").await;
    assert_eq!(app.stock_of(EXCELSA).await, 205);
    app.assert_audit_is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn what_went_wrong_is_fixed_cancelled_and_corrected() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let served = Served::start(&site).await;
    let browser = open(&served, &site).await;

    mend(&app, &browser, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn what_went_wrong_is_fixed_cancelled_and_corrected_without_javascript() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let served = Served::start(&site).await;
    let browser = open(&served, &site).await.without_javascript().await;

    mend(&app, &browser, false).await;
}

/// The topic takes nothing at first: what was sent is kept, and goes on its way afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn what_is_sent_while_the_broker_is_away_waits_and_says_so() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let served = Served::start(&site).await;
    let browser = open(&served, &site).await;

    send(&browser, "12").await;
    let away = app.relay_to(FakeTopic::default(), Arc::clone(&app.clock));
    let relayed = away.relay_once().await.unwrap();
    assert_eq!(relayed.published, 0);
    says(&browser, "waiting to be sent").await;
    let later = FixedClock(app.clock.now() + TimeDelta::hours(1));
    let relayed = app.relay_at(Arc::new(later)).relay_once().await.unwrap();
    assert_eq!(relayed.published, 1);
    app.drain().await;

    says(&browser, "Applied").await;
    assert_eq!(app.stock_of(EXCELSA).await, 212);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn two_servers_behind_a_proxy_tell_the_same_and_a_cut_line_is_mended() {
    let app = TestApp::start(Kind::Fifo).await;
    let proxy = Proxy::start().await;
    let sites = [(); 2].map(|()| Site::of_its_own(&app).seen_by(CORDILLERA));
    let mut served = Vec::new();
    for site in &sites {
        served.push(Served::start_behind(site, &proxy.origin).await);
    }
    let addresses: Vec<_> = served.iter().map(|served| served.address).collect();
    proxy.lead_to(addresses.clone());
    let browser = Browser::open_at(&proxy.origin).await;
    let browser = browser
        .signed_in_with(&sites[0].cookie().await.unwrap())
        .await;
    browser.look_at(LAPTOP).await;

    send(&browser, "12").await;
    says(&browser, "Live").await;
    app.drain().await;
    says(&browser, "Applied").await;
    send(&browser, "3").await;
    says(&browser, "Live").await;
    proxy.cut();
    says(&browser, "Not live since").await;
    app.drain().await;
    assert!(!browser.text().await.contains("Applied"));
    proxy.lead_to(addresses);
    says(&browser, "Applied").await;

    assert_eq!(app.stock_of(EXCELSA).await, 215);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn a_paused_page_stands_still_and_catches_up() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let served = Served::start(&site).await;
    let browser = open(&served, &site).await;
    send(&browser, "12").await;
    says(&browser, "Live").await;

    browser.jump("Pause").await;
    app.drain().await;
    says(&browser, "Paused at").await;
    assert_eq!(browser.all(".standing .tag").await, ["Sending"]);
    browser.jump("Resume").await;

    says(&browser, "Applied").await;
}

/// Whoever has the keyboard on a button keeps it, whatever happens to the update meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn what_has_the_focus_is_not_taken_away() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let served = Served::start(&site).await;
    let browser = open(&served, &site).await;
    send(&browser, "12").await;
    says(&browser, "Live").await;
    while browser.focused().await != "Cancel this update" {
        browser.press_key(Key::Tab).await;
    }

    app.drain().await;
    says(&browser, "Applied").await;
    assert_eq!(browser.focused().await, "Cancel this update");
    browser.press_key(Key::Tab).await;

    until("what can be done is up to date", || async {
        browser.text().await.contains("Correct the number")
    })
    .await;
}
