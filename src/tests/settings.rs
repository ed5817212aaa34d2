//! The settings: one table, and flag, variable, README and complaint agree on it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use beanstock::cli;
use beanstock::config::reference::{SETTINGS, Setting};
use clap::{Arg, Command};

use crate::support::process::{Program, settings_for};
use crate::support::{Kind, TestApp};

/// Every argument that has a variable, of all commands.
fn arguments() -> BTreeMap<String, Arg> {
    fn collect(command: &Command, found: &mut BTreeMap<String, Arg>) {
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

/// A row of the README's table.
fn row(setting: &Setting, arg: &Arg) -> String {
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    let default = if defaults.is_empty() {
        setting.without.to_owned()
    } else {
        format!("`{}`", defaults.join(","))
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
fn the_readme_lists_every_setting_as_it_is() {
    let arguments = arguments();
    let mut table =
        String::from("| variable | without it | what it sets | example |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        writeln!(table, "{}", row(setting, &arguments[setting.variable])).unwrap();
    }
    let readme = include_str!("../../README.md");

    assert!(readme.contains(&table), "the README needs this:\n{table}");
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
        ("QUEUE_URL", "updated_beans.fifo"),
        ("SQS_ENDPOINT", "https://sqs.us-east-1.amazonaws.com"),
        ("DEAD_LETTER_QUEUE_URL", "x"),
        ("UNDELIVERED_QUEUE_URL", "x"),
        ("TOPIC_ARN", "arn:aws:sqs:us-east-1:1:x"),
        ("LISTEN_ADDRESS", "everywhere"),
        ("ALLOW_UNAUTHENTICATED", "perhaps"),
        ("PUBLIC_URL", "beans.example.com"),
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

    crate::support::process::until("it is applied", || async { app.stock_of(5).await == 209 })
        .await;
    server.terminate().await;
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
    assert_eq!(app.stock_of(5).await, 200);
}

#[tokio::test]
async fn nobody_listens_for_everybody_by_accident() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("LISTEN_ADDRESS", "0.0.0.0".to_owned());

    for command in ["serve", "local-aws"] {
        let said = Program::start(&[command], &settings).end().await;

        assert_eq!(said.status.code(), Some(1), "{command}");
        assert!(
            said.err.contains("ALLOW_UNAUTHENTICATED=true"),
            "{}",
            said.err
        );
    }
}
