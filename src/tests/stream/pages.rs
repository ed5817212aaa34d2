//! What the café sees of the stream.

use beanstock::aws::kinesis_client;
use beanstock::domain::Role;
use beanstock::messaging::kinesis::KinesisStream;

use super::{NAME, Streaming, use_bags};
use crate::support::site::borrowed;
use crate::support::{EXCELSA, EXCELSA_PAGE, Site};

/// Bags used on each of the last 30 days, as the stream told.
async fn four_weeks(streaming: &Streaming<KinesisStream>, bags: i64) {
    streaming.relay_all().await;
    streaming.read_all().await;
    for statement in [
        format!(
            "INSERT INTO bean_days (bean_id, day, uses, used) \
             SELECT {EXCELSA}, CURDATE() - INTERVAL n DAY, 2, {bags} + 10 - n % 2 * 20 \
             FROM (WITH RECURSIVE d AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM d WHERE n < 30) SELECT n FROM d) AS d"
        ),
        "UPDATE stream_beans SET since = since - INTERVAL 30 DAY".to_owned(),
    ] {
        streaming.app.execute(statement).await;
    }
}

#[tokio::test]
async fn a_bean_that_runs_out_within_a_week_is_on_the_first_page_with_a_range() {
    let streaming = Streaming::start(1).await;
    four_weeks(&streaming, 40).await;
    streaming.forecasts().renew().await.unwrap();
    let site = Site::of(&streaming.app);

    let home = site.get("/").await;
    let page = site.get(EXCELSA_PAGE).await;
    let supplier = site.get("/suppliers/3").await;

    let soon = home.text_of("#soon + .rows li");
    assert!(soon.contains("200 bags, about 5 days (4 to 6)"), "{soon}");
    let lasts = page.text_of(".tiles");
    assert!(lasts.contains("about 5 days (4 to 6)"), "{lasts}");
    assert!(lasts.contains("bags a week, from 60 uses since"), "{lasts}");
    assert!(supplier.text_of(".rows").contains("about 5 days (4 to 6)"));
}

/// The reader has not seen the last use yet, and has seen nothing else for hours.
#[tokio::test]
async fn a_forecast_stays_the_streams_when_a_bag_was_just_used() {
    let streaming = Streaming::start(1).await;
    four_weeks(&streaming, 40).await;
    let idle = "UPDATE stream_beans SET seen_at = seen_at - INTERVAL 2 HOUR";
    streaming.app.execute(idle).await;
    use_bags(&streaming.app, EXCELSA, &[1]).await;
    let site = Site::of(&streaming.app);

    let just_used = site.get(EXCELSA_PAGE).await.text_of(".tiles");
    streaming
        .app
        .execute("UPDATE stock_movements SET created_at = created_at - INTERVAL 2 HOUR")
        .await;
    let long_ago = site.get(EXCELSA_PAGE).await.text_of(".tiles");

    assert!(just_used.contains("from 60 uses"), "{just_used}");
    assert!(!long_ago.contains("from 60 uses"), "{long_ago}");
}

#[tokio::test]
async fn after_a_delivery_a_bean_does_not_run_out_soon_although_the_forecast_is_old() {
    let streaming = Streaming::start(1).await;
    four_weeks(&streaming, 40).await;
    streaming.forecasts().renew().await.unwrap();
    let soon = async || Site::of(&streaming.app).get("/").await.all("#soon");
    assert_eq!(soon().await.len(), 1);

    let delivery = format!("UPDATE beans SET quantity = 2000 WHERE id = {EXCELSA}");
    streaming.app.execute(delivery).await;

    assert_eq!(soon().await, Vec::<String>::new());
}

#[tokio::test]
async fn where_there_is_too_little_data_the_page_says_so() {
    let streaming = Streaming::start(1).await;
    use_bags(&streaming.app, EXCELSA, &[1, 1]).await;
    streaming.relay_all().await;
    streaming.read_all().await;
    let site = Site::of(&streaming.app);

    let page = site.get(EXCELSA_PAGE).await;

    let told = "not enough data 0 uses and 0 counts in the last 56 days, today not included. A forecast needs at least three days, and 10 uses or 2 counts in them.";
    let tiles = page.text_of(".tiles");
    assert!(tiles.contains(told), "{tiles}");
    assert_eq!(site.get("/").await.all("#soon"), Vec::<String>::new());
}

#[tokio::test]
async fn an_unusual_use_is_told_until_it_is_taken_back() {
    let streaming = Streaming::start(1).await;
    use_bags(&streaming.app, EXCELSA, &[1, 2, 1, 1, 2, 1, 1, 1, 2, 1, 60]).await;
    streaming.relay_all().await;
    streaming.read_all().await;
    let site = Site::of(&streaming.app).seen_by(Role::Staff);

    for page in ["/", EXCELSA_PAGE, "/suppliers/3"] {
        let told = site.get(page).await.text_of("#unusual ~ .rows");
        assert!(
            told.contains("60 bags used, usually about 1"),
            "{page}: {told}"
        );
    }
    let undo = format!("{EXCELSA_PAGE}/movements/12/undo");
    let mut form = site.get(&undo).await.form();
    form.push(("do".to_owned(), "send".to_owned()));
    let undone = site.post(&undo, &borrowed(&form)).await;
    assert_eq!(undone.status(), 303);
    streaming.relay_all().await;
    streaming.read_all().await;
    assert_eq!(site.get("/").await.all("#unusual"), Vec::<String>::new());
}

