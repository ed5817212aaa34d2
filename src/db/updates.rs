//! SQL that writes inventory updates down. Lists of them are in `update_lists`, their timelines in
//! `timeline`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{datetime, hex, hex_bytes, json};
use super::{DbError, DbResult};
use crate::domain::{
    BeanId, Claim, Fingerprint, InventoryUpdate, Origin, Refusal, UpdateId, UpdateKind, UpdateState,
};

/// What became of one update at one attempt, to be written down.
#[derive(Debug, Clone)]
pub struct Record {
    /// The update.
    pub id: UpdateId,
    /// What it means.
    pub fingerprint: Fingerprint,
    /// What it claims; kept from the first sight.
    pub claim: Claim,
    /// The bean it was found to mean.
    pub bean: Option<BeanId>,
    /// Where it stands now.
    pub state: UpdateState,
    /// Why it was refused or superseded.
    pub refusal: Option<Refusal>,
    /// The bean's quantity before and after, if it was applied.
    pub quantities: Option<(i64, i64)>,
}

#[derive(Serialize)]
struct RecordRow<'a> {
    id: String,
    hash: String,
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bean_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bean_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(serialize_with = "datetime", skip_serializing_if = "Option::is_none")]
    occurred_at: Option<DateTime<Utc>>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a str>,
    attempts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity_before: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity_after: Option<i64>,
    #[serde(serialize_with = "datetime", skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
}

impl<'a> RecordRow<'a> {
    fn new(record: &'a Record, now: DateTime<Utc>) -> Self {
        let refused = record.state == UpdateState::Refused;
        Self {
            id: hex(record.id.0),
            hash: hex_bytes(&record.fingerprint),
            origin: Origin::External.code(),
            supplier_id: record.claim.supplier,
            bean_type: record.claim.bean_type.as_deref(),
            bean_id: record.bean.map(|id| id.0),
            kind: record.claim.kind.map(UpdateKind::code),
            quantity: record.claim.quantity,
            reference: record.claim.reference.as_deref(),
            note: record.claim.note.as_deref(),
            occurred_at: record.claim.occurred_at,
            state: record.state.code(),
            reason: record.refusal.as_ref().map(|r| r.reason.code()),
            explanation: record.refusal.as_ref().map(|r| r.explanation.as_str()),
            attempts: i64::from(refused),
            quantity_before: record.quantities.map(|(before, _)| before),
            quantity_after: record.quantities.map(|(_, after)| after),
            finished_at: (!refused).then_some(now),
        }
    }
}

