//! SQL for the links with which somebody chooses a password, once.

use std::time::Duration;

use sqlx::MySqlConnection;

use super::DbResult;
use super::sessions::TokenHash;
use crate::domain::AccountId;

/// Makes a link the one of its account.
pub async fn put_link(
    conn: &mut MySqlConnection,
    account: AccountId,
    token: &TokenHash,
    lasts: Duration,
) -> DbResult<()> {
    delete_link(conn, account).await?;
    sqlx::query!(
        r#"
        INSERT INTO account_links (account_id, token_hash, created_at, expires_at)
        VALUES (?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL ? SECOND)
        "#,
        account.0,
        token.as_slice(),
        lasts.as_secs()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The one query behind [`find_link`] and [`lock_link`].
macro_rules! select_owner {
    ($conn:expr, $token:expr, $lock:tt) => {{
        let id = sqlx::query_scalar!(
            r#"
            SELECT l.account_id
            FROM account_links AS l
            JOIN accounts AS a ON a.id = l.account_id
            WHERE l.token_hash = ?
                AND l.expires_at > UTC_TIMESTAMP(6)
                AND a.disabled_at IS NULL
                AND NOT EXISTS (
                    SELECT 1 FROM suppliers
                    WHERE id = a.supplier_id AND removed_at IS NOT NULL
                )
            "# + $lock,
            $token.as_slice()
        );
        Ok(id.fetch_optional($conn).await?.map(AccountId))
    }};
}

/// Finds whose link this is, if it has not expired and its owner may sign in.
pub async fn find_link(
    conn: &mut MySqlConnection,
    token: &TokenHash,
) -> DbResult<Option<AccountId>> {
    select_owner!(conn, token, "")
}

/// The same, and locks the link and the account.
pub async fn lock_link(
    conn: &mut MySqlConnection,
    token: &TokenHash,
) -> DbResult<Option<AccountId>> {
    select_owner!(conn, token, "FOR UPDATE")
}

/// Takes an account's link away.
pub async fn delete_link(conn: &mut MySqlConnection, account: AccountId) -> DbResult<()> {
    sqlx::query!("DELETE FROM account_links WHERE account_id = ?", account.0)
        .execute(conn)
        .await?;
    Ok(())
}
