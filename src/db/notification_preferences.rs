//! SQL for what people want to be told.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use crate::domain::{AccountId, NotificationPreferences, TimeOfDay};

/// Somebody who wants to be told something.
#[derive(Debug, Clone)]
pub struct Subscriber {
    pub account: AccountId,
    pub preferences: NotificationPreferences,
    /// Their time zone, an IANA name; `None` for the café's.
    pub zone: Option<String>,
    /// Whether they were told of the dead letters that wait now.
    pub letters_notified: bool,
    /// Whether there is an address for their feed.
    pub has_feed: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "they are columns")]
struct Row {
    account_id: i64,
    low: bool,
    out_of_stock: bool,
    out_at_supplier: bool,
    recovered: bool,
    letters_after_hours: Option<i16>,
    stopped: bool,
    by_mail: bool,
    digest_at: Option<i16>,
    quiet_from: Option<i16>,
    quiet_until: Option<i16>,
    time_zone: Option<String>,
    letters_notified: bool,
    has_feed: bool,
}

impl From<Row> for Subscriber {
    fn from(row: Row) -> Self {
        let time = |minutes: Option<i16>| minutes.map(TimeOfDay::stored);
        Self {
            account: AccountId(row.account_id),
            preferences: NotificationPreferences {
                low: row.low,
                out: row.out_of_stock,
                out_at_supplier: row.out_at_supplier,
                recovered: row.recovered,
                letters_after_hours: row.letters_after_hours,
                stopped: row.stopped,
                by_mail: row.by_mail,
                digest_at: time(row.digest_at),
                quiet: time(row.quiet_from).zip(time(row.quiet_until)),
            },
            zone: row.time_zone,
            letters_notified: row.letters_notified,
            has_feed: row.has_feed,
        }
    }
}

/// Preferences of those who can sign in for the café, with what else a query says.
macro_rules! select_subscribers {
    ($rest:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"
            SELECT
                w.account_id,
                w.low AS "low: bool",
                w.out_of_stock AS "out_of_stock: bool",
                w.out_at_supplier AS "out_at_supplier: bool",
                w.recovered AS "recovered: bool",
                w.letters_after_hours,
                w.stopped AS "stopped: bool",
                w.by_mail AS "by_mail: bool",
                w.digest_at,
                w.quiet_from,
                w.quiet_until,
                a.time_zone,
                w.letters_notified AS "letters_notified: bool",
                w.feed_hash IS NOT NULL AS "has_feed!: bool"
            FROM notification_preferences AS w
            JOIN accounts AS a ON a.id = w.account_id
            WHERE a.disabled_at IS NULL AND a.supplier_id IS NULL
            "#
                + $rest,
            $($argument),*
        )
    };
}

/// Lists everybody who wants to be told something.
pub async fn list_subscribers(conn: &mut MySqlConnection) -> DbResult<Vec<Subscriber>> {
    let rows = select_subscribers!("ORDER BY w.account_id").fetch_all(conn);
    Ok(rows.await?.into_iter().map(Subscriber::from).collect())
}

pub async fn find_subscriber(
    conn: &mut MySqlConnection,
    account: AccountId,
) -> DbResult<Option<Subscriber>> {
    let row = select_subscribers!("AND w.account_id = ?", account.0).fetch_optional(conn);
    Ok(row.await?.map(Subscriber::from))
}

/// Finds whose feed has an address with a secret, by the secret's SHA-256.
pub async fn find_by_feed(
    conn: &mut MySqlConnection,
    hash: &[u8; 32],
) -> DbResult<Option<Subscriber>> {
    let row = select_subscribers!("AND w.feed_hash = ?", hash.as_slice()).fetch_optional(conn);
    Ok(row.await?.map(Subscriber::from))
}

/// Finds somebody's preferences and keeps everybody else from dealing with them; `None` if somebody does.
pub async fn lock_subscriber(
    conn: &mut MySqlConnection,
    account: AccountId,
) -> DbResult<Option<Subscriber>> {
    let locked = sqlx::query_scalar!(
        "SELECT account_id FROM notification_preferences WHERE account_id = ? FOR UPDATE SKIP LOCKED",
        account.0
    );
    match locked.fetch_optional(&mut *conn).await? {
        Some(_) => find_subscriber(conn, account).await,
        None => Ok(None),
    }
}

/// Writes down what somebody wants.
pub async fn set_preferences(
    conn: &mut MySqlConnection,
    account: AccountId,
    preferences: &NotificationPreferences,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let (from, until) = preferences.quiet.unzip();
    sqlx::query!(
        r#"
        INSERT INTO notification_preferences (
            account_id, low, out_of_stock, out_at_supplier, recovered, letters_after_hours, stopped, by_mail,
            digest_at, quiet_from, quiet_until, updated_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON DUPLICATE KEY UPDATE
            letters_notified = IF(letters_after_hours <=> VALUES(letters_after_hours), letters_notified, FALSE),
            low = VALUES(low),
            out_of_stock = VALUES(out_of_stock),
            out_at_supplier = VALUES(out_at_supplier),
            recovered = VALUES(recovered),
            letters_after_hours = VALUES(letters_after_hours),
            stopped = VALUES(stopped),
            by_mail = VALUES(by_mail),
            digest_at = VALUES(digest_at),
            quiet_from = VALUES(quiet_from),
            quiet_until = VALUES(quiet_until),
            updated_at = VALUES(updated_at)
        "#,
        account.0,
        preferences.low,
        preferences.out,
        preferences.out_at_supplier,
        preferences.recovered,
        preferences.letters_after_hours,
        preferences.stopped,
        preferences.by_mail,
        preferences.digest_at.map(TimeOfDay::minutes),
        from.map(TimeOfDay::minutes),
        until.map(TimeOfDay::minutes),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives somebody's feed another address, or none. They must have preferences.
pub async fn set_feed(
    conn: &mut MySqlConnection,
    account: AccountId,
    hash: Option<&[u8; 32]>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE notification_preferences SET feed_hash = ? WHERE account_id = ?",
        hash.map(<[u8; 32]>::as_slice),
        account.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes whether somebody was told of the dead letters that wait.
pub async fn set_letters_notified(
    conn: &mut MySqlConnection,
    account: AccountId,
    told: bool,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE notification_preferences SET letters_notified = ? WHERE account_id = ?",
        told,
        account.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