/// Writes down what became of updates. One that nobody announced gets its row here, with the
/// origin [`Origin::External`]; an announced one keeps what was announced.
///
/// Two messages that claim one id for two things may meet here, each having found nothing. The row
/// belongs to the first; for the second its hash would have to become NULL, which is refused
/// ([`super::Trouble::BadData`]), so that it looks again.
#[expect(
    clippy::too_many_lines,
    reason = "one statement, a line for each column"
)]
pub async fn record_updates(
    conn: &mut MySqlConnection,
    records: &[Record],
    now: DateTime<Utc>,
) -> DbResult<()> {
    if records.is_empty() {
        return Ok(());
    }
    let rows: Vec<RecordRow<'_>> = records
        .iter()
        .map(|record| RecordRow::new(record, now))
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO inventory_updates (
            id, payload_hash, origin, supplier_id, bean_type, bean_id, kind, quantity, reference,
            note, occurred_at, state, reason, explanation, attempts, quantity_before, quantity_after,
            accepted_at, finished_at
        )
        SELECT
            UNHEX(new.id_hex), UNHEX(new.hash_hex), new.new_origin, new.new_supplier_id, new.new_bean_type,
            new.new_bean_id, new.new_kind, new.new_quantity, new.new_reference, new.new_note,
            new.new_occurred_at, new.new_state, new.new_reason, new.new_explanation,
            new.new_attempts, new.new_quantity_before, new.new_quantity_after,
            ?, new.new_finished_at
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            id_hex CHAR(32) PATH '$.id',
            hash_hex CHAR(64) PATH '$.hash',
            new_origin VARCHAR(16) PATH '$.origin',
            new_supplier_id BIGINT PATH '$.supplier_id',
            new_bean_type VARCHAR(255) PATH '$.bean_type' ERROR ON ERROR,
            new_bean_id BIGINT PATH '$.bean_id',
            new_kind VARCHAR(16) PATH '$.kind',
            new_quantity BIGINT PATH '$.quantity',
            new_reference VARCHAR(64) PATH '$.reference' ERROR ON ERROR,
            new_note VARCHAR(500) PATH '$.note' ERROR ON ERROR,
            new_occurred_at DATETIME(6) PATH '$.occurred_at',
            new_state VARCHAR(16) PATH '$.state',
            new_reason VARCHAR(24) PATH '$.reason',
            new_explanation VARCHAR(1000) PATH '$.explanation' ERROR ON ERROR,
            new_attempts INT PATH '$.attempts',
            new_quantity_before BIGINT PATH '$.quantity_before',
            new_quantity_after BIGINT PATH '$.quantity_after',
            new_finished_at DATETIME(6) PATH '$.finished_at'
        )) AS new
        ON DUPLICATE KEY UPDATE
            payload_hash = IF(
                inventory_updates.payload_hash = VALUES(payload_hash),
                inventory_updates.payload_hash,
                NULL
            ),
            bean_id = VALUES(bean_id),
            state = VALUES(state),
            reason = VALUES(reason),
            explanation = VALUES(explanation),
            attempts = inventory_updates.attempts + VALUES(attempts),
            quantity_before = VALUES(quantity_before),
            quantity_after = VALUES(quantity_after),
            finished_at = VALUES(finished_at)
        "#,
        now,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is known of an update that was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What it meant when it was first seen.
    pub fingerprint: Fingerprint,
    /// Whether it has had its one end.
    pub ended: bool,
    /// Whether it is in the outbox.
    pub in_outbox: bool,
}

/// Finds those of the updates that were seen before.
pub async fn find_seen(
    conn: &mut MySqlConnection,
    ids: &[UpdateId],
) -> DbResult<HashMap<UpdateId, Seen>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            u.id AS "id!: Uuid",
            u.payload_hash AS "payload_hash!: Vec<u8>",
            i.update_id IS NOT NULL AS "ended!: bool",
            o.update_id IS NOT NULL AS "in_outbox!: bool"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
        STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = UNHEX(wanted.id)
        LEFT JOIN inbox AS i ON i.update_id = u.id
        LEFT JOIN outbox AS o ON o.update_id = u.id
        "#,
        json(&ids)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let fingerprint =
                row.payload_hash
                    .try_into()
                    .map_err(|_other_length| DbError::Corrupt {
                        table: "inventory_updates",
                        column: "payload_hash",
                    })?;
            let seen = Seen {
                fingerprint,
                ended: row.ended,
                in_outbox: row.in_outbox,
            };
            Ok((UpdateId(row.id), seen))
        })
        .collect()
}

/// Stores an update that was just accepted. A unique violation means the id was used before.
pub async fn insert_accepted(
    conn: &mut MySqlConnection,
    update: &InventoryUpdate,
    origin: Origin,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let claim = Claim::from(update);
    let fingerprint = update.fingerprint();
    sqlx::query!(
        r#"
        INSERT INTO inventory_updates (
            id, payload_hash, origin, supplier_id, bean_type, kind, quantity, reference, note,
            occurred_at, state, accepted_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        update.id.0,
        fingerprint.as_slice(),
        origin.code(),
        claim.supplier,
        claim.bean_type,
        update.change.kind().code(),
        claim.quantity,
        claim.reference,
        claim.note,
        claim.occurred_at,
        UpdateState::Accepted.code(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that updates are on the topic, unless they have already come further than that.
pub async fn set_published(conn: &mut MySqlConnection, ids: &[UpdateId]) -> DbResult<()> {
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS sent
        STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = UNHEX(sent.id)
        SET u.state = 'published'
        WHERE u.state = 'accepted'
        "#,
        json(&ids)
    )
    .execute(conn)
    .await?;
    Ok(())
}
