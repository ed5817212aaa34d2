//! SQL for reading inventory updates: lists of them, and one.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{LATEST, code, hex, json, like};
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
    /// Where it stands in a list that is sorted by time.
    pub fn place(&self) -> Place {
        Place {
            at: self.accepted_at,
            id: self.id,
        }
    }

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
    (by $index:literal, $first:tt $(+ $more:tt)*, $($argument:expr),*) => {
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
            FROM inventory_updates AS u "#
                + $index
                + "
            LEFT JOIN suppliers AS s ON s.id = u.supplier_id
            LEFT JOIN slips AS l ON l.id = u.slip_id
            "
                + $first $(+ $more)*,
            $($argument),*
        )
    };
    ($first:tt $(+ $more:tt)*, $($argument:expr),*) => {
        select_updates!(by "", $first $(+ $more)*, $($argument),*)
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

impl Place {
    /// The place before everything.
    pub const NEWEST: Self = Self {
        at: LATEST,
        id: UpdateId(Uuid::max()),
    };

    /// The place behind everything of this moment.
    pub fn before(at: DateTime<Utc>) -> Self {
        let id = UpdateId(Uuid::nil());
        Self { at, id }
    }
}

// Bounds that are always there, because `? IS NULL OR …` keeps MariaDB from using an index once it has run a prepared
// statement for the second time.
impl Filter {
    /// The earliest moment that it lets through.
    pub(super) fn since(&self) -> DateTime<Utc> {
        self.from.unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The first moment that it does not let through.
    pub(super) fn until(&self) -> DateTime<Utc> {
        self.before.unwrap_or(LATEST)
    }

    pub(super) fn pattern(&self) -> String {
        like(&self.words)
    }

    pub(super) fn slip(&self) -> Option<String> {
        let number = SlipNumber::parse(&self.words)?;
        Some(number.characters().to_owned())
    }
}

/// Runs one way of looking for updates: by an index, with the conditions that it serves and those that follow.
macro_rules! fetch_filtered {
    ($conn:ident, $filter:ident, $behind:ident, $limit:ident, $index:literal, $where:tt, [$($argument:expr),*]) => {
        select_updates!(
            by $index,
            $where
                + " AND (? = '' OR u.reference LIKE ? OR u.note LIKE ? OR u.bean_type LIKE ? OR l.number = ?)
                AND (? OR (u.finished_at IS NOT NULL AND u.state <> 'dead_lettered'))
                AND u.accepted_at >= ?
                AND u.accepted_at < ?
                AND u.accepted_at <= ?
                AND (u.accepted_at < ? OR u.id < ?)
                ORDER BY u.accepted_at DESC, u.id DESC LIMIT ?",
            $($argument,)*
            $filter.words,
            $filter.pattern(),
            $filter.pattern(),
            $filter.pattern(),
            $filter.slip(),
            !$filter.ended,
            $filter.since(),
            $filter.until(),
            $behind.at,
            $behind.at,
            $behind.id.0,
            $limit
        )
        .fetch_all($conn)
        .await?
    };
}

/// Lists updates that a filter lets through and that come behind a place, newest first.
///
/// Each way of looking names its index: left to itself, `MariaDB` takes another one, and a hundred times as long, once
/// it has run a prepared statement for the second time.
///
/// What arrives meanwhile comes before that place, so that going on from page to page skips and repeats
/// nothing.
pub async fn list_filtered(
    conn: &mut MySqlConnection,
    filter: &Filter,
    behind: Option<Place>,
    limit: i64,
) -> DbResult<Vec<UpdateLine>> {
    let behind = behind.unwrap_or(Place::NEWEST);
    let (supplier, state) = (
        filter.supplier.map(|id| id.0),
        filter.state.map(UpdateState::code),
    );
    macro_rules! fetch {
        ($index:literal, $where:tt, [$($argument:expr),*]) => {
            fetch_filtered!(conn, filter, behind, limit, $index, $where, [$($argument),*])
        };
    }
    let rows = match (supplier, state) {
        (Some(supplier), Some(state)) => fetch!(
            "FORCE INDEX (idx_inventory_updates_supplier_id_state_accepted_at)",
            "WHERE u.supplier_id = ? AND u.state = ?",
            [supplier, state]
        ),
        (Some(supplier), None) => fetch!(
            "FORCE INDEX (idx_inventory_updates_supplier_id_accepted_at)",
            "WHERE u.supplier_id = ?",
            [supplier]
        ),
        (None, Some(state)) => fetch!(
            "FORCE INDEX (idx_inventory_updates_state_accepted_at)",
            "WHERE u.state = ?",
            [state]
        ),
        (None, None) => fetch!(
            "FORCE INDEX (idx_inventory_updates_accepted_at)",
            "WHERE TRUE",
            []
        ),
    };
    rows.into_iter().map(UpdateLine::try_from).collect()
}

/// When the `most`-th update behind a place was accepted; none if there are fewer.
///
/// Counted are those that the filter lets through whatever they say: whoever looks for words back to that moment
/// looks through no more than these.
pub async fn find_reach(
    conn: &mut MySqlConnection,
    filter: &Filter,
    behind: Option<Place>,
    most: i64,
) -> DbResult<Option<DateTime<Utc>>> {
    let behind = behind.unwrap_or(Place::NEWEST);
    macro_rules! reach {
        ($where:literal, [$($argument:expr),*]) => {
            sqlx::query_scalar!(
                r#"
                SELECT u.accepted_at AS "accepted_at: DateTime<Utc>"
                FROM inventory_updates AS u
                WHERE "#
                    + $where
                    + "
                    AND u.accepted_at >= ?
                    AND u.accepted_at < ?
                    AND u.accepted_at <= ?
                ORDER BY u.accepted_at DESC LIMIT 1 OFFSET ?",
                $($argument,)*
                filter.since(),
                filter.until(),
                behind.at,
                most - 1
            )
        };
    }
    let (supplier, state) = (
        filter.supplier.map(|id| id.0),
        filter.state.map(UpdateState::code),
    );
    Ok(match (supplier, state) {
        (Some(supplier), Some(state)) => {
            reach!("u.supplier_id = ? AND u.state = ?", [supplier, state])
                .fetch_optional(conn)
                .await?
        }
        (Some(supplier), None) => {
            reach!("u.supplier_id = ?", [supplier])
                .fetch_optional(conn)
                .await?
        }
        (None, Some(state)) => reach!("u.state = ?", [state]).fetch_optional(conn).await?,
        (None, None) => reach!("TRUE", []).fetch_optional(conn).await?,
    })
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
