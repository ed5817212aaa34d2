//! The dependency rule of `lib.rs`, read from the imports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn sources() -> BTreeMap<String, String> {
    fn read(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    read(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            (name, text)
        })
        .filter(|(name, _)| !name.starts_with("tests/") && !name.starts_with("bench/"))
        .collect()
}

/// The part of a file that is shipped.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

/// Files below `folder` (or that file itself) that name one of `words`.
fn files_that_name(folder: &str, words: &[&str]) -> Vec<String> {
    sources()
        .into_iter()
        .filter(|(name, _)| name.starts_with(folder))
        .filter(|(_, text)| words.iter().any(|word| shipped(text).contains(word)))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn the_domain_does_no_io_and_knows_nobody() {
    let words = [
        "crate::db",
        "crate::messaging",
        "crate::web",
        "sqlx",
        "axum",
        "tokio",
        "aws_",
    ];

    assert_eq!(files_that_name("domain/", &words), Vec::<String>::new());
}

#[test]
fn the_website_and_the_poller_do_not_know_each_other() {
    let website = files_that_name("web/", &["crate::poller", "aws_sdk", "crate::app"]);
    let poller = files_that_name("poller/", &["crate::web", "axum", "aws_sdk", "sqlx"]);

    assert_eq!([website, poller].concat(), Vec::<String>::new());
}

#[test]
fn only_the_messaging_adapters_and_the_composition_name_aws() {
    let expected = [
        "app.rs",
        "check/messaging.rs",
        "cli/opening.rs",
        "cli/report.rs",
        "credentials.rs",
        "local/mod.rs",
        "messaging/sns.rs",
        "messaging/sqs.rs",
        "provision/blueprint.rs",
        "provision/cloudformation.rs",
        "provision/mod.rs",
        "provision/queues.rs",
        "provision/topic.rs",
    ];

    assert_eq!(files_that_name("", &["use aws_", "aws_sdk_"]), expected);
}

#[test]
fn only_the_database_layer_writes_sql() {
    let outside: Vec<String> = files_that_name("", &["sqlx::query"])
        .into_iter()
        .filter(|name| !name.starts_with("db/"))
        .collect();

    assert_eq!(outside, Vec::<String>::new());
}

/// `INSERT IGNORE` hides truncation; the no-op `ON DUPLICATE KEY UPDATE` cannot tell new from old;
/// an unchecked string could be anything.
#[test]
fn no_sql_is_used_that_was_measured_to_mislead() {
    let words = ["INSERT IGNORE", "AssertSqlSafe", "RETURNING", "FOR SHARE"];

    assert_eq!(files_that_name("", &words), Vec::<String>::new());
    let counters = files_that_name("", &["rows_affected()"]);
    assert_eq!(
        counters,
        ["db/dead_letters.rs", "db/suppliers.rs"],
        "counts matched rows, there as meant"
    );
}

#[test]
fn every_module_says_its_job() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();

    assert_eq!(silent, Vec::<String>::new());
}
