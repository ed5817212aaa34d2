//! The settings: one table, and flag, variable, reference and complaint agree on it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStringExt as _;

use beanstock::cli;
use beanstock::config::reference::{SETTINGS, Setting};
use beanstock::domain::UpdateId;
use clap::Arg;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::support::app::delivery;
use crate::support::process::{Program, settings_for, until};
use crate::support::{EXCELSA, Kind, TestApp};

/// Every argument that has a variable, of all commands.
fn arguments() -> BTreeMap<String, Arg> {
    fn collect(command: &clap::Command, found: &mut BTreeMap<String, Arg>) {
        for arg in command.get_arguments() {
            if let Some(variable) = arg.get_env() {
                found.insert(variable.to_string_lossy().into_owned(), arg.clone());
            }
        }
        for command in command.get_subcommands() {
            collect(command, found);
        }
    }
    let mut found = BTreeMap::new();
    collect(&cli::command(), &mut found);
    found
}

#[test]
fn every_variable_is_in_the_table_and_nothing_else_is() {
    let mut table: Vec<&str> = SETTINGS.iter().map(|setting| setting.variable).collect();
    table.sort_unstable();

    assert_eq!(arguments().into_keys().collect::<Vec<_>>(), table);
}

#[test]
fn every_flag_is_its_variable_in_lower_case_with_dashes() {
    for (variable, arg) in arguments() {
        let flag = variable.to_lowercase().replace('_', "-");

        assert_eq!(arg.get_long(), Some(flag.as_str()));
    }
}

/// A command that takes the setting.
fn command_for(variable: &str) -> &'static str {
    match variable {
        "BEANSTOCK_DATA" | "LOCAL_AWS_PORT" => "local-aws",
        "DEMO_PASSWORD" => "local",
        "DEMO_DATA" => "migrate",
        _ => "serve",
    }
}

#[test]
fn every_example_is_accepted() {
    for setting in SETTINGS {
        let flag = setting.variable.to_lowercase().replace('_', "-");
        let argument = format!("--{flag}={}", setting.example);
        let arguments = ["beanstock", command_for(setting.variable), &argument];

        let read = cli::command().try_get_matches_from(arguments);

        assert!(read.is_ok(), "{argument}: {}", read.unwrap_err());
    }
}

/// A row of the reference's table.
fn row(setting: &Setting, arg: &Arg) -> String {
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    let default = if setting.without.is_empty() {
        format!("`{}`", defaults.join(","))
    } else {
        setting.without.to_owned()
    };
    format!(
        "| `{}` | {default} | {}; {} | `{}` |",
        setting.variable,
        arg.get_help().unwrap(),
        setting.expected,
        setting.example
    )
}

#[test]
fn the_reference_lists_every_setting_as_it_is() {
    let arguments = arguments();
    let mut table =
        String::from("| variable | without it | what it sets | example |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        writeln!(table, "{}", row(setting, &arguments[setting.variable])).unwrap();
    }
    let reference = include_str!("../../deploy/settings.md");

    assert!(
        reference.contains(&table),
        "deploy/settings.md needs this:\n{table}"
    );
}

