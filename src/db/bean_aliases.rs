//! SQL for what else suppliers call their beans.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::json;
use crate::domain::{AccountId, BeanId, BeanType, SupplierId};

/// A name that a supplier uses for one of its beans.
#[derive(Debug, Clone)]
pub struct Alias {
    pub supplier: SupplierId,
    /// By which names are compared.
    pub key: String,
    /// As typed.
    pub alias: String,
    pub bean: BeanId,
    /// What the bean is called on the list.
    pub bean_type: String,
    /// By whom, by name.
    pub added_by: String,
    pub added_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct KeyRow<'a> {
    supplier_id: i64,
    alias_key: &'a str,
}

/// Finds which beans names stand for; those that stand for none are absent, and so are beans that were removed or
/// moved to another supplier.
pub async fn find_aliases(
    conn: &mut MySqlConnection,
    names: &[(SupplierId, String)],
) -> DbResult<HashMap<(SupplierId, String), (BeanId, String)>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: Vec<KeyRow<'_>> = names
        .iter()
        .map(|(supplier, key)| KeyRow {
            supplier_id: supplier.0,
            alias_key: key,
        })
        .collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            a.supplier_id AS "supplier_id!",
            a.alias_key AS "alias_key!",
            b.id AS "bean_id!",
            b.type AS "bean_type!"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            supplier_id BIGINT PATH '$.supplier_id',
            alias_key VARCHAR(255) CHARACTER SET utf8mb4 PATH '$.alias_key'
        )) AS wanted
        STRAIGHT_JOIN bean_aliases AS a
            ON a.supplier_id = wanted.supplier_id AND a.alias_key = wanted.alias_key COLLATE utf8mb4_bin
        STRAIGHT_JOIN beans AS b
            ON b.id = a.bean_id AND b.supplier_id = a.supplier_id AND b.removed_at IS NULL
        "#,
        json(&wanted)
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|row| {
        let name = (SupplierId(row.supplier_id), row.alias_key);
        (name, (BeanId(row.bean_id), row.bean_type))
    });
    Ok(found.collect())
}

/// Lists what else a supplier calls its beans.
pub async fn list_aliases(
    conn: &mut MySqlConnection,
    supplier: SupplierId,
) -> DbResult<Vec<Alias>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            a.alias_key,
            a.alias,
            b.id AS bean_id,
            b.type AS bean_type,
            w.name AS added_by,
            a.added_at AS "added_at: DateTime<Utc>"
        FROM bean_aliases AS a
        JOIN beans AS b ON b.id = a.bean_id AND b.supplier_id = a.supplier_id AND b.removed_at IS NULL
        JOIN accounts AS w ON w.id = a.added_by
        WHERE a.supplier_id = ?
        ORDER BY a.alias_key
        LIMIT 500
        "#,
        supplier.0
    )
    .fetch_all(conn)
    .await?;
    let alias = rows.into_iter().map(|row| Alias {
        supplier,
        key: row.alias_key,
        alias: row.alias,
        bean: BeanId(row.bean_id),
        bean_type: row.bean_type,
        added_by: row.added_by,
        added_at: row.added_at,
    });
    Ok(alias.collect())
}

/// Has a name stand for a bean, in place of what it stood for before.
pub async fn set_alias(
    conn: &mut MySqlConnection,
    supplier: SupplierId,
    alias: &BeanType,
    bean: BeanId,
    by: AccountId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO bean_aliases (supplier_id, alias_key, alias, bean_id, added_by, added_at)
        VALUES (?, ?, ?, ?, ?, ?)
        ON DUPLICATE KEY UPDATE
            alias = VALUES(alias), bean_id = VALUES(bean_id), added_by = VALUES(added_by), added_at = VALUES(added_at)
        "#,
        supplier.0,
        alias.key(),
        alias.as_str(),
        bean.0,
        by.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has a name stand for nothing any more.
pub async fn delete_alias(
    conn: &mut MySqlConnection,
    supplier: SupplierId,
    key: &str,
) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM bean_aliases WHERE supplier_id = ? AND alias_key = ?",
        supplier.0,
        key
    )
    .execute(conn)
    .await?;
    Ok(())
}
