//! SQL for what is still to be announced to the topic of alerts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use super::outbox::written_at;
use super::rows::{code, datetime, json};
use crate::domain::{BeanId, NotificationKind, SupplierId};

/// Something that programs and people outside are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    pub kind: NotificationKind,
    /// What happened, up to 700 characters.
    pub sentence: String,
    /// The page about it.
    pub path: String,
    /// The bean it is about, and its supplier.
    pub bean: Option<(BeanId, SupplierId)>,
    /// When it happened.
    pub at: DateTime<Utc>,
}

#[derive(Serialize)]
struct NewRow<'a> {
    kind: &'static str,
    sentence: &'a str,
    path: &'a str,
    bean: Option<i64>,
    supplier: Option<i64>,
    #[serde(serialize_with = "datetime")]
    at: Option<DateTime<Utc>>,
}

/// Has something announced.
pub async fn insert_announcements(
    conn: &mut MySqlConnection,
    announcements: &[Announcement],
) -> DbResult<()> {
    if announcements.is_empty() {
        return Ok(());
    }
    let rows: Vec<NewRow<'_>> = announcements
        .iter()
        .map(|announcement| {
            let (bean, supplier) = announcement.bean.unzip();
            NewRow {
                kind: announcement.kind.code(),
                sentence: &announcement.sentence,
                path: &announcement.path,
                bean: bean.map(|id| id.0),
                supplier: supplier.map(|id| id.0),
                at: Some(announcement.at),
            }
        })
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO announcements (kind, sentence, path, bean_id, supplier_id, at)
        SELECT new.kind, new.sentence, new.path, new.bean, new.supplier, new.at
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            kind VARCHAR(16) PATH '$.kind',
            sentence VARCHAR(700) PATH '$.sentence',
            path VARCHAR(200) PATH '$.path',
            bean BIGINT PATH '$.bean',
            supplier BIGINT PATH '$.supplier',
            at DATETIME(6) PATH '$.at'
        )) AS new
        "#,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether anything waits to be announced. Locks nothing.
pub async fn is_any_waiting(conn: &mut MySqlConnection) -> DbResult<bool> {
    let any = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM announcements) AS "any!: bool""#);
    Ok(any.fetch_one(conn).await?)
}

/// Makes others wait who want to announce something, and tells when somebody last did.
pub async fn lock_last_digest(conn: &mut MySqlConnection) -> DbResult<Option<DateTime<Utc>>> {
    let made_at = sqlx::query_scalar!(
        r#"SELECT made_at AS "made_at: DateTime<Utc>" FROM digests WHERE id = 1 FOR UPDATE"#
    );
    Ok(made_at.fetch_one(conn).await?)
}

/// Notes that something is announced now.
pub async fn set_last_digest(conn: &mut MySqlConnection, at: DateTime<Utc>) -> DbResult<()> {
    sqlx::query!("UPDATE digests SET made_at = ? WHERE id = 1", at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes what waits to be announced, oldest first.
pub async fn take_announcements(conn: &mut MySqlConnection) -> DbResult<Vec<Announcement>> {
    let rows = sqlx::query!(
        r#"
        SELECT id, kind, sentence, path, bean_id, supplier_id, at AS "at: DateTime<Utc>"
        FROM announcements
        ORDER BY id
        FOR UPDATE
        "#
    );
    let rows = rows.fetch_all(&mut *conn).await?;
    // Those alone: one with a smaller number may be committed after these were read.
    let taken: Vec<i64> = rows.iter().map(|row| row.id).collect();
    sqlx::query!(
        r#"
        DELETE a
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS taken
        STRAIGHT_JOIN announcements AS a ON a.id = taken.id
        "#,
        json(&taken)
    )
    .execute(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let bean = row.bean_id.map(BeanId);
            Ok(Announcement {
                kind: code(
                    "announcements",
                    "kind",
                    &row.kind,
                    NotificationKind::from_code,
                )?,
                sentence: row.sentence,
                path: row.path,
                bean: bean.zip(row.supplier_id.map(SupplierId)),
                at: row.at,
            })
        })
        .collect()
}

/// Tells when the oldest alert happened that was not sent: waiting to be announced, in the outbox, or in a mail.
pub async fn find_oldest_unsent(conn: &mut MySqlConnection) -> DbResult<Option<DateTime<Utc>>> {
    let waiting = sqlx::query_scalar!(
        r#"
        SELECT MIN(at) AS "at: DateTime<Utc>"
        FROM (
            SELECT MIN(at) AS at FROM announcements
            UNION ALL
            SELECT MIN(created_at) AS at FROM mails WHERE due_at IS NOT NULL
        ) AS waiting
        "#
    );
    let waiting = waiting.fetch_one(&mut *conn).await?;
    let sending = sqlx::query_scalar!(
        r#"
        SELECT id AS "id: Uuid"
        FROM outbox_messages
        WHERE destination IN ('alerts', 'webhooks')
        ORDER BY id
        LIMIT 1
        "#
    );
    let sending = sending.fetch_optional(conn).await?;
    let sending = sending.and_then(written_at);
    Ok([waiting, sending].into_iter().flatten().min())
}
