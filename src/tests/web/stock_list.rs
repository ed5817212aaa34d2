//! The list of beans and what explains their numbers: search, order, files, how long they last, stock as of.

use beanstock::domain::Role;

use crate::support::site::borrowed;
use crate::support::{EXCELSA, Kind, Site, TestApp};

/// The names on a list, in its order.
async fn bags_listed(site: &Site, path: &str) -> Vec<String> {
    site.get(path).await.all("td.stock .amount b")
}

#[tokio::test]
async fn the_list_shows_what_its_address_looks_for_in_the_order_it_names() {
    let site = Site::open().await;
    site.execute("UPDATE beans SET quantity = 0 WHERE id = 1")
        .await;
    site.execute("UPDATE beans SET alert_at = 300 WHERE id IN (1, 5, 14)")
        .await;

    let out = site.get("/beans?show=out").await;
    let low = bags_listed(&site, "/beans?show=low&sort=most").await;
    let named = site.get("/beans?q=excelsa&supplier=3").await;
    let fewest = bags_listed(&site, "/beans?sort=fewest").await;
    let nothing = site.get("/beans?q=%25").await;

    assert_eq!(out.all("td.first a").len(), 1);
    assert_eq!(out.text_of(".filters [aria-current]"), "Out of stock 1");
    assert!(low.iter().all(|bags| bags != "0"), "{low:?}");
    assert_eq!(named.all("td.first a"), ["House Excelsa"]);
    assert_eq!((fewest[0].as_str(), fewest[1].as_str()), ("0", "200"));
    assert!(
        nothing.text_of(".empty").contains("No bean matches"),
        "% is a letter like others"
    );
}

#[tokio::test]
async fn a_file_has_exactly_the_beans_of_the_list() {
    let site = Site::open().await.seen_by(Role::Viewer);
    let page = site.get("/beans?q=robusta&sort=most").await;
    let links = page.attributes("a[download]", "href");

    let csv_file = site.get(&links[0]).await;
    let json_file = site.get(&links[1]).await;

    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(csv_file.body.as_bytes())
        .records()
        .map(Result::unwrap)
        .collect();
    let values: Vec<serde_json::Value> = serde_json::from_str(&json_file.body).unwrap();
    let listed = bags_listed(&site, "/beans?q=robusta&sort=most").await;
    assert_eq!(
        links,
        [
            "/stock.csv?q=robusta&sort=most",
            "/stock.json?q=robusta&sort=most"
        ]
    );
    assert!(
        listed.len() > 2
            && page
                .body
                .contains(&format!("Download {} as CSV", listed.len()))
    );
    let of_csv: Vec<&str> = rows.iter().map(|row| &row[6]).collect();
    let of_json: Vec<String> = values.iter().map(|line| line["bags"].to_string()).collect();
    assert_eq!(
        of_csv,
        listed
            .iter()
            .map(|bags| bags.replace(',', ""))
            .collect::<Vec<_>>()
    );
    assert_eq!(of_json, of_csv);
    assert_eq!(values[0]["days_left"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_long_list_has_pages_and_its_first_is_small() {
    let site = Site::open().await;
    site.execute(
        "INSERT INTO beans (supplier_id, type, type_key, product_name, price, description, quantity, created_at, \
         updated_at) SELECT 3, CONCAT('T', seq.n), CONCAT('t', seq.n), CONCAT('Bean ', seq.n), 9, \
         REPEAT('Cherry and cocoa. ', 8), seq.n, NOW(), NOW() FROM (WITH RECURSIVE seq (n) AS (SELECT 1 UNION ALL \
         SELECT n + 1 FROM seq WHERE n < 300) SELECT n FROM seq) AS seq",
    )
    .await;

    let first = site.get("/beans").await;
    let mut seen = first.attributes("td.first a", "href");
    let mut next = first.attributes("a[rel=next]", "href").pop();
    while let Some(path) = next {
        let page = site.get(&path).await;
        seen.extend(page.attributes("td.first a", "href"));
        next = page.attributes("a[rel=next]", "href").pop();
    }

    let different: std::collections::BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), different.len()), (314, 314));
    assert!(first.body.len() < 120_000, "{} bytes", first.body.len());
}

