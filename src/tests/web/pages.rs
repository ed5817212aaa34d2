//! What can be read, and by whom.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::site::{Answer, borrowed, with};
use crate::support::{Kind, Site, TestApp};

/// Supplier, type, price and bags of the lab's beans, from 1.
const BEANS: [(i64, &str, &str, i64); 14] = [
    (1, "Arabica", "18.00", 1000),
    (1, "Robusta", "12.00", 800),
    (2, "Robusta", "10.00", 500),
    (2, "Liberica", "14.00", 600),
    (3, "Excelsa", "18.00", 200),
    (4, "Arabica", "11.00", 900),
    (4, "Robusta", "13.00", 350),
    (5, "Robusta", "16.00", 700),
    (5, "Liberica", "15.00", 300),
    (6, "Arabica", "13.00", 300),
    (7, "Robusta", "12.00", 800),
    (7, "Liberica", "17.00", 700),
    (8, "Liberica", "10.00", 1000),
    (8, "Excelsa", "16.00", 300),
];

#[tokio::test]
async fn the_public_site_reads_the_beans_as_it_always_did() {
    let site = Site::open().await;

    let answer = site.get("/beans.json").await;

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(
        answer.header("content-type"),
        "application/json; charset=utf-8"
    );
    let beans: Vec<Value> = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(beans.len(), 14);
    for (id, (bean, (supplier, bean_type, price, quantity))) in (1..).zip(beans.iter().zip(BEANS)) {
        assert_eq!(bean["id"], json!(id));
        assert_eq!(bean["supplier_id"], json!(supplier));
        assert_eq!(bean["type"], json!(bean_type));
        assert_eq!(bean["price"], json!(price));
        assert_eq!(bean["quantity"], json!(quantity));
        assert!(bean["product_name"].is_string() && bean["description"].is_string());
    }
}

#[tokio::test]
async fn the_keys_of_a_bean_have_their_old_order() {
    let site = Site::open().await;

    let answer = site.get("/beans.json").await;

    let keys: Vec<&str> = answer
        .body
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\": "))
        .map(|(key, _)| key)
        .collect();
    let bean = [
        "id",
        "supplier_id",
        "type",
        "product_name",
        "price",
        "description",
        "quantity",
    ];
    assert_eq!(keys, bean.repeat(14));
}

#[tokio::test]
async fn texts_are_escaped_for_the_site_that_writes_them_into_its_pages() {
    let site = Site::open().await;
    let form = site.get("/bean-update/1").await.form();
    let fields = with(&form, &[("product_name", "<img onerror='x'> & \"co\"")]);
    site.post("/bean-update", &borrowed(&fields)).await;

    let answer = site.get("/beans.json").await;

    let beans: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        beans[0]["product_name"],
        "&lt;img onerror=&#x27;x&#x27;&gt; &amp; &quot;co&quot;"
    );
}

#[tokio::test]
async fn the_beans_page_names_suppliers_and_leads_to_every_bean() {
    let site = Site::open().await;

    let page = site.get("/beans").await;

    let suppliers = page.all("td[data-label=Supplier]");
    assert_eq!(suppliers.len(), 14);
    assert_eq!(suppliers[2], "O'Malley & Sons");
    let pages = page.attributes("td.first a", "href");
    let forms = page.attributes("td.act a", "href");
    assert_eq!(
        pages,
        (1..=14)
            .map(|id| format!("/beans/{id}"))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        forms,
        (1..=14)
            .map(|id| format!("/bean-update/{id}"))
            .collect::<Vec<_>>()
    );
}

/// Follows every link from the first page on; gives the addresses met.
async fn crawl(site: &Site) -> BTreeSet<String> {
    let mut seen = BTreeSet::from(["/".to_owned()]);
    let mut ahead = vec!["/".to_owned()];
    while let Some(path) = ahead.pop() {
        let page = site.get(&path).await;
        assert_eq!(page.status(), 200, "{path}");
        if page.header("content-type").starts_with("text/html") {
            assert_eq!(page.all("h1").len(), 1, "{path}");
            assert_eq!(page.all("main").len(), 1, "{path}");
            // The screen on the wall has nobody who would go anywhere.
            let entries = if path == "/?screen=wall" { 0 } else { 7 };
            assert_eq!(page.all("header nav a").len(), entries, "{path}");
        }
        let mut links = page.attributes("a[href], link[href]", "href");
        links.retain(|link| link.starts_with('/') && seen.insert(link.clone()));
        ahead.append(&mut links);
    }
    seen
}

#[tokio::test]
async fn every_page_can_be_reached_from_the_first_one() {
    let app = TestApp::start(Kind::Fifo).await;
    for line in ["3:Excelsa:9", "4:liberica:0", "666666:Unprocessable:2"] {
        app.publish_line(line).await;
    }
    let site = Site::after_all(&app).await;

    let seen = crawl(&site).await;

    for path in [
        "/beans",
        "/beans/14",
        "/beans.json",
        "/bean-add",
        "/bean-update/14",
        "/bean-remove/14",
        "/suppliers",
        "/supplier-add",
        "/supplier-update/8",
        "/supplier-remove/8",
        "/updates",
        "/updates?state=dead_lettered",
        "/updates/new",
        "/updates/new?supplier=8",
        "/dead-letters",
    ] {
        assert!(seen.contains(path), "no way to {path} in {seen:?}");
    }
    let ids = seen
        .iter()
        .filter_map(|path| path.strip_prefix("/updates/"));
    let updates = ids.filter(|id| id.parse::<Uuid>().is_ok());
    assert_eq!(updates.count(), 3);
}

#[tokio::test]
async fn the_labs_addresses_work_with_a_slash_at_the_end() {
    let site = Site::open().await;

    for path in [
        "/suppliers",
        "/supplier-add",
        "/supplier-update/1",
        "/beans",
        "/bean-add",
        "/bean-update/1",
        "/beans.json",
    ] {
        let plain = site.get(path).await;
        let slashed = site.get(&format!("{path}/")).await;

        assert_eq!((plain.status(), slashed.status()), (200, 200), "{path}");
        assert_eq!(plain.all("h1"), slashed.all("h1"), "{path}");
        let fields = |answer: &Answer| answer.form().into_iter().map(|(name, _)| name);
        assert!(fields(&plain).eq(fields(&slashed)), "{path}");
    }
}

#[tokio::test]
async fn what_cannot_exist_is_a_friendly_404() {
    let site = Site::open().await;

    for (path, heading) in [
        ("/beans/abc", "Bean not found"),
        ("/beans/99999999999999999999", "Bean not found"),
        ("/beans/-1", "Bean not found"),
        ("/bean-update/0", "Bean not found"),
        ("/supplier-update/99", "Supplier not found"),
        ("/updates/xyz", "Update not found"),
        (
            "/updates/01890000-0000-7000-8000-000000000000",
            "Update not found",
        ),
        ("/nowhere", "Page not found"),
    ] {
        let page = site.get(path).await;

        assert_eq!(page.status(), 404, "{path}");
        assert_eq!(page.text_of("h1"), heading, "{path}");
        assert!(page.all(".ways a").len() > 2, "ways on from {path}");
    }
}
