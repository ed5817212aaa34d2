//! SQL for suppliers.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::code;
use crate::domain::{SupplierDetails, SupplierId, UpdateState};

/// A supplier as staff see it.
#[derive(Debug, Clone)]
pub struct Supplier {
    pub id: SupplierId,
    /// Its name, as typed like all its texts.
    pub name: String,
    /// Street and number.
    pub address: String,
    pub city: String,
    /// State or region.
    pub state: String,
    pub email: String,
    pub phone: String,
    /// Whether its updates are taken.
    pub active: bool,
    /// How many sorts of beans it has on the café's list.
    pub bean_count: i64,
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
    select_suppliers(conn, None).await
}

pub async fn find_supplier(
    conn: &mut MySqlConnection,
    id: SupplierId,
) -> DbResult<Option<Supplier>> {
    Ok(select_suppliers(conn, Some(id)).await?.pop())
}

async fn select_suppliers(
    conn: &mut MySqlConnection,
    only: Option<SupplierId>,
) -> DbResult<Vec<Supplier>> {
    // One way for both: `? IS NULL OR …` would read them all for one. Beans that were removed have no key, so
    // the index on it counts the others.
    let (first, last) = only.map_or((0, i64::MAX), |id| (id.0, id.0));
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
            (SELECT COUNT(*) FROM beans AS b WHERE b.supplier_id = s.id AND b.type_key IS NOT NULL)
                AS "bean_count!: i64"
        FROM suppliers AS s
        WHERE s.removed_at IS NULL AND s.id BETWEEN ? AND ?
        ORDER BY s.name, s.id
        "#,
        first,
        last
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Supplier::from).collect())
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
    details: &SupplierDetails,
    now: DateTime<Utc>,
) -> DbResult<SupplierId> {
    let result = sqlx::query!(
        r#"
        INSERT INTO suppliers (name, address, city, state, email, phone, created_at, updated_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        "#,
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
    Ok(SupplierId(
        i64::try_from(result.last_insert_id()).unwrap_or(i64::MAX),
    ))
}

/// Replaces a supplier's details.
pub async fn set_supplier_details(
    conn: &mut MySqlConnection,
    id: SupplierId,
    details: &SupplierDetails,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE suppliers
        SET name = ?, address = ?, city = ?, state = ?, email = ?, phone = ?, updated_at = ?
        WHERE id = ? AND removed_at IS NULL
        "#,
        details.name.as_str(),
        details.address.as_str(),
        details.city.as_str(),
        details.state.as_str(),
        details.email.as_str(),
        details.phone.as_str(),
        now,
        id.0
    )
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

/// Switches a supplier on or off.
pub async fn set_supplier_active(
    conn: &mut MySqlConnection,
    id: SupplierId,
    active: bool,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE suppliers SET active = ?, updated_at = ? WHERE id = ?",
        active,
        now,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What became of a supplier's updates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reliability {
    pub sent: i64,
    pub applied: i64,
    /// Those that could not be applied as they were sent.
    pub failed: i64,
    /// The middle time from sent to applied, in microseconds, of the newest 1,000; absent if none was applied.
    pub median: Option<i64>,
}

/// Tells what became of the updates of a supplier that were accepted after a moment.
pub async fn find_reliability(
    conn: &mut MySqlConnection,
    id: SupplierId,
    since: DateTime<Utc>,
) -> DbResult<Reliability> {
    let rows = sqlx::query!(
        r#"
        SELECT state, COUNT(*) AS "number!: i64"
        FROM inventory_updates
        WHERE supplier_id = ? AND accepted_at > ?
        GROUP BY state
        "#,
        id.0,
        since
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut reliability = Reliability::default();
    for row in rows {
        let state = code(
            "inventory_updates",
            "state",
            &row.state,
            UpdateState::from_code,
        )?;
        reliability.sent += row.number;
        match state {
            UpdateState::Applied => reliability.applied += row.number,
            UpdateState::DeadLettered | UpdateState::Fixed | UpdateState::Discarded => {
                reliability.failed += row.number;
            }
            _ => {}
        }
    }
    let times = sqlx::query_scalar!(
        r#"
        SELECT TIMESTAMPDIFF(
            MICROSECOND, LEAST(COALESCE(sent_at, accepted_at), accepted_at), finished_at
        ) AS "time!: i64"
        FROM inventory_updates
        WHERE supplier_id = ? AND state = 'applied' AND accepted_at > ? AND finished_at IS NOT NULL
        ORDER BY accepted_at DESC
        LIMIT 1000
        "#,
        id.0,
        since
    );
    let mut times = times.fetch_all(conn).await?;
    times.sort_unstable();
    reliability.median = times.get(times.len() / 2).copied();
    Ok(reliability)
}
