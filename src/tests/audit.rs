//! The audit finds every kind of wrong book-keeping, and nothing in right books.

use beanstock::domain::UpdateId;
use beanstock::operations::audit::audit;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::support::process::{Program, settings_for};
use crate::support::{EXCELSA, Kind, TestApp};

/// An app with an applied, an out-of-stock, a superseded-by-nothing and a dead-lettered update.
async fn books() -> TestApp {
    let app = TestApp::start(Kind::Fifo).await;
    for line in ["3:Excelsa:9", "6:Arabica:0", "777:Arabica:1"] {
        app.publish_line(line).await;
    }
    app.drain().await;
    app.assert_audit_is_clean().await;
    app
}

/// Breaks the books and gives the invariants that are found broken.
async fn broken_by(tampering: &str) -> Vec<&'static str> {
    let app = books().await;
    let mut conn = app.pool.acquire().await.unwrap();
    conn.execute("SET SESSION foreign_key_checks = 0")
        .await
        .unwrap();
    let tampering = sqlx::raw_sql(AssertSqlSafe(tampering.to_owned()));
    tampering.execute(&mut *conn).await.unwrap();
    conn.execute("SET SESSION foreign_key_checks = 1")
        .await
        .unwrap();
    drop(conn);
    let findings = audit(&app.pool).await.unwrap();
    findings
        .into_iter()
        .filter(|finding| !finding.broken_by.is_empty())
        .map(|finding| finding.invariant)
        .collect()
}

#[tokio::test]
async fn stock_that_no_movement_explains_is_found() {
    let found = broken_by(&format!(
        "UPDATE beans SET quantity = quantity + 1 WHERE id = {EXCELSA}"
    ))
    .await;

    assert_eq!(found, ["stock is the sum of its movements"]);
}

