//! SQL for slips: what somebody sent at once.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::{DbError, DbResult};
use crate::domain::{AccountId, SlipNumber, SupplierId};

/// A slip to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewSlip<'a> {
    pub number: SlipNumber,
    pub supplier: SupplierId,
    pub sender: AccountId,
    /// SHA-256 of whose form it was and which.
    pub form_key: &'a [u8; 32],
    /// SHA-256 of what was typed into it.
    pub content_hash: &'a [u8; 32],
}

/// Adds a slip and gives its id. A unique violation means that its form was sent twice at once, or that
/// its number is taken.
pub async fn insert_slip(
    conn: &mut MySqlConnection,
    slip: &NewSlip<'_>,
    now: DateTime<Utc>,
) -> DbResult<i64> {
    let inserted = sqlx::query!(
        r#"
        INSERT INTO slips (number, supplier_id, account_id, form_key, content_hash, created_at)
        VALUES (?, ?, ?, ?, ?, ?)
        "#,
        slip.number.characters(),
        slip.supplier.0,
        slip.sender.0,
        slip.form_key.as_slice(),
        slip.content_hash.as_slice(),
        now
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(inserted.last_insert_id()).unwrap_or(i64::MAX))
}

/// The slip that a form has become.
#[derive(Debug, Clone)]
pub struct SentForm {
    pub number: SlipNumber,
    /// SHA-256 of what was typed into it.
    pub content_hash: Vec<u8>,
}

/// Finds what a form has become, if it was sent before.
pub async fn find_sent_form(
    conn: &mut MySqlConnection,
    form_key: &[u8; 32],
) -> DbResult<Option<SentForm>> {
    let row = sqlx::query!(
        "SELECT number, content_hash FROM slips WHERE form_key = ?",
        form_key.as_slice()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(SentForm {
            number: number(&row.number)?,
            content_hash: row.content_hash,
        })
    })
    .transpose()
}

/// A slip as its page shows it.
#[derive(Debug, Clone)]
pub struct SlipLine {
    pub id: i64,
    pub number: SlipNumber,
    pub supplier: SupplierId,
    /// That supplier's name, if it is still on the list.
    pub supplier_name: Option<String>,
    /// Who sent it, by name.
    pub sender: String,
    pub created_at: DateTime<Utc>,
}

pub async fn find_slip(
    conn: &mut MySqlConnection,
    wanted: SlipNumber,
) -> DbResult<Option<SlipLine>> {
    let row = sqlx::query!(
        r#"
        SELECT
            l.id,
            l.number,
            l.supplier_id,
            s.name AS "supplier_name?",
            a.name AS sender,
            l.created_at AS "created_at: DateTime<Utc>"
        FROM slips AS l
        JOIN accounts AS a ON a.id = l.account_id
        LEFT JOIN suppliers AS s ON s.id = l.supplier_id
        WHERE l.number = ?
        "#,
        wanted.characters()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(SlipLine {
            id: row.id,
            number: number(&row.number)?,
            supplier: SupplierId(row.supplier_id),
            supplier_name: row.supplier_name,
            sender: row.sender,
            created_at: row.created_at,
        })
    })
    .transpose()
}

/// Reads a number as it is stored.
pub(super) fn number(stored: &str) -> DbResult<SlipNumber> {
    SlipNumber::stored(stored.as_bytes()).ok_or(DbError::Corrupt {
        table: "slips",
        column: "number",
    })
}