#[tokio::test]
async fn a_manager_splits_and_merges_shards_where_the_stream_is_embedded() {
    let streaming = Streaming::start(1).await;
    streaming.relay_all().await;
    streaming.read_all().await;
    let stream = KinesisStream::new(kinesis_client(&streaming.app.sdk), NAME.to_owned());
    let (elsewhere, site) = (
        Site::of(&streaming.app),
        Site::of(&streaming.app).resharding(stream),
    );
    let (first, second) = ("shardId-000000000000", "shardId-000000000001");
    assert!(
        !elsewhere
            .get("/operations/stream")
            .await
            .text_of("main")
            .contains("Split")
    );
    let refused = elsewhere
        .post("/operations/stream/split", &[("shard", first)])
        .await;
    assert!(refused.header("location").contains("stream-elsewhere"));

    let split = site
        .post("/operations/stream/split", &[("shard", first)])
        .await;
    assert!(split.header("location").contains("shard-split"));
    let rows = site.get("/operations/stream").await.all("tbody tr");
    assert!(
        rows[0].contains("Waiting for its parent"),
        "at once: {rows:?}"
    );
    streaming.read_all().await;
    let page = site.get("/operations/stream").await;
    let rows = page.all("tbody tr");
    assert!(
        rows[0].contains("50.0% of the keys, child of 0"),
        "{rows:?}"
    );
    assert!(rows[0].contains("Merge shard 1 with 2"), "{rows:?}");
    assert!(rows[2].contains("Read to its end"), "{rows:?}");
    let again = site
        .post("/operations/stream/split", &[("shard", first)])
        .await;
    assert!(again.header("location").contains("shard-not-open"));

    let merged = site
        .post("/operations/stream/merge", &[("shard", second)])
        .await;
    assert!(merged.header("location").contains("shards-merged"));
    streaming.active().await;
    streaming.read_all().await;
    let rows = site.get("/operations/stream").await.all("tbody tr");
    assert!(
        rows[0].contains("100.0% of the keys, child of 1 and 2"),
        "{rows:?}"
    );
    let log = site.get("/activity").await.text_of("main");
    assert!(log.contains("split a shard of the stream") && log.contains("merged two shards"));
}

#[tokio::test]
async fn staff_have_what_is_missing_sent_again_and_dismiss_what_nobody_can_read() {
    let streaming = Streaming::start(1).await;
    streaming.relay_all().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming
        .app
        .execute(format!(
            "UPDATE stream_marks SET streamed = 2 WHERE bean_id = {EXCELSA}"
        ))
        .await;
    use_bags(&streaming.app, EXCELSA, &[3]).await;
    let kinesis = kinesis_client(&streaming.app.sdk);
    let put = kinesis.put_record().stream_name(NAME).partition_key("x");
    put.data(b"<script>alert(1)</script>".to_vec().into())
        .send()
        .await
        .unwrap();
    streaming.relay_all().await;
    streaming.read_all().await;
    let site = Site::of(&streaming.app).seen_by(Role::Staff);

    let page = site.get("/operations/stream").await;
    assert!(
        page.text_of("#missing ~ .rows")
            .contains("movement 2 is missing")
    );
    let parked = page.text_of("#parked ~ .rows");
    assert!(
        parked.contains("it is not the JSON of a record of stock movements"),
        "{parked}"
    );
    assert!(
        parked.contains("<script>alert(1)</script>"),
        "shown as text: {parked}"
    );

    streaming
        .app
        .execute("UPDATE stream_held SET held_at = held_at - INTERVAL 2 MINUTE")
        .await;
    let trouble = site.get("/").await.text_of("#stream-trouble");
    assert!(
        trouble.contains("1 bean is missing a movement, 1 record cannot be read"),
        "{trouble}"
    );

    let again = site.post("/operations/stream/again", &[]).await;
    assert!(again.header("location").contains("streamed-again"));
    streaming.relay_all().await;
    streaming.read_all().await;
    let newest = page.attributes("#parked ~ form button", "value").remove(0);
    site.post("/operations/stream/seen", &[("record", &newest)])
        .await;
    let page = site.get("/operations/stream").await;
    assert_eq!(page.all("#missing, #parked"), Vec::<String>::new());
    let home = Site::of(&streaming.app).get("/").await;
    assert_eq!(home.text_of("#stream-trouble"), "");
    streaming.assert_witnesses_agree().await;
}

#[tokio::test]
async fn what_waits_for_movements_that_there_are_not_is_named_and_put_aside() {
    let streaming = Streaming::start(1).await;
    streaming.relay_all().await;
    let record = format!(
        r#"{{"version":1,"bean_id":{EXCELSA},"supplier_id":3,"movements":[{{"sequence":4,"kind":"use","change_by":-1,"quantity_after":9,"occurred_at":"2026-11-22T10:42:07Z","booked_at":"2026-11-22T10:42:07Z"}}]}}"#
    );
    let kinesis = kinesis_client(&streaming.app.sdk);
    let put = kinesis
        .put_record()
        .stream_name(NAME)
        .partition_key(EXCELSA.to_string());
    put.data(record.into_bytes().into()).send().await.unwrap();
    streaming.read_all().await;
    let site = Site::of(&streaming.app).seen_by(Role::Staff);

    let (broken, _) = streaming.audit().await;
    let named = format!("bean {EXCELSA}, movement 4 waits, and the ledger ends with 1");
    assert!(broken.contains(&named), "{broken:?}");
    site.post("/operations/stream/again", &[]).await;

    let page = site.get("/operations/stream").await;
    assert_eq!(page.all("#missing"), Vec::<String>::new());
    let parked = page.text_of("#parked ~ .rows");
    assert!(
        parked.contains("it has movements that the ledger does not have"),
        "{parked}"
    );
    streaming.assert_witnesses_agree().await;
}
