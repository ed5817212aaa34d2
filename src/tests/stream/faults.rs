//! What no emulator can be made to do.

use std::time::Duration;

use beanstock::db;
use beanstock::domain::{BeanId, Instance};
use beanstock::stream::{RelayError, Step};

use super::{Streaming, read_through, use_bags};
use crate::support::fake_stream::{FakeStream, Fault};
use crate::support::process::until;
use crate::support::{ARABICA, EXCELSA, Kind, TestApp};

const SHARD: &str = "shardId-000000000000";

async fn streaming() -> Streaming<FakeStream> {
    let app = TestApp::start(Kind::Fifo).await;
    Streaming::on(app, FakeStream::of(&[SHARD]))
}

#[tokio::test]
async fn an_expired_iterator_and_throttling_lose_nothing() {
    let streaming = streaming().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;
    let lease = streaming.take(streaming.instance).await.remove(0);
    let mut reader = streaming.reader(lease);
    streaming
        .stream
        .fail_next_reads(&[Fault::Throttled, Fault::Expired, Fault::Throttled]);

    assert_eq!(reader.step().await.unwrap(), Step::Throttled);
    assert_eq!(reader.step().await.unwrap(), Step::IteratorExpired);
    read_through(&mut reader).await;
    use_bags(&streaming.app, EXCELSA, &[1]).await;
    streaming.relay_all().await;
    streaming.stream.fail_next_reads(&[Fault::Expired]);
    read_through(&mut reader).await;

    assert_eq!(streaming.told(EXCELSA).await, Some((3, 197)));
    assert_eq!(
        streaming.number("stream_repeats").await,
        0,
        "it went on after the last one"
    );
    streaming.assert_witnesses_agree().await;
}

#[tokio::test]
async fn a_trimmed_start_is_told_and_beans_that_miss_something_wait() {
    let streaming = streaming().await;
    streaming.relay_all().await;
    streaming.read_all().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;
    use_bags(&streaming.app, EXCELSA, &[3]).await;
    use_bags(&streaming.app, ARABICA, &[1]).await;
    streaming.relay_all().await;
    streaming.stream.keep_newest(SHARD, 2);

    streaming.read_all().await;

    let mut conn = streaming.app.pool.acquire().await.unwrap();
    assert!(
        db::stream_shards::find_lag(&mut conn)
            .await
            .unwrap()
            .trimmed
    );
    let held = db::stream_held::list_held_beans(&mut conn).await.unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(
        (held[0].bean, held[0].seen, held[0].first),
        (EXCELSA, Some(1), 3)
    );
    assert!(
        streaming
            .told(ARABICA)
            .await
            .is_some_and(|(seen, _)| seen == 2)
    );
    drop(conn);
    streaming.send_again().await;
    streaming.read_all().await;
    assert_eq!(streaming.told(EXCELSA).await, Some((3, 195)));
    streaming.assert_witnesses_agree().await;
}

#[tokio::test]
async fn an_instance_whose_shard_was_taken_commits_nothing() {
    let streaming = streaming().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;
    let slow = streaming.take(streaming.instance).await.remove(0);
    let mut slow = streaming.reader(slow);
    streaming
        .app
        .execute("UPDATE stream_shards SET lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")
        .await;
    let other = streaming
        .take(Instance(uuid::Uuid::now_v7()))
        .await
        .remove(0);
    let mut other = streaming.reader(other);
    read_through(&mut other).await;

    assert_eq!(slow.step().await.unwrap(), Step::Fenced);

    assert_eq!(streaming.told(EXCELSA).await, Some((2, 198)));
    assert_eq!(streaming.number("stream_repeats").await, 0);
    // Nor does it renew what is another's.
    let mut conn = streaming.app.pool.acquire().await.unwrap();
    db::stream_leases::renew_lease(&mut conn, slow.lease(), Duration::from_hours(1))
        .await
        .unwrap();
    let long = "stream_shards WHERE lease_until > UTC_TIMESTAMP(6) + INTERVAL 1 MINUTE";
    assert_eq!(streaming.number(long).await, 0);
}

#[tokio::test]
async fn children_that_name_no_parent_run_ahead_and_their_beans_wait() {
    let streaming = streaming().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;
    let (records, child) = (streaming.stream.records(SHARD), "shardId-000000000001");
    let streaming = Streaming {
        stream: FakeStream::of(&[SHARD, child]),
        ..streaming
    };
    let (last, earlier) = records.split_last().unwrap();
    for record in earlier {
        streaming.stream.push(SHARD, &record.key, &record.data);
    }
    streaming.stream.push(child, &last.key, &last.data);
    let mut leases = streaming.take(streaming.instance).await;
    let child = leases.pop().unwrap();
    read_through(&mut streaming.reader(child)).await;
    assert_eq!(streaming.number("stream_held").await, 1);

    read_through(&mut streaming.reader(leases.remove(0))).await;

    assert_eq!(streaming.number("stream_held").await, 0);
    streaming.assert_witnesses_agree().await;
}

