//! The printed policies and the printed template, held against what is really done.

use std::collections::BTreeSet;

use aws_sdk_kinesis::types::{StreamMode, StreamModeDetails};
use aws_sdk_sqs::types::QueueAttributeName;
use beanstock::domain::UpdateId;
use beanstock::local;
use beanstock::messaging::{DEAD_LETTERS, UNDELIVERED, UPDATES};
use beanstock::provision::{
    AwsAccount, Mode, ResourceSettings, Topology, cloudformation, iam, provision_stream,
};
use serde_json::Value;

use crate::support::app::delivery;
use crate::support::process::{Program, settings_for, until};
use crate::support::recorder::Recorder;
use crate::support::{EXCELSA, Kind, TestApp};

fn account() -> AwsAccount {
    AwsAccount::of("arn:aws:sqs:us-east-1:000000000000:x").unwrap()
}

const STREAM: &str = "stock_movements";

/// All there can be.
fn streaming(settings: &ResourceSettings) -> Topology {
    Topology::new(settings).streaming(settings, Some(STREAM))
}

/// All actions that a printed policy allows.
fn allowed(who: &str) -> BTreeSet<String> {
    let policies = iam::policies(&streaming(&ResourceSettings::default()), &account());
    let statements = policies[who]["Statement"].as_array().unwrap();
    let actions = statements
        .iter()
        .flat_map(|statement| statement["Action"].as_array().unwrap());
    actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_application_may_do_what_it_does_and_nothing_else() {
    let app = TestApp::start(Kind::Fifo).await;
    let recorder = Recorder::before(app.sdk.endpoint_url().unwrap()).await;
    let mut settings = settings_for(&app);
    settings.insert("AWS_ENDPOINT_URL", recorder.url().to_owned());
    let undelivered = app.resources.queue_url(UNDELIVERED).to_owned();
    settings.insert("UNDELIVERED_QUEUE_URL", undelivered);
    settings.insert("STREAM_NAME", STREAM.to_owned());
    local::provision_stream_at(&app.sdk, &Kind::Fifo.resources(), STREAM)
        .await
        .unwrap();
    let server = Program::start(&["serve"], &settings);

    app.accept(&delivery(UpdateId::generate(), 9)).await;
    app.publish_line("777777:Unprocessable:3").await;
    until("both have their final state", || async {
        let read = "SELECT COUNT(*) FROM stream_beans WHERE bean_id = 5 AND quantity = 209";
        let mut conn = app.pool.acquire().await.unwrap();
        let read: i64 = sqlx::query_scalar(read)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        read == 1 && app.stock_of(EXCELSA).await == 209 && app.dead_letters().await.len() == 1
    })
    .await;
    server.terminate().await;
    for command in ["status", "check"] {
        let said = Program::start(&[command], &settings).end().await;
        assert!(said.status.success(), "{}", said.out);
    }

    assert_eq!(recorder.actions(), allowed("application"));
}

#[tokio::test]
async fn a_publisher_may_publish() {
    let app = TestApp::start(Kind::Fifo).await;
    let recorder = Recorder::before(app.sdk.endpoint_url().unwrap()).await;
    let mut settings = settings_for(&app);
    settings.insert("AWS_ENDPOINT_URL", recorder.url().to_owned());
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("lines");
    std::fs::write(&file, "3:Excelsa:9\n").unwrap();

    let said = Program::start(&["publish", file.to_str().unwrap()], &settings)
        .end()
        .await;

    assert!(said.status.success(), "{}", said.err);
    assert_eq!(recorder.actions(), allowed("publisher"));
}

#[tokio::test]
async fn an_operator_may_do_what_provisioning_does_and_nothing_else() {
    let app = TestApp::start(Kind::Fifo).await;
    let recorder = Recorder::before(app.sdk.endpoint_url().unwrap()).await;
    let sdk = local::sdk_config(recorder.url()).await;
    let settings = ResourceSettings {
        queue_name: "other.fifo".to_owned(),
        dead_letter_queue_name: "other_dead.fifo".to_owned(),
        undelivered_queue_name: "other_undelivered.fifo".to_owned(),
        alerts_queue_name: "other_alerts".to_owned(),
        topic_name: "other_topic.fifo".to_owned(),
        alerts_topic_name: "other_alerts_topic".to_owned(),
        ..ResourceSettings::default()
    };

    local::provision_at(&sdk, &settings).await.unwrap();
    local::provision_at(&sdk, &settings).await.unwrap();
    let kinesis = beanstock::aws::kinesis_client(&sdk);
    for shards in [None, Some(3)] {
        if shards.is_some() {
            // The embedded Kinesis begins every stream as a provisioned one.
            on_demand(&app).await;
        }
        let settings = ResourceSettings {
            stream_shards: shards,
            ..settings.clone()
        };
        let changes = provision_stream(&kinesis, &streaming(&settings), Mode::Apply).await;
        assert!(!changes.unwrap().is_empty());
    }

    assert_eq!(recorder.actions(), allowed("operator"));
}

async fn on_demand(app: &TestApp) {
    let kinesis = beanstock::aws::kinesis_client(&app.sdk);
    let found = kinesis
        .describe_stream_summary()
        .stream_name(STREAM)
        .send()
        .await
        .unwrap();
    let arn = found.stream_description_summary.unwrap().stream_arn;
    let mode = StreamModeDetails::builder()
        .stream_mode(StreamMode::OnDemand)
        .build()
        .unwrap();
    let change = kinesis
        .update_stream_mode()
        .stream_arn(arn)
        .stream_mode_details(mode);
    change.send().await.unwrap();
}

/// But for the attributes of subscriptions, which AWS lets nobody narrow down.
#[test]
fn no_policy_has_a_wildcard_and_every_resource_is_ours() {
    let policies = iam::policies(&streaming(&ResourceSettings::default()), &account());

    for who in ["application", "publisher", "operator"] {
        for statement in policies[who]["Statement"].as_array().unwrap() {
            let text = statement["Action"].to_string();
            let resource = statement["Resource"].to_string();
            assert!(!text.contains('*'), "{who}: {text}");
            let of_subscriptions = text.contains("SubscriptionAttributes");
            let ours = resource.contains("000000000000:") && !resource.contains('*');
            assert!(ours != of_subscriptions, "{who}: {text} on {resource}");
        }
    }
}

#[test]
fn a_key_of_our_own_has_to_be_usable_by_all_who_touch_messages() {
    let with_key = |key: &str| {
        let settings = ResourceSettings {
            kms_key: Some(key.to_owned()),
            ..ResourceSettings::default()
        };
        iam::policies(&Topology::new(&settings), &account())["publisher"].to_string()
    };

    assert!(with_key("0abc").contains("arn:aws:kms:us-east-1:000000000000:key/0abc"));
    assert!(with_key("arn:aws:kms:eu-west-1:1:key/2").contains("arn:aws:kms:eu-west-1:1:key/2"));
    for alias in [
        "alias/beans",
        "arn:aws:kms:us-east-1:000000000000:alias/beans",
    ] {
        assert!(with_key(alias).contains(r#"{"kms:ResourceAliases":"alias/beans"}"#));
    }
    let settings = ResourceSettings {
        kms_key: Some("0abc".to_owned()),
        ..ResourceSettings::default()
    };
    let key = iam::policies(&Topology::new(&settings), &account())["key"].to_string();
    assert!(key.contains("sns.amazonaws.com") && key.contains("aws:SourceAccount"));
    let settings = ResourceSettings {
        topic_publishers: vec!["210987654321".to_owned()],
        ..settings
    };
    let key = iam::policies(&Topology::new(&settings), &account())["key"].to_string();
    assert!(key.contains("arn:aws:iam::210987654321:root"), "{key}");
}

/// Puts in what `CloudFormation` would.
fn resolved(template: &Value) -> Value {
    let text = template
        .to_string()
        .replace("${AWS::Partition}", "aws")
        .replace("${AWS::Region}", "us-east-1")
        .replace("${AWS::AccountId}", "000000000000");
    without_sub(serde_json::from_str(&text).unwrap())
}

fn without_sub(value: Value) -> Value {
    match value {
        Value::Object(mut fields) if fields.len() == 1 && fields.contains_key("Fn::Sub") => {
            fields.remove("Fn::Sub").unwrap()
        }
        Value::Object(fields) => fields
            .into_iter()
            .map(|(k, v)| (k, without_sub(v)))
            .collect(),
        Value::Array(values) => values.into_iter().map(without_sub).collect(),
        other => other,
    }
}

/// The template and the command come to the same queues.
#[tokio::test]
async fn the_template_describes_the_queues_that_provisioning_makes() {
    for kind in [Kind::Fifo, Kind::Standard] {
        let app = TestApp::start(kind).await;
        let template = resolved(&cloudformation::template(&Topology::new(&kind.resources())));
        for (name, url) in [
            ("Queue", app.resources.queue_url(UPDATES)),
            ("DeadLetterQueue", app.resources.queue_url(DEAD_LETTERS)),
            ("UndeliveredQueue", app.resources.queue_url(UNDELIVERED)),
        ] {
            let real = app.sqs.get_queue_attributes().queue_url(url);
            let real = real.attribute_names(QueueAttributeName::All).send().await;
            let real = real.unwrap().attributes.unwrap();
            let mut properties = template["Resources"][name]["Properties"].clone();
            let properties = properties.as_object_mut().unwrap();
            assert!(url.ends_with(properties.remove("QueueName").unwrap().as_str().unwrap()));
            assert_eq!(properties.remove("Tags").unwrap()[0]["Key"], "application");
            let policy = &template["Resources"][format!("{name}Policy")]["Properties"];
            properties.insert("Policy".to_owned(), policy["PolicyDocument"].clone());

            for (property, value) in properties {
                let real = &real[&QueueAttributeName::from(property.as_str())];
                let real = serde_json::from_str(real).unwrap_or(Value::String(real.clone()));
                assert_eq!(&real, value, "{name}.{property}");
            }
        }
        let subscription = &template["Resources"]["Subscription"]["Properties"];
        assert!(
            app.resources.queue_url(UPDATES).ends_with(
                subscription["Endpoint"]
                    .as_str()
                    .unwrap()
                    .rsplit(':')
                    .next()
                    .unwrap()
            )
        );
    }
}

/// What AWS asks of a queue that a topic may send to, and nobody else, and never in the open.
#[tokio::test]
async fn queues_take_messages_from_the_topic_alone_encrypted_on_the_way_and_at_rest() {
    let app = TestApp::start(Kind::Fifo).await;
    let queue = app
        .sqs
        .get_queue_attributes()
        .queue_url(app.resources.queue_url(UPDATES));
    let queue = queue.attribute_names(QueueAttributeName::All).send().await;
    let queue = queue.unwrap().attributes.unwrap();
    let policy: Value = serde_json::from_str(&queue[&QueueAttributeName::Policy]).unwrap();
    let statement = |sid: &str| {
        let statements = policy["Statement"].as_array().unwrap();
        statements.iter().find(|s| s["Sid"] == sid).unwrap().clone()
    };

    let sends = statement("TopicSends");
    assert_eq!(sends["Principal"]["Service"], "sns.amazonaws.com");
    assert_eq!(
        sends["Condition"]["ArnEquals"]["aws:SourceArn"],
        app.resources.topic_arn()
    );
    assert_eq!(
        sends["Condition"]["StringEquals"]["aws:SourceAccount"],
        "000000000000"
    );
    let tls = statement("TlsOnly");
    assert_eq!(tls["Effect"], "Deny");
    assert_eq!(tls["Condition"]["Bool"]["aws:SecureTransport"], "false");
    assert_eq!(queue[&QueueAttributeName::SqsManagedSseEnabled], "true");
}
