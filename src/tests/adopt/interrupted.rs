//! An adoption that is killed, repeated, or run twice at once.

use beanstock::db;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::{Found, LAB, NASTY, adopted, assert_refused};
use crate::support::{EXCELSA, server};

const MOVE_SUPPLIERS: &str = "RENAME TABLE suppliers TO lab_suppliers";
const MOVE_BEANS: &str = "RENAME TABLE beans TO lab_beans";

#[tokio::test]
async fn a_second_run_finds_nothing_to_do() {
    let mut found = Found::with(NASTY).await;
    found.run(&["adopt"]).await;
    let before = found.contents().await;

    for args in [["adopt", "--dry-run"].as_slice(), &["adopt"]] {
        let said = found.run(args).await;

        assert!(said.status.success(), "{}", said.err);
        assert!(said.out.contains("nothing left to do"), "{}", said.out);
    }
    assert_eq!(found.contents().await, before);
}

#[tokio::test]
async fn an_adoption_that_was_interrupted_is_finished() {
    let expected = adopted(NASTY).await;
    for moved in [
        [MOVE_SUPPLIERS].as_slice(),
        &[MOVE_BEANS],
        &[MOVE_SUPPLIERS, MOVE_BEANS],
    ] {
        let mut found = Found::with(NASTY).await;
        for step in moved {
            found.execute(*step).await;
        }

        let preview = found.run(&["adopt", "--dry-run"]).await;
        let said = found.run(&["adopt"]).await;

        assert!(preview.status.success(), "{}", preview.err);
        assert!(said.status.success(), "{}", said.err);
        assert_eq!(found.contents().await, expected, "after {moved:?}");
    }
}

/// The migration that creates the table of dead letters.
const DEAD_LETTERS: i64 = 20_261_122_001_000;

impl Found {
    /// Does something while the lab's tables are out of the way, and leaves them moved as a run does that
    /// is killed before it copies.
    async fn with_tables_away(&mut self, work: impl AsyncFnOnce(&mut Self)) {
        for step in [
            "RENAME TABLE suppliers TO other_suppliers",
            "RENAME TABLE beans TO other_beans",
        ] {
            self.execute(step).await;
        }
        work(self).await;
        for step in [
            "RENAME TABLE other_suppliers TO lab_suppliers",
            "RENAME TABLE other_beans TO lab_beans",
        ] {
            self.execute(step).await;
        }
    }
}

/// Moves the lab's tables and makes ours, like a run that is killed before it copies.
async fn not_copied(dump: &'static str) -> Found {
    let mut found = Found::with(dump).await;
    found
        .with_tables_away(async |found| db::migrate(&found.pool()).await.unwrap())
        .await;
    found
}

#[tokio::test]
async fn an_adoption_that_was_interrupted_before_it_copied_is_finished() {
    let expected = adopted(NASTY).await;
    let mut found = not_copied(NASTY).await;

    let preview = found.run(&["adopt", "--dry-run"]).await;
    let said = found.run(&["adopt"]).await;

    assert!(preview.status.success(), "{}", preview.err);
    assert!(said.status.success(), "{}", said.err);
    assert_eq!(found.contents().await, expected);
}

/// A CREATE TABLE commits before sqlx can note that it succeeded.
#[tokio::test]
async fn a_migration_that_was_killed_is_settled() {
    let expected = adopted(NASTY).await;
    for at_the_kill in [
        "DROP TABLE dead_letters",
        "SELECT 'the table was made, but not noted' FROM dead_letters",
    ] {
        let mut found = Found::with(NASTY).await;
        found
            .with_tables_away(async |found| server::migrate_to(DEAD_LETTERS, &mut found.conn).await)
            .await;
        for step in [
            "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 20261122001000",
            at_the_kill,
        ] {
            found.execute(step).await;
        }

        let said = found.run(&["adopt"]).await;

        assert!(said.status.success(), "{}", said.err);
        assert_eq!(found.contents().await, expected, "{at_the_kill}");
    }
}

#[tokio::test]
async fn two_adoptions_at_once_are_one() {
    let expected = adopted(NASTY).await;
    let mut found = Found::with(NASTY).await;

    let (one, other) = tokio::join!(found.run(&["adopt"]), found.run(&["adopt"]));

    assert!(one.status.success(), "{}", one.err);
    assert!(other.status.success(), "{}", other.err);
    let finished = [one, other].map(|said| said.out.contains("nothing left to do"));
    assert!(
        finished[0] != finished[1],
        "one does it, the other finds it"
    );
    assert_eq!(found.contents().await, expected);
}

