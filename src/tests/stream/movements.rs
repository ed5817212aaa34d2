//! Movements on their way over the embedded Kinesis, and what the audit makes of it.

use beanstock::messaging::kinesis::{DataStream as _, NewRecord};
use beanstock::operations::audit::audit;
use beanstock::operations::status::read_status;
use chrono::Utc;

use super::{NAME, Streaming, use_bags};
use crate::support::process::until;
use crate::support::{ARABICA, EXCELSA};

#[tokio::test]
async fn every_movement_reaches_the_second_witness() {
    let streaming = Streaming::start(4).await;
    for line in ["3:Excelsa:9", "6:Arabica:6"] {
        streaming.app.publish_line(line).await;
    }
    streaming.app.drain().await;
    use_bags(&streaming.app, EXCELSA, &[2, 1]).await;

    streaming.relay_all().await;
    streaming.read_all().await;

    assert_eq!(streaming.told(EXCELSA).await, Some((4, 206)));
    assert_eq!(
        streaming.number("stream_beans").await,
        streaming.number("beans").await
    );
    streaming.assert_witnesses_agree().await;
}

#[tokio::test]
async fn a_bean_that_was_there_before_begins_with_a_snapshot() {
    let streaming = Streaming::start(1).await;
    let long_ago = "UPDATE stock_movements SET created_at = UTC_TIMESTAMP(6) - INTERVAL 90 DAY";
    streaming.app.execute(long_ago).await;
    use_bags(&streaming.app, EXCELSA, &[5]).await;

    streaming.relay_all().await;
    streaming.read_all().await;

    let base = streaming.number("stream_beans WHERE base_sequence = 1 AND base_quantity = 200");
    assert!(base.await >= 1);
    assert_eq!(streaming.told(EXCELSA).await, Some((2, 195)));
    assert_eq!(streaming.number("stream_runs").await, 1);
    streaming.assert_witnesses_agree().await;
}

#[tokio::test]
async fn movements_go_on_where_they_were_after_shards_are_split_and_merged() {
    let streaming = Streaming::start(2).await;
    use_bags(&streaming.app, EXCELSA, &[1, 1]).await;
    streaming.relay_all().await;
    let shards = streaming.stream.list_shards().await.unwrap();
    for shard in &shards {
        streaming.stream.split(shard).await.unwrap();
        streaming.active().await;
    }
    use_bags(&streaming.app, EXCELSA, &[1, 1]).await;
    streaming.relay_all().await;
    let shards = streaming.stream.list_shards().await.unwrap();
    let pairs = beanstock::domain::neighbours(&shards);
    let (one, next) = pairs.iter().min().unwrap();
    streaming.stream.merge(one, next).await.unwrap();
    streaming.active().await;
    use_bags(&streaming.app, EXCELSA, &[1]).await;
    streaming.relay_all().await;

    streaming.read_all().await;

    assert_eq!(streaming.told(EXCELSA).await, Some((6, 195)));
    assert_eq!(streaming.number("stream_held").await, 0);
    assert_eq!(
        streaming
            .number("stream_shards WHERE ended_at IS NOT NULL")
            .await,
        4
    );
    streaming.assert_witnesses_agree().await;
}

/// What others put on the stream by hand.
async fn put(streaming: &Streaming<beanstock::messaging::kinesis::KinesisStream>, record: &str) {
    let key = serde_json::from_str::<serde_json::Value>(record).unwrap()["bean_id"].to_string();
    let record = NewRecord {
        key,
        data: record.as_bytes().to_vec(),
    };
    assert_eq!(
        streaming.stream.put_records(&[record]).await.unwrap(),
        [0; 0]
    );
}

fn movement(sequence: i64, change_by: i64, quantity_after: i64) -> String {
    format!(
        r#"{{"version":1,"bean_id":{EXCELSA},"supplier_id":3,"movements":[{{"sequence":{sequence},"kind":"use","change_by":{change_by},"quantity_after":{quantity_after},"occurred_at":"2026-11-22T10:42:07Z","booked_at":"2026-11-22T10:42:07Z"}}]}}"#
    )
}

