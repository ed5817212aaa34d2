//! A topic of a supplier's own: whoever may publish to it speaks for that supplier alone.

use beanstock::domain::{BeanId, SupplierId};
use beanstock::local;
use beanstock::messaging::wire::Decoder;
use beanstock::provision::{AwsAccount, ResourceSettings, Topology, cloudformation, iam};
use serde_json::json;

use crate::support::process::{Program, settings_for};
use crate::support::{EXCELSA, Kind, TestApp};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:beans_of_3.fifo";

fn resources() -> ResourceSettings {
    ResourceSettings {
        supplier_topic_names: vec![(3, "beans_of_3.fifo".to_owned())],
        supplier_topic_publishers: vec![(3, "210987654321".to_owned())],
        ..Kind::Fifo.resources()
    }
}

async fn publish(app: &TestApp, text: &str) {
    let publish = app.sns.publish().topic_arn(TOPIC).message(text);
    let id = uuid::Uuid::now_v7().to_string();
    let publish = publish.message_group_id("g").message_deduplication_id(id);
    publish.send().await.unwrap();
}

async fn drain(app: &TestApp) {
    let bound =
        || Decoder::new(&[app.resources.topic_arn()]).bind([(TOPIC.to_owned(), SupplierId(3))]);
    let (poller, collector) = (app.poller_reading(bound()), app.collector_reading(bound()));
    while app.queued().await > 0 {
        Box::pin(poller.poll_once()).await.unwrap();
        Box::pin(collector.poll_once()).await.unwrap();
    }
}

#[tokio::test]
async fn a_suppliers_own_topic_speaks_for_that_supplier_alone() {
    let app = TestApp::start(Kind::Fifo).await;
    local::provision_at(&app.sdk, &resources()).await.unwrap();
    // Supplier 4 has sent an update whose ids supplier 3 has got hold of.
    let id = "0192f3c4-7e0a-7c63-9d53-0a2f1f4c8a11";
    let update = |supplier: i64, bean: &str, bags: i64| {
        json!({"version": 1, "update_id": id, "supplier_id": supplier, "bean_type": bean, "kind": "delivery",
               "quantity": bags})
        .to_string()
    };
    app.publish_line(&update(4, "Arabika", 7)).await;
    drain(&app).await;
    let envelope = json!({"Type": "Notification", "MessageId": "x", "TopicArn": app.resources.topic_arn(),
                          "Message": update(4, "Arabica", 700), "Timestamp": "2026-11-29T12:00:00.000Z"});

    publish(&app, "3:Excelsa:9").await;
    publish(&app, "6:Arabica:900").await;
    publish(&app, &update(4, "Arabica", 70)).await;
    publish(&app, &envelope.to_string()).await;
    drain(&app).await;

    assert_eq!(app.stock_of(EXCELSA).await, 209);
    assert_eq!(app.stock_of(BeanId(10)).await, 300);
    assert_eq!(app.stock_of(BeanId(6)).await, 900);
    let letters = app.dead_letters().await;
    let is_foreign = |(reason, _, _): &&(String, String, Option<i32>)| reason == "foreign_topic";
    let foreign = letters.iter().filter(is_foreign).count();
    assert_eq!((letters.len(), foreign), (4, 3), "{letters:?}");
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_suppliers_own_topic_is_provisioned_printed_and_named_in_a_setting() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("SUPPLIER_TOPIC_NAMES", "3=beans_of_3.fifo".to_owned());
    settings.insert("SUPPLIER_TOPIC_PUBLISHERS", "3=210987654321".to_owned());

    let made = Program::start(&["provision"], &settings).end().await;
    let again = Program::start(&["provision"], &settings).end().await;
    settings.insert("SUPPLIER_TOPICS", format!("3={TOPIC}"));
    let check = Program::start(&["check"], &settings).end().await;
    let wrong = Program::start(&["provision", "--supplier-topic-names", "x=y"], &settings);
    let wrong = wrong.end().await;

    assert!(
        made.out.contains(&format!("SUPPLIER_TOPICS=3={TOPIC}")),
        "{}{}",
        made.out,
        made.err
    );
    assert!(again.out.contains("Nothing to change."), "{}", again.out);
    assert!(check.status.success(), "{}", check.out);
    assert!(wrong.err.contains("SUPPLIER_TOPIC_NAMES"), "{}", wrong.err);
    let topology = Topology::new(&resources());
    let account = AwsAccount::of(TOPIC).unwrap();
    let policies = iam::policies(&topology, &account);
    let publisher = &policies["publisher-of-supplier-3"]["Statement"];
    assert_eq!(publisher[0]["Resource"], TOPIC);
    assert!(!policies["publisher"].to_string().contains("beans_of_3"));
    let own = &policies["application"]["Statement"][2];
    assert!(!own.to_string().contains("beans_of_3"), "{own}");
    let template = cloudformation::template(&topology);
    let policy = template["Resources"]["SupplierTopic3Policy"].to_string();
    assert!(policy.contains("210987654321"), "{policy}");
    let subscription = &template["Resources"]["SupplierTopic3Subscription"];
    assert_eq!(
        subscription["Properties"]["TopicArn"]["Ref"],
        "SupplierTopic3"
    );
}
