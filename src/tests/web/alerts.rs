//! Alerts: once per crossing, in the transaction that crosses, whoever moves the bags.

use beanstock::domain::Role;
use tokio::task::JoinSet;

use crate::support::site::Answer;
use crate::support::{EXCELSA, Kind, Site, TestApp};

async fn set_line(site: &Site, bags: &str) -> Answer {
    site.post(&format!("/beans/{EXCELSA}/alert"), &[("bags", bags)])
        .await
}

async fn use_bags(site: &Site, bags: &str, key: &str) {
    let fields = [("form_key", key), ("bags", bags)];
    let used = site.post(&format!("/beans/{EXCELSA}/use"), &fields).await;
    assert_eq!(used.status(), 303, "{}", used.body);
}

#[tokio::test]
async fn a_line_that_is_crossed_is_told_once_and_so_is_its_end() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    set_line(&site, "190").await;
    let before = site.get("/alerts").await;

    use_bags(&site, "10", "a").await;
    use_bags(&site, "5", "b").await;
    let low = site.get("/alerts").await;
    use_bags(&site, "185", "c").await;
    let out = site.get("/alerts").await;
    app.publish_line("3:Excelsa:191").await;
    app.drain().await;
    let over = site.get("/alerts").await;

    assert_eq!(before.text_of(".calm"), "No bean is low or out of stock.");
    assert_eq!(low.all(".alerts .tag"), ["Low"]);
    assert!(low.text_of(".alerts").contains("185 bags left"));
    assert_eq!(out.all(".alerts .tag"), ["Out of stock", "Low"]);
    assert!(over.all(".alerts .tag").is_empty());
    assert_eq!(over.all(".ruled .tag").len(), 2);
    assert_eq!(site.rows_of("alerts").await, 2);
}

#[tokio::test]
async fn a_line_that_many_cross_at_once_is_told_once() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    set_line(&site, "190").await;

    let mut uses = JoinSet::new();
    for n in 0..20 {
        let site = site.clone();
        uses.spawn(async move { use_bags(&site, "1", &n.to_string()).await });
    }
    uses.join_all().await;

    assert_eq!(app.stock_of(EXCELSA).await, 180);
    assert_eq!(site.rows_of("alerts").await, 1);
}

#[tokio::test]
async fn what_a_supplier_does_not_have_is_told_until_it_delivers() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Viewer);

    for line in ["3:Excelsa:0", "3:Excelsa:0"] {
        app.publish_line(line).await;
        app.drain().await;
    }
    let told = site.get("/alerts").await;
    app.publish_line("3:Excelsa:5").await;
    app.drain().await;
    let over = site.get("/alerts").await;

    assert_eq!(told.all(".alerts .tag"), ["Out of stock at supplier"]);
    assert!(told.attributes(".alerts form", "action").is_empty());
    assert!(over.all(".alerts .tag").is_empty());
}

#[tokio::test]
async fn somebody_looks_after_an_alert_or_mutes_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let wrong = set_line(&site, "many").await;
    set_line(&site, "200").await;
    let page = site.get("/alerts").await;
    let ways = page.attributes(".alerts form", "action");

    let acknowledged = site.post(&ways[0], &[]).await;
    let muted = site.post(&ways[1], &[("days", "7")]).await;
    let odd = site.post(&ways[1], &[("days", "9999999")]).await;
    let page = site.get("/alerts").await;
    set_line(&site, "").await;
    let too_late = site.post(&ways[0], &[]).await;

    assert_eq!((wrong.status(), odd.status()), (422, 400));
    assert!(
        acknowledged
            .header("location")
            .ends_with("=alert-acknowledged")
    );
    assert!(muted.header("location").ends_with("=alert-muted"));
    assert!(page.text_of(".alerts").contains("looks after it"));
    assert!(page.text_of(".alerts .muted").contains("Muted until"));
    assert!(too_late.header("location").ends_with("=alert-over"));
}

#[tokio::test]
async fn a_bean_that_is_taken_off_the_list_alerts_nobody() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    set_line(&site, "200").await;

    site.post(&format!("/bean-remove/{EXCELSA}"), &[]).await;

    let page = site.get("/alerts").await;
    assert!(page.all(".alerts .tag").is_empty());
    assert_eq!(page.all(".ruled .tag"), ["Low"]);
}
