//! SQL for what people are told, and for what is still to be told.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::{code, json};
use crate::domain::{AccountId, AlertKind, BeanId, NotificationKind, SupplierId};

/// An alert of which something is to be told.
#[derive(Debug, Clone)]
pub struct UnnotifiedAlert {
    pub id: i64,
    pub bean: BeanId,
    pub supplier: SupplierId,
    pub product_name: String,
    pub supplier_name: String,
    pub kind: AlertKind,
    /// The bags there were when it began, and there are now.
    pub quantity: i64,
    pub quantity_now: i64,
    /// Where its line was when it began, in bags.
    pub alert_at: Option<i64>,
    pub began_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub muted_until: Option<DateTime<Utc>>,
    /// Whether its beginning is to be told, and its end.
    pub tells_begin: bool,
    pub tells_end: bool,
}

/// Takes alerts of which something is to be told; those that somebody else has taken are left out.
pub async fn take_unnotified(
    conn: &mut MySqlConnection,
    limit: i64,
) -> DbResult<Vec<UnnotifiedAlert>> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT id
        FROM alerts FORCE INDEX (idx_alerts_unnotified)
        WHERE unnotified > 0
        LIMIT ?
        FOR UPDATE SKIP LOCKED
        "#,
        limit
    );
    let ids: Vec<i64> = ids.fetch_all(&mut *conn).await?;
    list_unnotified(conn, &ids).await
}

/// Takes the alerts of one kind about a bean of which something is to be told.
pub async fn take_unnotified_of(
    conn: &mut MySqlConnection,
    bean: BeanId,
    kind: AlertKind,
) -> DbResult<Vec<UnnotifiedAlert>> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT id
        FROM alerts FORCE INDEX (uq_alerts_bean_id_kind_going)
        WHERE bean_id = ? AND kind = ? AND unnotified > 0
        FOR UPDATE SKIP LOCKED
        "#,
        bean.0,
        kind.code()
    );
    let ids: Vec<i64> = ids.fetch_all(&mut *conn).await?;
    list_unnotified(conn, &ids).await
}

async fn list_unnotified(
    conn: &mut MySqlConnection,
    ids: &[i64],
) -> DbResult<Vec<UnnotifiedAlert>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"
        SELECT
            l.id AS "id!",
            l.bean_id AS "bean_id!",
            b.supplier_id AS "supplier_id!",
            b.product_name AS "product_name!",
            s.name AS "supplier_name!",
            l.kind AS "kind!",
            l.quantity AS "quantity!",
            b.quantity AS "quantity_now!",
            l.alert_at,
            l.began_at AS "began_at!: DateTime<Utc>",
            l.ended_at AS "ended_at: DateTime<Utc>",
            l.muted_until AS "muted_until: DateTime<Utc>",
            l.unnotified AS "unnotified!: i8"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS taken
        STRAIGHT_JOIN alerts AS l ON l.id = taken.id
        STRAIGHT_JOIN beans AS b ON b.id = l.bean_id
        STRAIGHT_JOIN suppliers AS s ON s.id = b.supplier_id
        ORDER BY l.id
        "#,
        json(&ids)
    );
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter()
        .map(|row| {
            Ok(UnnotifiedAlert {
                id: row.id,
                bean: BeanId(row.bean_id),
                supplier: SupplierId(row.supplier_id),
                product_name: row.product_name,
                supplier_name: row.supplier_name,
                kind: code("alerts", "kind", &row.kind, AlertKind::from_code)?,
                quantity: row.quantity,
                quantity_now: row.quantity_now,
                alert_at: row.alert_at,
                began_at: row.began_at,
                ended_at: row.ended_at,
                muted_until: row.muted_until,
                tells_begin: row.unnotified & 1 != 0,
                tells_end: row.unnotified & 2 != 0,
            })
        })
        .collect()
}

/// Notes that all of these alerts was told.
pub async fn set_told(conn: &mut MySqlConnection, alerts: &[i64]) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE alerts AS l
        JOIN JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS told ON told.id = l.id
        SET l.unnotified = NULL
        "#,
        json(&alerts)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Something that somebody is told.
#[derive(Debug, Clone)]
pub struct Notification {
    pub account: AccountId,
    pub kind: NotificationKind,
    /// What happened, up to 700 characters.
    pub sentence: String,
    /// The page about it.
    pub path: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Whether the next mail to them carries it.
    pub by_mail: bool,
}

#[derive(Serialize)]
struct NewRow<'a> {
    account: i64,
    kind: &'static str,
    sentence: &'a str,
    path: &'a str,
    at: String,
    waiting: Option<i8>,
}

