//! Texts that would be programs if a page, a spreadsheet or a log took them for that, wherever somebody can
//! leave a text. They are shown as what they are.

use axum::http::Method;
use beanstock::db;
use beanstock::domain::{Role, SupplierId, UpdateId};
use beanstock::web::TABLE;

use crate::support::app::delivery;
use crate::support::site::{borrowed, with};
use crate::support::{EXCELSA, Kind, Site, TestApp};

/// Becomes an element of this name wherever a page does not escape it.
const ELEMENT: &str = "\"'></td></dd></textarea></title><evil-element onclick=alert(1)>";
/// Computes in a spreadsheet.
const FORMULA: &str = "=HYPERLINK(\"http://x.example\",\"<evil-element>\")";

/// Leaves the texts in every field of the site that keeps one, and in messages.
async fn fill_with_hostile_texts(app: &TestApp, manager: &Site, cordillera: &Site) {
    let bean = manager.get("/bean-update/5").await.form();
    let changes = [("product_name", ELEMENT), ("description", FORMULA)];
    let bean = with(&bean, &changes);
    let supplier = manager.get("/supplier-update/3").await.form();
    let details = [("name", ELEMENT), ("address", FORMULA), ("city", ELEMENT)];
    let renamed = with(&supplier, &details);
    let invitation = [
        ("email", "new@example.com"),
        ("name", ELEMENT),
        ("role", "staff"),
    ];
    let adjust = [
        ("do", "send"),
        ("form_key", "k1"),
        ("reason", "damaged"),
        ("bags", "1"),
        ("why", ELEMENT),
    ];
    let slip = [
        ("do", "send"),
        ("form_key", "k2"),
        ("bean-1", "5"),
        ("kind-1", "delivery"),
        ("bags-1", "12"),
        ("reference", FORMULA),
        ("note", ELEMENT),
    ];
    let posts = [
        manager.post("/bean-update", &borrowed(&bean)).await,
        manager.post("/supplier-update", &borrowed(&renamed)).await,
        manager.post("/accounts/invite", &invitation).await,
        manager.post("/beans/5/adjust", &adjust).await,
        cordillera.post("/updates/new", &slip).await,
    ];
    for answer in posts {
        assert!(answer.status() < 400, "{}", answer.body);
    }
    let hostile = serde_json::json!({
        "version": 1, "supplier_id": 3, "bean_type": ELEMENT, "kind": "delivery", "quantity": 9,
        "reference": FORMULA, "note": ELEMENT,
    });
    app.publish_line(&format!("3:{ELEMENT}:9")).await;
    app.publish_line(&format!("3:{FORMULA}:9")).await;
    app.send_raw(&hostile.to_string(), "one").await;
    app.send_raw(ELEMENT, "two").await;
    app.drain().await;
}

#[tokio::test]
async fn hostile_texts_are_shown_as_text_on_every_page() {
    let app = TestApp::start(Kind::Fifo).await;
    let (manager, cordillera) = (
        Site::of(&app),
        Site::of(&app).seen_by(Role::Supplier(SupplierId(3))),
    );
    fill_with_hostile_texts(&app, &manager, &cordillera).await;
    let mut conn = app.pool.acquire().await.unwrap();
    let updates = db::update_lists::list_updates(&mut conn, 100, 0).await;
    let updates: Vec<UpdateId> = updates.unwrap().iter().map(|line| line.id).collect();

    let (mut unsafe_pages, mut shown_on) = (Vec::new(), 0);
    for site in [&manager, &cordillera] {
        for (_, pattern, _) in TABLE.iter().filter(|(method, ..)| *method == Method::GET) {
            let ids: Vec<String> = if pattern.starts_with("/updates/{id}") {
                updates.iter().map(ToString::to_string).collect()
            } else if pattern.starts_with("/supplier") {
                vec!["3".to_owned()]
            } else {
                vec!["5".to_owned()]
            };
            for id in ids {
                let path = pattern.replace("{id}", &id).replace("{sequence}", "2");
                let page = site.get(&path).await;
                if !page.header("content-type").starts_with("text/html") {
                    continue;
                }
                if !page.all("evil-element").is_empty() {
                    unsafe_pages.push(path);
                } else if page.body.contains("evil-element") {
                    shown_on += 1;
                }
            }
        }
    }

    assert_eq!(unsafe_pages, Vec::<String>::new());
    assert!(shown_on > 25, "the texts are on {shown_on} pages only");
}

#[tokio::test]
async fn no_cell_of_a_file_is_a_formula() {
    let app = TestApp::start(Kind::Fifo).await;
    let (manager, cordillera) = (
        Site::of(&app),
        Site::of(&app).seen_by(Role::Supplier(SupplierId(3))),
    );
    fill_with_hostile_texts(&app, &manager, &cordillera).await;

    for site in [&manager, &cordillera] {
        let file = site.get("/updates.csv").await;
        let mut formulas = 0;
        for row in csv::Reader::from_reader(file.body.as_bytes()).records() {
            for cell in &row.unwrap() {
                let begins = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
                assert!(!begins, "{cell}");
                formulas += usize::from(cell.starts_with("'="));
            }
        }
        assert!(formulas >= 2, "the texts are in the file");
    }
}

/// Nobody may be led to a page that says something else than it was asked for.
#[tokio::test]
async fn a_message_may_say_anything_and_changes_nothing_but_its_own_update() {
    let app = TestApp::start(Kind::Fifo).await;
    app.accept(&delivery(UpdateId::generate(), 9)).await;
    for body in ["\u{0}", "{\"version\":1}", "3:Excelsa:9\r\n3:Excelsa:9", ""] {
        if !body.is_empty() {
            app.publish_line(&format!("{body}{ELEMENT}")).await;
        }
    }

    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    app.assert_audit_is_clean().await;
}
