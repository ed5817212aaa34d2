//! SQL for reading inventory updates: lists, one of them, and how many stand where.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{code, hex, json};
use super::{DbError, DbResult, slips};
use crate::domain::{
    BeanId, Follows, FollowsAs, Origin, Reason, SlipNumber, SupplierId, UpdateId, UpdateKind,
    UpdateState,
};

/// An update as lists and its own page show it.
#[derive(Debug, Clone)]
pub struct UpdateLine {
    /// Our id of it.
    pub id: UpdateId,
    /// What its sender calls it.
    pub sender_id: Option<UpdateId>,
    /// How it reached us.
    pub origin: Origin,
    /// The supplier it claims to come from.
    pub supplier: Option<i64>,
    /// That supplier's name, if there is one.
    pub supplier_name: Option<String>,
    /// The bean it names.
    pub bean_type: Option<String>,
    /// The bean it was found to mean.
    pub bean: Option<BeanId>,
    pub kind: Option<UpdateKind>,
    pub quantity: Option<i64>,
    pub reference: Option<String>,
    pub note: Option<String>,
    /// When it happened, if the sender said so.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it was sent.
    pub sent_at: Option<DateTime<Utc>>,
    pub state: UpdateState,
    /// Why it was refused or superseded.
    pub reason: Option<Reason>,
    /// The same in plain words.
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
    /// The slip it was sent on.
    pub slip: Option<SlipNumber>,
    /// The update it fixes or corrects.
    pub follows: Option<Follows>,
    /// When the café decided about it, if a count had overtaken it.
    pub decided_at: Option<DateTime<Utc>>,
}

struct UpdateRow {
    id: Uuid,
    sender_id: Option<Uuid>,
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
    sent_at: Option<DateTime<Utc>>,
    state: String,
    reason: Option<String>,
    explanation: Option<String>,
    attempts: i32,
    quantity_before: Option<i64>,
    quantity_after: Option<i64>,
    accepted_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    slip_number: Option<String>,
    follows_id: Option<Uuid>,
    follows_as: Option<String>,
    decided_at: Option<DateTime<Utc>>,
}

impl TryFrom<UpdateRow> for UpdateLine {
    type Error = DbError;

    fn try_from(row: UpdateRow) -> DbResult<Self> {
        const TABLE: &str = "inventory_updates";
        let kind = row.kind.as_deref();
        let kind = kind.map(|kind| code(TABLE, "kind", kind, UpdateKind::from_code));
        let reason = row.reason.as_deref();
        let reason = reason.map(|reason| code(TABLE, "reason", reason, Reason::from_code));
        Ok(Self {
            id: UpdateId(row.id),
            sender_id: row.sender_id.map(UpdateId),
            origin: code(TABLE, "origin", &row.origin, Origin::from_code)?,
            supplier: row.supplier_id,
            supplier_name: row.supplier_name,
            bean_type: row.bean_type,
            bean: row.bean_id.map(BeanId),
            kind: kind.transpose()?,
            quantity: row.quantity,
            reference: row.reference,
            note: row.note,
            occurred_at: row.occurred_at,
            sent_at: row.sent_at,
            state: code(TABLE, "state", &row.state, UpdateState::from_code)?,
            reason: reason.transpose()?,
            explanation: row.explanation,
            attempts: row.attempts,
            quantity_before: row.quantity_before,
            quantity_after: row.quantity_after,
            accepted_at: row.accepted_at,
            finished_at: row.finished_at,
            slip: row.slip_number.as_deref().map(slips::number).transpose()?,
            follows: follows(row.follows_id, row.follows_as.as_deref())?,
            decided_at: row.decided_at,
        })
    }
}

impl UpdateLine {
    /// Whether it carries the difference to what another one should have said.
    pub fn is_correction(&self) -> bool {
        self.follows
            .is_some_and(|follows| follows.how == FollowsAs::Correction)
    }
}

fn follows(id: Option<Uuid>, how: Option<&str>) -> DbResult<Option<Follows>> {
    let Some((id, how)) = id.zip(how) else {
        return Ok(None);
    };
    let how = code("inventory_updates", "follows_as", how, FollowsAs::from_code)?;
    let update = UpdateId(id);
    Ok(Some(Follows { update, how }))
}

