//! Updates that a count has overtaken: the café decides whether the count stands.

use beanstock::domain::{Role, SupplierId, UpdateId};
use chrono::{TimeDelta, Utc};
use tokio::task::JoinSet;

use crate::support::app::delivery;
use crate::support::{EXCELSA, Kind, Site, TestApp};

/// A delivery that was sent before a count and arrived after it; gives its address.
async fn overtaken(app: &TestApp) -> String {
    let mut update = delivery(UpdateId::generate(), 9);
    update.sent_at = Some(Utc::now() - TimeDelta::minutes(10));
    app.count(EXCELSA, 190).await;
    app.accept(&update).await;
    app.drain().await;
    let list = Site::of(app).get("/updates?state=superseded").await;
    list.attributes("td.first a", "href").remove(0)
}

#[tokio::test]
async fn it_is_applied_all_the_same_once_as_an_update_of_its_own() {
    let app = TestApp::start(Kind::Fifo).await;
    let path = overtaken(&app).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let asked = site.get(&path).await;

    let mut posts = JoinSet::new();
    for _ in 0..8 {
        let (site, path) = (site.clone(), format!("{path}/apply-anyway"));
        posts.spawn(async move { site.post(&path, &[]).await.header("location").to_owned() });
    }
    let led_to = posts.join_all().await;
    app.drain().await;
    let again = site.post(&format!("{path}/leave"), &[]).await;
    let after = site.get(&path).await;

    assert!(asked.text_of(".doings").contains("Apply it all the same"));
    assert!(led_to.iter().all(|page| *page == led_to[0]), "{led_to:?}");
    assert_eq!(app.stock_of(EXCELSA).await, 199);
    assert!(again.header("location").ends_with("done=already-decided"));
    assert_eq!(after.text_of(".standing .tag"), "Superseded");
    assert!(
        after
            .text_of(".related")
            .contains("Applied all the same by")
    );
    assert!(!after.body.contains("Apply it all the same"));
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn it_is_left_at_the_count_and_needs_nobody_any_more() {
    let app = TestApp::start(Kind::Fifo).await;
    let path = overtaken(&app).await;
    let site = Site::of(&app);
    let waiting = site.get("/dead-letters").await;

    let left = site.post(&format!("{path}/leave"), &[]).await;
    let anyway = site.post(&format!("{path}/apply-anyway"), &[]).await;
    let done = site.get("/dead-letters").await;

    assert!(waiting.body.contains("Already included in a count"));
    assert!(left.header("location").ends_with("done=update-left"));
    assert!(anyway.header("location").ends_with("done=already-decided"));
    assert!(!done.body.contains("Already included in a count"));
    assert_eq!(app.stock_of(EXCELSA).await, 190);
    assert!(
        site.get("/activity")
            .await
            .text_of("main")
            .contains("left an update at the count")
    );
}

#[tokio::test]
async fn its_supplier_cannot_decide() {
    let app = TestApp::start(Kind::Fifo).await;
    let path = overtaken(&app).await;
    let supplier = Site::of(&app).seen_by(Role::Supplier(SupplierId(3)));

    let page = supplier.get(&path).await;
    let post = supplier.post(&format!("{path}/apply-anyway"), &[]).await;

    assert_eq!((page.status(), post.status()), (200, 404));
    assert!(!page.body.contains("Apply it all the same"));
}
