//! Provisioning creates what is missing, repairs what has drifted, and leaves alone what is right.

use aws_sdk_sqs::types::QueueAttributeName;
use beanstock::local;

use crate::support::{Kind, TestApp};

async fn provision_again(app: &TestApp) -> Vec<String> {
    let again = local::provision_at(&app.sdk, &app.kind.resources())
        .await
        .unwrap();
    assert_eq!(again.queue_url, app.resources.queue_url);
    assert_eq!(again.topic_arn, app.resources.topic_arn);
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

    let queue = attributes(&app, &app.resources.queue_url).await;
    let dead_letters = attributes(&app, &app.resources.dead_letter_queue_url).await;

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
    assert!(policy.contains("sns.amazonaws.com") && policy.contains(&app.resources.topic_arn));
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
        .queue_url(&app.resources.queue_url)
        .attributes(QueueAttributeName::VisibilityTimeout, "7")
        .send()
        .await
        .unwrap();

    let changes = provision_again(&app).await;

    assert_eq!(changes, ["set VisibilityTimeout of updated_beans.fifo"]);
    assert_eq!(provision_again(&app).await, Vec::<String>::new());
}

#[tokio::test]
async fn names_of_both_kinds_are_not_mixed() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut names = Kind::Fifo.resources();
    names.topic_name = "standard_topic".to_owned();

    let error = local::provision_at(&app.sdk, &names).await.unwrap_err();

    assert!(error.to_string().contains("TOPIC_NAME"), "{error}");
}