#[tokio::test]
async fn a_forged_ledger_row_is_named() {
    let streaming = Streaming::start(1).await;
    use_bags(&streaming.app, EXCELSA, &[2, 3, 4]).await;
    streaming.relay_all().await;
    streaming.read_all().await;
    streaming.assert_witnesses_agree().await;
    let forge = "UPDATE stock_movements SET change_by = CASE sequence WHEN 3 THEN -1 ELSE -6 END, \
                 quantity_after = IF(sequence = 3, quantity_after + 2, quantity_after)";
    streaming
        .app
        .execute(format!(
            "{forge} WHERE bean_id = {EXCELSA} AND sequence IN (3, 4)"
        ))
        .await;

    // The ledger by itself is sound.
    streaming.app.assert_audit_is_clean().await;
    let (broken, _) = streaming.audit().await;
    let expected = format!(
        "bean {EXCELSA} first differs at movement 3: the stream says -3 bags, the ledger says -1"
    );
    assert_eq!(broken, [expected]);
}

/// Both witnesses were told the same, which does not add up: the ledger by itself shows the movement.
#[tokio::test]
async fn a_ledger_row_that_was_forged_before_it_was_streamed_is_named() {
    let streaming = Streaming::start(1).await;
    streaming.relay_all().await;
    use_bags(&streaming.app, EXCELSA, &[2, 3]).await;
    use_bags(&streaming.app, ARABICA, &[2, 3]).await;
    for (bean, movement) in [(EXCELSA, 2), (ARABICA, 3)] {
        let forge = "UPDATE stock_movements SET change_by = -1";
        streaming
            .app
            .execute(format!(
                "{forge} WHERE bean_id = {bean} AND sequence = {movement}"
            ))
            .await;
    }
    streaming.relay_all().await;
    streaming
        .app
        .execute("UPDATE stream_marks SET streamed_at = streamed_at - INTERVAL 1 MINUTE")
        .await;
    streaming.read_all().await;

    let (told, _) = streaming.audit().await;
    let ledger = audit(&streaming.app.pool).await.unwrap();
    let ledger: Vec<String> = ledger
        .into_iter()
        .flat_map(|finding| finding.broken_by)
        .collect();

    for named in [
        format!("bean {EXCELSA}, movement 2"),
        format!("bean {ARABICA}, movement 3"),
    ] {
        assert!(ledger.contains(&named), "{ledger:?}");
    }
    let [stock, lost] = told.try_into().unwrap();
    assert_eq!(
        stock,
        format!(
            "bean {EXCELSA} had 195 bags after movement 3 by the ledger, and 196 by the stream"
        )
    );
    let aside =
        format!("bean {ARABICA}, movements 2 to 3; a record of this bean was put aside (shardId-");
    assert!(lost.starts_with(&aside), "{lost}");
    assert!(
        lost.ends_with("they have a gap or do not add up)"),
        "{lost}"
    );
}

#[tokio::test]
async fn a_lost_record_is_named_and_what_is_missing_can_be_sent_again() {
    let streaming = Streaming::start(1).await;
    streaming.relay_all().await;
    use_bags(&streaming.app, EXCELSA, &[2, 3]).await;
    // The relay believes that they are on the stream.
    let skip = format!("UPDATE stream_marks SET streamed = 3 WHERE bean_id = {EXCELSA}");
    streaming.app.execute(skip).await;
    use_bags(&streaming.app, EXCELSA, &[4]).await;
    streaming.relay_all().await;
    streaming.read_all().await;

    assert_eq!(streaming.told(EXCELSA).await, Some((1, 200)), "it waits");
    assert_eq!(streaming.number("stream_held").await, 1);
    streaming
        .app
        .execute("UPDATE stream_held SET held_at = held_at - INTERVAL 1 MINUTE")
        .await;
    let (broken, _) = streaming.audit().await;
    assert_eq!(broken, [format!("bean {EXCELSA}, movements 2 to 3")]);

    streaming.send_again().await;
    streaming.read_all().await;
    assert_eq!(streaming.told(EXCELSA).await, Some((4, 191)));
    assert_eq!(streaming.number("stream_held").await, 0);
    streaming.assert_witnesses_agree().await;
}

