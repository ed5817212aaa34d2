//! SQL for suppliers.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use crate::domain::SupplierId;

/// A supplier as staff see it.
#[derive(Debug, Clone)]
pub struct Supplier {
    /// Its number.
    pub id: SupplierId,
    /// Its name, as typed like all its texts.
    pub name: String,
    /// Street and number.
    pub address: String,
    /// City.
    pub city: String,
    /// State or region.
    pub state: String,
    /// E-mail address.
    pub email: String,
    /// Phone number.
    pub phone: String,
    /// Whether its updates are taken.
    pub active: bool,
    /// How many sorts of beans it has on the café's list.
    pub bean_count: i64,
}

/// The texts of a supplier, before it has a number or to replace those it has.
#[derive(Debug, Clone, Copy)]
pub struct SupplierTexts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Street and number.
    pub address: &'a str,
    /// City.
    pub city: &'a str,
    /// State or region.
    pub state: &'a str,
    /// E-mail address.
    pub email: &'a str,
    /// Phone number.
    pub phone: &'a str,
}

struct SupplierRow {
    id: i64,
    name: String,
    address: String,
    city: String,
    state: String,
    email: String,
    phone: String,
    active: bool,
    bean_count: i64,
}

impl From<SupplierRow> for Supplier {
    fn from(row: SupplierRow) -> Self {
        Self {
            id: SupplierId(row.id),
            name: row.name,
            address: row.address,
            city: row.city,
            state: row.state,
            email: row.email,
            phone: row.phone,
            active: row.active,
            bean_count: row.bean_count,
        }
    }
}

/// Lists all suppliers by name.
pub async fn list_suppliers(conn: &mut MySqlConnection) -> DbResult<Vec<Supplier>> {
    let rows = sqlx::query_as!(
        SupplierRow,
        r#"
        SELECT
            s.id,
            s.name,
            s.address,
            s.city,
            s.state,
            s.email,
            s.phone,
            s.active AS "active: bool",
            (SELECT COUNT(*) FROM beans AS b WHERE b.supplier_id = s.id AND b.removed_at IS NULL)
                AS "bean_count!: i64"
        FROM suppliers AS s
        WHERE s.removed_at IS NULL
        ORDER BY s.name, s.id
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Supplier::from).collect())
}

/// Finds one supplier.
pub async fn find_supplier(
    conn: &mut MySqlConnection,
    id: SupplierId,
) -> DbResult<Option<Supplier>> {
    let row = sqlx::query_as!(
        SupplierRow,
        r#"
        SELECT
            s.id,
            s.name,
            s.address,
            s.city,
            s.state,
            s.email,
            s.phone,
            s.active AS "active: bool",
            (SELECT COUNT(*) FROM beans AS b WHERE b.supplier_id = s.id AND b.removed_at IS NULL)
                AS "bean_count!: i64"
        FROM suppliers AS s
        WHERE s.id = ? AND s.removed_at IS NULL
        "#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Supplier::from))
}

/// Locks a supplier against removal and new beans; says whether it is there.
pub async fn lock_supplier(conn: &mut MySqlConnection, id: SupplierId) -> DbResult<bool> {
    let row = sqlx::query_scalar!(
        "SELECT id FROM suppliers WHERE id = ? AND removed_at IS NULL FOR UPDATE",
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Adds a supplier and gives it its number.
pub async fn insert_supplier(
    conn: &mut MySqlConnection,
    texts: SupplierTexts<'_>,
    now: DateTime<Utc>,
) -> DbResult<SupplierId> {
    let result = sqlx::query!(
        r#"
        INSERT INTO suppliers (name, address, city, state, email, phone, created_at, updated_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        texts.name,
        texts.address,
        texts.city,
        texts.state,
        texts.email,
        texts.phone,
        now,
        now
    )
    .execute(conn)
    .await?;
    Ok(SupplierId(
        i64::try_from(result.last_insert_id()).unwrap_or(i64::MAX),
    ))
}

/// Replaces a supplier's texts; says whether the supplier is there.
pub async fn set_supplier_texts(
    conn: &mut MySqlConnection,
    id: SupplierId,
    texts: SupplierTexts<'_>,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let result = sqlx::query!(
        r#"
        UPDATE suppliers
        SET name = ?, address = ?, city = ?, state = ?, email = ?, phone = ?, updated_at = ?
        WHERE id = ? AND removed_at IS NULL
        "#,
        texts.name,
        texts.address,
        texts.city,
        texts.state,
        texts.email,
        texts.phone,
        now,
        id.0
    )
    .execute(conn)
    .await?;
    // sqlx counts matched rows, not changed ones, so this is true for an edit that changes nothing.
    Ok(result.rows_affected() == 1)
}

/// Switches a supplier on or off.
pub async fn set_supplier_active(
    conn: &mut MySqlConnection,
    id: SupplierId,
    active: bool,
) -> DbResult<()> {
    sqlx::query!("UPDATE suppliers SET active = ? WHERE id = ?", active, id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes a supplier off the list. The caller has made sure that it has no beans.
pub async fn set_supplier_removed(
    conn: &mut MySqlConnection,
    id: SupplierId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE suppliers SET removed_at = ? WHERE id = ?",
        now,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
