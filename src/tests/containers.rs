//! What containers run beside `serve`: the health check, and an SNS and SQS that sets itself up.

use std::collections::BTreeMap;

use beanstock::local;
use beanstock::messaging::UPDATES;
use beanstock::provision::ResourceSettings;

use crate::support::process::{Program, settings_for, until};
use crate::support::{Kind, TestApp, free_port};

async fn is_well(arguments: &[&str], settings: &BTreeMap<&str, String>) -> bool {
    let said = Program::start(arguments, settings).end().await;
    said.status.success()
}

#[tokio::test]
async fn a_probe_tells_whether_the_website_answers() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("PORT", free_port().to_string());
    settings.insert("LISTEN_ADDRESS", "0.0.0.0".to_owned());
    let nobody = Program::start(&["probe"], &settings).end().await;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(nobody.err.contains("/healthz"), "{}", nobody.err);

    let server = Program::start(&["serve"], &settings);

    until("it is ready", || is_well(&["probe", "--ready"], &settings)).await;
    let alive = Program::start(&["probe"], &settings).end().await;
    assert_eq!(alive.out.trim(), "ok");
    server.terminate().await;
    assert!(!is_well(&["probe"], &settings).await);
}

#[tokio::test]
async fn a_probe_tells_what_a_website_lacks_to_be_ready() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("PORT", free_port().to_string());
    settings.insert("AWS_ENDPOINT_URL", "http://127.0.0.1:9".to_owned());
    let server = Program::start(&["serve"], &settings);
    until("it is alive", || is_well(&["probe"], &settings)).await;

    let said = Program::start(&["probe", "--ready"], &settings).end().await;

    assert_eq!(said.status.code(), Some(1));
    assert!(said.out.contains("queue"), "{}", said.out);
    server.terminate().await;
}

/// Nobody else has to notice that the endpoint was restarted and provision it again.
#[tokio::test]
async fn an_endpoint_that_provisions_itself_comes_back_with_its_queues_and_messages() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    let settings = BTreeMap::from([
        ("LOCAL_AWS_PORT", port.clone()),
        ("BEANSTOCK_DATA", folder.path().display().to_string()),
        ("PROVISION", "true".to_owned()),
        ("RUST_LOG", "warn".to_owned()),
    ]);
    let (probe, nothing) = (["probe", "--port", &port], BTreeMap::new());
    let endpoint = Program::start(&["local-aws"], &settings);
    until("it is open", || is_well(&probe, &nothing)).await;
    let sdk = local::sdk_config(&format!("http://127.0.0.1:{port}")).await;
    let sent = aws_sdk_sns::Client::new(&sdk)
        .publish()
        .topic_arn("arn:aws:sns:us-east-1:000000000000:updated_beans_sns.fifo")
        .message_group_id("g")
        .message("3:Excelsa:9")
        .send();
    sent.await.unwrap();

    endpoint.kill().await;
    let endpoint = Program::start(&["local-aws"], &settings);
    until("it is open again", || is_well(&probe, &nothing)).await;

    let received = aws_sdk_sqs::Client::new(&sdk)
        .receive_message()
        .queue_url(format!(
            "http://127.0.0.1:{port}/000000000000/updated_beans.fifo"
        ))
        .wait_time_seconds(5)
        .send();
    let messages = received.await.unwrap().messages.unwrap_or_default();
    assert!(messages[0].body().unwrap().contains("3:Excelsa:9"));
    let again = local::provision_at(&sdk, &ResourceSettings::default()).await;
    assert_eq!(again.unwrap().changes, Vec::<String>::new());
    endpoint.terminate().await;
}

/// In a container it listens on all addresses, and that is no address to go to.
#[tokio::test]
async fn queues_are_named_by_the_host_that_was_asked() {
    let port = free_port().to_string();
    let settings = BTreeMap::from([
        ("LOCAL_AWS_PORT", port.clone()),
        ("LISTEN_ADDRESS", "0.0.0.0".to_owned()),
        ("PROVISION", "true".to_owned()),
        ("RUST_LOG", "warn".to_owned()),
    ]);
    let endpoint = Program::start(&["local-aws"], &settings);
    let (probe, nothing) = (["probe", "--port", &port], BTreeMap::new());
    until("it is open", || is_well(&probe, &nothing)).await;

    let sdk = local::sdk_config(&format!("http://localhost:{port}")).await;
    let found = local::provision_at(&sdk, &ResourceSettings::default()).await;

    let expected = format!("http://localhost:{port}/000000000000/updated_beans.fifo");
    assert_eq!(found.unwrap().queue_url(UPDATES), expected);
    endpoint.terminate().await;
}