/// From uses and counts, never from corrections or what was taken back.
#[tokio::test]
async fn days_left_come_from_uses_and_are_unknown_below_ten() {
    let site = Site::open().await;
    let used = async |keys: std::ops::Range<u32>| {
        for key in keys {
            let key = format!("k{key}");
            let form = [("form_key", key.as_str()), ("bags", "2")];
            let answer = site.post("/beans/5/use", &form).await;
            assert_eq!(answer.status(), 303, "{}", answer.body);
        }
    };
    let lasts = async || {
        site.get("/beans/5")
            .await
            .text_of("dl.tiles .tile:nth-child(2)")
    };

    used(0..9).await;
    let adjust = [
        ("do", "send"),
        ("form_key", "k"),
        ("reason", "damaged"),
        ("bags", "100"),
    ];
    site.post("/beans/5/adjust", &adjust).await;
    let few = lasts().await;
    used(9..11).await;
    let undo = site.get("/beans/5/movements/12/undo").await;
    let mut undo = undo.form();
    undo.push(("do".to_owned(), "send".to_owned()));
    let path = "/beans/5/movements/12/undo";
    assert_eq!(site.post(path, &borrowed(&undo)).await.status(), 303);
    let early = lasts().await;
    site.execute(
        "UPDATE stock_movements SET created_at = created_at - INTERVAL 70 HOUR, occurred_at = NULL \
         WHERE bean_id = 5 AND sequence = 1",
    )
    .await;
    let still_early = lasts().await;
    site.execute(
        "UPDATE stock_movements SET created_at = created_at - INTERVAL 98 HOUR \
         WHERE bean_id = 5 AND sequence = 1",
    )
    .await;
    let enough = lasts().await;

    assert!(few.contains("not enough data 9 uses and 0 counts"), "{few}");
    assert!(early.contains("not enough data 10 uses"), "{early}");
    assert!(still_early.contains("at least three days"), "{still_early}");
    // Eleven uses, one taken back: 20 bags in a week, and 80 left.
    assert!(
        enough.contains("about 28 days 19.9 bags a week, from 10 uses")
            || enough.contains("about 28 days 20 bags a week, from 10 uses"),
        "{enough}"
    );
}

#[tokio::test]
async fn a_number_is_explained_by_what_happened_and_for_any_moment() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    app.execute(
        "UPDATE stock_movements SET created_at = created_at - INTERVAL 2 DAY, occurred_at = NULL \
                 WHERE bean_id = 5 AND sequence = 1",
    )
    .await;
    let site = Site::of(&app);

    let page = site.get("/beans/5").await;
    let yesterday = chrono::Utc::now() - chrono::TimeDelta::days(1);
    let at = yesterday.format("%Y-%m-%dT%H:%M").to_string();
    let then = site.get(&format!("/beans/5?at={at}")).await;
    let before = site.get("/beans/5?at=2020-01-01T00:00").await;
    let wrong = site.get("/beans/5?at=soon").await;

    assert_eq!(
        page.all(".explained tbody tr"),
        ["Opening stock1+200", "Delivery1+9"]
    );
    assert_eq!(page.text_of(".explained tfoot tr"), "In stock now209");
    assert!(
        then.text_of(".explained .verdict")
            .contains("there were 200 bags")
    );
    assert!(
        before
            .text_of(".explained .verdict")
            .contains("This bean was added after")
    );
    assert!(!wrong.text_of("#at-error").is_empty());
    assert_eq!(app.stock_of(EXCELSA).await, 209);
}

#[tokio::test]
async fn what_a_count_told_later_is_known_for_the_moment_it_was_made() {
    let site = Site::open().await;
    site.execute(
        "UPDATE stock_movements SET created_at = created_at - INTERVAL 3 DAY, occurred_at = NULL \
                  WHERE bean_id = 5",
    )
    .await;
    let yesterday = chrono::Utc::now() - chrono::TimeDelta::days(1);
    let counted = yesterday.format("%Y-%m-%dT%H:%M").to_string();
    let count = [
        ("do", "send"),
        ("form_key", "k"),
        ("bags", "190"),
        ("counted", counted.as_str()),
    ];
    assert_eq!(site.post("/beans/5/count", &count).await.status(), 303);

    let then = yesterday + chrono::TimeDelta::hours(2);
    let path = format!("/beans/5?at={}", then.format("%Y-%m-%dT%H:%M"));
    let told = site.get(&path).await.text_of(".explained .verdict");

    assert!(told.contains("there were 190 bags"), "{told}");
    assert!(
        told.contains("The books said 200 bags at that moment"),
        "{told}"
    );
}

#[tokio::test]
async fn updates_that_wait_are_on_the_page_of_their_bean() {
    let app = TestApp::start(Kind::Fifo).await;
    app.accept(&crate::support::app::delivery(
        beanstock::domain::UpdateId::generate(),
        12,
    ))
    .await;
    let site = Site::of(&app);

    let waiting = site.get("/beans/5").await;
    let other = site.get("/beans/1").await;
    app.drain().await;
    let done = site.get("/beans/5").await;

    assert_eq!(waiting.all("#open").len(), 1);
    assert!(other.all("#open").is_empty() && done.all("#open").is_empty());
}
