//! A supplier's page: how it does, and switching it off and on.

use beanstock::domain::{Role, SupplierId};

use crate::support::{EXCELSA, Kind, Site, TestApp};

#[tokio::test]
async fn a_suppliers_page_tells_how_to_reach_it_and_how_its_updates_do() {
    let app = TestApp::start(Kind::Fifo).await;
    for line in ["3:Excelsa:9", "3:Excelsa:1", "3:Excelsia:1"] {
        app.publish_line(line).await;
    }
    app.drain().await;
    let site = Site::of(&app);

    let page = site.get("/suppliers/3").await;
    let viewer = site.seen_by(Role::Viewer).get("/suppliers/3").await;
    let none = site.get("/suppliers/99").await;

    let tiles = page.text_of("dl.tiles");
    assert!(tiles.contains("2 of 3 sent"), "{tiles}");
    assert!(
        tiles.contains("66 of 100 that ended were applied"),
        "{tiles}"
    );
    assert_eq!(page.all("dl.tiles time").len(), 1);
    assert!(page.attributes("address a", "href")[1].starts_with("tel:"));
    assert_eq!(
        page.attributes("a[href^='/accounts/invite']", "href"),
        ["/accounts/invite?role=supplier-3"]
    );
    assert!(page.text_of(".rows").contains("House Excelsa"));
    assert!(viewer.all("form[action$=switch]").is_empty());
    assert_eq!(none.status(), 404);
    let invitation = site.get("/accounts/invite?role=supplier-3").await;
    assert_eq!(
        invitation.attributes("option[selected]", "value"),
        ["supplier-3"]
    );
}

#[tokio::test]
async fn what_a_supplier_sends_while_it_is_off_is_refused_and_its_own_pages_say_why() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app);
    let own = site.seen_by(Role::Supplier(SupplierId(3)));

    let off = site.post("/suppliers/3/switch", &[("to", "off")]).await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    let home = own.get("/").await;
    let updates = own.get("/updates").await;
    site.post("/suppliers/3/switch", &[("to", "on")]).await;
    app.publish_line("3:Excelsa:8").await;
    app.drain().await;

    assert_eq!(off.header("location"), "/suppliers/3?done=supplier-off");
    assert!(
        home.text_of(".warning")
            .contains("The café has switched you off")
    );
    assert!(
        updates
            .text_of("tbody")
            .contains("is switched off, so its updates are not taken")
    );
    assert_eq!(app.stock_of(EXCELSA).await, 208);
    let log = site.get("/activity").await.text_of("main");
    assert!(log.contains("switched a supplier off") && log.contains("switched a supplier on"));
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn only_managers_switch_a_supplier() {
    let site = Site::open().await;
    for role in [Role::Staff, Role::Viewer] {
        let answer = site
            .seen_by(role)
            .post("/suppliers/3/switch", &[("to", "off")])
            .await;
        assert_eq!(answer.status(), 403);
    }
    let wrong = site
        .post("/suppliers/3/switch", &[("to", "sideways")])
        .await;
    assert_eq!(wrong.status(), 400);
}
