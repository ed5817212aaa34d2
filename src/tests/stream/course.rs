//! The steps of the course's section about Kinesis, as any AWS client takes them.

use std::path::Path;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    Record, ScalingType, Shard, ShardIteratorType, StreamDescriptionSummary, StreamStatus,
};
use beanstock::aws::kinesis_client;
use beanstock::local;
use beanstock::local::aws::Keeping;
use beanstock::messaging::kinesis::{DataStream as _, KinesisStream, MAX_BYTES, NewRecord};
use beanstock::shutdown::Shutdown;

use crate::support::app::{endpoint, endpoint_keeping};
use crate::support::process::until;

/// A client of the embedded Kinesis, or of the one that `TEST_AWS_ENDPOINT_URL` names, and a stream's name.
async fn client() -> (Client, String, Shutdown) {
    let shutdown = Shutdown::default();
    let url = match std::env::var("TEST_AWS_ENDPOINT_URL") {
        Ok(url) => url,
        Err(_) => endpoint(&shutdown).await.url().to_owned(),
    };
    let name = format!("Foo-{}", uuid::Uuid::now_v7().simple());
    (
        kinesis_client(&local::sdk_config(&url).await),
        name,
        shutdown,
    )
}

async fn create(kinesis: &Client, name: &str, shards: i32) {
    let create = kinesis.create_stream().stream_name(name);
    create.shard_count(shards).send().await.unwrap();
    active(kinesis, name).await;
}

async fn active(kinesis: &Client, name: &str) {
    until("the stream is active", || async {
        let answer = kinesis
            .describe_stream_summary()
            .stream_name(name)
            .send()
            .await;
        let summary = answer.unwrap().stream_description_summary.unwrap();
        *summary.stream_status() == StreamStatus::Active
    })
    .await;
}

async fn shards(kinesis: &Client, name: &str) -> Vec<Shard> {
    let answer = kinesis.list_shards().stream_name(name).send().await;
    answer.unwrap().shards.unwrap_or_default()
}

fn is_open(shard: &Shard) -> bool {
    let range = shard.sequence_number_range();
    range.is_some_and(|range| range.ending_sequence_number().is_none())
}

async fn read_from_the_start(
    kinesis: &Client,
    name: &str,
    shard: &str,
) -> (Vec<Record>, Option<String>) {
    let iterator = kinesis
        .get_shard_iterator()
        .stream_name(name)
        .shard_id(shard);
    let iterator = iterator
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await
        .unwrap();
    let page = kinesis
        .get_records()
        .shard_iterator(iterator.shard_iterator.unwrap())
        .send()
        .await;
    let page = page.unwrap();
    (page.records, page.next_shard_iterator)
}

#[tokio::test]
async fn a_record_is_put_and_read_twice_as_the_course_shows() {
    let (kinesis, name, _shutdown) = client().await;
    create(&kinesis, &name, 1).await;
    let put = kinesis.put_record().stream_name(&name).partition_key("123");
    let put = put.data(Blob::new("testdata")).send().await.unwrap();
    assert_eq!(put.shard_id(), "shardId-000000000000");

    for _ in 0..2 {
        let (records, next) = read_from_the_start(&kinesis, &name, put.shard_id()).await;
        assert_eq!(records.len(), 1, "reading deletes nothing");
        assert_eq!(records[0].data().as_ref(), b"testdata");
        assert_eq!(records[0].partition_key(), Some("123"));
        assert_eq!(records[0].sequence_number(), put.sequence_number());
        assert!(next.is_some());
    }
    let after = kinesis
        .get_shard_iterator()
        .stream_name(&name)
        .shard_id(put.shard_id());
    let after = after
        .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
        .starting_sequence_number(put.sequence_number());
    let after = after.send().await.unwrap().shard_iterator.unwrap();
    let page = kinesis
        .get_records()
        .shard_iterator(after)
        .send()
        .await
        .unwrap();
    assert_eq!(page.records().len(), 0, "a consumer goes on where it was");
    kinesis
        .delete_stream()
        .stream_name(&name)
        .send()
        .await
        .unwrap();
}

