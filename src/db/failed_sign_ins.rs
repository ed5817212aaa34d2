//! SQL for attempts to sign in: how many failed lately, for whom and from where.

use sqlx::MySqlConnection;

use super::DbResult;
use super::sessions::TokenHash;
use crate::domain::AccountId;

/// The minutes that count against somebody.
const WINDOW_IN_MINUTES: i64 = 15;

/// How many attempts failed within [`WINDOW_IN_MINUTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// For this account: in browsers its owner is known in if that is asked, otherwise everywhere else.
    pub account: i64,
    /// From this address, for whatever account.
    pub origin: i64,
}

/// Counts an attempt until it turns out to be right.
pub async fn count_attempt(
    conn: &mut MySqlConnection,
    account: &[u8; 32],
    origin: &str,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO failed_sign_ins (account, origin, minute, attempts)
        VALUES (?, ?, DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:%i:00'), 1)
        ON DUPLICATE KEY UPDATE attempts = attempts + 1
        "#,
        account.as_slice(),
        origin
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes back one attempt that nobody looked at.
pub async fn take_back(
    conn: &mut MySqlConnection,
    account: &[u8; 32],
    origin: &str,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE failed_sign_ins
        SET attempts = attempts - 1
        WHERE account = ? AND origin = ? AND attempts > 0
        ORDER BY minute DESC
        LIMIT 1
        "#,
        account.as_slice(),
        origin
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts what failed lately.
pub async fn count_failures(
    conn: &mut MySqlConnection,
    account: &[u8; 32],
    origin: &str,
    known: &str,
) -> DbResult<Failures> {
    let row = sqlx::query!(
        r#"
        SELECT
            (
                SELECT CAST(COALESCE(SUM(attempts), 0) AS SIGNED)
                FROM failed_sign_ins
                WHERE account = ? AND (origin = ?) = (? = ?)
                    AND minute > UTC_TIMESTAMP() - INTERVAL ? MINUTE
            ) AS "account!: i64",
            (
                SELECT CAST(COALESCE(SUM(attempts), 0) AS SIGNED)
                FROM failed_sign_ins
                WHERE origin = ? AND minute > UTC_TIMESTAMP() - INTERVAL ? MINUTE
            ) AS "origin!: i64"
        "#,
        account.as_slice(),
        known,
        origin,
        known,
        WINDOW_IN_MINUTES,
        origin,
        WINDOW_IN_MINUTES
    )
    .fetch_one(conn)
    .await?;
    Ok(Failures {
        account: row.account,
        origin: row.origin,
    })
}

/// Forgets what failed from a place before its owner got in.
pub async fn forgive(conn: &mut MySqlConnection, account: &[u8; 32], origin: &str) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM failed_sign_ins WHERE account = ? AND origin = ?",
        account.as_slice(),
        origin
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what is too old to matter.
pub async fn forget_old(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!(
        r#"
        DELETE FROM failed_sign_ins
        WHERE minute < UTC_TIMESTAMP() - INTERVAL 1 DAY
        ORDER BY minute
        LIMIT 1000
        "#
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Says whether a browser is one in which the owner of an account has signed in before.
pub async fn is_known_browser(
    conn: &mut MySqlConnection,
    token: &TokenHash,
    account: AccountId,
) -> DbResult<bool> {
    let found = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT 1 FROM known_browsers WHERE token_hash = ? AND account_id = ?
        ) AS "found!: bool"
        "#,
        token.as_slice(),
        account.0
    );
    Ok(found.fetch_one(conn).await?)
}

/// Remembers a browser in which the owner of an account has signed in.
pub async fn remember_browser(
    conn: &mut MySqlConnection,
    token: &TokenHash,
    account: AccountId,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO known_browsers (token_hash, account_id, last_seen_at)
        VALUES (?, ?, UTC_TIMESTAMP(6))
        ON DUPLICATE KEY UPDATE account_id = VALUES(account_id), last_seen_at = VALUES(last_seen_at)
        "#,
        token.as_slice(),
        account.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        DELETE FROM known_browsers
        WHERE last_seen_at < UTC_TIMESTAMP(6) - INTERVAL 1 YEAR
        ORDER BY last_seen_at
        LIMIT 100
        "#
    )
    .execute(conn)
    .await?;
    Ok(())
}