#[tokio::test]
async fn a_child_is_not_read_before_its_parent_ends() {
    let streaming = streaming().await;
    streaming
        .stream
        .add_shard("shardId-000000000001", Some(SHARD));
    streaming.stream.close(SHARD);

    let first = streaming.take(streaming.instance).await;
    let names: Vec<&str> = first.iter().map(|lease| lease.shard.as_str()).collect();
    assert_eq!(names, [SHARD]);
    assert!(
        read_through(&mut streaming.reader(first[0].clone())).await,
        "it ends"
    );

    let then = streaming.take(streaming.instance).await;
    assert_eq!(then[0].shard, "shardId-000000000001");
}

#[tokio::test]
async fn only_what_was_refused_is_put_again_and_each_bean_stays_in_order() {
    let streaming = streaming().await;
    let relay = streaming.relay();
    while relay.relay_once().await.unwrap().records > 0 {}
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    use_bags(&streaming.app, ARABICA, &[1]).await;
    let before = streaming.stream.puts().len();
    streaming.stream.refuse(&[&[0], &[0]]);

    let first = relay.relay_once().await.unwrap();
    assert_eq!((first.records, first.refused), (1, 1));
    use_bags(&streaming.app, EXCELSA, &[3]).await;
    use_bags(&streaming.app, ARABICA, &[1]).await;
    let pause = "UPDATE stream_marks SET due_at = UTC_TIMESTAMP(6)";
    streaming.app.execute(pause).await;
    relay.relay_once().await.unwrap();
    streaming.app.execute(pause).await;
    while relay.relay_once().await.unwrap().records > 0 {}
    streaming.read_all().await;

    for call in &streaming.stream.puts()[before..] {
        let mut keys = call.clone();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), call.len(), "one record of a bean in a call");
    }
    assert_eq!(streaming.number("stream_held").await, 0);
    assert_eq!(streaming.number("stream_repeats").await, 0);
    assert_eq!(streaming.told(EXCELSA).await, Some((3, 195)));
    streaming.assert_witnesses_agree().await;
}

#[tokio::test]
async fn what_was_put_twice_because_an_answer_was_lost_counts_once() {
    let streaming = streaming().await;
    streaming.relay_all().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.stream.lose_next_answer();
    let relay = streaming.relay();

    let lost = relay.relay_once().await;
    assert!(matches!(lost, Err(RelayError::Put(_))), "{lost:?}");
    assert_eq!(relay.relay_once().await.unwrap().records, 0, "it pauses");
    let pause = "UPDATE stream_marks SET due_at = UTC_TIMESTAMP(6)";
    streaming.app.execute(pause).await;
    assert_eq!(relay.relay_once().await.unwrap().movements, 1);
    streaming.read_all().await;

    assert_eq!(streaming.told(EXCELSA).await, Some((2, 198)));
    assert_eq!(streaming.number("stream_repeats").await, 1);
    streaming.assert_witnesses_agree().await;
}

/// Another version of this program held it.
#[tokio::test]
async fn a_record_that_waited_and_cannot_be_read_any_more_is_put_aside() {
    let streaming = streaming().await;
    streaming.relay_all().await;
    streaming.read_all().await;
    let insert = "INSERT INTO stream_held (bean_id, sequence_number, stream, shard_id, first_sequence, record, held_at)";
    streaming
        .app
        .execute(format!(
            "{insert} VALUES ({EXCELSA}, '1', 'a', 's', 2, '{{\"version\": 9}}', UTC_TIMESTAMP(6))"
        ))
        .await;

    streaming.forecasts().renew().await.unwrap();

    assert_eq!(streaming.number("stream_held").await, 0);
    assert_eq!(streaming.number("parked_records").await, 1);
}

