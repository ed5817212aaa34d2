//! Dead letters as staff read them: all of them, whole.

use beanstock::domain::Role;
use beanstock::messaging::UPDATES;

use crate::support::{EXCELSA, Kind, Site, TestApp};

/// 210 unreadable lines and one of another reason that is older.
async fn many_letters() -> Site {
    let app = TestApp::start(Kind::Standard).await;
    app.send_raw("3:Geisha:1", "").await;
    app.drain().await;
    app.execute(
        "INSERT INTO inventory_updates (id, payload_hash, origin, state, accepted_at, finished_at) \
         SELECT UNHEX(LPAD(HEX(seq.n), 32, '0')), REPEAT('x', 32), 'external', 'dead_lettered', \
         NOW(6), NOW(6) FROM (SELECT a.n + 20 * b.n + 1 AS n FROM \
         (SELECT ROW_NUMBER() OVER (ORDER BY sequence, bean_id) - 1 AS n FROM stock_movements LIMIT 14) AS a, \
         (SELECT ROW_NUMBER() OVER (ORDER BY sequence, bean_id) - 1 AS n FROM stock_movements LIMIT 14) AS b, \
         (SELECT 1 UNION SELECT 2) AS c) AS seq \
         ON DUPLICATE KEY UPDATE attempts = 0",
    )
    .await;
    app.execute(
        "INSERT INTO dead_letters (id, message_id, update_id, body, attributes, receive_count, \
         reason, explanation, collected_at) SELECT UNHEX(CONCAT('ff', RIGHT(HEX(id), 30))), HEX(id), id, CONCAT('body ', HEX(id)), '{}', 5, \
         'malformed', 'Nobody could read it.', NOW(6) FROM inventory_updates \
         WHERE state = 'dead_lettered' AND reason IS NULL",
    )
    .await;
    Site::of(&app)
}

#[tokio::test]
async fn no_group_vanishes_and_every_count_is_the_whole() {
    let site = many_letters().await;
    let all = site.rows_of("dead_letters").await;

    let page = site.get("/dead-letters").await;

    assert!(all > 190);
    let groups = page.all("h2");
    let malformed = all - 1;
    assert_eq!(
        groups,
        [
            format!("Could not be read {malformed}"),
            "Unknown bean 1".to_owned()
        ]
    );
    assert_eq!(
        page.all(".letter").len(),
        4,
        "three of the first, and the other"
    );
    assert!(page.all(".lead")[0].contains(&format!("{all} messages could not be applied")));
    let links = page.attributes(".more a", "href");
    assert_eq!(
        links,
        [
            "/dead-letters?reason=malformed",
            "/dead-letters?reason=unknown_bean"
        ]
    );
}

#[tokio::test]
async fn a_group_can_be_read_to_its_end() {
    let site = many_letters().await;
    let all = site.rows_of("dead_letters").await - 1;

    let mut seen = 0;
    let mut next = vec!["/dead-letters?reason=malformed".to_owned()];
    while let Some(path) = next.pop() {
        let page = site.get(&path).await;
        seen += page.all(".letter").len();
        next = page.attributes("a[rel=next]", "href");
    }

    assert_eq!(i64::try_from(seen).unwrap(), all);
}

#[tokio::test]
async fn a_letter_is_shown_whole_or_says_how_much_of_it_is_shown() {
    let app = TestApp::start(Kind::Standard).await;
    let short = format!("3:{}:1", "x".repeat(2_600));
    let long = format!("{}<script>", "é".repeat(80_000));
    app.send_raw(&short, "").await;
    app.send_raw(&long, "").await;
    let site = Site::after_all(&app).await;

    let page = site.get("/dead-letters").await;

    assert!(page.all("pre").contains(&short), "all 2,604 characters");
    let note = page.text_of("details .quiet");
    assert!(note.contains("65,536 of 80,008 characters"), "{note}");
    let link = page.attributes("details .quiet a", "href").remove(0);
    let whole = site.get(&link).await;
    assert_eq!(whole.body, long);
    assert_eq!(whole.header("content-type"), "text/plain; charset=utf-8");
    assert!(
        whole
            .header("content-disposition")
            .starts_with("attachment")
    );
    assert_eq!(site.get("/dead-letters/7/message").await.status(), 404);
}

/// A filter policy tells `9` the number from `9` the text.
#[tokio::test]
async fn attributes_of_a_letter_keep_their_types() {
    use aws_sdk_sqs::primitives::Blob;
    use aws_sdk_sqs::types::MessageAttributeValue;

    let app = TestApp::start(Kind::Standard).await;
    let typed = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
    let queue = app.resources.queue_url(UPDATES);
    let send = app.sqs.send_message().queue_url(queue).message_body("?");
    send.message_attributes("n", typed("Number").string_value("9").build().unwrap())
        .message_attributes(
            "b",
            typed("Binary")
                .binary_value(Blob::new([0, 255]))
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();

    app.drain().await;

    let mut conn = app.pool.acquire().await.unwrap();
    let attributes: String = sqlx::query_scalar("SELECT attributes FROM dead_letters")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let attributes: serde_json::Value = serde_json::from_str(&attributes).unwrap();
    assert_eq!(
        attributes["MessageAttributes"],
        serde_json::json!({
            "b": {"Type": "Binary", "Value": "AP8="},
            "n": {"Type": "Number", "Value": "9"},
        })
    );
}

#[tokio::test]
async fn a_message_of_a_known_supplier_leads_to_its_fix() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelza:9").await;
    app.publish_line("777:Arabica:1").await;
    app.drain().await;
    let page = async |role| Site::of(&app).seen_by(role).get("/dead-letters").await;

    let staff = page(Role::Staff).await;
    let viewer = page(Role::Viewer).await;

    let fixes = staff.attributes(".letter .actions a.button", "href");
    let [fix] = &fixes[..] else {
        panic!("nobody knows whose beans the other may mean: {fixes:?}");
    };
    let form = Site::of(&app).seen_by(Role::Staff).get(fix).await;
    assert_eq!(form.value_of("bean-1"), EXCELSA.to_string());
    assert!(viewer.all(".letter .actions a.button").is_empty());
}
