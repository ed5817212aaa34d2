//! SQL for mail to suppliers about updates that need their attention.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use crate::domain::{AccountId, SupplierId, UpdateId};

/// An update that needs its supplier's attention.
#[derive(Debug, Clone)]
pub struct NeedingUpdate {
    pub id: UpdateId,
    /// The bean it names.
    pub bean_type: Option<String>,
    /// Why it was not applied, in a sentence.
    pub explanation: String,
}

impl NeedingUpdate {
    /// What a list calls it.
    pub fn name(&self) -> &str {
        self.bean_type.as_deref().unwrap_or("An update")
    }
}

/// Whether somebody gets such mail.
pub async fn wants_mail(conn: &mut MySqlConnection, account: AccountId) -> DbResult<bool> {
    let wants = sqlx::query_scalar!(
        r#"SELECT needs_mailed_until IS NOT NULL AS "wants!: bool" FROM accounts WHERE id = ?"#,
        account.0
    );
    Ok(wants.fetch_one(conn).await?)
}

/// Sets since when somebody gets such mail; `None` for no mail.
pub async fn set_mailed_until(
    conn: &mut MySqlConnection,
    account: AccountId,
    until: Option<DateTime<Utc>>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE accounts SET needs_mailed_until = ? WHERE id = ?",
        until,
        account.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists those for whom there is something new up to a moment.
pub async fn list_due(
    conn: &mut MySqlConnection,
    until: DateTime<Utc>,
) -> DbResult<Vec<AccountId>> {
    let accounts = sqlx::query_scalar!(
        r#"
        SELECT a.id
        FROM accounts AS a
        WHERE a.needs_mailed_until IS NOT NULL
            AND a.disabled_at IS NULL
            AND EXISTS (
                SELECT 1
                FROM dead_letters AS d
                WHERE d.state = 'open'
                    AND d.collected_at > a.needs_mailed_until
                    AND d.collected_at <= ?
                    AND d.supplier_id = a.supplier_id
            )
        ORDER BY a.id
        "#,
        until
    );
    let accounts = accounts.fetch_all(conn).await?;
    Ok(accounts.into_iter().map(AccountId).collect())
}

/// Locks somebody who gets such mail: of which supplier, and until when they were told. `None` if somebody else has.
pub async fn lock_reader(
    conn: &mut MySqlConnection,
    account: AccountId,
) -> DbResult<Option<(SupplierId, DateTime<Utc>)>> {
    let row = sqlx::query!(
        r#"
        SELECT supplier_id AS "supplier_id!", needs_mailed_until AS "until!: DateTime<Utc>"
        FROM accounts
        WHERE id = ? AND needs_mailed_until IS NOT NULL AND supplier_id IS NOT NULL AND disabled_at IS NULL
        FOR UPDATE SKIP LOCKED
        "#,
        account.0
    );
    let row = row.fetch_optional(conn).await?;
    Ok(row.map(|row| (SupplierId(row.supplier_id), row.until)))
}

/// Lists a supplier's updates that were given up between two moments and still need attention, oldest first.
pub async fn list_needing(
    conn: &mut MySqlConnection,
    supplier: SupplierId,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
) -> DbResult<Vec<NeedingUpdate>> {
    let rows = sqlx::query!(
        r#"
        SELECT u.id AS "id!: Uuid", u.bean_type, d.explanation AS "explanation!"
        FROM dead_letters AS d
        JOIN inventory_updates AS u ON u.id = d.update_id
        WHERE d.state = 'open'
            AND d.collected_at > ?
            AND d.collected_at <= ?
            AND d.supplier_id = ?
            AND u.supplier_id = d.supplier_id
        ORDER BY d.collected_at, d.id
        "#,
        after,
        until,
        supplier.0
    );
    let rows = rows.fetch_all(conn).await?;
    let updates = rows.into_iter().map(|row| NeedingUpdate {
        id: UpdateId(row.id),
        bean_type: row.bean_type,
        explanation: row.explanation,
    });
    Ok(updates.collect())
}
