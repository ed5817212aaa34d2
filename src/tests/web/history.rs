//! Looking for updates: by words, days, states and suppliers, page by page, and as a file.

use std::collections::BTreeSet;

use beanstock::domain::{InventoryUpdate, Role, SupplierId, UpdateId};
use chrono::DateTime;

use crate::support::app::delivery;
use crate::support::{Kind, Site, TestApp};

/// The supplier of the Excelsa.
const CORDILLERA: Role = Role::Supplier(SupplierId(3));

fn noted(reference: &str, note: &str) -> InventoryUpdate {
    InventoryUpdate {
        reference: Some(reference.to_owned()),
        note: Some(note.to_owned()),
        ..delivery(UpdateId::generate(), 1)
    }
}

#[tokio::test]
async fn updates_are_found_by_reference_note_and_the_number_of_their_slip() {
    let app = TestApp::start(Kind::Fifo).await;
    for (reference, note) in [
        ("DN-4411", "back door"),
        ("DN_4412", "100% fresh"),
        ("x", "y"),
    ] {
        app.accept(&noted(reference, note)).await;
    }
    let site = Site::of(&app).seen_by(CORDILLERA);
    let fields = [
        ("do", "send"),
        ("form_key", "k"),
        ("bean-1", "5"),
        ("kind-1", "delivery"),
        ("bags-1", "7"),
    ];
    let slip = site.post("/updates/new", &fields).await;
    let slip = slip
        .header("location")
        .trim_start_matches("/updates/")
        .to_owned();

    let found = async |words: &str| {
        let page = site.get(&format!("/updates?q={words}")).await;
        page.all("td.first").len()
    };

    assert_eq!(found("4411").await, 1);
    assert_eq!(found("dn").await, 2, "upper and lower case are the same");
    assert_eq!(found("BACK+door").await, 1);
    assert_eq!(found("DN_").await, 1, "no sign stands for another");
    assert_eq!(found("100%25").await, 1);
    assert_eq!(found("%5C").await, 0);
    assert_eq!(found(&slip).await, 1);
    assert_eq!(found("Excelsa").await, 4);
    let nothing = site.get("/updates?q=nothing").await;
    assert!(nothing.text_of(".empty").starts_with("No update matches"));
}

/// A search looks through so many updates at a time, and leads on to the older ones.
#[tokio::test]
async fn a_search_tells_how_far_back_it_looked_and_goes_on_from_there() {
    let app = TestApp::start(Kind::Fifo).await;
    app.accept(&noted("DN-4411", "long ago")).await;
    app.execute(
        "INSERT INTO inventory_updates (id, payload_hash, origin, supplier_id, reference, state, accepted_at) \
         SELECT UNHEX(LPAD(HEX(n.n + 1), 32, '0')), REPEAT('y', 32), 'external', 3, 'other', 'discarded', \
         NOW(6) + INTERVAL n.n + 1 SECOND FROM JSON_TABLE(CONCAT('[0', REPEAT(',0', 19999), ']'), \
         '$[*]' COLUMNS (n FOR ORDINALITY)) AS n",
    )
    .await;
    let site = Site::of(&app).seen_by(Role::Staff);

    let newest = site.get("/updates?q=DN-4411").await;
    let further = newest.attributes("p.further a", "href");
    let rest = site.get(&further[0]).await;

    assert_eq!(newest.text_of(".empty"), "Nothing found yet.");
    assert_eq!(newest.all(".filters span").len(), 0, "nothing was counted");
    assert_eq!(rest.all("td.first").len(), 1);
    assert_eq!(rest.attributes("p.further a", "href").len(), 0);
}

