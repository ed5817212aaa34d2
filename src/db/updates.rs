//! SQL for inventory updates and their timelines.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{datetime, hex, json};
use super::{DbError, DbResult};
use crate::domain::{
    BeanId, Claim, InventoryUpdate, Origin, Refusal, UpdateId, UpdateKind, UpdateState,
};

/// What became of one update at one attempt, to be written down.
#[derive(Debug, Clone)]
pub struct Record {
    /// The update.
    pub id: UpdateId,
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
            id, origin, supplier_id, bean_type, bean_id, kind, quantity, reference, note,
            occurred_at, state, reason, explanation, attempts, quantity_before, quantity_after,
            accepted_at, finished_at
        )
        SELECT
            UNHEX(new.id_hex), new.new_origin, new.new_supplier_id, new.new_bean_type,
            new.new_bean_id, new.new_kind, new.new_quantity, new.new_reference, new.new_note,
            new.new_occurred_at, new.new_state, new.new_reason, new.new_explanation,
            new.new_attempts, new.new_quantity_before, new.new_quantity_after,
            ?, new.new_finished_at
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            id_hex CHAR(32) PATH '$.id',
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

/// Stores an update that was just accepted. A unique violation means the id was used before.
pub async fn insert_accepted(
    conn: &mut MySqlConnection,
    update: &InventoryUpdate,
    origin: Origin,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let claim = Claim::from(update);
    sqlx::query!(
        r#"
        INSERT INTO inventory_updates (
            id, origin, supplier_id, bean_type, kind, quantity, reference, note, occurred_at,
            state, accepted_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        update.id.0,
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

/// A step on an update's timeline.
#[derive(Debug, Clone)]
pub struct Event {
    /// Whose timeline.
    pub id: UpdateId,
    /// What happened: the state the update came to.
    pub state: UpdateState,
    /// Why, if it was refused or superseded.
    pub refusal: Option<Refusal>,
}

#[derive(Serialize)]
struct EventRow<'a> {
    id: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a str>,
}

/// Appends steps to timelines. The updates' rows must be there.
pub async fn insert_events(
    conn: &mut MySqlConnection,
    events: &[Event],
    now: DateTime<Utc>,
) -> DbResult<()> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<EventRow<'_>> = events
        .iter()
        .map(|event| EventRow {
            id: hex(event.id.0),
            event: event.state.code(),
            reason: event.refusal.as_ref().map(|r| r.reason.code()),
            explanation: event.refusal.as_ref().map(|r| r.explanation.as_str()),
        })
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO update_events (update_id, at, event, reason, explanation)
        SELECT UNHEX(new.id), ?, new.event, new.reason, new.explanation
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            id CHAR(32) PATH '$.id',
            event VARCHAR(16) PATH '$.event',
            reason VARCHAR(24) PATH '$.reason',
            explanation VARCHAR(1000) PATH '$.explanation' ERROR ON ERROR
        )) AS new
        "#,
        now,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An update as lists and its own page show it.
#[derive(Debug, Clone)]
pub struct UpdateLine {
    /// Its id.
    pub id: UpdateId,
    /// The code of an [`Origin`].
    pub origin: String,
    /// The supplier it claims to come from.
    pub supplier: Option<i64>,
    /// That supplier's name, if there is one.
    pub supplier_name: Option<String>,
    /// The bean it names.
    pub bean_type: Option<String>,
    /// The bean it was found to mean.
    pub bean: Option<BeanId>,
    /// What it does.
    pub kind: Option<UpdateKind>,
    /// How many bags.
    pub quantity: Option<i64>,
    /// The sender's reference.
    pub reference: Option<String>,
    /// The sender's note.
    pub note: Option<String>,
    /// When it happened, if the sender said so.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Where it stands.
    pub state: UpdateState,
    /// Why it was refused or superseded, in plain words.
    pub explanation: Option<String>,
    /// How often it was refused.
    pub attempts: i32,
    /// The bean's quantity before it was applied.
    pub quantity_before: Option<i64>,
    /// The bean's quantity after it was applied.
    pub quantity_after: Option<i64>,
    /// When we first saw it.
    pub accepted_at: DateTime<Utc>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
}

