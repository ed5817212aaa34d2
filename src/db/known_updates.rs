//! SQL that finds and locks the updates that messages may be copies of.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{code, hex, json};
use super::{DbError, DbResult};
use crate::domain::{Fingerprint, SupplierId, UpdateId, UpdateKey, UpdateState};

/// An update that was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Our id of it.
    pub id: UpdateId,
    /// What it means; of one that was corrected, what it means now.
    pub fingerprint: Fingerprint,
    pub state: UpdateState,
    /// When it was first sent, as far as that is known.
    pub sent_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct KeyRow {
    supplier_id: i64,
    sender_id: String,
}

/// Finds our ids of the updates that were seen before, with what they mean. Nothing is locked, so
/// both may change until [`lock_updates`].
pub async fn find_ids(
    conn: &mut MySqlConnection,
    keys: &[UpdateKey],
) -> DbResult<HashMap<UpdateKey, (UpdateId, Fingerprint)>> {
    let mut found = find_ids_of_suppliers(conn, keys).await?;
    found.extend(find_nameless_ids(conn, keys).await?);
    Ok(found)
}

async fn find_ids_of_suppliers(
    conn: &mut MySqlConnection,
    keys: &[UpdateKey],
) -> DbResult<HashMap<UpdateKey, (UpdateId, Fingerprint)>> {
    let mut found = HashMap::new();
    let named = keys.iter().filter_map(|key| {
        Some(KeyRow {
            supplier_id: key.supplier?.0,
            sender_id: hex(key.id.0),
        })
    });
    let named: Vec<KeyRow> = named.collect();
    if !named.is_empty() {
        let rows = sqlx::query!(
            r#"
            SELECT
                u.id AS "id!: Uuid",
                u.supplier_id AS "supplier_id!",
                u.sender_id AS "sender_id!: Uuid",
                u.payload_hash AS "payload_hash!: Vec<u8>"
            FROM JSON_TABLE(?, '$[*]' COLUMNS (
                supplier_id BIGINT PATH '$.supplier_id',
                sender_id CHAR(32) PATH '$.sender_id'
            )) AS wanted
            STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (uq_inventory_updates_supplier_id_sender_id)
                ON u.supplier_id = wanted.supplier_id AND u.sender_id = UNHEX(wanted.sender_id)
            "#,
            json(&named)
        )
        .fetch_all(conn)
        .await?;
        for row in rows {
            let key = UpdateKey {
                supplier: Some(SupplierId(row.supplier_id)),
                id: UpdateId(row.sender_id),
            };
            found.insert(key, (UpdateId(row.id), fingerprint(row.payload_hash)?));
        }
    }
    Ok(found)
}

/// Where no supplier could be read, the broker's id is ours as well.
async fn find_nameless_ids(
    conn: &mut MySqlConnection,
    keys: &[UpdateKey],
) -> DbResult<HashMap<UpdateKey, (UpdateId, Fingerprint)>> {
    let mut found = HashMap::new();
    let nameless: Vec<String> = keys
        .iter()
        .filter(|key| key.supplier.is_none())
        .map(|key| hex(key.id.0))
        .collect();
    if !nameless.is_empty() {
        let rows = sqlx::query!(
            r#"
            SELECT u.id AS "id!: Uuid", u.payload_hash AS "payload_hash!: Vec<u8>"
            FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
            STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = UNHEX(wanted.id)
            WHERE u.supplier_id IS NULL
            "#,
            json(&nameless)
        )
        .fetch_all(conn)
        .await?;
        for row in rows {
            let id = UpdateId(row.id);
            let key = UpdateKey { supplier: None, id };
            found.insert(key, (id, fingerprint(row.payload_hash)?));
        }
    }
    Ok(found)
}

fn fingerprint(bytes: Vec<u8>) -> DbResult<Fingerprint> {
    bytes.try_into().map_err(|_other_length| DbError::Corrupt {
        table: "inventory_updates",
        column: "payload_hash",
    })
}

struct KnownRow {
    id: Uuid,
    payload_hash: Vec<u8>,
    state: String,
    sent_at: Option<DateTime<Utc>>,
}

impl TryFrom<KnownRow> for Known {
    type Error = DbError;

    fn try_from(row: KnownRow) -> DbResult<Self> {
        Ok(Self {
            id: UpdateId(row.id),
            fingerprint: fingerprint(row.payload_hash)?,
            state: code(
                "inventory_updates",
                "state",
                &row.state,
                UpdateState::from_code,
            )?,
            sent_at: row.sent_at,
        })
    }
}

/// The table function is wrapped, because `MySQL` tries to lock it too and fails (3569).
macro_rules! query_known {
    ($lock:tt, $ids:expr) => {
        sqlx::query_as!(
            KnownRow,
            r#"
            SELECT
                u.id AS "id!: Uuid",
                u.payload_hash AS "payload_hash!: Vec<u8>",
                u.state AS "state!",
                u.sent_at AS "sent_at: DateTime<Utc>"
            FROM (
                SELECT id FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS listed
            ) AS wanted
            STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = UNHEX(wanted.id)
            FOR UPDATE "#
                + $lock,
            json(&$ids)
        )
    };
}

/// Locks updates in the order given, which must be ascending: then no two transactions can wait for
/// each other.
pub async fn lock_updates(
    conn: &mut MySqlConnection,
    ascending: &[UpdateId],
) -> DbResult<HashMap<UpdateId, Known>> {
    debug_assert!(ascending.is_sorted(), "locks are taken in id order");
    if ascending.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = ascending.iter().map(|id| hex(id.0)).collect();
    by_id(query_known!("", ids).fetch_all(conn).await?)
}

/// Locks those of the updates that nobody else has locked; the others are absent from the answer.
pub async fn lock_free_updates(
    conn: &mut MySqlConnection,
    updates: &[UpdateId],
) -> DbResult<HashMap<UpdateId, Known>> {
    if updates.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = updates.iter().map(|id| hex(id.0)).collect();
    by_id(query_known!("SKIP LOCKED", ids).fetch_all(conn).await?)
}

fn by_id(rows: Vec<KnownRow>) -> DbResult<HashMap<UpdateId, Known>> {
    let known = rows.into_iter().map(Known::try_from);
    known
        .map(|known| known.map(|known| (known.id, known)))
        .collect()
}

/// Finds everything that updates have said before a correction replaced it.
pub async fn find_earlier_contents(
    conn: &mut MySqlConnection,
    ids: &[UpdateId],
) -> DbResult<HashSet<(UpdateId, Fingerprint)>> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    let rows = sqlx::query!(
        r#"
        SELECT DISTINCT e.update_id AS "id!: Uuid", e.payload_hash AS "payload_hash!: Vec<u8>"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
        STRAIGHT_JOIN update_events AS e FORCE INDEX (idx_update_events_update_id)
            ON e.update_id = UNHEX(wanted.id)
        JOIN inventory_updates AS u ON u.id = e.update_id
        WHERE e.payload_hash IS NOT NULL AND e.payload_hash <> u.payload_hash
        "#,
        json(&ids)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok((UpdateId(row.id), fingerprint(row.payload_hash)?)))
        .collect()
}
