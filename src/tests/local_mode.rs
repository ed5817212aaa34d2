//! `beanstock local`: everything with one command, and nothing left behind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use beanstock::aws;
use beanstock::db;
use beanstock::local;
use beanstock::messaging::sqs::SqsQueue;
use sqlx::Executor as _;
use sqlx::mysql::MySqlConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::endpoint::HttpEndpoint;
use crate::support::process::{Program, Said, is_running, until};
use crate::support::{EXCELSA, Kind, TestApp, server};

/// A folder for one local mode.
struct Place {
    folder: tempfile::TempDir,
}

/// A local mode that has said that it is ready.
struct Running {
    program: Program,
    website: u16,
    endpoint: u16,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        }
    }

    /// Port 0 is any free one; the program says which.
    fn settings(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("PORT", "0".to_owned()),
            ("LOCAL_AWS_PORT", "0".to_owned()),
            ("BEANSTOCK_DATA", self.data().display().to_string()),
        ])
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn start(&self) -> Program {
        Program::start(&["local"], &self.settings())
    }

    async fn start_ready(&self) -> Running {
        Running::of(self.start()).await
    }

    fn database(&self) -> db::Pool {
        let socket = self.data().join("database").join("socket");
        let options = MySqlConnectOptions::new().socket(socket).username("root");
        server::pool(options.database("beanstock"), 2)
    }

    async fn stock_of(&self, bean: beanstock::domain::BeanId) -> i64 {
        let pool = self.database();
        let mut conn = pool.acquire().await.unwrap();
        let bean = db::beans::find_bean(&mut conn, bean).await;
        bean.unwrap().unwrap().quantity
    }

    fn database_pid(&self) -> PathBuf {
        self.data().join("database").join("pid")
    }

    /// The id of the database server's process, kept where it stays when that ends.
    fn keep_database_pid(&self) -> PathBuf {
        let kept = self.folder.path().join("kept-pid");
        std::fs::copy(self.database_pid(), &kept).unwrap();
        kept
    }
}

impl Running {
    async fn of(mut program: Program) -> Self {
        let said = program.says("Ctrl-C stops everything.").await;
        let port = |name: &str| {
            let after = said.split(name).nth(1).unwrap();
            let port = after.split("http://127.0.0.1:").nth(1).unwrap();
            let end = port.find(|c: char| !c.is_ascii_digit()).unwrap();
            port[..end].parse().unwrap()
        };
        let (website, endpoint) = (port("Website"), port("AWS services"));
        Self {
            program,
            website,
            endpoint,
        }
    }

    /// A client of its topics.
    async fn sns(&self) -> aws::SnsClient {
        let endpoint = format!("http://127.0.0.1:{}", self.endpoint);
        aws::sns_client(&local::sdk_config(&endpoint).await)
    }

    async fn publish(&self, line: &str) -> Said {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), line).unwrap();
        let file = file.path().display().to_string();
        let settings = BTreeMap::from([("LOCAL_AWS_PORT", self.endpoint.to_string())]);
        Program::start(&["publish", "--local", &file], &settings)
            .end()
            .await
    }

    async fn sqs(&self) -> aws_sdk_sqs::Client {
        let sdk = local::sdk_config(&format!("http://127.0.0.1:{}", self.endpoint)).await;
        aws::sqs_client(&sdk, Duration::ZERO)
    }
}

async fn is_ready(port: u16) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// One that is set is used, one that is made is kept.
#[tokio::test]
async fn the_password_of_the_demonstration_accounts_is_printed() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.insert("DEMO_PASSWORD", "four random words here".to_owned());
    let mut set = Program::start(&["local"], &settings);
    let said = set.says("Ctrl-C stops everything.").await.to_owned();
    set.terminate().await;
    let made = place.start_ready().await.program.terminate().await.out;
    let again = place.start_ready().await.program.terminate().await.out;

    assert!(
        said.contains("password       four random words here"),
        "{said}"
    );
    assert!(said.contains("manager@example.com"), "{said}");
    let password = |said: &str| {
        let line = said.lines().find(|line| line.contains("password   "));
        line.unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    assert_eq!(password(&made), password(&again));
}

#[tokio::test]
async fn a_first_start_brings_everything_and_sigterm_takes_it_away() {
    let place = Place::new();
    let running = place.start_ready().await;

    assert!(is_ready(running.website).await);
    let said = running.publish("3:Excelsa:9").await;
    assert_eq!(said.out.trim(), "1 published, 0 refused.", "{}", said.err);
    until("the update is applied", || async {
        place.stock_of(EXCELSA).await == 209
    })
    .await;
    let database = place.keep_database_pid();

    let said = running.program.terminate().await;

    assert!(said.status.success(), "{}", said.err);
    assert!(!said.err.contains("did not stop in time"), "{}", said.err);
    assert!(!is_running(&database), "the database server ended too");
    assert!(said.out.contains("Beanstock is ready."), "{}", said.out);
    assert!(said.out.contains("sns publish"), "an example to paste");
}