/// Each setting that can be wrong is named with what was expected and an example, before anything
/// is started.
#[tokio::test]
async fn a_wrong_value_is_told_by_its_name_with_an_example() {
    for (variable, wrong) in [
        ("PORT", "eighty"),
        ("POLLERS", "0"),
        ("DATABASE_TLS", "yes"),
        ("DATABASE_AUTH", "kerberos"),
        ("DATABASE_POOL_SIZE", "1"),
        ("AWS_REGION", "US East"),
        ("AWS_ENDPOINT_URL", "localhost:4566"),
        ("AWS_ENDPOINT_URL_SQS", "vpce-1"),
        ("AWS_ENDPOINT_URL_SNS", "vpce-1"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "vpce-1"),
        ("QUEUE_URL", "updated_beans.fifo"),
        ("SQS_ENDPOINT", "https://sqs.us-east-1.amazonaws.com"),
        ("DEAD_LETTER_QUEUE_URL", "x"),
        ("UNDELIVERED_QUEUE_URL", "x"),
        ("TOPIC_ARN", "arn:aws:sqs:us-east-1:1:x"),
        ("ALERTS_TOPIC_ARN", "beanstock_alerts"),
        ("SNS_TOPICS", "beans_for_cafes"),
        ("SUPPLIER_TOPICS", "arn:aws:sns:us-east-1:1:x"),
        ("WEBHOOK_URLS", "hooks.example.com"),
        ("WEBHOOK_SECRET", "hunter2"),
        ("LISTEN_ADDRESS", "everywhere"),
        ("SUPPLIERS_SEE_STOCK", "perhaps"),
        ("PUBLIC_URL", "beans.example.com"),
        ("SESSION_IDLE_IN_HOURS", "0"),
        ("SESSION_MAX_IN_DAYS", "a week"),
        ("PUBLIC_BEANS_JSON", "perhaps"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("VISIBILITY_TIMEOUT_IN_SEC", "4"),
        ("LONG_POLL_WAIT_IN_SEC", "21"),
        ("COLLECT_DEAD_LETTERS", "maybe"),
        ("QUEUE_NAME", "a b"),
        ("TOPIC_PUBLISHERS", "*"),
        ("APPLICATION_ROLE", "admin"),
        ("RESOURCE_TAGS", "beanstock"),
        ("MAX_RECEIVE_COUNT", "0"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "beanstock=louder"),
    ] {
        let settings = BTreeMap::from([(variable, wrong.to_owned())]);

        let said = Program::start(&["serve"], &settings).end().await;

        let setting = SETTINGS.iter().find(|s| s.variable == variable).unwrap();
        let example = format!(
            "{}, for example {variable}={}",
            setting.expected, setting.example
        );
        let named = format!("{variable} is `{wrong}`");
        assert_eq!(said.status.code(), Some(2), "{variable}: {}", said.err);
        assert!(
            said.err.contains(&named) && said.err.contains(&example),
            "{}",
            said.err
        );
    }
}

#[tokio::test]
async fn a_missing_database_is_told_with_an_example() {
    let said = Program::start(&["serve"], &BTreeMap::new()).end().await;

    assert_eq!(said.status.code(), Some(1));
    assert!(said.err.contains("DATABASE_URL is not set"), "{}", said.err);
    assert!(said.err.contains("DATABASE_URL=mysql://"), "{}", said.err);
}

#[tokio::test]
async fn the_labs_variables_are_enough() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    let queue = settings.remove("QUEUE_URL").unwrap();
    settings.remove("TOPIC_ARN");
    settings.remove("AWS_REGION");
    settings.remove("PORT");
    settings.insert("SQS_ENDPOINT", queue);
    settings.insert("SQS_REGION", "us-east-1".to_owned());
    settings.insert("APP_PORT", "0".to_owned());
    let server = Program::start(&["serve"], &settings);

    app.publish_line("3:Excelsa:9").await;

    until("it is applied", || async {
        app.stock_of(EXCELSA).await == 209
    })
    .await;
    server.terminate().await;
}

/// Ours counts, as its row in the reference says; it is not for the operator to find out.
#[tokio::test]
async fn a_name_of_ours_and_the_labs_that_disagree_are_told() {
    let settings = BTreeMap::from([
        ("PORT", "8081".to_owned()),
        ("APP_PORT", "8082".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("SQS_REGION", "us-east-1".to_owned()),
    ]);

    let said = Program::start(&["serve"], &settings).end().await;

    let told = "PORT and APP_PORT are both set; only PORT is used";
    assert!(said.err.contains(told), "{}", said.err);
    assert!(!said.err.contains("SQS_REGION"), "{}", said.err);
}

#[tokio::test]
async fn a_value_that_is_no_text_is_told_by_its_name() {
    let unreadable = OsString::from_vec(b"beans\xff".to_vec());
    let mut serve = Command::new(env!("CARGO_BIN_EXE_beanstock"));
    serve.arg("serve").env_clear().env("TOPIC_ARN", unreadable);

    let said = serve.output().await.unwrap();

    let err = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(2), "{err}");
    assert!(err.contains("TOPIC_ARN cannot be used; expected"), "{err}");
}

#[tokio::test]
async fn without_a_queue_nothing_is_polled_and_that_is_said() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.remove("QUEUE_URL");
    app.publish_line("3:Excelsa:9").await;
    let said = Program::start(&["serve"], &settings)
        .terminate_after("nothing is polled")
        .await;

    assert!(
        said.err
            .contains("neither QUEUE_URL nor SQS_ENDPOINT is set"),
        "{}",
        said.err
    );
    assert_eq!(app.stock_of(EXCELSA).await, 200);
}

