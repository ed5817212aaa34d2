//! SQL for sessions: who is signed in where.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use super::accounts::{Preferences, role};
use crate::domain::{AccountId, Role};

/// The hash by which a secret token is known. Whoever reads it in the database cannot use it.
pub type TokenHash = [u8; 32];

/// How long a session lasts.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// Without a request.
    pub idle: Duration,
    /// In all.
    pub absolute: Duration,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session's number, for its owner's list.
    pub session: i64,
    pub account: AccountId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub preferences: Preferences,
    /// Whether the session was last noted as used more than a minute ago.
    pub is_stale: bool,
}

/// A session as its owner sees it.
#[derive(Debug, Clone)]
pub struct SessionLine {
    pub id: i64,
    /// The network address where it began.
    pub address: String,
    /// How the browser called itself.
    pub browser: String,
    pub created_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
}

/// Begins a session.
pub async fn insert_session(
    conn: &mut MySqlConnection,
    token: &TokenHash,
    account: AccountId,
    address: &str,
    browser: &str,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO sessions (token_hash, account_id, address, browser, created_at, last_seen_at)
        VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
        "#,
        token.as_slice(),
        account.0,
        address,
        browser
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Finds who is signed in with a token: neither disabled, nor silent or signed in for too long.
pub async fn find_session(
    conn: &mut MySqlConnection,
    token: &TokenHash,
    limits: SessionLimits,
) -> DbResult<Option<SignedIn>> {
    let row = sqlx::query!(
        r#"
        SELECT
            s.id AS session,
            a.id AS account,
            a.email,
            a.name,
            a.role,
            a.supplier_id,
            a.time_zone,
            a.color_scheme,
            s.last_seen_at < UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE AS "is_stale!: bool"
        FROM sessions AS s
        JOIN accounts AS a ON a.id = s.account_id
        LEFT JOIN suppliers AS bound ON bound.id = a.supplier_id
        WHERE s.token_hash = ?
            AND s.last_seen_at > UTC_TIMESTAMP(6) - INTERVAL ? SECOND
            AND s.created_at > UTC_TIMESTAMP(6) - INTERVAL ? SECOND
            AND a.disabled_at IS NULL
            AND bound.removed_at IS NULL
        "#,
        token.as_slice(),
        limits.idle.as_secs(),
        limits.absolute.as_secs()
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(SignedIn {
        session: row.session,
        account: AccountId(row.account),
        email: row.email,
        name: row.name,
        role: role(&row.role, row.supplier_id)?,
        preferences: Preferences {
            time_zone: row.time_zone,
            color_scheme: row.color_scheme,
        },
        is_stale: row.is_stale,
    }))
}

/// Notes that a session is in use.
pub async fn touch_session(conn: &mut MySqlConnection, session: i64) -> DbResult<()> {
    sqlx::query!(
        "UPDATE sessions SET last_seen_at = UTC_TIMESTAMP(6) WHERE id = ?",
        session
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists the sessions of an account that last, the newest first.
pub async fn list_sessions(
    conn: &mut MySqlConnection,
    account: AccountId,
    limits: SessionLimits,
) -> DbResult<Vec<SessionLine>> {
    let rows = sqlx::query_as!(
        SessionLine,
        r#"
        SELECT
            id,
            address,
            browser,
            created_at AS "created_at: DateTime<Utc>",
            last_seen_at AS "last_seen_at: DateTime<Utc>"
        FROM sessions
        WHERE account_id = ?
            AND last_seen_at > UTC_TIMESTAMP(6) - INTERVAL ? SECOND
            AND created_at > UTC_TIMESTAMP(6) - INTERVAL ? SECOND
        ORDER BY last_seen_at DESC, id DESC
        "#,
        account.0,
        limits.idle.as_secs(),
        limits.absolute.as_secs()
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Ends one session of an account; says whether there was one.
pub async fn delete_session(
    conn: &mut MySqlConnection,
    account: AccountId,
    session: i64,
) -> DbResult<bool> {
    let ended = sqlx::query!(
        "DELETE FROM sessions WHERE id = ? AND account_id = ?",
        session,
        account.0
    );
    Ok(ended.execute(conn).await?.rows_affected() > 0)
}

/// Ends all sessions of an account but one.
pub async fn delete_sessions_of(
    conn: &mut MySqlConnection,
    account: AccountId,
    but: Option<i64>,
) -> DbResult<u64> {
    let ended = sqlx::query!(
        "DELETE FROM sessions WHERE account_id = ? AND id <> ?",
        account.0,
        but.unwrap_or(0)
    );
    Ok(ended.execute(conn).await?.rows_affected())
}

/// Forgets sessions that nobody can use any more.
pub async fn forget_ended(conn: &mut MySqlConnection, limits: SessionLimits) -> DbResult<()> {
    sqlx::query!(
        r#"
        DELETE FROM sessions
        WHERE last_seen_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND
        ORDER BY last_seen_at
        LIMIT 100
        "#,
        limits.idle.as_secs()
    )
    .execute(conn)
    .await?;
    Ok(())
}