/// As much as our relay puts in a call at most.
#[tokio::test]
async fn a_call_may_bring_four_mebibytes() {
    let (kinesis, name, _shutdown) = client().await;
    create(&kinesis, &name, 1).await;
    let stream = KinesisStream::new(kinesis, name);
    let record = |key: usize| NewRecord {
        key: key.to_string(),
        data: vec![b'x'; MAX_BYTES / 5 - 1],
    };
    let records: Vec<NewRecord> = (0..5).map(record).collect();

    let refused = stream.put_records(&records).await.unwrap();

    assert_eq!(refused, Vec::<usize>::new());
}

#[tokio::test]
async fn shards_are_split_and_merged_and_old_ones_end() {
    let (kinesis, name, _shutdown) = client().await;
    create(&kinesis, &name, 1).await;
    let put = kinesis.put_record().stream_name(&name).partition_key("5");
    put.data(Blob::new("before")).send().await.unwrap();
    let only = shards(&kinesis, &name).await.remove(0);
    let split = kinesis
        .split_shard()
        .stream_name(&name)
        .shard_to_split(only.shard_id());
    split
        .new_starting_hash_key("170141183460469231731687303715884105728")
        .send()
        .await
        .unwrap();
    active(&kinesis, &name).await;

    let listed = shards(&kinesis, &name).await;
    let open: Vec<&Shard> = listed.iter().filter(|shard| is_open(shard)).collect();
    assert_eq!(open.len(), 2);
    assert!(
        open.iter()
            .all(|shard| shard.parent_shard_id() == Some(only.shard_id()))
    );
    let (records, _) = read_from_the_start(&kinesis, &name, only.shard_id()).await;
    assert_eq!(records.len(), 1, "what was in it stays");
    let put = kinesis.put_record().stream_name(&name).partition_key("5");
    let put = put.data(Blob::new("after")).send().await.unwrap();
    assert!(open.iter().any(|shard| shard.shard_id() == put.shard_id()));

    let merge = kinesis
        .merge_shards()
        .stream_name(&name)
        .shard_to_merge(open[0].shard_id());
    merge
        .adjacent_shard_to_merge(open[1].shard_id())
        .send()
        .await
        .unwrap();
    active(&kinesis, &name).await;
    let listed = shards(&kinesis, &name).await;
    let open: Vec<&Shard> = listed.iter().filter(|shard| is_open(shard)).collect();
    assert_eq!(open.len(), 1);
    assert!(open[0].parent_shard_id().is_some() && open[0].adjacent_parent_shard_id().is_some());
    kinesis
        .delete_stream()
        .stream_name(&name)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stream_is_resized_as_a_whole() {
    let (kinesis, name, _shutdown) = client().await;
    create(&kinesis, &name, 2).await;

    let resize = kinesis
        .update_shard_count()
        .stream_name(&name)
        .target_shard_count(4);
    let resized = resize
        .scaling_type(ScalingType::UniformScaling)
        .send()
        .await
        .unwrap();
    active(&kinesis, &name).await;

    assert_eq!(
        (resized.current_shard_count(), resized.target_shard_count()),
        (Some(2), Some(4))
    );
    let listed = shards(&kinesis, &name).await;
    assert_eq!(listed.iter().filter(|shard| is_open(shard)).count(), 4);
    kinesis
        .delete_stream()
        .stream_name(&name)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_split_is_not_split_again() {
    let (kinesis, name, _shutdown) = client().await;
    create(&kinesis, &name, 1).await;
    let only = shards(&kinesis, &name).await.remove(0);
    let split = || {
        let call = kinesis.split_shard().stream_name(&name);
        let call = call.shard_to_split(only.shard_id());
        call.new_starting_hash_key((u128::MAX / 2 + 1).to_string())
            .send()
    };
    split().await.unwrap();
    active(&kinesis, &name).await;

    let again = split().await.unwrap_err().into_service_error();

    assert!(again.is_invalid_argument_exception(), "{again:?}");
    assert_eq!(shards(&kinesis, &name).await.len(), 3);
}

/// Streams and their records are kept over a restart, like the queues, also after a `kill -9`.
#[tokio::test]
async fn records_outlive_a_restart_of_the_embedded_kinesis() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let journal = folder.path().join("streams.jsonl");
    let mut last = String::new();
    for number in 1..=3 {
        let (kinesis, shutdown) = keeping_streams_in(&journal).await;
        if number == 1 {
            create(&kinesis, "Foo", 1).await;
        }
        for _ in 0..2 {
            let put = kinesis.put_record().stream_name("Foo").partition_key("123");
            let put = put.data(Blob::new("testdata")).send().await.unwrap();
            assert!(put.sequence_number() > last.as_str(), "it comes after all");
            put.sequence_number().clone_into(&mut last);
        }
        let (records, _) = read_from_the_start(&kinesis, "Foo", "shardId-000000000000").await;
        assert_eq!(records.len(), 2 * number);
        shutdown.hard.cancel();
        // It was killed while it wrote another one.
        let journal = std::fs::File::options().append(true).open(&journal);
        std::io::Write::write_all(&mut journal.unwrap(), b"{\"record\":{").unwrap();
    }
}

#[tokio::test]
async fn what_a_stream_has_become_outlives_a_restart() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let journal = folder.path().join("streams.jsonl");
    let (kinesis, shutdown) = keeping_streams_in(&journal).await;
    for name in ["Foo", "Bar"] {
        create(&kinesis, name, 1).await;
    }
    let deleted = kinesis.delete_stream().stream_name("Bar").send().await;
    deleted.unwrap();
    let only = shards(&kinesis, "Foo").await.remove(0);
    let split = kinesis.split_shard().stream_name("Foo");
    let split = split.shard_to_split(only.shard_id());
    let split = split.new_starting_hash_key((u128::MAX / 2 + 1).to_string());
    split.send().await.unwrap();
    active(&kinesis, "Foo").await;
    let put = kinesis.put_record().stream_name("Foo").partition_key("123");
    let put = put.data(Blob::new("testdata")).send().await.unwrap();
    let before = describe(&kinesis, "Foo").await;
    shutdown.hard.cancel();

    let (kinesis, _shutdown) = keeping_streams_in(&journal).await;

    let after = describe(&kinesis, "Foo").await;
    assert_eq!(format!("{after:?}"), format!("{before:?}"));
    assert_eq!(shards(&kinesis, "Foo").await.len(), 3);
    let (records, _) = read_from_the_start(&kinesis, "Foo", put.shard_id()).await;
    assert_eq!(records.len(), 1);
    let names = kinesis.list_streams().send().await.unwrap();
    assert_eq!(names.stream_names(), ["Foo"]);
}