#[tokio::test]
async fn a_lost_record_without_a_later_one_is_named_too() {
    let streaming = Streaming::start(1).await;
    streaming.relay_all().await;
    streaming.read_all().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    let skip =
        "UPDATE stream_marks SET streamed = 2, streamed_at = UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE";
    streaming
        .app
        .execute(format!("{skip} WHERE bean_id = {EXCELSA}"))
        .await;
    streaming.read_all().await;

    let (broken, _) = streaming.audit().await;

    assert_eq!(broken, [format!("bean {EXCELSA}, movement 2")]);
    streaming.send_again().await;
    streaming.read_all().await;
    assert_eq!(streaming.told(EXCELSA).await, Some((2, 198)));
    streaming.assert_witnesses_agree().await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_behind() {
    let streaming = Streaming::start(1).await;
    let status = async |stream| {
        let status = read_status(&streaming.app.pool, stream, Utc::now()).await;
        status.unwrap().stream
    };
    assert!(status(None).await.is_none());
    let before = status(Some(NAME)).await.unwrap();
    assert!(
        before.unstreamed > 0 && before.behind_seconds == 0,
        "{before:?}"
    );

    streaming.relay_all().await;
    streaming
        .app
        .execute("UPDATE stream_marks SET streamed_at = streamed_at - INTERVAL 10 MINUTE")
        .await;

    let after = status(Some(NAME)).await.unwrap();
    assert_eq!(after.unstreamed, 0);
    assert!(after.behind_seconds >= 600, "{after:?}");
}

#[tokio::test]
async fn a_doubled_record_counts_once_and_is_named() {
    let streaming = Streaming::start(1).await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;
    put(&streaming, &movement(2, -2, 198)).await;
    put(&streaming, &movement(2, -50, 150)).await;
    streaming.read_all().await;

    assert_eq!(streaming.told(EXCELSA).await, Some((2, 198)));
    let (broken, also) = streaming.audit().await;
    let named = |lines: &[String]| {
        lines.len() == 1
            && lines[0].starts_with(&format!("bean {EXCELSA}, movement 2 came again: shardId-"))
    };
    assert!(named(&also), "the same again: {also:?}");
    assert!(named(&broken), "again, with other bags: {broken:?}");
}

#[tokio::test]
async fn a_movement_that_somebody_else_put_on_the_stream_is_named() {
    let streaming = Streaming::start(1).await;
    streaming.relay_all().await;
    put(&streaming, &movement(2, -50, 150)).await;
    streaming.read_all().await;

    let (broken, _) = streaming.audit().await;

    let expected = format!(
        "bean {EXCELSA} first differs at movement 2: the stream says -50 bags, the ledger has none"
    );
    assert!(broken.contains(&expected), "{broken:?}");

    // What is really booked is put there all the same, also after what is missing is sent again.
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.send_again().await;
    streaming.read_all().await;
    let (broken, _) = streaming.audit().await;
    assert!(
        broken[0].contains("the stream says -50 bags, the ledger says -2"),
        "{broken:?}"
    );
    assert_eq!(streaming.number("stream_repeats").await, 1);

    // deploy/stream.md: the bean begins anew.
    for table in [
        "stream_beans",
        "stream_runs",
        "stream_repeats",
        "stream_held",
        "bean_days",
    ] {
        let forget = format!("DELETE FROM {table} WHERE bean_id = {EXCELSA}");
        streaming.app.execute(forget).await;
    }
    streaming.send_again().await;
    streaming.read_all().await;
    assert_eq!(streaming.told(EXCELSA).await, Some((2, 198)));
    streaming.assert_witnesses_agree().await;
}

/// A snapshot that somebody else put on the stream before the relay's: nothing of the bean counts after it.
#[tokio::test]
async fn a_snapshot_beyond_the_end_of_the_ledger_is_named() {
    let streaming = Streaming::start(1).await;
    let forged = format!(
        r#"{{"version":1,"bean_id":{EXCELSA},"supplier_id":3,"snapshot":{{"sequence":9007199254740991,"quantity":0,"as_of":"2026-11-22T10:42:07Z"}}}}"#
    );
    put(&streaming, &forged).await;
    streaming.read_all().await;
    streaming.relay_all().await;
    streaming.read_all().await;

    let (broken, _) = streaming.audit().await;

    let named = format!(
        "bean {EXCELSA} had 0 bags after movement 9007199254740991 by the stream, and the ledger has no such movement"
    );
    assert!(broken.contains(&named), "{broken:?}");
}

#[tokio::test]
async fn a_total_that_is_not_the_sum_of_its_movements_is_named() {
    let streaming = Streaming::start(1).await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;
    streaming.read_all().await;
    let count =
        format!("UPDATE stream_beans SET quantity = quantity - 2 WHERE bean_id = {EXCELSA}");
    streaming.app.execute(count).await;

    let (broken, _) = streaming.audit().await;

    assert!(
        broken.contains(&format!(
            "bean {EXCELSA} counted 2 movements to 196 bags, but 2 came that make 198"
        )),
        "{broken:?}"
    );
}

#[tokio::test]
async fn what_nobody_can_read_is_put_aside_and_the_shard_goes_on() {
    let streaming = Streaming::start(1).await;
    streaming.relay_all().await;
    for (key, data) in [
        ("1", "not JSON"),
        ("1", "\u{0}\u{7f}"),
        (
            "999999",
            &movement(1, 5, 5).replace(&format!("\"bean_id\":{EXCELSA}"), "\"bean_id\":999999"),
        ),
        (
            "5",
            &movement(2, -1, 199).replace("2026-11-22T10", "9026-11-22T10"),
        ),
        (
            "5",
            &movement(2, -1, 199).replace("2026-11-22T10:42:07Z", "2026-12-31T23:59:60Z"),
        ),
        (
            "1",
            r#"{"version":1,"bean_id":1,"supplier_id":1,"snapshot":{"sequence":9223372036854775807,"quantity":0,"as_of":"2026-11-22T10:42:07Z"}}"#,
        ),
    ] {
        let record = NewRecord {
            key: key.to_owned(),
            data: data.as_bytes().to_vec(),
        };
        streaming.stream.put_records(&[record]).await.unwrap();
    }
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;

    streaming.read_all().await;

    assert_eq!(streaming.told(EXCELSA).await, Some((2, 198)));
    assert_eq!(streaming.number("parked_records").await, 6);
    let reason = "parked_records WHERE reason = 'it is about bean 999999, and there is none with that number'";
    assert_eq!(streaming.number(reason).await, 1);
    streaming.assert_witnesses_agree().await;
}

/// Whoever deletes and makes the stream again has lost what was on it, and nothing else.
#[tokio::test]
async fn a_stream_that_is_made_anew_gets_what_it_lacks() {
    let streaming = Streaming::start(1).await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;
    streaming.read_all().await;
    use_bags(&streaming.app, EXCELSA, &[3]).await;
    streaming.relay_all().await;
    let kinesis = beanstock::aws::kinesis_client(&streaming.app.sdk);
    kinesis
        .delete_stream()
        .stream_name(super::NAME)
        .send()
        .await
        .unwrap();
    until("it is gone", || async {
        kinesis
            .describe_stream_summary()
            .stream_name(super::NAME)
            .send()
            .await
            .is_err()
    })
    .await;
    let resources = crate::support::Kind::Fifo.resources();
    beanstock::local::provision_stream_at(&streaming.app.sdk, &resources, super::NAME)
        .await
        .unwrap();

    streaming.read_all().await;
    streaming.relay_all().await;
    streaming.read_all().await;

    assert_eq!(streaming.told(EXCELSA).await, Some((3, 195)));
    streaming.assert_witnesses_agree().await;
}