#[tokio::test]
async fn a_bean_of_which_many_records_wait_keeps_no_other_waiting() {
    let streaming = streaming().await;
    let digit = "(SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 \
                 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)";
    let insert = "INSERT INTO stream_held (bean_id, sequence_number, stream, shard_id, first_sequence, record, held_at)";
    for statement in [
        format!(
            "{insert} SELECT {EXCELSA}, 1000 + a.n + 10 * b.n + 100 * c.n, 'a', 's', 10 + a.n + 10 * b.n + 100 * c.n, '', \
             UTC_TIMESTAMP(6) FROM {digit} AS a, {digit} AS b, {digit} AS c"
        ),
        format!("{insert} VALUES ({ARABICA}, '1', 'a', 's', 5000, '', UTC_TIMESTAMP(6))"),
    ] {
        streaming.app.execute(statement).await;
    }

    let mut conn = streaming.app.pool.acquire().await.unwrap();
    let held = db::stream_held::list_held(&mut conn, &[EXCELSA, ARABICA]);
    let held = held.await.unwrap();

    assert_eq!(held.len(), 1_000);
    assert!(held.iter().any(|held| held.bean == ARABICA.0));
    let of_excelsa = held.iter().filter(|held| held.bean == EXCELSA.0);
    assert!(of_excelsa.map(|held| held.first).is_sorted());
}

#[tokio::test]
async fn a_relay_that_was_overtaken_repeats_and_never_skips() {
    let streaming = streaming().await;
    streaming.relay_all().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    // Another relay leased the bean and fell silent.
    let lease = "UPDATE stream_marks SET due_at = UTC_TIMESTAMP(6) + INTERVAL 1 MINUTE";
    streaming
        .app
        .execute(format!("{lease} WHERE bean_id = {EXCELSA}"))
        .await;
    assert_eq!(streaming.relay().relay_once().await.unwrap().records, 0);
    streaming
        .app
        .execute("UPDATE stream_marks SET due_at = UTC_TIMESTAMP(6)")
        .await;
    let mark = async |streamed| {
        let moved = db::stream_marks::MarkMoved {
            bean: EXCELSA.0,
            epoch: 1,
            streamed: Some(streamed),
            was_tried: true,
            pause: 0,
        };
        let mut conn = streaming.app.pool.acquire().await.unwrap();
        db::stream_marks::move_marks(&mut conn, &[moved])
            .await
            .unwrap();
    };

    streaming.relay_all().await;
    // It wakes up with an old lease and a mark that would skip what comes.
    mark(9).await;
    use_bags(&streaming.app, EXCELSA, &[3]).await;
    streaming.relay_all().await;
    streaming.read_all().await;

    assert_eq!(streaming.told(EXCELSA).await, Some((3, 195)));
}

/// The records that wait may have a mebibyte each.
#[tokio::test]
async fn an_answer_that_is_too_long_to_arrive_is_asked_for_in_parts() {
    let streaming = streaming().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;
    let lease = streaming.take(streaming.instance).await.remove(0);
    let mut reader = streaming.reader(lease);
    streaming.stream.fail_next_reads(&[Fault::TooLong(5)]);

    let mut failures = 0;
    while reader.step().await.is_err() {
        failures += 1;
    }
    read_through(&mut reader).await;

    assert_eq!(failures, 3, "300, 75 and 18 records were too many");
    assert_eq!(streaming.told(EXCELSA).await, Some((2, 198)));
}

/// Whoever reads a shard may stand still in the middle of a transaction.
#[tokio::test]
async fn a_reader_that_stands_still_keeps_nobody_from_looking_for_shards() {
    let streaming = streaming().await;
    let lease = streaming.take(streaming.instance).await.remove(0);
    let pool = &streaming.app.pool;
    db::in_transaction(pool, async |tx| {
        assert!(db::stream_leases::lock_lease(tx, &lease).await?);
        streaming.stream.add_shard("shardId-000000000001", None);
        streaming.consumer().discover().await.unwrap();
        db::DbResult::Ok(())
    })
    .await
    .unwrap();

    assert_eq!(streaming.number("stream_shards").await, 2);
}

