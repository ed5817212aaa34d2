//! Ten instances that start at the same moment where there is nothing yet.

use serde_json::Value;
use sqlx::ConnectOptions as _;
use tokio::task::JoinSet;

use crate::support::process::{Program, settings_for};
use crate::support::{Kind, TestApp, server};
use beanstock::aws;
use beanstock::local;

#[tokio::test]
async fn ten_instances_come_up_at_once_on_an_empty_database_and_an_empty_broker() {
    let app = TestApp::start(Kind::Fifo).await;
    let stop = beanstock::shutdown::Shutdown::default();
    let broker = crate::support::app::endpoint(&stop).await;
    let database = server::new_database().await;
    let mut settings = settings_for(&app);
    settings.remove("QUEUE_URL");
    settings.remove("TOPIC_ARN");
    settings.insert("DATABASE_URL", database.to_url_lossy().to_string());
    settings.insert("AWS_ENDPOINT_URL", broker.url().to_owned());
    settings.insert("PROVISION", "true".to_owned());
    settings.insert("RUST_LOG", "info".to_owned());
    settings.insert("LOG_FORMAT", "json".to_owned());
    settings.insert("DATABASE_POOL_SIZE", "8".to_owned());

    let mut instances = JoinSet::new();
    for _ in 0..10 {
        let settings = settings.clone();
        instances.spawn(async move {
            let program = Program::start(&["serve"], &settings);
            program.terminate_after("everything is up").await
        });
    }
    let said = instances.join_all().await;

    for one in &said {
        assert!(one.status.success(), "{}", one.err);
        let lines = one.err.lines().map(serde_json::from_str::<Value>);
        // A slow machine is no trouble: the driver warns of what takes long.
        let ours = lines.map(Result::unwrap).filter(|line| {
            let target = line["target"].as_str();
            target.is_some_and(|target| target.starts_with("beanstock"))
        });
        let is_trouble = |line: &Value| {
            let message = line["message"].as_str().unwrap_or_default();
            line["level"] != "INFO" && !message.starts_with("There is no manager yet")
        };
        let trouble: Vec<Value> = ours.filter(is_trouble).collect();
        assert_eq!(trouble, Vec::<Value>::new());
    }
    let mut conn = database.connect().await.unwrap();
    let applied: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), files.count());
    let sdk = local::sdk_config(broker.url()).await;
    let queues = aws::sqs_client(&sdk, std::time::Duration::ZERO)
        .list_queues()
        .send()
        .await;
    assert_eq!(queues.unwrap().queue_urls().len(), 4);
    let sns = aws::sns_client(&sdk);
    assert_eq!(sns.list_topics().send().await.unwrap().topics().len(), 2);
    let subscriptions = sns.list_subscriptions().send().await.unwrap();
    assert_eq!(subscriptions.subscriptions().len(), 2);
}
