//! What the site tells about updates and dead letters.

use beanstock::domain::{Bags, InventoryUpdate, StockChange, UpdateId};
use chrono::DateTime;

use crate::support::app::delivery;
use crate::support::{EXCELSA, EXCELSA_PAGE, Kind, Site, TestApp};

#[tokio::test]
async fn an_applied_update_tells_its_way_into_the_stock() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = delivery(UpdateId::generate(), 9);
    app.accept(&update).await;
    let site = Site::of(&app);
    let path = format!("/updates/{}", update.id);

    let before = site.get(&path).await;
    let site = Site::after_all(&app).await;
    let after = site.get(&path).await;

    assert_eq!(before.text_of("h1"), "Excelsa: 9 bags delivered");
    assert_eq!(before.text_of(".standing .tag"), "Sending");
    assert_eq!(
        after.text_of(".standing"),
        "Applied Stock went from 200 to 209 bags."
    );
    assert_eq!(
        after.all(".timeline .tag"),
        ["Sending", "Waiting", "Applied"]
    );
    let bean = site.get(EXCELSA_PAGE).await;
    assert_eq!(
        bean.all("section[aria-labelledby=updates] td.first").len(),
        1
    );
    let ways = bean.attributes("section[aria-labelledby=movements] td a:not(.undo)", "href");
    assert_eq!(ways, [path], "the movement leads to its update");
}

#[tokio::test]
async fn a_refused_update_tells_every_attempt_and_ends_among_the_dead_letters() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelza:9").await;
    let site = Site::after_all(&app).await;

    let letters = site.get("/dead-letters").await;
    let way = letters
        .attributes(
            ".letter .actions a:not(.button):not([href$=resend]):not([href*=alias])",
            "href",
        )
        .remove(0);
    let update = site.get(&way).await;

    let why = "Cordillera Direct has no bean of type “Excelza”. Did you mean “Excelsa”?";
    assert_eq!(letters.text_of("section h2"), "Unknown bean 1");
    assert_eq!(letters.text_of(".sentence"), why);
    assert_eq!(update.text_of(".standing .tag"), "Needs attention");
    assert_eq!(update.text_of(".verdict"), why);
    let mut steps = vec!["Retrying"; 5];
    steps.push("Needs attention");
    assert_eq!(update.all(".timeline .tag"), steps);
    assert_eq!(update.all(".timeline .why")[0], why);
    let first = update.all(".timeline p")[1].clone();
    assert!(first.ends_with("Attempt 1 of 5."), "{first}");
    let home = site.get("/").await;
    assert_eq!(home.all(".tile.warn dt"), ["Needs attention"]);
}

#[tokio::test]
async fn an_old_count_is_told_to_be_overtaken() {
    let app = TestApp::start(Kind::Fifo).await;
    let count = InventoryUpdate {
        change: StockChange::Count {
            bags: Bags::counted(7).unwrap(),
            counted_at: DateTime::from_timestamp(1_000_000_000, 0).unwrap(),
        },
        ..delivery(UpdateId::generate(), 1)
    };
    app.accept(&count).await;
    let site = Site::after_all(&app).await;

    let page = site.get(&format!("/updates/{}", count.id)).await;

    assert_eq!(page.text_of("h1"), "Excelsa: 7 bags counted");
    assert_eq!(page.text_of(".standing .tag"), "Superseded");
    assert!(
        page.text_of(".verdict")
            .starts_with("The stock has changed since")
    );
    assert_eq!(app.stock_of(EXCELSA).await, 200);
}

#[tokio::test]
async fn a_dead_letter_shows_its_message_as_text_that_does_nothing() {
    const BODY: &str = "<script>alert(1)</script></pre><h1>Mine</h1>";
    let app = TestApp::start(Kind::Fifo).await;
    app.send_raw(BODY, "hostile").await;
    let site = Site::after_all(&app).await;

    let page = site.get("/dead-letters").await;

    assert_eq!(page.text_of("section h2"), "Could not be read 1");
    assert_eq!(page.text_of("details pre"), BODY);
    assert_eq!(page.text_of("h1"), "Needs attention");
    assert!(page.all("main script").is_empty());
    let list = site.get("/updates").await;
    assert_eq!(list.text_of("h1"), "Updates");
    assert!(list.all("main script").is_empty());
}

#[tokio::test]
async fn updates_can_be_narrowed_to_a_state() {
    let app = TestApp::start(Kind::Fifo).await;
    for line in ["3:Excelsa:9", "6:Arabica:6", "777777:Unprocessable:3"] {
        app.publish_line(line).await;
    }
    let site = Site::after_all(&app).await;

    let all = site.get("/updates?state=nonsense").await;
    let applied = site.get("/updates?state=applied").await;
    let none = site.get("/updates?state=fixed").await;

    assert_eq!(all.all("td.first").len(), 3);
    assert_eq!(
        all.all(".filters[aria-label=\"Filter by status\"] a"),
        ["All 3", "Applied 2", "Needs attention 1"]
    );
    assert_eq!(all.text_of(".filters a[aria-current]"), "All 3");
    assert_eq!(applied.all("td[data-label=Status]"), ["Applied", "Applied"]);
    assert_eq!(applied.text_of(".filters a[aria-current]"), "Applied 2");
    assert_eq!(
        applied.attributes(".made a", "href"),
        ["/updates?state=applied"]
    );
    assert_eq!(none.text_of(".filters a[aria-current]"), "Replaced 0");
    assert!(none.all("td").is_empty());
}
