//! SQL that takes the lab's rows over: they keep their numbers, and one row says that it was done.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::json;
use crate::domain::{BeanDetails, BeanId, SupplierDetails, SupplierId};

/// That the tables of the lab's app were taken over.
#[derive(Debug, Clone, Copy)]
pub struct Adoption {
    /// How many suppliers there were afterwards.
    pub suppliers: i64,
    /// How many beans.
    pub beans: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// Finds whether this database was taken over.
pub async fn find_adoption(conn: &mut MySqlConnection) -> DbResult<Option<Adoption>> {
    let row = sqlx::query_as!(
        Adoption,
        r#"
        SELECT suppliers, beans, adopted_at AS "at: DateTime<Utc>"
        FROM adoptions
        WHERE id = 1
        "#
    )
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Records that this database was taken over, and how.
pub async fn record_adoption(
    conn: &mut MySqlConnection,
    adoption: Adoption,
    decisions: &[String],
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO adoptions (id, suppliers, beans, decisions, adopted_at)
        VALUES (1, ?, ?, ?, ?)
        "#,
        adoption.suppliers,
        adoption.beans,
        json(&decisions),
        adoption.at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether our tables hold a supplier or a bean, be it a removed one.
pub async fn find_any_row(conn: &mut MySqlConnection) -> DbResult<bool> {
    let found = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM suppliers) OR EXISTS (SELECT 1 FROM beans) AS "found!: bool"
        "#
    )
    .fetch_one(conn)
    .await?;
    Ok(found)
}

/// Adds a supplier with the number it has.
pub async fn insert_adopted_supplier(
    conn: &mut MySqlConnection,
    id: SupplierId,
    details: &SupplierDetails,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO suppliers (
            id, name, address, city, state, email, phone, created_at, updated_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        id.0,
        details.name.as_str(),
        details.address.as_str(),
        details.city.as_str(),
        details.state.as_str(),
        details.email.as_str(),
        details.phone.as_str(),
        now,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds a bean with the number and the bags it has; the caller inserts its opening movement.
pub async fn insert_adopted_bean(
    conn: &mut MySqlConnection,
    id: BeanId,
    details: &BeanDetails,
    quantity: i64,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO beans (
            id, supplier_id, type, type_key, product_name, price, description,
            quantity, last_movement, moved_at, created_at, updated_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)
        "#,
        id.0,
        details.supplier.0,
        details.bean_type.as_str(),
        details.bean_type.key(),
        details.product_name.as_str(),
        details.price.amount(),
        details.description.as_str(),
        quantity,
        now,
        now,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