#[tokio::test]
async fn two_wrong_movements_that_cancel_out_are_found() {
    let found = broken_by(&format!("UPDATE stock_movements SET change_by = change_by + 1 WHERE bean_id = {EXCELSA} AND sequence = 1; \
         UPDATE stock_movements SET change_by = change_by - 1 WHERE bean_id = {EXCELSA} AND sequence = 2"))
    .await;

    assert!(
        found.contains(&"movements follow from one another"),
        "{found:?}"
    );
    assert!(
        !found.contains(&"stock is the sum of its movements"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_deleted_movement_is_found() {
    let found = broken_by(&format!(
        "DELETE FROM stock_movements WHERE bean_id = {EXCELSA} AND sequence = 2"
    ))
    .await;

    assert!(
        found.contains(&"every bean points to its newest movement"),
        "{found:?}"
    );
    assert!(
        found.contains(&"every applied update has exactly one movement, and no other has one"),
        "{found:?}"
    );
}

#[tokio::test]
async fn an_end_that_the_inbox_does_not_know_is_found() {
    let found = broken_by("DELETE FROM inbox WHERE outcome = 'applied'").await;

    assert_eq!(found, ["an update has one final state, and it stays"]);
}

#[tokio::test]
async fn an_inbox_row_without_its_update_is_found() {
    let found = broken_by(
        "INSERT INTO inbox VALUES (REPEAT('x', 16), REPEAT('y', 32), 'applied', 0, NOW(6))",
    )
    .await;

    assert_eq!(found, ["every final state belongs to an update"]);
}

#[tokio::test]
async fn a_movement_that_says_something_else_than_its_update_is_found() {
    let found = broken_by(
        "UPDATE inventory_updates SET quantity = 8 WHERE state = 'applied' \
                             AND kind = 'delivery'",
    )
    .await;

    assert_eq!(found, ["a movement says what its update said"]);
}

#[tokio::test]
async fn an_accepted_update_that_nothing_will_publish_is_found() {
    let found = broken_by(
        "INSERT INTO inventory_updates (id, payload_hash, origin, state, accepted_at) \
         VALUES (REPEAT('x', 16), REPEAT('y', 32), 'web', 'accepted', NOW(6))",
    )
    .await;

    assert_eq!(found, ["nothing accepted is lost"]);
}

#[tokio::test]
async fn a_dead_lettered_update_without_its_letter_is_found() {
    let found = broken_by("DELETE FROM dead_letters").await;

    assert_eq!(
        found,
        ["every dead-lettered update has one open dead letter, and no other has one"]
    );
}

#[tokio::test]
async fn an_undo_that_gives_back_more_than_was_taken_is_found() {
    let found = broken_by(&format!(
        "UPDATE stock_movements SET kind = 'undo', undoes = 1 WHERE bean_id = {EXCELSA} AND sequence = 2"
    ))
    .await;

    assert!(
        found.contains(&"what was undone is undone once, by as much the other way"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_count_that_a_finished_stocktake_forgot_is_found() {
    let found = broken_by(&format!(
        "INSERT INTO stocktakes (id, started_by, started_at, finished_by, finished_at, going) \
         VALUES (9, 1, NOW(6), 1, NOW(6), NULL); \
         INSERT INTO stocktake_counts (stocktake_id, bean_id, bags, counted_at, counted_by) \
         VALUES (9, {EXCELSA}, 4, NOW(6), 1)"
    ))
    .await;

    assert_eq!(
        found,
        ["every count of a finished stocktake is booked as it was made, or says why not"]
    );
}

#[tokio::test]
async fn a_fix_of_an_update_that_was_applied_all_the_same_is_found() {
    let found = broken_by(
        "UPDATE inventory_updates AS f JOIN inventory_updates AS u ON u.supplier_id = 3 \
         SET f.follows_id = u.id, f.follows_as = 'fix' WHERE f.supplier_id = 6",
    )
    .await;

    assert_eq!(
        found,
        ["what follows an update fits its end: every chain ends"]
    );
}

#[tokio::test]
async fn the_command_exits_with_1_and_names_the_row() {
    let app = books().await;
    let settings = settings_for(&app);
    let clean = Program::start(&["audit"], &settings).end().await;
    app.execute(format!(
        "UPDATE beans SET quantity = 7 WHERE id = {EXCELSA}"
    ))
    .await;

    let broken = Program::start(&["audit"], &settings).end().await;
    let json = Program::start(&["audit", "--json"], &settings).end().await;

    assert_eq!(clean.status.code(), Some(0), "{}{}", clean.out, clean.err);
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        broken.out.contains("bean 5 has 7 bags, movements say 209"),
        "{}",
        broken.out
    );
    let findings: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        findings[0]["broken_by"][0],
        "bean 5 has 7 bags, movements say 209"
    );
}

#[tokio::test]
async fn status_tells_what_waits_and_what_is_dead() {
    let app = books().await;
    app.send_raw("3:Excelsa:1", "a").await;
    app.accept(&crate::support::app::delivery(UpdateId::generate(), 1))
        .await;
    app.execute(
        "INSERT INTO announcements (kind, sentence, path, at) VALUES ('out', 'x', '/', NOW(6) - INTERVAL 2 HOUR)",
    )
    .await;
    let mut conn = app.pool.acquire().await.unwrap();
    conn.execute("UPDATE inventory_updates SET accepted_at = accepted_at - INTERVAL 1 HOUR")
        .await
        .unwrap();

    let json = Program::start(&["status", "--json"], &settings_for(&app))
        .end()
        .await;

    let status: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(status["accepted"], 4);
    assert_eq!(status["applied"], 2);
    assert_eq!(status["waiting"], 1);
    assert_eq!(status["dead_letters"], 1);
    assert_eq!(status["queue"]["visible"], 1);
    assert!(status["oldest_waiting_seconds"].as_i64() >= Some(3600));
    assert!(status["oldest_unpublished_seconds"].as_i64() >= Some(3600));
    assert!(status["oldest_unsent_alert_seconds"].as_i64() >= Some(7200));
}

/// Metric filters read these: a measurement without a number would look like none.
#[tokio::test]
async fn ages_are_nought_while_nothing_waits() {
    let app = TestApp::start(Kind::Fifo).await;

    let json = Program::start(&["status", "--json"], &settings_for(&app))
        .end()
        .await;

    let status: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(status["oldest_waiting_seconds"], 0);
    assert_eq!(status["oldest_unpublished_seconds"], 0);
    assert_eq!(status["oldest_unsent_alert_seconds"], 0);
}

/// Alarms read what the database says, and must not go blind with the queue.
#[tokio::test]
async fn status_does_without_the_queues() {
    let app = TestApp::start(Kind::Fifo).await;
    let mut settings = settings_for(&app);
    settings.insert("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1".to_owned());

    let json = Program::start(&["status", "--json"], &settings).end().await;

    assert!(json.status.success(), "{}", json.err);
    let status: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert!(status["queue"].is_null() && status["waiting"] == 0);
    assert!(
        json.err.contains("how many messages the queues hold"),
        "{}",
        json.err
    );
}
