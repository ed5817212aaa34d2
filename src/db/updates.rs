//! SQL that writes inventory updates down. Which of them are known already is in `known_updates`, lists
//! of them are in `update_lists`, counts in `update_counts`, their timelines in `timeline`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::{datetime, hex, hex_bytes, json};
use crate::domain::{
    BeanId, Claim, Fingerprint, Follows, InventoryUpdate, Origin, Refusal, UpdateId, UpdateKey,
    UpdateKind, UpdateState,
};

/// What a message says, as it is stored.
#[derive(Debug, Clone)]
pub struct Content {
    pub fingerprint: Fingerprint,
    /// What it claims, as far as it could be read.
    pub claim: Claim,
    /// When it was sent.
    pub sent_at: Option<DateTime<Utc>>,
}

/// What became of an update.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Where it stands now.
    pub state: UpdateState,
    /// The bean it was found to mean.
    pub bean: Option<BeanId>,
    /// Why it was refused or superseded.
    pub refusal: Option<Refusal>,
    /// How many more refusals there were.
    pub refusals: i32,
    /// The bean's quantity before and after, if it was applied.
    pub quantities: Option<(i64, i64)>,
}

/// An update to be added.
#[derive(Debug, Clone)]
pub struct NewUpdate {
    /// Our id of it.
    pub id: UpdateId,
    /// The key by which its copies are known.
    pub key: UpdateKey,
    /// What its message says.
    pub content: Content,
    /// What became of it.
    pub standing: Standing,
}

#[derive(Serialize)]
struct ContentRow<'a> {
    id: String,
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bean_type: Option<&'a str>,
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
    #[serde(serialize_with = "datetime", skip_serializing_if = "Option::is_none")]
    sent_at: Option<DateTime<Utc>>,
}

impl<'a> ContentRow<'a> {
    fn new(id: UpdateId, content: &'a Content) -> Self {
        let claim = &content.claim;
        Self {
            id: hex(id.0),
            hash: hex_bytes(&content.fingerprint),
            supplier_id: claim.supplier,
            bean_type: claim.bean_type.as_deref(),
            kind: claim.kind.map(UpdateKind::code),
            quantity: claim.quantity,
            reference: claim.reference.as_deref(),
            note: claim.note.as_deref(),
            occurred_at: claim.occurred_at,
            sent_at: content.sent_at,
        }
    }
}

#[derive(Serialize)]
struct StandingRow<'a> {
    id: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bean_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a str>,
    refusals: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity_before: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity_after: Option<i64>,
    #[serde(serialize_with = "datetime", skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
}

impl<'a> StandingRow<'a> {
    fn new(id: UpdateId, standing: &'a Standing, now: DateTime<Utc>) -> Self {
        let stands_still = standing.state != UpdateState::Refused;
        Self {
            id: hex(id.0),
            state: standing.state.code(),
            bean_id: standing.bean.map(|id| id.0),
            reason: standing.refusal.as_ref().map(|r| r.reason.code()),
            explanation: standing.refusal.as_ref().map(|r| r.explanation.as_str()),
            refusals: standing.refusals,
            quantity_before: standing.quantities.map(|(before, _)| before),
            quantity_after: standing.quantities.map(|(_, after)| after),
            finished_at: stands_still.then_some(now),
        }
    }
}

#[derive(Serialize)]
struct NewRow<'a> {
    #[serde(flatten)]
    content: ContentRow<'a>,
    #[serde(flatten)]
    standing: StandingRow<'a>,
    sender_id: String,
}