#[tokio::test]
async fn sigterm_ends_it_even_if_its_database_hangs() {
    let place = Place::new();
    let running = place.start_ready().await;
    let database = place.keep_database_pid();
    let pid = std::fs::read_to_string(&database).unwrap().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    running.publish("3:Excelsa:9").await;

    running.program.terminate().await;

    assert!(!is_running(&database), "nothing stays");
}

#[tokio::test]
async fn data_and_queued_messages_survive_kill_9() {
    let place = Place::new();
    let running = place.start_ready().await;
    running.publish("3:Excelsa:9").await;
    until("the update is applied", || async {
        place.stock_of(EXCELSA).await == 209
    })
    .await;
    let sqs = running.sqs().await;
    let other = sqs.create_queue().queue_name("other").send().await.unwrap();
    let url = other.queue_url().unwrap();
    let sent = sqs
        .send_message()
        .queue_url(url)
        .message_body("kept")
        .send()
        .await
        .unwrap();
    let database = place.keep_database_pid();

    running.program.kill().await;
    until("the database server has ended too", || async {
        !is_running(&database)
    })
    .await;
    let running = place.start_ready().await;

    assert_eq!(place.stock_of(EXCELSA).await, 209);
    let sqs = running.sqs().await;
    let other = sqs.create_queue().queue_name("other").send().await.unwrap();
    let url = other.queue_url().unwrap();
    let answer = sqs.receive_message().queue_url(url).send().await.unwrap();
    let message = &answer.messages()[0];
    assert_eq!(message.body(), Some("kept"));
    assert_eq!(message.message_id(), sent.message_id(), "it keeps its id");
    assert!(running.program.terminate().await.status.success());
}

#[tokio::test]
async fn the_queue_is_there_for_any_aws_client() {
    let place = Place::new();
    let running = place.start_ready().await;

    let url = format!(
        "http://127.0.0.1:{}/000000000000/updated_beans.fifo",
        running.endpoint
    );
    let queue = SqsQueue::new(running.sqs().await, url, Duration::from_secs(30));

    assert_eq!(queue.redrive().await.unwrap().unwrap().max_receive_count, 5);
    running.program.terminate().await;
}

fn assert_one_sentence(said: &Said, setting: &str) {
    assert_eq!(said.status.code(), Some(1), "{}{}", said.out, said.err);
    let errors: Vec<&str> = said
        .err
        .lines()
        .filter(|line| line.contains("ERROR"))
        .collect();
    assert_eq!(errors.len(), 1, "{}", said.err);
    assert!(errors[0].contains(setting), "{}", said.err);
}

#[tokio::test]
async fn a_port_in_use_is_told_with_its_setting_and_nothing_stays() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut settings = place.settings();
    let port = taken.local_addr().unwrap().port();
    settings.insert("LOCAL_AWS_PORT", port.to_string());

    let said = Program::start(&["local"], &settings).end().await;

    assert_one_sentence(&said, "LOCAL_AWS_PORT");
    assert!(!is_running(&place.database_pid()));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told_with_its_setting() {
    let mut settings = Place::new().settings();
    settings.insert("BEANSTOCK_DATA", "/proc/nowhere".to_owned());

    let said = Program::start(&["local"], &settings).end().await;

    assert_one_sentence(&said, "BEANSTOCK_DATA");
}

#[tokio::test]
async fn a_second_instance_on_the_same_folder_is_refused() {
    let place = Place::new();
    let first = place.start_ready().await;

    let said = place.start().end().await;

    assert_one_sentence(&said, "BEANSTOCK_DATA");
    assert!(is_ready(first.website).await, "the first one goes on");
    first.program.terminate().await;
}

#[tokio::test]
async fn data_of_a_newer_version_is_left_alone_and_told() {
    let place = Place::new();
    let running = place.start_ready().await;
    let pool = place.database();
    let mut conn = pool.acquire().await.unwrap();
    (*conn)
        .execute(
            "INSERT INTO _sqlx_migrations \
             (version, description, success, checksum, execution_time) \
             VALUES (99991231000000, 'from the future', TRUE, '', 0)",
        )
        .await
        .unwrap();
    running.program.terminate().await;

    let said = place.start().end().await;

    assert_one_sentence(&said, "BEANSTOCK_DATA");
    assert!(said.err.contains("newer version"), "{}", said.err);
    assert!(!is_running(&place.database_pid()));
}

