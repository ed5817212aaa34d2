//! The documents that describe a record, held against the records.

use beanstock::domain::{BeanId, MovementKind, SupplierId};
use beanstock::stream::{Content, StreamRecord};
use serde_json::Value;

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn schema() -> Value {
    document(include_str!("../../../deploy/stream.schema.json"))
}

/// The examples are read as records, and written again they are the same.
#[test]
fn the_examples_of_the_description_are_records() {
    let description = document(include_str!("../../../deploy/stream.asyncapi.json"));
    let message = &description["components"]["messages"]["record"];
    assert_eq!(message["payload"]["$ref"], "./stream.schema.json");
    let examples = message["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let text = example["payload"].to_string();

        let record = StreamRecord::parse("5", text.as_bytes()).unwrap();

        assert_eq!((record.bean, record.supplier), (BeanId(5), SupplierId(3)));
        let again: Value = serde_json::from_slice(&record.to_json()).unwrap();
        assert_eq!(again, example["payload"]);
        assert_matches(&schema(), &again);
    }
}

/// The fields of an object are those that the schema lists, and the required ones are there.
fn assert_matches(schema: &Value, record: &Value) {
    let listed = |object: &Value, rules: &Value| {
        for field in object.as_object().unwrap().keys() {
            assert!(rules["properties"].get(field).is_some(), "{field}");
        }
        for field in rules["required"].as_array().unwrap() {
            assert!(object.get(field.as_str().unwrap()).is_some(), "{field}");
        }
    };
    listed(record, schema);
    if let Some(snapshot) = record.get("snapshot") {
        listed(snapshot, &schema["$defs"]["snapshot"]);
    }
    for movement in record["movements"].as_array().into_iter().flatten() {
        listed(movement, &schema["$defs"]["movement"]);
    }
}

#[test]
fn the_schema_lists_every_kind_of_movement() {
    let schema = schema();
    let listed = schema["$defs"]["kind"]["enum"].as_array().unwrap();
    let kinds: Vec<&str> = MovementKind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(*listed, kinds);
}

/// What is really put on the stream, too.
#[tokio::test]
async fn records_on_the_stream_have_the_fields_that_the_schema_lists() {
    use super::{Streaming, use_bags};
    use crate::support::fake_stream::FakeStream;
    use crate::support::{EXCELSA, Kind, TestApp};

    let app = TestApp::start(Kind::Fifo).await;
    let streaming = Streaming::on(app, FakeStream::of(&["shardId-000000000000"]));
    streaming.app.publish_line("3:Excelsa:9").await;
    streaming.app.drain().await;
    use_bags(&streaming.app, EXCELSA, &[2]).await;
    streaming.relay_all().await;

    let schema = schema();
    let records = streaming.stream.records("shardId-000000000000");
    let mut kinds = Vec::new();
    for record in &records {
        assert_matches(&schema, &serde_json::from_slice(&record.data).unwrap());
        let read = StreamRecord::parse(&record.key, &record.data).unwrap();
        if let Content::Movements(movements) = read.content {
            kinds.extend(movements.iter().map(|movement| movement.kind));
        }
    }
    assert!(kinds.contains(&MovementKind::Delivery) && kinds.contains(&MovementKind::Use));
}