/// A statement on JSON rows called `new`, which carry the columns listed: each column is spelled once,
/// here.
macro_rules! query_rows {
    ($before:tt, [$($columns:ident)*], $after:tt, $($argument:expr),*) => {
        query_rows!(
            @with ($before + " JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$.id'")
            [$($columns)*] $after, $($argument),*
        )
    };
    (@with ($($sql:tt)*) [sender $($more:ident)*] $after:tt, $($argument:expr),*) => {
        query_rows!(
            @with ($($sql)* + r#",
                sender_id CHAR(32) PATH '$.sender_id',
                supplier_id BIGINT PATH '$.supplier_id'"#)
            [$($more)*] $after, $($argument),*
        )
    };
    (@with ($($sql:tt)*) [contents $($more:ident)*] $after:tt, $($argument:expr),*) => {
        query_rows!(
            @with ($($sql)* + r#",
                hash CHAR(64) PATH '$.hash',
                bean_type VARCHAR(255) PATH '$.bean_type' ERROR ON ERROR,
                kind VARCHAR(16) PATH '$.kind',
                quantity BIGINT PATH '$.quantity',
                reference VARCHAR(64) PATH '$.reference' ERROR ON ERROR,
                note VARCHAR(500) PATH '$.note' ERROR ON ERROR,
                occurred_at DATETIME(6) PATH '$.occurred_at',
                sent_at DATETIME(6) PATH '$.sent_at'"#)
            [$($more)*] $after, $($argument),*
        )
    };
    (@with ($($sql:tt)*) [standings $($more:ident)*] $after:tt, $($argument:expr),*) => {
        query_rows!(
            @with ($($sql)* + r#",
                state VARCHAR(16) PATH '$.state',
                bean_id BIGINT PATH '$.bean_id',
                reason VARCHAR(24) PATH '$.reason',
                explanation VARCHAR(1000) PATH '$.explanation' ERROR ON ERROR,
                refusals INT PATH '$.refusals',
                quantity_before BIGINT PATH '$.quantity_before',
                quantity_after BIGINT PATH '$.quantity_after',
                finished_at DATETIME(6) PATH '$.finished_at'"#)
            [$($more)*] $after, $($argument),*
        )
    };
    (@with ($($sql:tt)*) [] $after:tt, $($argument:expr),*) => {
        sqlx::query!($($sql)* + ")) AS new " + $after, $($argument),*)
    };
}

/// Adds updates that nobody announced, with the origin [`Origin::External`]. A unique violation
/// means that another poller was faster with one of them: roll back and decide again.
pub async fn insert_updates(
    conn: &mut MySqlConnection,
    updates: &[NewUpdate],
    now: DateTime<Utc>,
) -> DbResult<()> {
    if updates.is_empty() {
        return Ok(());
    }
    let rows: Vec<NewRow<'_>> = updates
        .iter()
        .map(|update| NewRow {
            content: ContentRow::new(update.id, &update.content),
            standing: StandingRow::new(update.id, &update.standing, now),
            sender_id: hex(update.key.id.0),
        })
        .collect();
    query_rows!(
        r#"
        INSERT INTO inventory_updates (
            id, sender_id, payload_hash, origin, supplier_id, bean_type, bean_id, kind, quantity, reference, note,
            occurred_at, sent_at, state, reason, explanation, attempts, quantity_before, quantity_after, accepted_at,
            finished_at
        )
        SELECT
            UNHEX(new.id), UNHEX(new.sender_id), UNHEX(new.hash), 'external', new.supplier_id, new.bean_type,
            new.bean_id, new.kind, new.quantity, new.reference, new.note, new.occurred_at, new.sent_at, new.state,
            new.reason, new.explanation, new.refusals, new.quantity_before, new.quantity_after, ?, new.finished_at
        FROM
        "#,
        [sender contents standings],
        "",
        now,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes down what became of updates that the caller has locked. One that has its final state is left
/// there, whatever the caller believes.
pub async fn set_standings(
    conn: &mut MySqlConnection,
    standings: &[(UpdateId, Standing)],
    now: DateTime<Utc>,
) -> DbResult<()> {
    if standings.is_empty() {
        return Ok(());
    }
    let rows: Vec<StandingRow<'_>> = standings
        .iter()
        .map(|(id, standing)| StandingRow::new(*id, standing, now))
        .collect();
    query_rows!(
        "UPDATE",
        [standings],
        r#"
        STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = UNHEX(new.id)
        SET
            u.state = new.state,
            u.bean_id = COALESCE(new.bean_id, u.bean_id),
            u.reason = new.reason,
            u.explanation = new.explanation,
            u.attempts = u.attempts + new.refusals,
            u.quantity_before = new.quantity_before,
            u.quantity_after = new.quantity_after,
            u.finished_at = new.finished_at
        WHERE u.state NOT IN ('applied', 'superseded', 'fixed', 'discarded', 'cancelled')
        "#,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes a discarded update, which the caller has locked, a dead letter again. No message can do that.
pub async fn set_dead_again(
    conn: &mut MySqlConnection,
    id: UpdateId,
    refusal: &Refusal,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE inventory_updates
        SET state = 'dead_lettered', reason = ?, explanation = ?, finished_at = ?
        WHERE id = ? AND state = 'discarded'
        "#,
        refusal.reason.code(),
        refusal.explanation,
        now,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Replaces what refused updates say by what their corrections say. The caller has locked them.
pub async fn set_contents(
    conn: &mut MySqlConnection,
    contents: &[(UpdateId, &Content)],
) -> DbResult<()> {
    if contents.is_empty() {
        return Ok(());
    }
    let rows: Vec<ContentRow<'_>> = contents
        .iter()
        .map(|(id, content)| ContentRow::new(*id, content))
        .collect();
    query_rows!(
        "UPDATE",
        [contents],
        r#"
        STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = UNHEX(new.id)
        SET
            u.payload_hash = UNHEX(new.hash),
            u.bean_type = new.bean_type,
            u.bean_id = NULL,
            u.kind = new.kind,
            u.quantity = new.quantity,
            u.reference = new.reference,
            u.note = new.note,
            u.occurred_at = new.occurred_at,
            u.sent_at = new.sent_at
        WHERE u.state IN ('refused', 'dead_lettered')
        "#,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Where an update that we accept comes from.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    pub origin: Origin,
    /// The slip it is sent on.
    pub slip: Option<i64>,
    /// The update it fixes or corrects.
    pub follows: Option<Follows>,
}

impl From<Origin> for Source {
    fn from(origin: Origin) -> Self {
        Self {
            origin,
            slip: None,
            follows: None,
        }
    }
}

/// Stores an update that was just accepted, which counts as its time of sending: it may wait long to be
/// published. A unique violation means the id was used before.
pub async fn insert_accepted(
    conn: &mut MySqlConnection,
    update: &InventoryUpdate,
    source: Source,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let claim = Claim::from(update);
    let fingerprint = update.fingerprint();
    sqlx::query!(
        r#"
        INSERT INTO inventory_updates (
            id, sender_id, payload_hash, origin, supplier_id, bean_type, kind, quantity, reference,
            note, occurred_at, sent_at, state, accepted_at, slip_id, follows_id, follows_as
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        update.id.0,
        update.id.0,
        fingerprint.as_slice(),
        source.origin.code(),
        claim.supplier,
        claim.bean_type,
        update.change.kind().code(),
        claim.quantity,
        claim.reference,
        claim.note,
        claim.occurred_at,
        update.sent_at.unwrap_or(now),
        UpdateState::Accepted.code(),
        now,
        source.slip,
        source.follows.map(|follows| follows.update.0),
        source.follows.map(|follows| follows.how.code())
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that updates are on the topic, unless they have already come further than that.
pub async fn set_published(conn: &mut MySqlConnection, ids: &[UpdateId]) -> DbResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
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

/// Notes that somebody has decided about an update that a count had overtaken.
pub async fn set_decided(
    conn: &mut MySqlConnection,
    id: UpdateId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE inventory_updates SET decided_at = ? WHERE id = ?",
        now,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