/// Made anew under the same name, a stream has nothing of the one before.
#[tokio::test]
async fn records_of_a_deleted_stream_do_not_come_back() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let journal = folder.path().join("streams.jsonl");
    let (kinesis, shutdown) = keeping_streams_in(&journal).await;
    create(&kinesis, "Foo", 1).await;
    let put = kinesis.put_record().stream_name("Foo").partition_key("123");
    put.data(Blob::new("testdata")).send().await.unwrap();
    let deleted = kinesis.delete_stream().stream_name("Foo").send().await;
    deleted.unwrap();
    until("it is gone", || async {
        let names = kinesis.list_streams().send().await.unwrap();
        names.stream_names().is_empty()
    })
    .await;
    create(&kinesis, "Foo", 1).await;
    shutdown.hard.cancel();

    let (kinesis, _shutdown) = keeping_streams_in(&journal).await;

    let (records, _) = read_from_the_start(&kinesis, "Foo", "shardId-000000000000").await;
    assert_eq!(records.len(), 0);
}

/// The embedded Kinesis with a journal.
async fn keeping_streams_in(journal: &Path) -> (Client, Shutdown) {
    let keeping = Keeping {
        streams: Some(journal.to_owned()),
        ..Keeping::default()
    };
    let shutdown = Shutdown::default();
    let endpoint = endpoint_keeping(keeping, &shutdown).await;
    let kinesis = kinesis_client(&local::sdk_config(endpoint.url()).await);
    (kinesis, shutdown)
}

async fn describe(kinesis: &Client, name: &str) -> StreamDescriptionSummary {
    let described = kinesis.describe_stream_summary().stream_name(name);
    let described = described.send().await.unwrap();
    described.stream_description_summary.unwrap()
}