/// Tells people.
pub async fn insert_notifications(
    conn: &mut MySqlConnection,
    notifications: &[Notification],
) -> DbResult<()> {
    if notifications.is_empty() {
        return Ok(());
    }
    let rows: Vec<NewRow<'_>> = notifications
        .iter()
        .map(|notification| NewRow {
            account: notification.account.0,
            kind: notification.kind.code(),
            sentence: &notification.sentence,
            path: &notification.path,
            at: notification.at.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
            waiting: notification.by_mail.then_some(1),
        })
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO notifications (account_id, kind, sentence, path, at, waiting)
        SELECT new.account, new.kind, new.sentence, new.path, new.at, new.waiting
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            account BIGINT PATH '$.account',
            kind VARCHAR(16) PATH '$.kind',
            sentence VARCHAR(700) PATH '$.sentence',
            path VARCHAR(200) PATH '$.path',
            at DATETIME(6) PATH '$.at',
            waiting TINYINT PATH '$.waiting'
        )) AS new
        "#,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// For whom something waits for a mail, and since when; the longest first.
pub async fn list_waiting(conn: &mut MySqlConnection) -> DbResult<Vec<(AccountId, DateTime<Utc>)>> {
    let rows = sqlx::query!(
        r#"
        SELECT account_id, MIN(at) AS "since!: DateTime<Utc>"
        FROM notifications
        WHERE waiting = 1
        GROUP BY account_id
        ORDER BY 2
        "#
    );
    let rows = rows.fetch_all(conn).await?;
    let waiting = rows
        .into_iter()
        .map(|row| (AccountId(row.account_id), row.since));
    Ok(waiting.collect())
}

/// A line of what somebody was told.
#[derive(Debug, Clone)]
pub struct NotificationLine {
    pub id: i64,
    pub sentence: String,
    pub path: String,
    pub at: DateTime<Utc>,
}

/// Whether something waits for somebody's next mail.
pub async fn is_waiting(conn: &mut MySqlConnection, account: AccountId) -> DbResult<bool> {
    let waiting = sqlx::query_scalar!(
        r#"SELECT 1 AS "waiting!: i64" FROM notifications WHERE waiting = 1 AND account_id = ? LIMIT 1"#,
        account.0
    );
    Ok(waiting.fetch_optional(conn).await?.is_some())
}

/// Notes that a mail carries all that waits for somebody.
pub async fn set_mailed(conn: &mut MySqlConnection, account: AccountId, mail: i64) -> DbResult<()> {
    sqlx::query!(
        "UPDATE notifications SET waiting = NULL, mail_id = ? WHERE waiting = 1 AND account_id = ?",
        mail,
        account.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists what a mail carries, in the order it happened; at most so many, and how many there are.
pub async fn list_of_mail(
    conn: &mut MySqlConnection,
    mail: i64,
    most: i64,
) -> DbResult<(Vec<NotificationLine>, i64)> {
    let number = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "number!: i64" FROM notifications WHERE mail_id = ?"#,
        mail
    );
    let number = number.fetch_one(&mut *conn).await?;
    let lines = sqlx::query_as!(
        NotificationLine,
        r#"
        SELECT id, sentence, path, at AS "at: DateTime<Utc>"
        FROM notifications
        WHERE mail_id = ?
        ORDER BY id
        LIMIT ?
        "#,
        mail,
        most
    );
    Ok((lines.fetch_all(conn).await?, number))
}

/// Has nothing wait for somebody's next mail any more.
pub async fn forget_waiting(conn: &mut MySqlConnection, account: AccountId) -> DbResult<()> {
    sqlx::query!(
        "UPDATE notifications SET waiting = NULL WHERE waiting = 1 AND account_id = ?",
        account.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists what somebody was told last, the newest first.
pub async fn list_newest(
    conn: &mut MySqlConnection,
    account: AccountId,
    limit: i64,
) -> DbResult<Vec<NotificationLine>> {
    let lines = sqlx::query_as!(
        NotificationLine,
        r#"
        SELECT id, sentence, path, at AS "at: DateTime<Utc>"
        FROM notifications
        WHERE account_id = ?
        ORDER BY id DESC
        LIMIT ?
        "#,
        account.0,
        limit
    );
    Ok(lines.fetch_all(conn).await?)
}

/// Whether no consumer runs, as far as that was told.
#[derive(Debug, Clone, Copy)]
pub struct Stopped {
    /// Since when it is known; `None` if one ran.
    pub since: Option<DateTime<Utc>>,
    /// When one was last seen to run.
    pub ran_at: Option<DateTime<Utc>>,
}

/// Finds whether it was told that no consumer runs, and keeps everybody else from settling it; `None` if somebody
/// else is about to.
pub async fn lock_stopped(conn: &mut MySqlConnection) -> DbResult<Option<Stopped>> {
    let stopped = sqlx::query_as!(
        Stopped,
        r#"
        SELECT since AS "since: DateTime<Utc>", good_at AS "ran_at: DateTime<Utc>"
        FROM watched_conditions
        WHERE code = 'stopped'
        FOR UPDATE SKIP LOCKED
        "#
    );
    Ok(stopped.fetch_optional(conn).await?)
}

/// Notes whether no consumer runs.
pub async fn set_stopped(conn: &mut MySqlConnection, stopped: Stopped) -> DbResult<()> {
    sqlx::query!(
        "UPDATE watched_conditions SET since = ?, good_at = ? WHERE code = 'stopped'",
        stopped.since,
        stopped.ran_at
    )
    .execute(conn)
    .await?;
    Ok(())
}