#[tokio::test]
async fn nothing_else_goes_on_while_an_adoption_is_unfinished() {
    let mut half_moved = Found::with(LAB).await;
    half_moved.execute(MOVE_SUPPLIERS).await;
    let not_copied = not_copied(LAB).await;

    for command in ["serve", "migrate"] {
        let half_moved = half_moved.run(&[command]).await;
        let not_copied = not_copied.run(&[command]).await;

        assert_refused(&half_moved, "run `beanstock adopt --dry-run`");
        assert_refused(&not_copied, "run `beanstock adopt` to finish it");
    }
}

#[tokio::test]
async fn everything_else_goes_on_after_an_adoption() {
    let mut found = Found::with(LAB).await;
    found.run(&["adopt"]).await;
    let with_labs_tables = found.run(&["migrate"]).await;
    found.execute("DROP TABLE lab_beans, lab_suppliers").await;

    let without = found.run(&["migrate"]).await;
    let again = found.run(&["adopt"]).await;

    assert!(
        with_labs_tables.status.success(),
        "{}",
        with_labs_tables.err
    );
    assert!(without.status.success(), "{}", without.err);
    assert!(again.out.contains("nothing left to do"), "{}", again.out);
}

/// What an earlier version ran into: its tables were moved, and then the server refused ours.
#[tokio::test]
async fn a_database_that_a_constraint_has_stopped_half_way_is_finished_without_it() {
    const CLASH: &str = "ALTER TABLE lab_beans ADD CONSTRAINT FK_beans_supplier_id \
                         FOREIGN KEY (supplier_id) REFERENCES lab_suppliers (id)";
    let expected = adopted(LAB).await;
    let mut found = not_copied(LAB).await;
    for step in [
        "DROP TABLE unusual_movements, bean_days, parked_records, stream_held, stream_repeats, stream_runs, stream_beans, stream_workers, stream_shards, stream_marks, announcement_targets, announcements, digests, notifications, mails, notification_preferences, watched_conditions, bean_aliases, letter_notes, bulk_action_letters, bulk_actions, queue_pauses, bulk_edit_lines, bulk_edits, stocktake_counts, stocktakes, update_minutes, consumers, alerts, stock_movements, slips, activity, failed_sign_ins, known_browsers, account_links, sessions, accounts",
        "DROP TABLE submissions, adoptions, dead_letters, relay_claims, outbox_messages, inbox",
        "DROP TABLE update_events, inventory_updates, beans",
        "DELETE FROM _sqlx_migrations WHERE version > 20261122000200",
        "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 20261122000200",
        CLASH,
    ] {
        found.execute(step).await;
    }

    let preview = found.run(&["adopt", "--dry-run"]).await;
    let refused = found.run(&["adopt"]).await;
    found
        .execute("ALTER TABLE `lab_beans` DROP FOREIGN KEY `FK_beans_supplier_id`")
        .await;
    let said = found.run(&["adopt"]).await;

    for refused in [preview, refused] {
        assert_refused(&refused, "ALTER TABLE `lab_beans` DROP FOREIGN KEY");
    }
    assert!(said.status.success(), "{}", said.err);
    assert_eq!(found.contents().await, expected);
}

/// A change that the renaming had to wait for was not in the plan that was made before it.
#[tokio::test]
async fn a_plan_that_changes_while_the_tables_are_moved_is_not_carried_out() {
    let found = Found::with(LAB).await;
    let mut writer = found.options.connect().await.unwrap();
    let mut change = writer.begin().await.unwrap();
    let one_more = format!("UPDATE beans SET quantity = quantity + 1 WHERE id = {EXCELSA}");
    change.execute(AssertSqlSafe(one_more)).await.unwrap();

    let program = found.program(&["adopt"]);
    found.waits_for_a_table().await;
    change.commit().await.unwrap();
    let refused = program.end().await;
    let said = found.run(&["adopt"]).await;

    assert_refused(&refused, "changed while its tables were renamed");
    assert!(said.out.contains("14 beans and 8451 bags"), "{}", said.err);
}

#[tokio::test]
async fn rows_that_somebody_added_meanwhile_are_not_mixed_with_the_labs() {
    let mut found = not_copied(NASTY).await;
    found
        .execute(
            "INSERT INTO suppliers (name, address, city, state, email, phone, created_at, \
             updated_at) VALUES ('Early', '', '', '', '', '', NOW(6), NOW(6))",
        )
        .await;
    let before = found.contents().await;

    for args in [["adopt", "--dry-run"].as_slice(), &["adopt"]] {
        assert_refused(&found.run(args).await, "have rows already");
    }
    assert_eq!(found.contents().await, before);
}