#[tokio::test]
async fn a_filter_stays_in_the_address_and_narrows_the_states_too() {
    let app = TestApp::start(Kind::Fifo).await;
    app.accept(&noted("DN-1", "a")).await;
    app.drain().await;
    app.accept(&noted("DN-2", "a")).await;
    let site = Site::of(&app).seen_by(Role::Staff);

    let page = site
        .get("/updates?q=DN&supplier=3&from=2020-01-01&to=2999-01-01")
        .await;
    let other = site.get("/updates?supplier=1").await;
    let long_ago = site.get("/updates?to=2020-01-01").await;
    let odd = site
        .get("/updates?from=x&to=%00&supplier=y&behind=z&state=q")
        .await;
    for beyond in [
        "from=-0001-01-01",
        "from=9999-12-31&to=-9999-01-01",
        "behind=8000000000000000000_00000000-0000-0000-0000-000000000000",
        "behind=-8000000000000000000_00000000-0000-0000-0000-000000000000",
    ] {
        let page = site.get(&format!("/updates?{beyond}")).await;
        assert_eq!(page.status(), 200, "{beyond}");
    }

    assert_eq!(
        page.all(".filters a")[..3],
        ["All 2", "Sending 1", "Applied 1"]
    );
    assert_eq!(page.value_of("q"), "DN");
    let ways = page.attributes(".filters a", "href");
    assert_eq!(
        ways[2],
        "/updates?state=applied&q=DN&from=2020-01-01&to=2999-01-01&supplier=3"
    );
    assert_eq!(site.get(&ways[2]).await.all("td.first").len(), 1);
    assert!(other.all("td.first").is_empty() && long_ago.all("td.first").is_empty());
    assert_eq!(odd.all("td.first").len(), 2);
}

#[tokio::test]
async fn going_on_from_page_to_page_skips_and_repeats_nothing_while_more_arrive() {
    let app = TestApp::start(Kind::Fifo).await;
    for number in 0..230 {
        app.accept(&noted(&number.to_string(), "x")).await;
    }
    // As if they had come in the same microsecond.
    app.execute(
        "UPDATE inventory_updates SET accepted_at = '2026-11-26 10:00:00' WHERE reference < '2'",
    )
    .await;
    let site = Site::of(&app).seen_by(CORDILLERA);

    let mut seen = Vec::new();
    let mut next = Some("/updates".to_owned());
    while let Some(path) = next {
        let page = site.get(&path).await;
        seen.extend(page.attributes("td.first a", "href"));
        next = page.attributes("a[rel=next]", "href").pop();
        app.accept(&noted("new", "x")).await;
    }

    let different: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), different.len()), (230, 230));
}

#[tokio::test]
async fn a_file_has_the_rows_of_the_list_and_no_formulas() {
    let app = TestApp::start(Kind::Fifo).await;
    app.accept(&noted("=HYPERLINK(\"http://x\")", "two, \"quoted\""))
        .await;
    app.accept(&noted("@x", "+1")).await;
    app.drain().await;
    app.accept(&noted("later", "z")).await;
    app.publish_line("1:Arabica:5").await;
    app.drain().await;
    let site = Site::of(&app).seen_by(CORDILLERA);

    let page = site.get("/updates?state=applied").await;
    let link = page.attributes("a[download]", "href").remove(0);
    let file = site.get(&link).await;

    assert_eq!(link, "/updates.csv?state=applied");
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(file.body.as_bytes())
        .records()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), page.all("td.first").len());
    let references: Vec<&str> = rows.iter().map(|row| &row[10]).collect();
    assert_eq!(references, ["later", "'@x", "'=HYPERLINK(\"http://x\")"]);
    assert_eq!(&rows[2][11], "two, \"quoted\"");
    assert!(
        !file.body.contains("Juniper"),
        "nothing of another supplier"
    );
    assert!(DateTime::parse_from_rfc3339(&rows[0][13]).is_ok());
}

#[tokio::test]
async fn a_supplier_sees_first_what_needs_it() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelza:9").await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    app.accept(&noted("DN-1", "on its way")).await;
    app.publish_line("1:Arabica:5").await;
    let site = Site::of(&app).seen_by(CORDILLERA);

    let home = site.get("/").await;

    assert_eq!(
        home.all("h2")[..3],
        [
            "Needs your attention 1",
            "On its way 1",
            "The last seven days"
        ]
    );
    assert_eq!(
        home.all(".feed .tag"),
        ["Needs attention", "Sending", "Applied"]
    );
    assert_eq!(home.all(".ruled .tag"), ["In stock"]);
    assert!(!home.text_of("main").contains("209"), "no levels");
}