/// Until the server ends its transaction, its shard is nobody's. The others are.
#[tokio::test]
async fn a_reader_that_stands_still_keeps_nobody_from_other_shards() {
    let app = TestApp::start(Kind::Fifo).await;
    let other = "shardId-000000000001";
    let streaming = Streaming::on(app, FakeStream::of(&[SHARD, other]));
    let lease = streaming.take(streaming.instance).await.remove(0);
    streaming
        .app
        .execute("UPDATE stream_shards SET lease_until = UTC_TIMESTAMP(6)")
        .await;

    db::in_transaction(&streaming.app.pool, async |tx| {
        assert!(db::stream_leases::lock_lease(tx, &lease).await?);
        let taken = streaming.take(Instance(uuid::Uuid::now_v7())).await;
        let taken: Vec<&str> = taken.iter().map(|lease| lease.shard.as_str()).collect();
        assert_eq!(taken, [other]);
        db::DbResult::Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_reader_that_stands_still_keeps_no_other_beans_forecast_waiting() {
    let streaming = streaming().await;
    streaming.relay_all().await;
    streaming.read_all().await;
    let due = async |bean: BeanId| {
        let due = format!("stream_beans WHERE forecast_at IS NULL AND bean_id = {bean}");
        streaming.number(&due).await == 1
    };
    assert!(due(EXCELSA).await && due(ARABICA).await);

    db::in_transaction(&streaming.app.pool, async |tx| {
        db::stream_beans::lock_witnessed(tx, &[EXCELSA]).await?;
        streaming.forecasts().renew().await?;
        db::DbResult::Ok(())
    })
    .await
    .unwrap();

    assert!(due(EXCELSA).await && !due(ARABICA).await);
    streaming.forecasts().renew().await.unwrap();
    assert!(!due(EXCELSA).await);
}

#[tokio::test]
async fn a_shard_that_was_refused_is_read_once_it_is_not() {
    let streaming = streaming().await;
    streaming.relay_all().await;
    streaming.stream.fail_next_reads(&[Fault::Refused]);
    let consumer = streaming.consumer();

    tokio::select! {
        () = consumer.run() => panic!("nobody has stopped it"),
        () = until("it is read", || async { streaming.told(EXCELSA).await.is_some() }) => {}
    }

    let taken = "stream_shards WHERE epoch = 2";
    assert_eq!(
        streaming.number(taken).await,
        1,
        "once more after the refusal"
    );
}

/// Somebody changed what was counted, by hand.
#[tokio::test]
async fn a_record_that_the_database_never_takes_is_put_aside_and_the_shard_goes_on() {
    let streaming = streaming().await;
    streaming.relay_all().await;
    streaming.read_all().await;
    streaming
        .app
        .execute(format!(
            "INSERT INTO stream_runs (bean_id, first_sequence, last_sequence, changes, shard_id, sequence_number) \
             VALUES ({EXCELSA}, 2, 2, '[-9]', 's', '1')"
        ))
        .await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    use_bags(&streaming.app, ARABICA, &[1]).await;
    streaming.relay_all().await;

    streaming.read_all().await;

    assert_eq!(streaming.number("parked_records").await, 1);
    let arabica = streaming.told(ARABICA).await;
    assert!(arabica.is_some_and(|(seen, _)| seen == 2), "{arabica:?}");
    let (broken, _) = streaming.audit().await;
    assert!(!broken.is_empty(), "the audit names the bean");
}

#[tokio::test]
async fn of_very_many_shards_those_that_are_read_are_listed() {
    let streaming = streaming().await;
    streaming.take(streaming.instance).await;
    streaming
        .app
        .execute(
            "INSERT INTO stream_shards (stream, shard_id, first_hash, last_hash, closed, listed_at, ended_at) \
             WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000) \
             SELECT s.stream, CONCAT('shardId-', LPAD(n, 12, '0')), '0', '0', TRUE, s.listed_at, UTC_TIMESTAMP(6) \
             FROM stream_shards AS s, numbers",
        )
        .await;

    let mut conn = streaming.app.pool.acquire().await.unwrap();
    let listed = db::stream_shards::list_shards(&mut conn).await.unwrap();

    let ids: Vec<&str> = listed.iter().map(|line| line.shard.id.as_str()).collect();
    assert_eq!(ids.len(), 1_000);
    assert_eq!(ids[0], SHARD, "the oldest, which is read");
    assert_eq!(
        ids[1], "shardId-000000000002",
        "the oldest ended one is left out"
    );
    assert_eq!(ids[999], "shardId-000000001000");
    assert!(ids.is_sorted());
}

/// The answer to `ListShards` may be older than what another instance knows.
#[tokio::test]
async fn a_list_of_shards_that_is_out_of_date_ends_no_new_shard() {
    let streaming = streaming().await;
    let (old, new) = ("shardId-000000000000", "shardId-000000000001");
    streaming.stream.add_shard(new, Some(old));
    streaming.consumer().discover().await.unwrap();
    let late = Streaming {
        stream: FakeStream::of(&[old]),
        ..streaming
    };

    late.consumer().discover().await.unwrap();

    let ended = "stream_shards WHERE ended_at IS NOT NULL OR trimmed_at IS NOT NULL";
    assert_eq!(late.number(ended).await, 0);
    let gone = Streaming {
        stream: FakeStream::of(&[new]),
        ..late
    };
    gone.consumer().discover().await.unwrap();
    assert_eq!(
        gone.number(ended).await,
        1,
        "an older one that is not listed is gone"
    );
}
