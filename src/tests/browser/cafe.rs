//! What café staff do on the site: the dashboard and the wall, the shelf, stocktakes, two editors at once.

use std::net::SocketAddr;
use std::time::Duration;

use beanstock::domain::Role;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::browser::{Browser, LAPTOP, PHONE, Served};
use crate::support::process::until;
use crate::support::{EXCELSA, Kind, Site, TestApp};

async fn open(served: &Served, site: &Site) -> Browser {
    let browser = Browser::open(served).await;
    browser.signed_in_with(&site.cookie().await.unwrap()).await
}

/// Waits until a part of the open page says something, without touching it.
async fn says(browser: &Browser, selector: &str, words: &str) {
    until(words, || async {
        browser.all(selector).await.join(" ").contains(words)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn a_published_update_changes_a_tile_and_its_row_without_a_reload() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let served = Served::start(&site).await;
    let browser = open(&served, &site).await;
    browser.look_at(LAPTOP).await;

    browser.visit("/").await;
    says(&browser, ".live", "Live").await;
    says(&browser, "#tile-stock", "8,450").await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;

    says(&browser, "#tile-stock", "8,459").await;
    says(&browser, "#levels-table", "209").await;
    says(&browser, ".live", "1 new – show").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn bags_are_used_on_a_phone_and_a_slip_is_undone() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let served = Served::start(&site).await;
    let browser = open(&served, &site).await;
    browser.look_at(PHONE).await;

    browser.visit("/use").await;
    browser
        .click("form[action='/beans/5/use'] button[value='2']")
        .await;
    says(
        &browser,
        ".notice",
        "2 bags of House Excelsa used; 198 bags left",
    )
    .await;
    assert_eq!(app.stock_of(EXCELSA).await, 198);
    browser.jump("Undo").await;
    browser.press("Undo it").await;

    assert_eq!(app.stock_of(EXCELSA).await, 200);
    app.assert_audit_is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn two_people_take_stock_on_their_phones_while_a_delivery_arrives() {
    let app = TestApp::start(Kind::Fifo).await;
    let (sam, ana) = (
        Site::of(&app).seen_by(Role::Staff),
        Site::of(&app).seen_by(Role::Staff),
    );
    let served = Served::start(&sam).await;
    let (first, second) = (open(&served, &sam).await, open(&served, &ana).await);
    first.look_at(PHONE).await;
    second.look_at(PHONE).await;

    first.visit("/stocktakes").await;
    first.press("Start a stocktake").await;
    second.visit("/stocktakes").await;
    second.press("Help counting").await;
    assert_eq!(second.path().await, first.path().await);
    first.visit("/stocktakes/1?bean=5").await;
    first.fill("How many bags are there?", "190").await;
    first.press("Save and go on").await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    second.visit("/stocktakes/1?bean=1").await;
    second.fill("How many bags are there?", "1,000").await;
    second.press("Save and go on").await;
    says(&second, ".lead", "2 of 14 beans counted").await;
    second.jump("Finish").await;
    assert!(
        second
            .text()
            .await
            .contains("2 beans were counted, 1 differs from the books")
    );
    second.press("Book the counts").await;

    says(&second, ".notice", "The counts are booked").await;
    assert_eq!(app.stock_of(EXCELSA).await, 199);
    assert_eq!(second.complaints().await, Vec::<String>::new());
    app.assert_audit_is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn two_who_edit_one_bean_see_both_versions_and_the_second_chooses() {
    let site = Site::open().await.seen_by(Role::Staff);
    let served = Served::start(&site).await;
    let (first, second) = (open(&served, &site).await, open(&served, &site).await);

    first.visit("/bean-update/5").await;
    second.visit("/bean-update/5").await;
    first.fill("Price per bag, in dollars", "19.00").await;
    first.press("Save changes").await;
    second.fill("Price per bag, in dollars", "21.00").await;
    second.fill("Product name", "Sunday Cup").await;
    second.press("Save changes").await;
    assert_eq!(
        second.heading().await,
        "Somebody else changed House Excelsa"
    );
    second.click("#price-theirs").await;
    second.press("Save my choices").await;

    second.visit("/beans/5").await;
    assert_eq!(second.heading().await, "Sunday Cup");
    assert!(second.text().await.contains("$19.00"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn a_bean_that_gets_low_is_told_on_the_dashboard_until_more_arrives() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let served = Served::start(&site).await;
    let browser = open(&served, &site).await;
    browser.visit("/beans/5/alert").await;
    browser.type_into("#bags", "198").await;
    browser.press("Save").await;

    browser.visit("/").await;
    says(&browser, "#tile-low", "nothing is at its alert line").await;
    let other = site
        .post("/beans/5/use", &[("form_key", "k"), ("bags", "2")])
        .await;
    assert_eq!(other.status(), 303);
    says(&browser, "#tile-low", "House Excelsa").await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;

    says(&browser, "#tile-low", "nothing is at its alert line").await;
    browser.visit("/alerts").await;
    assert!(browser.text().await.contains("House Excelsa"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn a_screen_on_the_wall_outlives_a_restart_of_the_server() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Viewer);
    let (address, stop, server) = serve(&site, "127.0.0.1:0").await;
    let browser = Browser::open_at(&format!("http://{address}")).await;
    let browser = browser.signed_in_with(&site.cookie().await.unwrap()).await;
    browser.visit("/?screen=wall").await;
    says(&browser, "#tile-stock", "8,450").await;
    says(&browser, ".live", "Live").await;

    stop.cancel();
    server.await.unwrap();
    says(&browser, ".live", "Not live since").await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    // Another process of the same site, at the same address.
    let again = Site::of(&app);
    let (_, _stop, _server) = serve(&again, &address.to_string()).await;

    says(&browser, "#tile-stock", "8,459").await;
    says(&browser, ".live", "Live").await;
}

/// Serves a site until it is told to stop.
async fn serve(
    site: &Site,
    address: &str,
) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            // The last connections of the one before are being closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = site.clone().serve(listener, stop.clone());
    (address, stop, tokio::spawn(served))
}