/// Reads [`UpdateRow`]s. Each way of looking at them is a query of its own, so that each has its
/// index.
macro_rules! select_updates {
    ($first:tt $(+ $more:tt)*, $($argument:expr),*) => {
        sqlx::query_as!(
            UpdateRow,
            r#"
            SELECT
                u.id AS "id: Uuid",
                u.sender_id AS "sender_id: Uuid",
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
                u.sent_at AS "sent_at: DateTime<Utc>",
                u.state,
                u.reason,
                u.explanation,
                u.attempts,
                u.quantity_before,
                u.quantity_after,
                u.accepted_at AS "accepted_at: DateTime<Utc>",
                u.finished_at AS "finished_at: DateTime<Utc>",
                l.number AS "slip_number?",
                u.follows_id AS "follows_id: Uuid",
                u.follows_as,
                u.decided_at AS "decided_at: DateTime<Utc>"
            FROM inventory_updates AS u
            LEFT JOIN suppliers AS s ON s.id = u.supplier_id
            LEFT JOIN slips AS l ON l.id = u.slip_id
            "#
                + $first $(+ $more)*,
            $($argument),*
        )
    };
}

/// Lists updates, newest first.
pub async fn list_updates(
    conn: &mut MySqlConnection,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<UpdateLine>> {
    let rows = select_updates!(
        "ORDER BY u.accepted_at DESC, u.id DESC LIMIT ? OFFSET ?",
        limit,
        offset
    )
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

/// Lists the updates of a supplier that wait for something, newest first.
pub async fn list_open_updates(
    conn: &mut MySqlConnection,
    supplier: SupplierId,
    limit: i64,
) -> DbResult<Vec<UpdateLine>> {
    let rows = select_updates!(
        "WHERE u.supplier_id = ? AND u.state IN ('accepted', 'published', 'refused', 'dead_lettered')
        ORDER BY u.accepted_at DESC, u.id DESC LIMIT ?",
        supplier.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// Which updates are looked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those of one supplier; of all if of none.
    pub supplier: Option<SupplierId>,
    pub state: Option<UpdateState>,
    /// What their reference, note or bean contains, or the number of their slip; empty for anything.
    pub words: String,
    /// Whether only those that nobody has to do anything about any more.
    pub ended: bool,
    /// When we first saw them, at the earliest.
    pub from: Option<DateTime<Utc>>,
    /// And before when.
    pub before: Option<DateTime<Utc>>,
}

/// A place in a list that is sorted by time, newest first: what comes behind it is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub at: DateTime<Utc>,
    pub id: UpdateId,
}

impl Filter {
    fn pattern(&self) -> String {
        let words = self
            .words
            .replace('\\', r"\\")
            .replace('%', r"\%")
            .replace('_', r"\_");
        format!("%{words}%")
    }

    fn slip(&self) -> Option<String> {
        let number = SlipNumber::parse(&self.words)?;
        Some(number.characters().to_owned())
    }
}

/// Lists updates that a filter lets through and that come behind a place, newest first.
///
/// What arrives meanwhile comes before that place, so that going on from page to page skips and repeats
/// nothing.
pub async fn list_filtered(
    conn: &mut MySqlConnection,
    filter: &Filter,
    behind: Option<Place>,
    limit: i64,
) -> DbResult<Vec<UpdateLine>> {
    /// The conditions that follow those of the index that a list is read by.
    macro_rules! select_filtered {
        ($where:tt, [$($argument:expr),*]) => {
            select_updates!(
                $where
                    + " AND (? = '' OR u.reference LIKE ? OR u.note LIKE ? OR u.bean_type LIKE ? OR l.number = ?)
                    AND (? OR (u.finished_at IS NOT NULL AND u.state <> 'dead_lettered'))
                    AND (? IS NULL OR u.accepted_at >= ?)
                    AND (? IS NULL OR u.accepted_at < ?)
                    AND (? IS NULL OR u.accepted_at <= ?)
                    AND (? IS NULL OR u.accepted_at < ? OR u.id < ?)
                    ORDER BY u.accepted_at DESC, u.id DESC LIMIT ?",
                $($argument,)*
                filter.words,
                filter.pattern(),
                filter.pattern(),
                filter.pattern(),
                filter.slip(),
                !filter.ended,
                filter.from,
                filter.from,
                filter.before,
                filter.before,
                behind.map(|place| place.at),
                behind.map(|place| place.at),
                behind.map(|place| place.at),
                behind.map(|place| place.at),
                behind.map(|place| place.id.0),
                limit
            )
        };
    }
    let (supplier, state) = (
        filter.supplier.map(|id| id.0),
        filter.state.map(UpdateState::code),
    );
    let rows = match (supplier, state) {
        (Some(supplier), Some(state)) => {
            select_filtered!("WHERE u.supplier_id = ? AND u.state = ?", [supplier, state])
                .fetch_all(conn)
                .await?
        }
        (Some(supplier), None) => {
            select_filtered!("WHERE u.supplier_id = ?", [supplier])
                .fetch_all(conn)
                .await?
        }
        (None, Some(state)) => {
            select_filtered!("WHERE u.state = ?", [state])
                .fetch_all(conn)
                .await?
        }
        (None, None) => select_filtered!("WHERE TRUE", []).fetch_all(conn).await?,
    };
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// Lists the updates that a count overtook although their senders did not say when they happened,
/// newest first: only their time of sending says that the count includes them.
pub async fn list_overtaken(
    conn: &mut MySqlConnection,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<UpdateLine>> {
    let rows = select_updates!(
        "WHERE u.state = 'superseded' AND u.occurred_at IS NULL AND u.decided_at IS NULL
        ORDER BY u.accepted_at DESC, u.id DESC LIMIT ? OFFSET ?",
        limit,
        offset
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// Counts what [`list_overtaken`] lists.
pub async fn count_overtaken(conn: &mut MySqlConnection) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "count!: i64"
        FROM inventory_updates
        WHERE state = 'superseded' AND occurred_at IS NULL AND decided_at IS NULL
        "#
    );
    Ok(count.fetch_one(conn).await?)
}

/// Counts the updates of one bean, up to `most`.
pub async fn count_updates_of_bean(
    conn: &mut MySqlConnection,
    bean: BeanId,
    most: i64,
) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "count!: i64"
        FROM (SELECT 1 FROM inventory_updates WHERE bean_id = ? LIMIT ?) AS some
        "#,
        bean.0,
        most
    );
    Ok(count.fetch_one(conn).await?)
}

/// Finds the update that its sender knows by this id, among all or those of one supplier; none if several
/// senders use it.
pub async fn find_update_of_sender(
    conn: &mut MySqlConnection,
    sender_id: UpdateId,
    supplier: Option<SupplierId>,
) -> DbResult<Option<UpdateId>> {
    let supplier = supplier.map(|supplier| supplier.0);
    let ids = sqlx::query_scalar!(
        r#"
        SELECT id AS "id: Uuid"
        FROM inventory_updates
        WHERE sender_id = ? AND (? IS NULL OR supplier_id = ?)
        LIMIT 2
        "#,
        sender_id.0,
        supplier,
        supplier
    );
    let ids = ids.fetch_all(conn).await?;
    Ok(match ids[..] {
        [id] => Some(UpdateId(id)),
        _ => None,
    })
}

pub async fn find_update(conn: &mut MySqlConnection, id: UpdateId) -> DbResult<Option<UpdateLine>> {
    let row = select_updates!("WHERE u.id = ?", id.0)
        .fetch_optional(conn)
        .await?;
    row.map(UpdateLine::try_from).transpose()
}

/// Lists the updates with these ids, of all or of one supplier, in the order of their ids.
pub async fn list_updates_by_id(
    conn: &mut MySqlConnection,
    updates: &[UpdateId],
    supplier: Option<SupplierId>,
) -> DbResult<Vec<UpdateLine>> {
    if updates.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = updates.iter().map(|id| hex(id.0)).collect();
    let supplier = supplier.map(|supplier| supplier.0);
    let rows = select_updates!(
        "WHERE u.id IN (
            SELECT UNHEX(wanted.id) FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
        ) AND (? IS NULL OR u.supplier_id = ?)
        ORDER BY u.id",
        json(&ids),
        supplier,
        supplier
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// Lists what fixes or corrects any of these updates, oldest first.
pub async fn list_followers(
    conn: &mut MySqlConnection,
    updates: &[UpdateId],
) -> DbResult<Vec<UpdateLine>> {
    if updates.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = updates.iter().map(|id| hex(id.0)).collect();
    let rows = select_updates!(
        "WHERE u.follows_id IN (
            SELECT UNHEX(wanted.id) FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
        )
        ORDER BY u.id",
        json(&ids)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// Lists the updates of a slip, in the order of its lines.
pub async fn list_updates_of_slip(
    conn: &mut MySqlConnection,
    slip: i64,
) -> DbResult<Vec<UpdateLine>> {
    let rows = select_updates!("WHERE u.slip_id = ? ORDER BY u.id", slip)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// How many updates stand in one state.
#[derive(Debug, Clone, Copy)]
pub struct StateCount {
    pub state: UpdateState,
    /// How many updates stand there.
    pub number: i64,
}

/// Counts the updates that a filter lets through by state, whatever state it names, up to `most` in each: what
/// is counted further takes longer and says no more. A state where none stands is absent.
pub async fn count_by_state(
    conn: &mut MySqlConnection,
    filter: &Filter,
    most: i64,
) -> DbResult<Vec<StateCount>> {
    let mut counts = Vec::new();
    for state in UpdateState::ALL {
        let number = count_in_state(conn, filter, state, most).await?;
        if number > 0 {
            counts.push(StateCount { state, number });
        }
    }
    Ok(counts)
}

async fn count_in_state(
    conn: &mut MySqlConnection,
    filter: &Filter,
    state: UpdateState,
    most: i64,
) -> DbResult<i64> {
    if filter.words.is_empty() {
        count_in_index(conn, filter, state, most).await
    } else {
        count_matching(conn, filter, state, most).await
    }
}

/// Counts without looking at the rows themselves: the indexes of states and of suppliers' states tell it.
async fn count_in_index(
    conn: &mut MySqlConnection,
    filter: &Filter,
    state: UpdateState,
    most: i64,
) -> DbResult<i64> {
    macro_rules! count {
        ($where:literal, [$($argument:expr),*]) => {
            sqlx::query_scalar!(
                r#"
                SELECT COUNT(*) AS "number!: i64"
                FROM (
                    SELECT 1
                    FROM inventory_updates AS u
                    WHERE "#
                    + $where
                    + "
                        AND (? IS NULL OR u.accepted_at >= ?)
                        AND (? IS NULL OR u.accepted_at < ?)
                    LIMIT ?
                ) AS some",
                $($argument,)*
                filter.from,
                filter.from,
                filter.before,
                filter.before,
                most
            )
        };
    }
    Ok(match filter.supplier {
        Some(supplier) => {
            count!(
                "u.supplier_id = ? AND u.state = ?",
                [supplier.0, state.code()]
            )
            .fetch_one(conn)
            .await?
        }
        None => {
            count!("u.state = ?", [state.code()])
                .fetch_one(conn)
                .await?
        }
    })
}

async fn count_matching(
    conn: &mut MySqlConnection,
    filter: &Filter,
    state: UpdateState,
    most: i64,
) -> DbResult<i64> {
    let supplier = filter.supplier.map(|id| id.0);
    let number = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "number!: i64"
        FROM (
            SELECT 1
            FROM inventory_updates AS u
            LEFT JOIN slips AS l ON l.id = u.slip_id
            WHERE u.state = ?
                AND (? IS NULL OR u.supplier_id = ?)
                AND (u.reference LIKE ? OR u.note LIKE ? OR u.bean_type LIKE ? OR l.number = ?)
                AND (? IS NULL OR u.accepted_at >= ?)
                AND (? IS NULL OR u.accepted_at < ?)
            LIMIT ?
        ) AS some
        "#,
        state.code(),
        supplier,
        supplier,
        filter.pattern(),
        filter.pattern(),
        filter.pattern(),
        filter.slip(),
        filter.from,
        filter.from,
        filter.before,
        filter.before,
        most
    );
    Ok(number.fetch_one(conn).await?)
}

/// How many updates stand where, and since when the oldest unfinished one waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpdateCounts {
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
    let rows = sqlx::query!(
        r#"
        SELECT state, COUNT(*) AS "number!: i64", MIN(accepted_at) AS "oldest: DateTime<Utc>"
        FROM inventory_updates
        GROUP BY state
        "#
    )
    .fetch_all(conn)
    .await?;
    let mut counts = UpdateCounts::default();
    for row in rows {
        let state = code(
            "inventory_updates",
            "state",
            &row.state,
            UpdateState::from_code,
        )?;
        counts.accepted += row.number;
        match state {
            UpdateState::Applied => counts.applied += row.number,
            UpdateState::Superseded => counts.superseded += row.number,
            UpdateState::Accepted | UpdateState::Published | UpdateState::Refused => {
                counts.waiting += row.number;
                counts.oldest_waiting = counts.oldest_waiting.into_iter().chain(row.oldest).min();
            }
            _ => {}
        }
    }
    Ok(counts)
}