struct UpdateRow {
    id: Uuid,
    origin: String,
    supplier_id: Option<i64>,
    supplier_name: Option<String>,
    bean_type: Option<String>,
    bean_id: Option<i64>,
    kind: Option<String>,
    quantity: Option<i64>,
    reference: Option<String>,
    note: Option<String>,
    occurred_at: Option<DateTime<Utc>>,
    state: String,
    explanation: Option<String>,
    attempts: i32,
    quantity_before: Option<i64>,
    quantity_after: Option<i64>,
    accepted_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<UpdateRow> for UpdateLine {
    type Error = DbError;

    fn try_from(row: UpdateRow) -> DbResult<Self> {
        let corrupt = |column| DbError::Corrupt {
            table: "inventory_updates",
            column,
        };
        let kind = match row.kind {
            Some(code) => Some(UpdateKind::from_code(&code).ok_or_else(|| corrupt("kind"))?),
            None => None,
        };
        Ok(Self {
            id: UpdateId(row.id),
            origin: row.origin,
            supplier: row.supplier_id,
            supplier_name: row.supplier_name,
            bean_type: row.bean_type,
            bean: row.bean_id.map(BeanId),
            kind,
            quantity: row.quantity,
            reference: row.reference,
            note: row.note,
            occurred_at: row.occurred_at,
            state: UpdateState::from_code(&row.state).ok_or_else(|| corrupt("state"))?,
            explanation: row.explanation,
            attempts: row.attempts,
            quantity_before: row.quantity_before,
            quantity_after: row.quantity_after,
            accepted_at: row.accepted_at,
            finished_at: row.finished_at,
        })
    }
}

/// Reads [`UpdateRow`]s. Each way of looking at them is a query of its own, so that each has its
/// index.
macro_rules! select_updates {
    ($rest:tt, $($argument:expr),*) => {
        sqlx::query_as!(
            UpdateRow,
            r#"
            SELECT
                u.id AS "id: Uuid",
                u.origin,
                u.supplier_id,
                s.name AS "supplier_name?",
                u.bean_type,
                u.bean_id,
                u.kind,
                u.quantity,
                u.reference,
                u.note,
                u.occurred_at AS "occurred_at: DateTime<Utc>",
                u.state,
                u.explanation,
                u.attempts,
                u.quantity_before,
                u.quantity_after,
                u.accepted_at AS "accepted_at: DateTime<Utc>",
                u.finished_at AS "finished_at: DateTime<Utc>"
            FROM inventory_updates AS u
            LEFT JOIN suppliers AS s ON s.id = u.supplier_id
            "#
                + $rest,
            $($argument),*
        )
    };
}

/// Lists the newest updates, newest first.
pub async fn list_updates(conn: &mut MySqlConnection, limit: i64) -> DbResult<Vec<UpdateLine>> {
    let rows = select_updates!("ORDER BY u.accepted_at DESC, u.id DESC LIMIT ?", limit)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// Lists the newest updates of one bean, newest first.
pub async fn list_updates_of_bean(
    conn: &mut MySqlConnection,
    bean: BeanId,
    limit: i64,
) -> DbResult<Vec<UpdateLine>> {
    let rows = select_updates!(
        "WHERE u.bean_id = ? ORDER BY u.accepted_at DESC, u.id DESC LIMIT ?",
        bean.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// Lists the newest updates that stand in one state, newest first.
pub async fn list_updates_in_state(
    conn: &mut MySqlConnection,
    state: UpdateState,
    limit: i64,
) -> DbResult<Vec<UpdateLine>> {
    let rows = select_updates!(
        "WHERE u.state = ? ORDER BY u.accepted_at DESC, u.id DESC LIMIT ?",
        state.code(),
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// Finds one update.
pub async fn find_update(conn: &mut MySqlConnection, id: UpdateId) -> DbResult<Option<UpdateLine>> {
    let row = select_updates!("WHERE u.id = ?", id.0)
        .fetch_optional(conn)
        .await?;
    row.map(UpdateLine::try_from).transpose()
}

/// A step of a timeline, as the update's page lists it.
#[derive(Debug, Clone)]
pub struct EventLine {
    /// When.
    pub at: DateTime<Utc>,
    /// The state the update came to.
    pub state: UpdateState,
    /// Why, in plain words.
    pub explanation: Option<String>,
}

/// Lists an update's timeline, oldest first.
pub async fn list_events(conn: &mut MySqlConnection, id: UpdateId) -> DbResult<Vec<EventLine>> {
    let rows = sqlx::query!(
        r#"
        SELECT at AS "at: DateTime<Utc>", event, explanation
        FROM update_events
        WHERE update_id = ?
        ORDER BY id
        LIMIT 200
        "#,
        id.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(EventLine {
                at: row.at,
                state: UpdateState::from_code(&row.event).ok_or(DbError::Corrupt {
                    table: "update_events",
                    column: "event",
                })?,
                explanation: row.explanation,
            })
        })
        .collect()
}

/// How many updates stand in one state.
#[derive(Debug, Clone, Copy)]
pub struct StateCount {
    /// The state.
    pub state: UpdateState,
    /// How many updates stand there.
    pub number: i64,
    /// When the oldest of them was accepted.
    pub oldest: Option<DateTime<Utc>>,
}

/// Counts updates by state; a state where none stands is absent.
pub async fn count_by_state(conn: &mut MySqlConnection) -> DbResult<Vec<StateCount>> {
    let rows = sqlx::query!(
        r#"
        SELECT state, COUNT(*) AS "number!: i64", MIN(accepted_at) AS "oldest: DateTime<Utc>"
        FROM inventory_updates
        GROUP BY state
        "#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StateCount {
                state: UpdateState::from_code(&row.state).ok_or(DbError::Corrupt {
                    table: "inventory_updates",
                    column: "state",
                })?,
                number: row.number,
                oldest: row.oldest,
            })
        })
        .collect()
}

/// How many updates stand where, and since when the oldest unfinished one waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpdateCounts {
    /// All there are.
    pub accepted: i64,
    /// Those whose effect is in the stock.
    pub applied: i64,
    /// Those overtaken by a newer count.
    pub superseded: i64,
    /// Those not finished yet.
    pub waiting: i64,
    /// When the oldest of the waiting ones was accepted.
    pub oldest_waiting: Option<DateTime<Utc>>,
}

/// Counts updates by what their states mean for whoever watches.
pub async fn count_updates(conn: &mut MySqlConnection) -> DbResult<UpdateCounts> {
    let mut counts = UpdateCounts::default();
    for count in count_by_state(conn).await? {
        counts.accepted += count.number;
        match count.state {
            UpdateState::Applied => counts.applied += count.number,
            UpdateState::Superseded => counts.superseded += count.number,
            UpdateState::Accepted | UpdateState::Published | UpdateState::Refused => {
                counts.waiting += count.number;
                counts.oldest_waiting = counts.oldest_waiting.into_iter().chain(count.oldest).min();
            }
            _ => {}
        }
    }
    Ok(counts)
}
