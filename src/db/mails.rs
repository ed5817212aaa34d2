//! SQL for e-mail to people.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use crate::domain::{AccountId, SupplierId};

/// What a mail says.
#[derive(Debug, Clone)]
pub struct MailText<'a> {
    /// Up to 300 characters.
    pub subject: &'a str,
    pub text: &'a str,
    pub html: &'a str,
}

/// Adds a mail that says nothing yet, due at once; gives its number.
pub async fn insert_mail(
    conn: &mut MySqlConnection,
    account: AccountId,
    supplier: Option<SupplierId>,
    now: DateTime<Utc>,
) -> DbResult<i64> {
    let inserted = sqlx::query!(
        r#"
        INSERT INTO mails (account_id, supplier_id, subject, text_body, html_body, created_at, due_at)
        VALUES (?, ?, '', '', '', ?, ?)
        "#,
        account.0,
        supplier.map(|id| id.0),
        now,
        now
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(inserted.last_insert_id()).unwrap_or(i64::MAX))
}

/// Sets what a mail says.
pub async fn set_text(conn: &mut MySqlConnection, mail: i64, text: &MailText<'_>) -> DbResult<()> {
    sqlx::query!(
        "UPDATE mails SET subject = ?, text_body = ?, html_body = ? WHERE id = ?",
        text.subject,
        text.text,
        text.html,
        mail
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts the mails that were written to somebody since a moment.
pub async fn count_mails_since(
    conn: &mut MySqlConnection,
    account: AccountId,
    since: DateTime<Utc>,
) -> DbResult<i64> {
    let number = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "number!: i64" FROM mails WHERE account_id = ? AND created_at > ?"#,
        account.0,
        since
    );
    Ok(number.fetch_one(conn).await?)
}

/// A mail that is to be sent.
#[derive(Debug, Clone)]
pub struct DueMail {
    pub id: i64,
    /// The address and the name of its reader.
    pub to: String,
    pub name: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub created_at: DateTime<Utc>,
    /// How often it was tried, this time included.
    pub attempts: i32,
    /// Whether its reader may no longer sign in for the café, or for the supplier whose updates it is about.
    pub is_reader_gone: bool,
}

/// Takes a mail that is due, so that nobody else sends it until a moment.
pub async fn take_due(
    conn: &mut MySqlConnection,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> DbResult<Option<DueMail>> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM mails WHERE due_at <= ? ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED",
        now
    );
    let Some(id) = id.fetch_optional(&mut *conn).await? else {
        return Ok(None);
    };
    sqlx::query!(
        "UPDATE mails SET due_at = ?, attempts = attempts + 1 WHERE id = ?",
        until,
        id
    )
    .execute(&mut *conn)
    .await?;
    let mail = sqlx::query_as!(
        DueMail,
        r#"
        SELECT
            m.id,
            a.email AS "to",
            a.name,
            m.subject,
            m.text_body AS text,
            m.html_body AS html,
            m.created_at AS "created_at: DateTime<Utc>",
            m.attempts,
            (a.disabled_at IS NOT NULL OR NOT (a.supplier_id <=> m.supplier_id)) AS "is_reader_gone!: bool"
        FROM mails AS m
        JOIN accounts AS a ON a.id = m.account_id
        WHERE m.id = ?
        "#,
        id
    );
    Ok(mail.fetch_optional(conn).await?)
}

/// What became of an attempt to send a mail.
#[derive(Debug, Clone)]
pub enum Attempted {
    Sent,
    /// It is tried again at a moment.
    Again(DateTime<Utc>, String),
    /// It never will be.
    GivenUp(String),
}

/// Notes what became of it, unless somebody else has tried it since.
pub async fn set_attempted(
    conn: &mut MySqlConnection,
    mail: &DueMail,
    attempted: &Attempted,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let (sent, failed, due, error) = match attempted {
        Attempted::Sent => (Some(now), None, None, None),
        Attempted::Again(due, error) => (None, None, Some(*due), Some(error)),
        Attempted::GivenUp(error) => (None, Some(now), None, Some(error)),
    };
    sqlx::query!(
        r#"
        UPDATE mails
        SET sent_at = ?, failed_at = ?, due_at = ?, error = LEFT(?, 500)
        WHERE id = ? AND attempts = ? AND sent_at IS NULL
        "#,
        sent,
        failed,
        due,
        error,
        mail.id,
        mail.attempts
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A mail as lists show it.
#[derive(Debug, Clone)]
pub struct MailLine {
    pub id: i64,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub failed_at: Option<DateTime<Utc>>,
    /// Of the last attempt that failed.
    pub error: Option<String>,
}

macro_rules! select_mails {
    ($rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            MailLine,
            r#"
            SELECT
                m.id,
                a.email AS "to",
                m.subject,
                m.text_body AS text,
                m.created_at AS "created_at: DateTime<Utc>",
                m.sent_at AS "sent_at: DateTime<Utc>",
                m.failed_at AS "failed_at: DateTime<Utc>",
                m.error
            FROM mails AS m
            JOIN accounts AS a ON a.id = m.account_id
            "#
                + $rest,
            $($argument),+
        )
    };
}

/// Lists the newest mails, the newest first.
pub async fn list_mails(conn: &mut MySqlConnection, limit: i64) -> DbResult<Vec<MailLine>> {
    let mails = select_mails!("ORDER BY m.id DESC LIMIT ?", limit);
    Ok(mails.fetch_all(conn).await?)
}

/// Lists the newest mails to somebody, the newest first.
pub async fn list_mails_to(
    conn: &mut MySqlConnection,
    account: AccountId,
    limit: i64,
) -> DbResult<Vec<MailLine>> {
    let mails = select_mails!(
        "WHERE m.account_id = ? ORDER BY m.created_at DESC, m.id DESC LIMIT ?",
        account.0,
        limit
    );
    Ok(mails.fetch_all(conn).await?)
}

/// Whether mails to somebody failed and they have not seen it yet.
pub async fn has_unseen_failures(conn: &mut MySqlConnection, account: AccountId) -> DbResult<bool> {
    let failed = sqlx::query_scalar!(
        r#"
        SELECT 1 AS "failed!: i64"
        FROM mails
        WHERE account_id = ? AND failed_at IS NOT NULL AND acknowledged_at IS NULL
        LIMIT 1
        "#,
        account.0
    );
    Ok(failed.fetch_optional(conn).await?.is_some())
}

/// Finds how a mail looks.
pub async fn find_html(conn: &mut MySqlConnection, mail: i64) -> DbResult<Option<String>> {
    let html = sqlx::query_scalar!("SELECT html_body FROM mails WHERE id = ?", mail);
    Ok(html.fetch_optional(conn).await?)
}

/// Notes that somebody has seen that mails to them failed.
pub async fn acknowledge_failures(
    conn: &mut MySqlConnection,
    account: AccountId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE mails
        SET acknowledged_at = ?
        WHERE account_id = ? AND failed_at IS NOT NULL AND acknowledged_at IS NULL
        "#,
        now,
        account.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets mails from before a moment, with what they told; up to 10,000 notifications at a time.
pub async fn forget_mails(conn: &mut MySqlConnection, before: DateTime<Utc>) -> DbResult<()> {
    sqlx::query!("DELETE FROM notifications WHERE at < ? LIMIT 10000", before)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        r#"
        DELETE FROM mails
        WHERE created_at < ? AND NOT EXISTS (SELECT 1 FROM notifications AS n WHERE n.mail_id = mails.id)
        "#,
        before
    )
    .execute(conn)
    .await?;
    Ok(())
}