/// As with VPC endpoints, which are one for each service.
#[tokio::test]
async fn each_service_may_have_an_endpoint_of_its_own() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    let endpoint = settings["AWS_ENDPOINT_URL"].clone();
    settings.insert("AWS_ENDPOINT_URL", "http://127.0.0.1:1".to_owned());
    settings.insert("AWS_ENDPOINT_URL_SQS", endpoint.clone());
    settings.insert("AWS_ENDPOINT_URL_SNS", endpoint);
    let server = Program::start(&["serve"], &settings);

    app.accept(&delivery(UpdateId::generate(), 9)).await;

    let applied = || async { app.stock_of(EXCELSA).await == 209 };
    until("it is published and applied", applied).await;
    server.terminate().await;
}

#[tokio::test]
async fn log_lines_are_json_if_asked_for() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("LOG_FORMAT", "json".to_owned());
    settings.insert("RUST_LOG", "info".to_owned());

    let said = Program::start(&["serve"], &settings)
        .terminate_after("everything is up")
        .await;

    let lines: Vec<serde_json::Value> = said
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // What the database's driver finds slow on a slow machine is another matter.
    let is_ours = |line: &&serde_json::Value| {
        let target = line["target"].as_str();
        target.is_some_and(|target| target.starts_with("beanstock"))
    };
    let mut ours = lines.iter().filter(is_ours).peekable();
    assert!(ours.peek().is_some(), "{}", said.err);
    let is_expected = |line: &serde_json::Value| {
        let message = line["message"].as_str().unwrap_or_default();
        line["level"] == "INFO" || message.starts_with("There is no manager yet")
    };
    assert!(ours.all(is_expected), "{}", said.err);
}

/// Sends a request as a proxy on this machine would, and gives the whole answer.
async fn ask_as_proxy(address: &str, request: &str) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_proxy_that_is_trusted_tells_who_is_visiting() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("PUBLIC_URL", "https://beans.example.com".to_owned());
    settings.insert("TRUSTED_PROXIES", "127.0.0.0/8".to_owned());
    settings.insert("RUST_LOG", "beanstock=debug".to_owned());
    let mut server = Program::start(&["serve", "--only", "web"], &settings);
    let log = server.logs("everything is up").await;
    let address = log.split("website is at http://").nth(1).unwrap();
    let address = address.split_whitespace().next().unwrap().to_owned();

    let request = "GET /nowhere HTTP/1.1\r\nHost: beans.example.com\r\nConnection: close\r\n\
                   X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Request-Id: edge-4711\r\n\r\n";
    let answer = ask_as_proxy(&address, request).await;
    let said = server.terminate_after("request refused").await;

    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.contains("x-request-id: edge-4711"), "{answer}");
    assert!(answer.contains("strict-transport-security"), "{answer}");
    let line = said
        .err
        .lines()
        .find(|line| line.contains("request refused"))
        .unwrap();
    assert!(
        line.contains("203.0.113.7") && line.contains("edge-4711"),
        "{line}"
    );
}

/// The stories without the list of wrong values, which names nearly all settings.
fn without_wrong_values(text: &str) -> String {
    let list = text.split_once("for (variable, wrong) in [");
    let around = list.and_then(|(before, list)| Some((before, list.split_once("] {")?.1)));
    around.map_or_else(
        || text.to_owned(),
        |(before, after)| [before, after].concat(),
    )
}

/// Accepting an example is not enough: what each setting does is shown somewhere.
#[test]
fn every_setting_is_used_by_a_story_or_a_unit_test() {
    let mut tests = String::new();
    let src = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    for folder in ["tests", "tests/support", "config"] {
        for file in std::fs::read_dir(format!("{src}/{folder}")).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() && !path.ends_with("reference.rs") {
                let text = std::fs::read_to_string(path).unwrap();
                let of_tests = if folder == "config" {
                    text.split_once("mod tests {")
                        .map_or("", |(_, tests)| tests)
                } else {
                    &without_wrong_values(&text)
                };
                tests.push_str(of_tests);
            }
        }
    }
    let is_unused = |setting: &&Setting| {
        let flag = format!("--{}", setting.variable.to_lowercase().replace('_', "-"));
        let used = [format!("\"{}\"", setting.variable), format!("\"{flag}\"")];
        !used.iter().any(|name| tests.contains(name))
    };
    let unused: Vec<&str> = SETTINGS
        .iter()
        .filter(is_unused)
        .map(|s| s.variable)
        .collect();
    assert_eq!(unused, Vec::<&str>::new());
}
