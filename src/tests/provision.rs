//! Provisioning creates what is missing, repairs what has drifted, and leaves alone what is right.

use aws_sdk_sqs::types::QueueAttributeName;
use beanstock::aws;
use beanstock::local;
use beanstock::messaging::{DEAD_LETTERS, QueueRole, UNDELIVERED, UPDATES, UPDATES_TOPIC};
use beanstock::provision::{
    self, AwsAccount, Mode, QueueEntry, ResourceSettings, SubscriptionEntry, Topology,
    cloudformation, iam,
};

use crate::support::process::{Program, Said, settings_for, until};
use crate::support::recorder::Recorder;
use crate::support::{EXCELSA, Kind, TestApp};

async fn provision_again(app: &TestApp) -> Vec<String> {
    let again = local::provision_at(&app.sdk, &app.kind.resources())
        .await
        .unwrap();
    assert_eq!(again.queue_url(UPDATES), app.resources.queue_url(UPDATES));
    assert_eq!(again.topic_arn(), app.resources.topic_arn());
    again.changes
}

#[tokio::test]
async fn the_first_run_creates_and_the_second_changes_nothing() {
    for kind in [Kind::Fifo, Kind::Standard] {
        let app = TestApp::start(kind).await;

        assert!(!app.resources.changes.is_empty());
        assert_eq!(provision_again(&app).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_resources_are_those_of_the_lab() {
    let app = TestApp::start(Kind::Fifo).await;

    let queue = attributes(&app, app.resources.queue_url(UPDATES)).await;
    let dead_letters = attributes(&app, app.resources.queue_url(DEAD_LETTERS)).await;

    for (name, value) in [
        (QueueAttributeName::FifoQueue, "true"),
        (QueueAttributeName::VisibilityTimeout, "30"),
        (QueueAttributeName::ReceiveMessageWaitTimeSeconds, "20"),
        (QueueAttributeName::MessageRetentionPeriod, "345600"),
        (QueueAttributeName::ContentBasedDeduplication, "true"),
        (QueueAttributeName::DeduplicationScope, "queue"),
    ] {
        assert_eq!(
            queue.get(&name).map(String::as_str),
            Some(value),
            "{name:?}"
        );
    }
    assert_eq!(dead_letters[&QueueAttributeName::VisibilityTimeout], "20");
    assert_eq!(
        dead_letters[&QueueAttributeName::MessageRetentionPeriod],
        "1209600"
    );
    let policy = &queue[&QueueAttributeName::Policy];
    assert!(policy.contains("sns.amazonaws.com") && policy.contains(app.resources.topic_arn()));
    assert!(!dead_letters[&QueueAttributeName::Policy].contains("sns.amazonaws.com"));
}

async fn attributes(
    app: &TestApp,
    url: &str,
) -> std::collections::HashMap<QueueAttributeName, String> {
    let request = app.sqs.get_queue_attributes().queue_url(url);
    let answer = request
        .attribute_names(QueueAttributeName::All)
        .send()
        .await;
    answer.unwrap().attributes.unwrap()
}

#[tokio::test]
async fn what_drifted_is_repaired_and_reported() {
    let app = TestApp::start(Kind::Fifo).await;
    app.sqs
        .set_queue_attributes()
        .queue_url(app.resources.queue_url(UPDATES))
        .attributes(QueueAttributeName::VisibilityTimeout, "7")
        .send()
        .await
        .unwrap();

    let changes = provision_again(&app).await;

    assert_eq!(changes, ["set VisibilityTimeout of updated_beans.fifo"]);
    assert_eq!(provision_again(&app).await, Vec::<String>::new());
}

fn ends_with(found: &aws_sdk_sns::types::Subscription, queue: &str) -> bool {
    found.endpoint().is_some_and(|arn| arn.ends_with(queue))
}

/// SNS drops what its filter policies keep back.
#[tokio::test]
async fn a_filter_on_the_subscription_is_lifted() {
    let app = TestApp::start(Kind::Fifo).await;
    let list = app.sns.list_subscriptions_by_topic();
    let list = list.topic_arn(app.resources.topic_arn()).send().await;
    let list = list.unwrap();
    let mut subscriptions = list.subscriptions().iter();
    let of_queue = |found: &&_| ends_with(found, "updated_beans.fifo");
    let subscription = subscriptions.find(of_queue).unwrap().clone();
    app.sns
        .set_subscription_attributes()
        .subscription_arn(subscription.subscription_arn().unwrap())
        .attribute_name("FilterPolicy")
        .attribute_value(r#"{"kind":["delivery"]}"#)
        .send()
        .await
        .unwrap();

    let changes = provision_again(&app).await;
    app.publish_line("3:Excelsa:9").await;

    assert_eq!(
        changes,
        ["set FilterPolicy of the subscription of updated_beans.fifo"]
    );
    assert_eq!(app.queue().depth().await.unwrap().visible, 1);
    assert_eq!(provision_again(&app).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_queue_made_for_high_throughput_stays_so() {
    let app = TestApp::start(Kind::Fifo).await;
    let scope = QueueAttributeName::DeduplicationScope;
    let set = app.sqs.set_queue_attributes();
    set.queue_url(app.resources.queue_url(UPDATES))
        .attributes(scope.clone(), "messageGroup")
        .attributes(QueueAttributeName::FifoThroughputLimit, "perMessageGroupId")
        .send()
        .await
        .unwrap();

    let changes = provision_again(&app).await;

    assert_eq!(changes, Vec::<String>::new());
    let queue = attributes(&app, app.resources.queue_url(UPDATES)).await;
    assert_eq!(queue[&scope], "messageGroup");
}

/// No emulator does it, but on AWS a new queue is not there at once.
#[tokio::test]
async fn a_new_queue_is_waited_for() {
    let app = TestApp::start(Kind::Fifo).await;
    let endpoint = app.sdk.endpoint_url().unwrap();
    let recorder = Recorder::hiding_queues(endpoint, 2).await;
    let sdk = local::sdk_config(recorder.url()).await;
    let settings = ResourceSettings {
        queue_name: "other.fifo".to_owned(),
        ..ResourceSettings::default()
    };

    let made = local::provision_at(&sdk, &settings).await.unwrap();

    assert!(made.queue_url(UPDATES).ends_with("/other.fifo"));
    let queue = attributes(&app, made.queue_url(UPDATES)).await;
    assert!(queue.contains_key(&QueueAttributeName::RedrivePolicy));
}

#[tokio::test]
async fn names_of_both_kinds_are_not_mixed() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut names = Kind::Fifo.resources();
    names.topic_name = "standard_topic".to_owned();

    let error = local::provision_at(&app.sdk, &names).await.unwrap_err();

    assert!(error.to_string().contains("TOPIC_NAME"), "{error}");
}

#[test]
fn every_queue_of_the_topology_has_a_name_of_its_own() {
    let mut names = Kind::Fifo.resources();
    names.undelivered_queue_name = names.queue_name.clone();

    let error = Topology::new(&names).check().unwrap_err().to_string();

    assert!(
        error.contains("UNDELIVERED_QUEUE_NAME, ALERTS_QUEUE_NAME must all be different"),
        "{error}"
    );
}

#[tokio::test]
async fn a_dry_run_lists_everything_and_changes_nothing() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    for (name, value) in [
        ("QUEUE_NAME", "new.fifo"),
        ("DEAD_LETTER_QUEUE_NAME", "new_dead.fifo"),
        ("UNDELIVERED_QUEUE_NAME", "new_undelivered.fifo"),
        ("TOPIC_NAME", "new_topic.fifo"),
        ("ALERTS_QUEUE_NAME", "new_alerts"),
        ("ALERTS_TOPIC_NAME", "new_alerts_topic"),
    ] {
        settings.insert(name, value.to_owned());
    }

    let said = Program::start(&["provision", "--dry-run"], &settings)
        .end()
        .await;

    assert!(said.status.success(), "{}", said.err);
    for line in [
        "to do: create the queue new.fifo",
        "to do: create the queue new_dead.fifo",
        "to do: create the queue new_undelivered.fifo",
        "to do: create the topic new_topic.fifo",
        "to do: set RedrivePolicy of new.fifo",
        "to do: tag new.fifo",
        "to do: create the queue new_alerts",
        "to do: create the topic new_alerts_topic",
        "to do: subscribe new.fifo to new_topic.fifo",
        "to do: subscribe new_alerts to new_topic.fifo",
        "Nothing was changed.",
    ] {
        assert!(said.out.contains(line), "{line} is not in {}", said.out);
    }
    let queues = app.sqs.list_queues().send().await.unwrap();
    assert_eq!(queues.queue_urls().len(), 4, "those of the app alone");
    let topics = app.sns.list_topics().send().await.unwrap();
    assert_eq!(topics.topics().len(), 2);
}

/// What is there must not be listed as missing because nobody could be asked.
#[tokio::test]
async fn a_dry_run_that_cannot_ask_about_the_topic_says_so() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1:1".to_owned());

    let said = Program::start(&["provision", "--dry-run"], &settings)
        .end()
        .await;

    assert_eq!(said.status.code(), Some(1), "{}", said.out);
    assert!(said.err.contains("looking for the topic"), "{}", said.err);
}

/// Runs the command with these variables.
async fn provision_with(app: &TestApp, variables: &[(&'static str, &str)]) -> Said {
    let mut settings = settings_for(app);
    for (name, value) in variables {
        settings.insert(name, (*value).to_owned());
    }
    Program::start(&["provision"], &settings).end().await
}

#[tokio::test]
async fn publishers_tags_role_and_receives_are_set_as_asked() {
    let app = TestApp::start(Kind::Fifo).await;
    let supplier = "arn:aws:iam::123456789012:role/supplier-3";
    let role = "arn:aws:iam::000000000000:role/app";
    let variables = [
        ("TOPIC_PUBLISHERS", &*format!("{supplier},210987654321")),
        ("APPLICATION_ROLE", role),
        ("RESOURCE_TAGS", "stage=test,team=beans"),
        ("MAX_RECEIVE_COUNT", "2"),
    ];

    let first = provision_with(&app, &variables).await;
    let again = provision_with(&app, &variables).await;

    assert!(first.status.success(), "{}", first.err);
    assert!(again.out.contains("Nothing to change."), "{}", again.out);
    let topic = app.sns.get_topic_attributes();
    let topic = topic.topic_arn(app.resources.topic_arn()).send().await;
    let policy = topic.unwrap().attributes.unwrap()["Policy"].clone();
    assert!(policy.contains(supplier) && policy.contains("arn:aws:iam::210987654321:root"));
    let queue = attributes(&app, app.resources.queue_url(UPDATES)).await;
    assert!(queue[&QueueAttributeName::Policy].contains(role));
    assert!(queue[&QueueAttributeName::RedrivePolicy].contains('2'));
    let tags = app
        .sqs
        .list_queue_tags()
        .queue_url(app.resources.queue_url(UPDATES));
    let tags = tags.send().await.unwrap().tags.unwrap();
    assert_eq!((&*tags["stage"], &*tags["team"]), ("test", "beans"));
}

/// Leaving out a setting is no reason to take an operator's key away.
#[tokio::test]
async fn a_key_that_was_set_stays() {
    let app = TestApp::start(Kind::Fifo).await;
    let set = provision_with(&app, &[("KMS_KEY", "alias/beanstock")]).await;
    assert!(set.status.success(), "{}", set.err);

    let changes = provision_again(&app).await;

    assert_eq!(changes, Vec::<String>::new());
    let queue = attributes(&app, app.resources.queue_url(UPDATES)).await;
    assert_eq!(
        queue[&QueueAttributeName::KmsMasterKeyId],
        "alias/beanstock"
    );
}

#[tokio::test]
async fn a_key_that_would_shut_the_topic_out_is_refused() {
    let app = TestApp::start(Kind::Fifo).await;
    let said = provision_with(&app, &[("KMS_KEY", "alias/aws/sqs")]).await;

    assert_eq!(said.status.code(), Some(1));
    assert!(said.err.contains("KMS_KEY"), "{}", said.err);
}

/// What the topic cannot deliver waits in a queue of its own, and is applied from there.
#[tokio::test]
async fn what_the_topic_could_not_deliver_is_applied_from_its_own_queue() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    let undelivered = app.resources.queue_url(UNDELIVERED).to_owned();
    settings.insert("UNDELIVERED_QUEUE_URL", undelivered.clone());
    let message = app.sqs.send_message().queue_url(&undelivered);
    let message = message.message_group_id("g").message_deduplication_id("d");
    message.message_body("3:Excelsa:9").send().await.unwrap();

    let server = Program::start(&["serve"], &settings);

    until("it is applied", || async {
        app.stock_of(EXCELSA).await == 209
    })
    .await;
    server.terminate().await;
}

/// The topology is data: one more queue is one more entry.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one entry, and all that comes of it")]
async fn a_queue_that_the_topology_lists_is_made_let_in_and_printed() {
    const COUNTS: QueueRole = QueueRole {
        code: "counts",
        setting: "COUNTS_QUEUE_URL",
        name_setting: "COUNTS_QUEUE_NAME",
        title: "queue of counts",
        logical_id: "CountsQueue",
        when_unset: "",
    };
    let app = TestApp::start(Kind::Fifo).await;
    let mut topology = Topology::new(&app.kind.resources());
    topology.queues.push(QueueEntry {
        role: COUNTS,
        name: "counts.fifo".to_owned(),
        visibility: 60,
        wait: 20,
        retention: 86_400,
        redrive: Some((DEAD_LETTERS, 3)),
        deduplicates_by_content: false,
    });
    topology.subscriptions.push(SubscriptionEntry {
        logical_id: "CountsSubscription".to_owned(),
        topic: UPDATES_TOPIC.logical_id.to_owned(),
        queue: COUNTS,
        undelivered: Some(UNDELIVERED),
        raw: false,
        filter: Some(serde_json::json!({"kind": ["count"]})),
    });

    let made = provision::provision(&app.sqs, &app.sns, &topology, Mode::Apply)
        .await
        .unwrap();
    let again = provision::provision(&app.sqs, &app.sns, &topology, Mode::Apply)
        .await
        .unwrap();
    app.publish_line("3:Excelsa:9").await;

    assert_eq!(again.changes, Vec::<String>::new());
    let url = made.queue_url(COUNTS);
    let counts = attributes(&app, url).await;
    assert_eq!(counts[&QueueAttributeName::VisibilityTimeout], "60");
    assert!(counts[&QueueAttributeName::Policy].contains(app.resources.topic_arn()));
    assert_eq!(
        counts[&QueueAttributeName::ApproximateNumberOfMessages],
        "0",
        "filtered"
    );
    assert!(
        made.settings()
            .any(|setting| setting == ("COUNTS_QUEUE_URL", url.to_owned()))
    );
    let account = AwsAccount::of(app.resources.topic_arn()).unwrap();
    let policies = iam::policies(&topology, &account).to_string();
    let template = cloudformation::template(&topology);
    assert_eq!(
        policies.matches(":counts.fifo").count(),
        2,
        "consumed, and managed"
    );
    assert_eq!(
        template["Resources"]["CountsQueue"]["Properties"]["QueueName"],
        "counts.fifo"
    );
    assert_eq!(
        template["Resources"]["CountsSubscription"]["Properties"]["FilterPolicy"]["kind"][0],
        "count"
    );
    assert!(template["Outputs"]["CountsQueueUrl"].is_object());
    let sources = &attributes(&app, app.resources.queue_url(DEAD_LETTERS)).await;
    assert!(sources[&QueueAttributeName::RedriveAllowPolicy].contains(":counts.fifo"));
}

#[tokio::test]
async fn the_stream_is_made_resized_and_described() {
    let app = TestApp::start(Kind::Fifo).await;
    let kinesis = aws::kinesis_client(&app.sdk);
    let mut settings = settings_for(&app);
    for (variable, value) in [
        ("STREAM_NAME", "movements.of-2"),
        ("STREAM_SHARDS", "3"),
        ("STREAM_RETENTION_IN_HOURS", "48"),
        ("AWS_ENDPOINT_URL_KINESIS", app.sdk.endpoint_url().unwrap()),
    ] {
        settings.insert(variable, value.to_owned());
    }
    let run = async |args: &[&str], settings: &_| Program::start(args, settings).end().await;
    let describe = async || {
        let found = kinesis
            .describe_stream_summary()
            .stream_name("movements.of-2")
            .send()
            .await;
        found
            .ok()
            .and_then(|found| found.stream_description_summary)
    };

    let planned = run(&["provision", "--dry-run"], &settings).await;
    assert_says(&planned, "to do: create the stream movements.of-2");
    assert!(describe().await.is_none());

    let made = run(&["provision"], &settings).await;
    assert_says(&made, "STREAM_NAME=movements.of-2");
    let found = describe().await.unwrap();
    assert_eq!(
        (found.open_shard_count(), found.retention_period_hours()),
        (3, 48)
    );
    assert_eq!(found.key_id(), Some("alias/aws/kinesis"));
    let again = run(&["provision"], &settings).await;
    assert_says(&again, "Nothing to change.");
    let checked = run(&["check"], &settings).await;
    let stream = "stream             3 shards, provisioned, records kept 48 h, encrypted";
    assert_says(&checked, stream);

    settings.insert("STREAM_SHARDS", "6".to_owned());
    // A key, and records that are kept for longer, stay.
    settings.insert("STREAM_RETENTION_IN_HOURS", "24".to_owned());
    let resized = run(&["provision"], &settings).await;
    assert_says(&resized, "done: resize movements.of-2 from 3 to 6 shards");
    let found = describe().await.unwrap();
    assert_eq!(
        (found.open_shard_count(), found.retention_period_hours()),
        (6, 48)
    );
}

#[tokio::test]
async fn a_stream_that_is_not_there_is_told_by_the_check() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("STREAM_NAME", "nowhere".to_owned());

    let checked = Program::start(&["check"], &settings).end().await;

    assert!(!checked.status.success());
    let told = "Run `beanstock provision`, or correct STREAM_NAME";
    assert!(checked.out.contains(told), "{}", checked.out);
}

#[test]
fn a_printed_template_has_the_stream_that_is_named() {
    let settings = ResourceSettings {
        stream_shards: Some(4),
        kms_key: Some("alias/beans".to_owned()),
        ..ResourceSettings::default()
    };
    let template = |settings: &ResourceSettings, name| {
        cloudformation::template(&Topology::new(settings).streaming(settings, name))
    };

    let stream = &template(&settings, Some("stock_movements"))["Resources"]["Stream"]["Properties"];
    let on_demand = &template(&ResourceSettings::default(), Some("stock_movements"))["Resources"]["Stream"]
        ["Properties"];

    assert_eq!(stream["ShardCount"], 4);
    assert_eq!(stream["StreamEncryption"]["KeyId"], "alias/beans");
    assert_eq!(on_demand["StreamModeDetails"]["StreamMode"], "ON_DEMAND");
    assert_eq!(on_demand["StreamEncryption"]["KeyId"], "alias/aws/kinesis");
    assert!(template(&settings, None)["Resources"]["Stream"].is_null());
}

fn assert_says(said: &Said, words: &str) {
    assert!(said.out.contains(words), "{}{}", said.out, said.err);
}