#[tokio::test]
async fn a_folder_deep_down_still_works() {
    let place = Place::new();
    let deep: String = std::iter::repeat_n("a-rather-long-folder-name/", 5).collect();
    let mut settings = place.settings();
    let data = place.folder.path().join(deep);
    settings.insert("BEANSTOCK_DATA", data.display().to_string());

    let running = Running::of(Program::start(&["local"], &settings)).await;

    assert!(is_ready(running.website).await);
    assert!(data.join("database/data").is_dir());
    running.program.terminate().await;
}

/// Any page that a developer opens can send a form to any address of this machine.
#[tokio::test]
async fn a_web_page_of_another_site_cannot_publish_to_the_embedded_topic() {
    let app = TestApp::start(Kind::Fifo).await;
    let url = app
        .sdk
        .endpoint_url()
        .unwrap()
        .trim_start_matches("http://")
        .to_owned();
    let form = format!(
        "Action=Publish&Version=2010-03-31&MessageGroupId=a&Message=3%3AExcelsa%3A77777&TopicArn={}",
        app.resources.topic_arn()
    );
    let mut answers = Vec::new();
    for header in [
        "Origin: http://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Origin: null",
    ] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {url}\r\n{header}\r\nContent-Type: text/plain\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        );
        let mut socket = TcpStream::connect(&url).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answers.push(answer[..12].to_owned());
    }
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;

    assert_eq!(answers, ["HTTP/1.1 403"; 3]);
    assert_eq!(
        app.stock_of(EXCELSA).await,
        209,
        "a client of AWS's is answered"
    );
}

/// What waits in the queues is nobody else's to read.
#[tokio::test]
async fn the_messages_are_as_private_as_the_database() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::new();
    let data = place.data();
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    // As an earlier version left it.
    std::fs::write(data.join("lock"), "").unwrap();

    let running = place.start_ready().await;

    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&data) & 0o777, 0o700);
    assert_eq!(mode(&data.join("messages.jsonl")) & 0o777, 0o600);
    assert!(running.program.terminate().await.status.success());
}

/// A partner's topic delivers over HTTP, and an alert goes out to the topic of alerts and to a webhook.
#[tokio::test]
async fn messages_come_in_over_http_and_alerts_go_out() {
    let (place, hook) = (Place::new(), HttpEndpoint::start().await);
    let mut settings = place.settings();
    let partner = "arn:aws:sns:us-east-1:000000000000:partner";
    settings.insert("SNS_TOPICS", partner.to_owned());
    settings.insert("WEBHOOK_URLS", hook.url.clone());
    let without_secret = Program::start(&["local"], &settings).end().await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    settings.insert("WEBHOOK_SECRET", secret.to_owned());
    let running = Running::of(Program::start(&["local"], &settings)).await;
    let sns = running.sns().await;
    sns.create_topic().name("partner").send().await.unwrap();

    let deliveries = format!("http://127.0.0.1:{}/sns", running.website);
    for (topic, endpoint) in [
        (partner, deliveries),
        (
            "arn:aws:sns:us-east-1:000000000000:beanstock_alerts",
            hook.url.clone(),
        ),
    ] {
        let subscribe = sns.subscribe().topic_arn(topic).protocol("http");
        subscribe.endpoint(endpoint).send().await.unwrap();
    }
    until("the hook is asked to confirm", async || {
        !hook.received_of("SubscriptionConfirmation").is_empty()
    })
    .await;
    let asked = hook.received_of("SubscriptionConfirmation")[0].json();
    let link = asked["SubscribeURL"].as_str().unwrap();
    assert!(reqwest::get(link).await.unwrap().status().is_success());
    until("we have confirmed", async || {
        let list = sns.list_subscriptions_by_topic().topic_arn(partner);
        let list = list.send().await.unwrap();
        list.subscriptions()[0].subscription_arn() != Some("PendingConfirmation")
    })
    .await;
    let publish = sns.publish().topic_arn(partner).message("3:Excelsa:0");
    publish.send().await.unwrap();

    until("both were told", async || {
        let by_sns = hook.received_of("Notification");
        let all = hook.received();
        let by_webhook = all
            .iter()
            .any(|one| !one.header("webhook-signature").is_empty());
        by_webhook && !by_sns.is_empty()
    })
    .await;
    assert!(
        without_secret.err.contains("WEBHOOK_SECRET"),
        "{}",
        without_secret.err
    );
    running.program.terminate().await;
}
