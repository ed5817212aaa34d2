//! SQL for prices and alert lines that were changed for several beans at once.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::MySqlConnection;

use super::DbResult;
use crate::domain::{AccountId, BeanId, BeanTerms, Price};

/// One edit of several beans.
#[derive(Debug, Clone)]
pub struct BulkEdit {
    pub id: i64,
    /// By whom, by name.
    pub edited_by: String,
    pub edited_at: DateTime<Utc>,
    /// Who took it back, by name.
    pub undone_by: Option<String>,
    pub undone_at: Option<DateTime<Utc>>,
}

/// What an edit did to one bean.
#[derive(Debug, Clone)]
pub struct BulkEditLine {
    pub bean: BeanId,
    pub product_name: String,
    pub supplier_name: String,
    pub before: BeanTerms,
    pub after: BeanTerms,
    /// How it stands now; none if the bean was removed.
    pub now: Option<BeanTerms>,
}

/// Notes that somebody changes several beans.
pub async fn insert_edit(
    conn: &mut MySqlConnection,
    by: AccountId,
    now: DateTime<Utc>,
) -> DbResult<i64> {
    let inserted = sqlx::query!(
        "INSERT INTO bulk_edits (edited_by, edited_at) VALUES (?, ?)",
        by.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(inserted.last_insert_id()).unwrap_or(i64::MAX))
}

/// Notes what an edit does to one bean.
pub async fn insert_line(
    conn: &mut MySqlConnection,
    edit: i64,
    bean: BeanId,
    before: BeanTerms,
    after: BeanTerms,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO bulk_edit_lines (edit_id, bean_id, price_before, price_after, alert_at_before, alert_at_after)
        VALUES (?, ?, ?, ?, ?, ?)
        "#,
        edit,
        bean.0,
        before.price.amount(),
        after.price.amount(),
        before.alert_at,
        after.alert_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn find_edit(conn: &mut MySqlConnection, id: i64) -> DbResult<Option<BulkEdit>> {
    let row = sqlx::query_as!(
        BulkEdit,
        r#"
        SELECT
            e.id,
            a.name AS edited_by,
            e.edited_at AS "edited_at: DateTime<Utc>",
            u.name AS "undone_by?",
            e.undone_at AS "undone_at: DateTime<Utc>"
        FROM bulk_edits AS e
        JOIN accounts AS a ON a.id = e.edited_by
        LEFT JOIN accounts AS u ON u.id = e.undone_by
        WHERE e.id = ?
        "#,
        id
    );
    Ok(row.fetch_optional(conn).await?)
}

/// Lists what an edit did, in the order of the beans' ids.
pub async fn list_lines(conn: &mut MySqlConnection, edit: i64) -> DbResult<Vec<BulkEditLine>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            l.bean_id,
            b.product_name,
            s.name AS supplier_name,
            l.price_before,
            l.price_after,
            l.alert_at_before,
            l.alert_at_after,
            b.price AS "price_now: Decimal",
            b.alert_at AS alert_at_now,
            b.removed_at IS NULL AS "is_there!: bool"
        FROM bulk_edit_lines AS l
        JOIN beans AS b ON b.id = l.bean_id
        JOIN suppliers AS s ON s.id = b.supplier_id
        WHERE l.edit_id = ?
        ORDER BY l.bean_id
        "#,
        edit
    )
    .fetch_all(conn)
    .await?;
    let terms = |price: Decimal, alert_at| BeanTerms {
        price: Price::stored(price),
        alert_at,
    };
    let line = rows.into_iter().map(|row| BulkEditLine {
        bean: BeanId(row.bean_id),
        product_name: row.product_name,
        supplier_name: row.supplier_name,
        before: terms(row.price_before, row.alert_at_before),
        after: terms(row.price_after, row.alert_at_after),
        now: row.is_there.then(|| terms(row.price_now, row.alert_at_now)),
    });
    Ok(line.collect())
}

/// Locks an edit that stands; `false` if there is none, or it was taken back.
pub async fn lock_standing(conn: &mut MySqlConnection, id: i64) -> DbResult<bool> {
    let stands = sqlx::query_scalar!(
        r#"SELECT 1 AS "stands!: i64" FROM bulk_edits WHERE id = ? AND undone_at IS NULL FOR UPDATE"#,
        id
    );
    Ok(stands.fetch_optional(conn).await?.is_some())
}

/// Notes that an edit, which the caller has locked, was taken back.
pub async fn set_undone(
    conn: &mut MySqlConnection,
    id: i64,
    by: AccountId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE bulk_edits SET undone_by = ?, undone_at = ? WHERE id = ?",
        by.0,
        now,
        id
    )
    .execute(conn)
    .await?;
    Ok(())
}
